// A capture file being written: pcap of Ethernet, always in nanoseconds, so that no time of the input
// is rounded.
//
// Invariant: the file at `path` is the old one, or none, until commit() put the whole new one in its
// place. A path that names no regular file (a pipe, /dev/null) is written directly: it can't be
// replaced.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"

struct pcap;
struct pcap_dumper;

namespace maglb::replay {

class CaptureWriter {
 public:
  static Result<CaptureWriter> create(const std::string& path);
  // Without a commit() the temporary file goes.
  ~CaptureWriter();
  CaptureWriter(CaptureWriter&&) = default;
  CaptureWriter& operator=(CaptureWriter&&) = delete;

  // What can't be written is reported by commit().
  void write(std::span<const uint8_t> frame, Time time);

  // Nothing may follow it.
  Result<void> commit();

 private:
  struct Close {
    void operator()(pcap* handle) const;
    void operator()(pcap_dumper* dumper) const;
  };

  CaptureWriter() = default;
  Result<std::FILE*> open_temporary();

  std::string path_;
  std::string temporary_;  // empty: written directly, or done
  std::unique_ptr<pcap, Close> format_;
  std::unique_ptr<pcap_dumper, Close> dumper_;
};

}  // namespace maglb::replay
