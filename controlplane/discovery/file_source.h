// Members from a file (file_sd.h), read when it changes.
//
// inotify watches the file's directory, so that a file that is replaced by a rename, is made anew, or is
// reached through a link that is changed is noticed. It is read every kReadInterval in any case, for what
// inotify does not tell (network file systems), and every kUnwatchedInterval while there is no directory.
//
// Invariants:
//   1. A file is parsed when its content is another than the last time, or could not be read in between.
//   2. Only a regular file of at most kMaxSourceBytes is read: a pipe or a device would never end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "controlplane/discovery/member_source.h"

namespace maglb {

// The bytes of a regular file, at most `max_bytes`.
Result<std::string> read_regular_file(const std::string& path, size_t max_bytes);

class FileSource final : public MemberSource, public std::enable_shared_from_this<FileSource> {
 public:
  static constexpr std::chrono::milliseconds kSettleTime{20};
  static constexpr std::chrono::seconds kReadInterval{10};
  static constexpr std::chrono::seconds kUnwatchedInterval{1};

  FileSource(boost::asio::io_context& io, const BackendSource& config, Listener listener);

  void start() override;
  void stop() override;

 private:
  void watch_directory();
  void await_event();
  void drain_events();
  void read_in(std::chrono::milliseconds delay);
  void read();

  const std::string path_;
  const uint32_t weight_;
  const Listener listener_;
  boost::asio::posix::stream_descriptor inotify_;
  boost::asio::steady_timer timer_;
  int watch_ = -1;                // of the directory; -1: none
  bool settling_ = false;         // a reading is near
  std::optional<uint64_t> seen_;  // hash of the content that was told last; nothing: an error was
  bool stopped_ = true;
};

}  // namespace maglb
