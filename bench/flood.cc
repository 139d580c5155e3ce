#include "bench/flood.h"

#include <algorithm>
#include <array>

#include "lib/net/wire.h"

namespace maglb::bench {
namespace {

constexpr uint32_t kCheckedPerBurst = 2;
constexpr uint32_t kClientsPerBurst = 4;
constexpr Duration kBetweenArrivals = std::chrono::milliseconds(1);
constexpr Duration kBetweenData = std::chrono::milliseconds(100);
constexpr Duration kBetweenChanges = std::chrono::seconds(5);
constexpr uint16_t kPacketsOfClient = 52;
constexpr uint64_t kFloodFlows = uint64_t{1} << 45;

}  // namespace

Flood::Flood(FloodKind kind)
    : kind_(kind),
      traffic_({}),
      balancer_({false, 1, kBackends, 1 << 20}),
      backend_of_(kEstablished),
      weights_(kBackends, 1) {}

uint16_t Flood::sent_to(uint32_t slot) const {
  const uint8_t* const frame = batch_.packets[slot].data;
  return batch_.verdicts[slot] == Verdict::kSend ? static_cast<uint16_t>(frame[4] << 8 | frame[5])
                                                 : kNoBackend;
}

// SYN, ACK and data of every flow before the flood begins.
void Flood::establish() {
  for (const uint8_t flags : {kTcpSyn, kTcpAck, kTcpAck}) {
    for (uint32_t first = 0; first < kEstablished; first += kBatchSize) {
      batch_.clear();
      for (uint32_t i = 0; i < kBatchSize; ++i) {
        traffic_.write(i, first + i, flags);
        batch_.add(traffic_.packet(i));
      }
      process(batch_, balancer_.snapshot(), balancer_.worker(), monotonic_now());
      for (uint32_t i = 0; i < kBatchSize; ++i) {
        backend_of_[first + i] = sent_to(i);
      }
    }
  }
}

FloodResult Flood::run(Duration duration, Duration round_trip) {
  static_assert(kEstablished % kBatchSize == 0);
  round_trip_ = round_trip;
  establish();
  const Time begin = monotonic_now();
  Time now = begin;
  Time next_change = begin + kBetweenChanges;
  next_arrival_ = begin;
  for (; now - begin < duration; now = monotonic_now()) {
    if (now >= next_change) {
      change();
      next_change += kBetweenChanges;
    }
    burst(now);
  }
  result_.seconds = std::chrono::duration<double>(now - begin).count();
  return result_;
}

// Half of the backends get another weight; every other change removes one or brings it back as well.
void Flood::change() {
  ++result_.changes;
  for (uint32_t i = 0; i < kBackends; ++i) {
    weights_[i] = 1 + static_cast<uint32_t>(random_() % 3);
  }
  if (result_.changes % 2 == 0) {
    weights_[result_.changes % kBackends] = 0;
  }
  balancer_.publish(weights_);
}

bool Flood::next_client(Time now, Client& client) {
  for (std::deque<Client>* const queue : {&opening_, &open_}) {
    if (!queue->empty() && queue->front().due <= now) {
      client = queue->front();
      queue->pop_front();
      return true;
    }
  }
  if (next_arrival_ > now) {
    return false;
  }
  next_arrival_ += kBetweenArrivals;
  client = {};
  client.flow = next_flow_++;
  return true;
}

void Flood::burst(Time now) {
  std::array<Client, kClientsPerBurst> clients;
  uint32_t arrived = 0;
  while (arrived < kClientsPerBurst && next_client(now, clients[arrived])) {
    ++arrived;
  }
  batch_.clear();
  for (uint32_t i = 0; i < kBatchSize; ++i) {
    if (i < arrived) {
      const Client& client = clients[i];
      if (client.packets == 1) {
        ++result_.clients;
        result_.clients_evicted += balancer_.flows().find(client.digest, Tick::at(now)) ? 0 : 1;
      }
      traffic_.write(i, client.flow, client.packets == 0 ? kTcpSyn : kTcpAck);
    } else if (i >= kBatchSize - kCheckedPerBurst) {
      const uint32_t ahead = i - (kBatchSize - kCheckedPerBurst);
      traffic_.write(i, (next_established_ + ahead) % kEstablished, kTcpAck);
    } else {
      const bool is_syn = kind_ == FloodKind::kSyn || (kind_ == FloodKind::kBoth && i % 2 == 0);
      traffic_.write(i, kFloodFlows | (random_() >> 19), is_syn ? kTcpSyn : kTcpAck);
      ++result_.packets;
    }
    batch_.add(traffic_.packet(i));
  }
  process(batch_, balancer_.snapshot(), balancer_.worker(), now);
  for (uint32_t i = 0; i < arrived; ++i) {
    judge_client(clients[i], sent_to(i), batch_.notes[i].digest, now);
  }
  for (uint32_t i = kBatchSize - kCheckedPerBurst; i < kBatchSize; ++i) {
    judge_established(next_established_, sent_to(i));
    next_established_ = (next_established_ + 1) % kEstablished;
  }
  balancer_.flows().sweep(1, Tick::at(now), [](const FlowEntry&) { return true; });
  result_.most_opening = std::max<uint64_t>(result_.most_opening, balancer_.flows().opening());
  result_.most_size = std::max<uint64_t>(result_.most_size, balancer_.flows().size());
}

void Flood::judge_established(uint32_t flow, uint16_t backend) {
  ++result_.checked;
  uint16_t& before = backend_of_[flow];
  if (backend != before) {
    ++(weights_[before] == 0 ? result_.followed_removal : result_.established_moved);
    before = backend;
  }
}

void Flood::judge_client(Client client, uint16_t backend, const FlowDigest& digest, Time now) {
  if (client.packets > 0 && backend != client.backend && weights_[client.backend] != 0) {
    ++(client.packets < 3 ? result_.clients_moved_opening : result_.clients_moved);
  }
  client.digest = digest;
  client.backend = backend;
  ++client.packets;
  client.due = now + (client.packets == 1 ? round_trip_ : kBetweenData);
  if (client.packets < kPacketsOfClient) {
    (client.packets == 1 ? opening_ : open_).push_back(client);
  }
}

}  // namespace maglb::bench
