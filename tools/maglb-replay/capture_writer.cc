#include "tools/maglb-replay/capture_writer.h"

#include <fmt/format.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace maglb::replay {
namespace {

// As large as libpcap reads.
constexpr int kSnapLength = 262144;

// The mode that a file made by open() would have had; mkstemp() gives less.
mode_t mode_of_new_files() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// The file that a write to `path` would reach, behind symbolic links.
std::string target_of(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(path, error);
  return error ? path : resolved.string();
}

bool is_special(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

}  // namespace

void CaptureWriter::Close::operator()(pcap* handle) const {
  pcap_close(handle);
}
void CaptureWriter::Close::operator()(pcap_dumper* dumper) const {
  pcap_dump_close(dumper);
}

CaptureWriter::~CaptureWriter() {
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
}

Result<std::FILE*> CaptureWriter::open_temporary() {
  std::string name = path_ + ".XXXXXX";
  const int descriptor = mkstemp(name.data());
  if (descriptor < 0) {
    return fail_errno(path_, errno);
  }
  temporary_ = std::move(name);
  std::FILE* file = fchmod(descriptor, mode_of_new_files()) == 0 ? fdopen(descriptor, "wb") : nullptr;
  if (file == nullptr) {
    const int reason = errno;
    close(descriptor);
    return fail_errno(path_, reason);
  }
  return file;
}

Result<CaptureWriter> CaptureWriter::create(const std::string& path) {
  CaptureWriter writer;
  writer.path_ = target_of(path);
  std::FILE* file = nullptr;
  if (is_special(writer.path_)) {
    file = std::fopen(writer.path_.c_str(), "wb");
    if (file == nullptr) {
      return fail_errno(path, errno);
    }
  } else {
    const auto temporary = writer.open_temporary();
    if (!temporary) {
      return tl::unexpected(temporary.error());
    }
    file = *temporary;
  }
  writer.format_.reset(
      pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO));
  writer.dumper_.reset(pcap_dump_fopen(writer.format_.get(), file));
  if (writer.dumper_ == nullptr) {
    std::fclose(file);
    return fail(ErrorKind::kSystem, fmt::format("{}: {}", path, pcap_geterr(writer.format_.get())));
  }
  return writer;
}

void CaptureWriter::write(std::span<const uint8_t> frame, Time time) {
  pcap_pkthdr header{};
  header.ts.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  header.ts.tv_usec = (time % std::chrono::seconds(1)).count();
  header.caplen = static_cast<bpf_u_int32>(frame.size());
  header.len = header.caplen;
  pcap_dump(reinterpret_cast<u_char*>(dumper_.get()), &header, frame.data());
}

Result<void> CaptureWriter::commit() {
  const bool failed = pcap_dump_flush(dumper_.get()) != 0 || std::ferror(pcap_dump_file(dumper_.get())) != 0;
  const int reason = errno;
  dumper_.reset();
  if (failed) {
    return fail_errno(path_, reason);
  }
  if (!temporary_.empty() && std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return fail_errno(path_, errno);
  }
  temporary_.clear();
  return {};
}

}  // namespace maglb::replay
