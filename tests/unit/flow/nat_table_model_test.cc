// The table against a map that knows its rules and nothing of slots, chains and lists. It cannot tell which
// free port is given, but whether the one that was given might be.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "tests/unit/flow/nat_rig.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;

struct Port {
  Protocol protocol;
  uint8_t index;
  uint16_t number;
  friend auto operator<=>(const Port&, const Port&) = default;
};
struct Pool {
  Protocol protocol;
  uint8_t index;
  friend auto operator<=>(const Pool&, const Pool&) = default;
};
struct Flow {
  Port port;
  NatState state = NatState::kOpening;
  Deadline expires;
};

// Flows are numbers.
class Model {
 public:
  explicit Model(uint32_t share) : share_(share) {}

  Flow* find(int flow, Time now) {
    const auto found = flows_.find(flow);
    if (found == flows_.end()) {
      return nullptr;
    }
    if (found->second.expires.reached(Tick::at(now))) {
      expire(flow, now);
      return nullptr;
    }
    return &found->second;
  }

  // Of all that a port may be: nobody's, or of the opening session that has to go. `was_replaced` must fit.
  void open(int flow, const Port& port, bool was_replaced, Deadline expires) {
    auto& opening = opening_[{port.protocol, port.index}];
    const bool full = opening.size() >= share_ / 2 || taken({port.protocol, port.index}) == share_;
    ASSERT_EQ(was_replaced, full);
    if (full) {
      ASSERT_FALSE(opening.empty());
      const int oldest = opening.front();
      opening.pop_front();
      flows_.erase(oldest);
    }
    ASSERT_FALSE(resting_.contains(port));
    for (const auto& [other, entry] : flows_) {
      ASSERT_NE(entry.port, port);
    }
    opening.push_back(flow);
    flows_[flow] = {port, NatState::kOpening, expires};
  }
  bool may_refuse(Protocol protocol, uint8_t index) {
    return taken({protocol, index}) == share_ && opening_[{protocol, index}].empty();
  }

  void establish(int flow, Deadline expires) {
    if (flows_[flow].state == NatState::kOpening) {
      no_longer_opening(flow);
      flows_[flow].state = NatState::kEstablished;
    }
    flows_[flow].expires = expires;
  }
  void close(int flow, Deadline expires) {
    no_longer_opening(flow);
    flows_[flow].state = NatState::kClosing;
    flows_[flow].expires = expires;
  }
  void erase(int flow, Time now) {
    no_longer_opening(flow);
    resting_[flows_[flow].port] = Deadline::after(now, NatTable::kDefaultQuarantine);
    flows_.erase(flow);
  }
  // A whole pass: what has rested is free, and what has expired begins to rest.
  void sweep(Time now, int modulo) {
    std::erase_if(resting_, [&](const auto& item) { return item.second.reached(Tick::at(now)); });
    for (const auto& [flow, entry] : std::map<int, Flow>(flows_)) {
      if (entry.expires.reached(Tick::at(now))) {
        expire(flow, now);
      } else if (modulo != 0 && flow % modulo == 0) {
        erase(flow, now);
      }
    }
  }

  size_t size() const { return flows_.size(); }
  size_t opening() const {
    size_t sum = 0;
    for (const auto& [pool, flows] : opening_) {
      sum += flows.size();
    }
    return sum;
  }
  const std::map<int, Flow>& flows() const { return flows_; }

 private:
  size_t taken(const Pool& pool) const {
    size_t count = 0;
    for (const auto& [flow, entry] : flows_) {
      count += entry.port.protocol == pool.protocol && entry.port.index == pool.index ? 1 : 0;
    }
    for (const auto& [port, until] : resting_) {
      count += port.protocol == pool.protocol && port.index == pool.index ? 1 : 0;
    }
    return count;
  }
  void expire(int flow, Time now) {
    if (flows_[flow].state == NatState::kClosing) {
      flows_.erase(flow);
    } else {
      erase(flow, now);
    }
  }
  void no_longer_opening(int flow) {
    std::erase(opening_[{flows_[flow].port.protocol, flows_[flow].port.index}], flow);
  }

  uint32_t share_;
  std::map<int, Flow> flows_;
  std::map<Port, Deadline> resting_;
  std::map<Pool, std::deque<int>> opening_;
};

class NatTableModel : public ::testing::TestWithParam<unsigned> {
 protected:
  static constexpr int kFlows = 600;
  // Even numbers are TCP, the upper half is IPv6.
  static FlowKey key(int flow) {
    return NatRig::key(static_cast<uint16_t>(flow), flow % 2 == 0 ? Protocol::kTcp : Protocol::kUdp,
                       flow >= kFlows / 2);
  }
  void open(int flow) {
    const NatTable::Opened opened = rig_.open(key(flow));
    if (opened.how == NatOpening::kNoPort) {
      const NatPorts::Family family = rig_.ports.family(key(flow).source.is_v4());
      for (uint32_t i = 0; i < family.count; ++i) {
        EXPECT_TRUE(model_.may_refuse(key(flow).protocol, static_cast<uint8_t>(family.first + i)));
      }
      ++refused_;
      return;
    }
    const NatSession& session = *opened.session;
    replaced_ += opened.how == NatOpening::kReplaced ? 1 : 0;
    model_.open(flow, {session.protocol, session.nat_index, session.nat_port.host()},
                opened.how == NatOpening::kReplaced, session.expires);
  }
  void change(int flow, NatSession& session) {
    const auto what = random_() % 16;
    if (what < 12 && session.state != NatState::kClosing) {
      rig_.table.establish(session);
      rig_.table.renew(session, milliseconds(30000), rig_.now);
      model_.establish(flow, session.expires);
    } else if (what == 13) {
      rig_.table.close(session, milliseconds(700), rig_.now);
      model_.close(flow, session.expires);
    } else if (what == 14) {
      rig_.table.erase(session, rig_.now);
      model_.erase(flow, rig_.now);
    }
  }
  void sweep() {
    const int modulo = random_() % 16 == 0 ? 5 : 0;
    rig_.table.sweep(rig_.table.capacity(), rig_.now, [&](const NatSession& session) {
      const int flow = session.client_port.host();
      return modulo == 0 || flow % modulo != 0;
    });
    model_.sweep(rig_.now, modulo);
  }

  static constexpr uint32_t kShare = 20;
  NatRig rig_{nat_ports({"10.0.0.0/30", "fd00::/127"}, {1000, 1000 + 2 * kShare - 1}, 2), 1};
  Model model_{kShare};
  std::mt19937 random_{GetParam()};
  int refused_ = 0;
  int replaced_ = 0;
};

TEST_P(NatTableModel, Agrees) {
  for (int step = 0; step < 60000; ++step) {
    // Times of many flows, and of few.
    const int range = step % 10000 < 7000 ? kFlows : 40;
    const int flow = static_cast<int>(random_() % static_cast<unsigned>(range));
    NatSession* const session = rig_.find(key(flow));
    Flow* const expected = model_.find(flow, rig_.now);
    ASSERT_EQ(session != nullptr, expected != nullptr);
    if (session == nullptr) {
      ASSERT_NO_FATAL_FAILURE(open(flow));
    } else {
      ASSERT_EQ(session->state, expected->state);
      ASSERT_EQ(rig_.find_reply(*session), session);
      change(flow, *session);
    }
    if (random_() % 4 == 0) {
      rig_.now += milliseconds(random_() % 40);
    }
    if (random_() % 64 == 0) {
      sweep();
    }
    ASSERT_EQ(rig_.table.size(), model_.size());
    ASSERT_EQ(rig_.table.opening(), model_.opening());
  }
  for (const auto& [flow, entry] : model_.flows()) {
    if (!entry.expires.reached(Tick::at(rig_.now))) {
      const NatSession* const session =
          rig_.table.find_reply(entry.port.index, entry.port.number, entry.port.protocol, Tick::at(rig_.now));
      ASSERT_NE(session, nullptr);
      EXPECT_TRUE(session->is_of(key(flow), NatRig::kService));
    }
  }
  EXPECT_GT(refused_, 0);
  EXPECT_GT(replaced_, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, NatTableModel, ::testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace maglb
