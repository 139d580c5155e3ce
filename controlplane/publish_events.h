// Tells the event log when the dataplane comes and goes and what reached its workers, with what led to it:
// the newest event since the publish before.
//
// Threads: the io_context's one.
#pragma once

#include <string>

#include "controlplane/events/event_log.h"

namespace maglb {

class PublishEvents {
 public:
  explicit PublishEvents(EventLog& log);

  void on_outcome(uint64_t generation, const std::string& refusal);
  void on_connection(bool connected, const std::string& what);

 private:
  EventLog& log_;
  std::string cause_ = "the start";
  uint64_t more_ = 0;  // causes before it
  bool connected_ = false;
  std::string last_refusal_;
};

}  // namespace maglb
