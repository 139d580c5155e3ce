// The steering program in the kernel, on an interface of a network namespace of its own, asked packet by
// packet (BPF_PROG_TEST_RUN): without sockets it always says "pass", so its counters tell what it made of it.
#pragma once

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "lib/bpf/libbpf_options.h"
#include "lib/bpf/objects.h"
#include "lib/bpf/steering.h"
#include "tests/support/own_network.h"
#include "tests/unit/bpf/steer_model.h"

namespace maglb {

class SteeringTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network("ip link add lb0 address 02:aa:00:00:00:01 type veth peer name peer0")) {
      return;
    }
    auto object = BpfObject::load(steer_object(), "maglb_steer");
    ASSERT_TRUE(object) << object.error().message;
    object_.emplace(std::move(*object));
  }

  void TearDown() override {
    if (object_) {
      run("ip link del lb0");
    }
  }

  static int run(const char* command) { return std::system(command); }

  void attach() {
    const auto attached = attach_xdp(*interface_index("lb0"), program(), XdpMode::kNative, nullptr);
    ASSERT_TRUE(attached) << attached.error().message;
  }

  Steering attach_and_open() {
    attach();
    auto steering = Steering::open("lb0");
    EXPECT_TRUE(steering) << steering.error().message;
    return std::move(*steering);
  }

  int program() const { return object_->program_fd("maglb_steer"); }

  // What the program makes of the frame. REQUIRES: at least 14 bytes, the kernel takes no fewer.
  Why verdict(const Steering& steering, const Frame& frame) {
    const auto before = values(*steering.counters());
    bpf_test_run_opts options;
    init_options(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<uint32_t>(frame.size());
    EXPECT_EQ(bpf_prog_test_run_opts(program(), &options), 0);
    EXPECT_EQ(options.retval, 2u) << "without a socket the kernel keeps the packet";
    const auto after = values(*steering.counters());
    Why why = Why::kKernel;
    uint64_t sum = 0;
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] != before[i]) {
        why = static_cast<Why>(i + 1);
        sum += after[i] - before[i];
      }
    }
    EXPECT_LE(sum, 1u) << "a frame is counted once";
    return why;
  }

  bool steers(const Steering& steering, const Frame& frame) {
    const Why why = verdict(steering, frame);
    return why != Why::kKernel && why != Why::kKeptVlan && why != Why::kKeptHeaders;
  }

  std::optional<BpfObject> object_;

 private:
  // In the order of Why.
  static std::array<uint64_t, 7> values(const SteerCounters& c) {
    return {c.service, c.fragment, c.icmp, c.echo, c.tunnel_error, c.kept_vlan, c.kept_headers};
  }
};

// "198.51.100.1", "198.51.100.0/24".
inline IpPrefix prefix(const char* text) {
  return *IpPrefix::parse(text);
}

inline SteerRule rule(const char* to, Protocol protocol, uint16_t first, uint16_t last) {
  return {prefix(to), protocol, first, last};
}

inline SteerRule rule(const char* to, Protocol protocol, uint16_t port) {
  return rule(to, protocol, port, port);
}

inline SteerRule all_of(const char* to) {
  return rule(to, Protocol::kAny, 0, 65535);
}

}  // namespace maglb
