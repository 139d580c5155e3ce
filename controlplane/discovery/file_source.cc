#include "controlplane/discovery/file_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "controlplane/discovery/file_sd.h"
#include "lib/base/siphash.h"
#include "lib/base/unique_fd.h"

namespace maglb {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                             IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

uint64_t hash_of(std::string_view text) {
  return siphash24(SipKey{}, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, size_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    return fail_errno(path, errno);
  }
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) {
    return fail_errno(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::kInvalid, path + ": no regular file");
  }
  std::string text(std::min(max_bytes, static_cast<size_t>(status.st_size)) + 1, '\0');
  size_t size = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0) {
      return fail_errno(path, errno);
    }
    size += static_cast<size_t>(got);
    if (size > max_bytes) {
      return fail(ErrorKind::kInvalid, fmt::format("{}: longer than {} bytes", path, max_bytes));
    }
    if (got == 0) {
      text.resize(size);
      return text;
    }
    if (size == text.size()) {  // it grew meanwhile
      text.resize(std::min(2 * size, max_bytes + 1));
    }
  }
}

FileSource::FileSource(asio::io_context& io, const BackendSource& config, Listener listener)
    : path_(config.path), weight_(config.weight), listener_(std::move(listener)), inotify_(io), timer_(io) {}

void FileSource::start() {
  stopped_ = false;
  if (const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC); fd >= 0) {
    inotify_.assign(fd);
    await_event();
  }
  read_in({});
}

void FileSource::stop() {
  stopped_ = true;
  error_code ignored;
  inotify_.close(ignored);
  timer_.cancel();
}

// Adding it again gives the same number, or that of a directory that took the old one's place.
void FileSource::watch_directory() {
  if (!inotify_.is_open()) {
    return;
  }
  const std::string directory = std::filesystem::path(path_).parent_path();
  const int watch = ::inotify_add_watch(inotify_.native_handle(), directory.c_str(), kEvents);
  if (watch_ >= 0 && watch != watch_) {
    ::inotify_rm_watch(inotify_.native_handle(), watch_);
  }
  watch_ = watch;
}

void FileSource::await_event() {
  inotify_.async_wait(asio::posix::descriptor_base::wait_read,
                      [weak = weak_from_this()](const error_code& error) {
                        const auto self = weak.lock();
                        if (error || !self || self->stopped_) {
                          return;
                        }
                        self->drain_events();
                        // What comes within this time is one change.
                        if (!std::exchange(self->settling_, true)) {
                          self->read_in(kSettleTime);
                        }
                        self->await_event();
                      });
}

void FileSource::drain_events() {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(inotify_.native_handle(), events.data(), events.size()) > 0) {
  }
}

void FileSource::read_in(std::chrono::milliseconds delay) {
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!error && self && !self->stopped_) {
      self->read();
    }
  });
}

// Watched first, read then: what changes in between is told by an event.
void FileSource::read() {
  settling_ = false;
  watch_directory();
  read_in(watch_ < 0 ? kUnwatchedInterval : kReadInterval);
  const Result<std::string> text = read_regular_file(path_, kMaxSourceBytes);
  if (!text) {
    seen_.reset();
    return listener_(tl::unexpected<Error>(text.error()));
  }
  const uint64_t hash = hash_of(*text);
  if (seen_ == hash) {
    return;
  }
  seen_ = hash;
  Result<Members> members = parse_file_sd(*text, path_, weight_);
  if (members) {
    return listener_(Found{std::move(*members), ""});
  }
  Error error = std::move(members).error();
  // A place in a YAML file has the path already.
  listener_(tl::unexpected<Error>(error.message.starts_with(path_) ? std::move(error)
                                                                   : std::move(error).within(path_)));
}

}  // namespace maglb
