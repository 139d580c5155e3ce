// A flood over established flows on the real path and the real clock: every burst full of SYNs or lone
// ACKs of random tuples, among them packets of flows that must not move and clients that arrive meanwhile,
// while the pool's table changes every five seconds.
//
// A client sends a SYN, an ACK a round trip later and then data every 100 ms for five seconds.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "bench/balancer.h"

namespace maglb::bench {

enum class FloodKind { kSyn, kAck, kBoth };

struct FloodResult {
  uint64_t packets = 0;
  uint64_t checked = 0;                // packets of established flows
  uint64_t established_moved = 0;      // must be 0
  uint64_t followed_removal = 0;       // their backend was removed
  uint64_t clients = 0;                // that sent their ACK
  uint64_t clients_evicted = 0;        // whose entry was gone by then
  uint64_t clients_moved_opening = 0;  // elsewhere by their third packet
  uint64_t clients_moved = 0;          // after it; must be 0
  uint64_t changes = 0;
  uint64_t most_opening = 0;
  uint64_t most_size = 0;
  double seconds = 0;
};

class Flood {
 public:
  static constexpr uint32_t kEstablished = 100'000;
  static constexpr uint32_t kBackends = 100;

  explicit Flood(FloodKind kind);
  FloodResult run(Duration duration, Duration round_trip);
  Balancer& balancer() { return balancer_; }

 private:
  enum class Role : uint8_t { kFlood, kEstablished, kClient };
  struct Client {
    uint64_t flow = 0;
    FlowDigest digest;
    Time due{};
    uint16_t backend = 0;
    uint16_t packets = 0;  // sent
  };

  void establish();
  void burst(Time now);
  bool next_client(Time now, Client& client);
  void judge_established(uint32_t flow, uint16_t backend);
  void judge_client(Client client, uint16_t backend, const FlowDigest& digest, Time now);
  void change();
  uint16_t sent_to(uint32_t slot) const;

  FloodKind kind_;
  Traffic traffic_;
  Balancer balancer_;
  Batch batch_;
  std::mt19937_64 random_{1};
  std::vector<uint16_t> backend_of_;
  std::vector<uint32_t> weights_;
  std::deque<Client> opening_;
  std::deque<Client> open_;
  uint64_t next_flow_ = 1 << 20;
  uint32_t next_established_ = 0;
  Time next_arrival_{};
  Duration round_trip_{};
  FloodResult result_;
};

}  // namespace maglb::bench
