#include "tools/maglb-replay/capture_reader.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>

namespace maglb::replay {
namespace {

// A pcap's seconds are 32 bits; a pcapng can claim more than nanoseconds since 1970 can hold.
constexpr int64_t kLastSecond = 0xffffffff;

Time time_of(const timeval& stamp) {
  const int64_t seconds = std::clamp<int64_t>(stamp.tv_sec, 0, kLastSecond);
  const int64_t nanoseconds = std::clamp<int64_t>(stamp.tv_usec, 0, kLastSecond);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds);
}

std::string describe_link(int link) {
  const char* name = pcap_datalink_val_to_name(link);
  return name != nullptr ? fmt::format("{} ({})", name, link) : fmt::format("{}", link);
}

}  // namespace

void CaptureReader::Close::operator()(pcap* handle) const {
  pcap_close(handle);
}

Result<CaptureReader> CaptureReader::open(const std::string& path) {
  char reason[PCAP_ERRBUF_SIZE] = {};
  pcap* handle = pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, reason);
  if (handle == nullptr) {
    const std::string_view why = reason;
    return fail(ErrorKind::kInvalid,
                why.starts_with(path) ? std::string(why) : fmt::format("{}: {}", path, why));
  }
  CaptureReader reader(path, handle);
  if (const int link = pcap_datalink(handle); link != DLT_EN10MB) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{}: expected a capture of Ethernet frames, not of link type {}", path,
                            describe_link(link)));
  }
  return reader;
}

Result<std::optional<Frame>> CaptureReader::next() {
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int outcome = pcap_next_ex(handle_.get(), &header, &bytes);
  if (outcome == PCAP_ERROR_BREAK) {
    return std::nullopt;
  }
  ++frames_;
  if (outcome != 1) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{}: frame {}: {}", path_, frames_, pcap_geterr(handle_.get())));
  }
  return Frame{{bytes, header->caplen}, header->len, time_of(header->ts)};
}

}  // namespace maglb::replay
