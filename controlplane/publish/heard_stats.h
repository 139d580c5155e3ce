// What the dataplane counts, as put together from its answers (StatsRequest in lib/ipc/maglb.proto): the last
// of everything but backends, and of each backend what was told of it last.
//
// Invariant: pools() is whole once is_whole(): an answer that tells everything takes its place when its last
// part is there. Of an answer that tells changes each part counts at once.
//
// Threads: the io_context's one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lib/ipc/messages.h"

namespace maglb {

class HeardStats {
 public:
  using OfPool = std::map<std::string, ipc::BackendStats, std::less<>>;  // by backend

  using Pools = std::map<std::string, OfPool, std::less<>>;

  // In place of a mark: everything is asked for, in parts.
  static constexpr uint64_t kNoMark = UINT64_MAX;

  HeardStats() { next_.set_since(kNoMark); }

  // What to ask for next.
  ipc::StatsRequest next_request() const { return next_; }
  // Takes in the answer to next_request(). True: there is more to ask for now. Changes of what is not known
  // are not taken: they are the answer to another question.
  bool take(ipc::Stats&& answer);
  // An answer did not come: everything is asked for anew, what is known stays meanwhile.
  void start_anew();
  bool is_whole() const { return whole_; }

  // Without backends.
  const ipc::Stats& all() const { return all_; }
  const Pools& pools() const { return pools_; }
  // Null: nothing was told of it.
  const ipc::BackendStats* backend(std::string_view pool, std::string_view name) const;
  const ipc::ServiceStats* service(std::string_view name) const;

 private:
  ipc::Stats all_;
  Pools pools_;
  Pools coming_;             // of an answer that tells everything
  bool collecting_ = false;  // it is coming
  bool whole_ = false;
  std::map<std::string, int, std::less<>> services_;  // places in all_
  ipc::StatsRequest next_;
  uint64_t mark_ = 0;  // of the first part of the answer that is coming
};

}  // namespace maglb
