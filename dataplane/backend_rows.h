// What was last told of every backend, so that who asks every second is told what has changed since, and
// not a hundred thousand backends.
//
// Each answer has a mark; who asks again says the last one. An answer is about the pools behind a name, in
// their order, and ends when it has looked at or told enough: the main core does other work between two parts
// of a long answer. Whoever has asked for the parts of an answer says the mark of the first the next time.
//
// Invariants:
//   1. Who has all parts of an answer since 0, and takes in those since each last mark, has every backend as
//      it was when its pool was last looked at, and no backend that is gone.
//   2. A pool whose backends are others than before is renewed: told whole, or gone where none is told.
//
// Threads: the main core.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/flow/backend_signals.h"
#include "lib/ipc/messages.h"
#include "lib/snapshot/view/pool_record.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

class BackendRows {
 public:
  // Of one part of an answer.
  static constexpr size_t kMostLookedAt = 16384;
  static constexpr size_t kMostTold = 4096;
  // More pools that are gone are not remembered: then everything is told again.
  static constexpr size_t kMostGone = 4096;

  struct Bounds {
    size_t looked_at = kMostLookedAt;
    size_t told = kMostTold;
    size_t gone = kMostGone;
  };

  // How a backend is now. Two that are equal are told alike.
  struct Figures {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    uint64_t new_flows = 0;
    uint64_t refused = 0;
    uint64_t flows = 0;
    uint64_t next_hop_version = 0;
    std::array<uint64_t, kSignals> signals{};  // told of passive pools only
    friend bool operator==(const Figures&, const Figures&) = default;
  };
  // Signals only where they are asked for.
  using Read = std::function<Figures(uint32_t counter, uint32_t next_hop, bool with_signals)>;
  using DescribeHop = std::function<std::string(uint32_t next_hop)>;

  BackendRows(Read read, DescribeHop describe_hop)
      : BackendRows(std::move(read), std::move(describe_hop), {}) {}
  BackendRows(Read read, DescribeHop describe_hop, Bounds bounds)
      : read_(std::move(read)), describe_hop_(std::move(describe_hop)), bounds_(bounds) {}

  // One part of an answer.
  void tell(const Registry& registry, const ipc::StatsRequest& request, ipc::Stats& reply);

 private:
  struct Row {
    std::string name;
    uint32_t counter = 0;
    uint32_t next_hop = 0;
    bool is_passive = false;
    Figures figures;
    uint64_t changed = 0;  // the mark of the answer that saw it first
  };
  struct OfPool {
    std::weak_ptr<const PoolRecord> record;  // its tables are not kept for this
    bool direct_only = false;
    uint64_t renewed = 0;  // likewise
    std::vector<Row> rows;
  };
  using Pools = std::map<std::string, OfPool, std::less<>>;

  void follow(const Registry& registry);
  void renew(OfPool& pool, const Registry::CountedPool& now);
  void forget(const std::string& name);
  void tell_gone(uint64_t since, ipc::Stats& reply) const;
  // How many it told.
  size_t tell_pool(const std::string& name, OfPool& pool, uint64_t since, bool whole, ipc::Stats& reply);
  void tell_row(const std::string& pool, const Row& row, ipc::Stats& reply) const;

  Read read_;
  DescribeHop describe_hop_;
  Bounds bounds_;
  Pools pools_;
  std::map<std::string, uint64_t> gone_;  // pools, and the mark since when
  uint64_t generation_ = 0;               // that pools_ are of
  uint64_t mark_ = 0;
  uint64_t forgotten_ = 0;  // who knows a mark below is told everything
};

}  // namespace maglb
