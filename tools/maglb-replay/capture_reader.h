// A capture file as a row of Ethernet frames: pcap and pcapng, in microseconds or nanoseconds.
//
// A capture is input like any other: hostile until read. What libpcap refuses ends the reading with an
// error that names the file and the frame.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"

struct pcap;

namespace maglb::replay {

struct Frame {
  std::span<const uint8_t> bytes;  // as far as they were captured
  uint32_t wire_length = 0;        // what the frame had on the wire
  Time time{0};                    // since 1970

  bool is_cut() const { return bytes.size() < wire_length; }
};

class CaptureReader {
 public:
  // kInvalid: no capture, or not one of Ethernet.
  static Result<CaptureReader> open(const std::string& path);

  // The next frame, valid until the next call; nothing at the end of the file.
  Result<std::optional<Frame>> next();

 private:
  struct Close {
    void operator()(pcap* handle) const;
  };

  CaptureReader(std::string path, pcap* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  std::unique_ptr<pcap, Close> handle_;
  uint64_t frames_ = 0;
};

}  // namespace maglb::replay
