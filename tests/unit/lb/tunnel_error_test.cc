#include "lib/lb/tunnel_error.h"

#include <gtest/gtest.h>

#include "tests/support/lb_rig.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using testing::be16;
using testing::be32;
using testing::Bytes;
using testing::checksum_of;
using testing::Frame;
using testing::join;
using testing::Outcome;
using testing::read16;
using testing::Rig;

const Bytes kRouter = {9, 9, 9, 9};
const Bytes kRouterV6 = {0x20, 1, 0xd, 0xb8, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

Bytes part(const Bytes& bytes, size_t from, size_t size) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(from + size)};
}

// What a router on the way says of an outer packet that we sent, in so many bytes of it.
Bytes error_about(const Bytes& outer, size_t quoted, uint16_t mtu, uint8_t type = 0, uint8_t code = 4) {
  const bool is_v6 = outer[0] >> 4 == 6;
  const Bytes quote = part(outer, 0, std::min(quoted, outer.size()));
  const Bytes source = is_v6 ? part(outer, 8, 16) : part(outer, 12, 4);
  const auto kind = static_cast<uint8_t>(type != 0 ? type : is_v6 ? 2 : 3);
  const Bytes icmp = testing::icmp(kind, is_v6 ? 0 : code, mtu, quote);
  if (is_v6) {
    return testing::frame_of(0x86dd,
                             join({{0x60, 0, 0, 0}, be16(icmp.size()), {58, 60}, kRouterV6, source, icmp}));
  }
  Bytes packet = join({{0x45, 0}, be16(20 + icmp.size()), be32(0), {60, 1, 0, 0}, kRouter, source, icmp});
  testing::seal_v4(packet, 0);
  return testing::frame_of(0x0800, packet);
}

struct Tunnel {
  const char* name;
  ForwardMode mode;
  const char* backend;
  const char* from;
  const char* to;
  size_t overhead;
};
const Tunnel kTunnels[] = {
    {"ipip 4in4", ForwardMode::kIpip, "10.0.1.11", "192.0.2.1", "198.51.100.1", 20},
    {"ipip 6in4", ForwardMode::kIpip, "10.0.1.11", "2001:db8:9::1", "2001:db8:100::1", 20},
    {"ipip 4in6", ForwardMode::kIpip, "2001:db8:1::11", "192.0.2.1", "198.51.100.1", 40},
    {"ipip 6in6", ForwardMode::kIpip, "2001:db8:1::11", "2001:db8:9::1", "2001:db8:100::1", 40},
    {"gre 4in4", ForwardMode::kGre, "10.0.1.11", "192.0.2.1", "198.51.100.1", 24},
    {"gue 6in6", ForwardMode::kGue, "2001:db8:1::11", "2001:db8:9::1", "2001:db8:100::1", 52},
};

class TunnelError : public ::testing::Test {
 protected:
  void use(const Tunnel& tunnel) {
    rig.addresses[0] = IpAddress::parse(tunnel.backend).value();
    rig.tcp_mode = tunnel.mode;
    rig.publish();
    in = Frame().from(tunnel.from, 40000).to(tunnel.to, 80).tcp("A").dont_fragment().payload(1300).bytes();
    const Outcome sent = rig.run(in);
    ASSERT_EQ(sent.verdict, Verdict::kSend);
    outer = part(sent.frame, 14, sent.frame.size() - 14);
    ASSERT_EQ(outer.size(), in.size() - 14 + tunnel.overhead);
  }
  uint64_t told() { return rig.events(Event::kTunnelErrorsTold); }

  Rig rig;
  Bytes in;
  Bytes outer;
};

TEST_F(TunnelError, TheClientIsToldWhatFitsTheTunnel) {
  for (const Tunnel& tunnel : kTunnels) {
    SCOPED_TRACE(tunnel.name);
    use(tunnel);
    const bool inner_v6 = in[14] >> 4 == 6;
    const Outcome out = rig.run(error_about(outer, 1200, 1350));
    ASSERT_EQ(out.verdict, Verdict::kSend);
    EXPECT_EQ(out.out_port, 0) << "by the way that it came";
    EXPECT_EQ(part(out.frame, 0, 12), (Bytes{2, 0, 0, 0, 0, 0xcc, 2, 0, 0, 0, 0, 0xaa}));
    EXPECT_EQ(read16(out.frame, 12), inner_v6 ? 0x86dd : 0x0800);
    const size_t header = inner_v6 ? 40 : 20;
    const size_t addresses = inner_v6 ? 22 : 26;
    const size_t size = inner_v6 ? 16 : 4;
    EXPECT_EQ(part(out.frame, addresses, size), part(in, addresses + size, size)) << "from the service";
    EXPECT_EQ(part(out.frame, addresses + size, size), part(in, addresses, size)) << "to the client";
    const Bytes icmp = part(out.frame, 14 + header, out.frame.size() - 14 - header);
    EXPECT_EQ(part(icmp, 0, 2), inner_v6 ? (Bytes{2, 0}) : (Bytes{3, 4}));
    EXPECT_EQ(read16(icmp, 6), std::max<size_t>(1350 - tunnel.overhead, inner_v6 ? 1280 : 0));
    EXPECT_EQ(part(icmp, 8, 500), part(in, 14, 500)) << "about the client's packet";
    if (!inner_v6) {
      EXPECT_EQ(checksum_of(icmp.data(), icmp.size()), 0);
    }
  }
  EXPECT_EQ(told(), std::size(kTunnels));
  EXPECT_EQ(rig.dropped(DropReason::kTunnelError), std::size(kTunnels));
  EXPECT_EQ(rig.counters().originated.value(), std::size(kTunnels));
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_F(TunnelError, OthersAreCountedAndDropped) {
  use(kTunnels[0]);
  const Bytes errors[] = {
      error_about(outer, 28, 1350),           // no more than the outer header
      error_about(outer, 20 + 20 + 7, 1350),  // not the ports
      error_about(outer, 500, 0),             // no MTU
      error_about(outer, 500, 20 + 67),       // less than IPv4 has
      error_about(outer, 500, 0, 3, 1),       // host unreachable
      error_about(outer, 500, 0, 11, 0),      // time exceeded
  };
  for (const Bytes& error : errors) {
    EXPECT_EQ(rig.run(error).verdict, Verdict::kDrop);
  }
  EXPECT_EQ(rig.events(Event::kTunnelErrors), std::size(errors));
  EXPECT_EQ(rig.dropped(DropReason::kTunnelError), std::size(errors));
  EXPECT_EQ(told(), 0u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_F(TunnelError, IsNotBelievedAboutWhatWeDoNotSend) {
  use(kTunnels[0]);
  Bytes elsewhere = outer;
  elsewhere[19] = 99;  // to another backend
  EXPECT_EQ(rig.run(error_about(elsewhere, 500, 1350)).verdict, Verdict::kDrop);
  Bytes other_service = outer;
  testing::write16(other_service, 20 + 20 + 2, 81);  // one by l2
  EXPECT_EQ(rig.run(error_about(other_service, 500, 1350)).verdict, Verdict::kDrop);
  Bytes no_service = outer;
  no_service[20 + 19] = 77;
  EXPECT_EQ(rig.run(error_about(no_service, 500, 1350)).verdict, Verdict::kDrop);
  Bytes to_nobody = outer;
  std::fill_n(to_nobody.begin() + 20 + 12, 4, uint8_t{224});  // from a group
  EXPECT_EQ(rig.run(error_about(to_nobody, 500, 1350)).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.counters().originated.value(), 0u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_F(TunnelError, WhatIsOfNoTunnelIsTheKernels) {
  use(kTunnels[0]);
  Bytes own = outer;  // a connection of the machine's own
  own[9] = 6;
  EXPECT_EQ(rig.run(error_about(own, 500, 1350)).verdict, Verdict::kKernel);
  own[9] = 17;
  EXPECT_EQ(rig.run(error_about(own, 500, 1350)).verdict, Verdict::kKernel);
  EXPECT_EQ(rig.events(Event::kTunnelErrors), 0u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_F(TunnelError, ClientsAreToldWithinABudget) {
  use(kTunnels[0]);
  for (int i = 0; i < 60; ++i) {
    rig.run(error_about(outer, 500, 1350));
  }
  EXPECT_EQ(told(), 50u);
  EXPECT_EQ(rig.events(Event::kIcmpSuppressed), 10u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_F(TunnelError, IsReadWithinItsLengthWhateverThatIs) {
  for (const Tunnel& tunnel : kTunnels) {
    use(tunnel);
    for (size_t quoted = 0; quoted < 120; ++quoted) {
      const Outcome out = rig.run(error_about(outer, quoted, 1400));
      EXPECT_NE(out.verdict, Verdict::kPending);
      rig.now += std::chrono::milliseconds(100);
    }
  }
  EXPECT_TRUE(rig.counters_add_up());
}

}  // namespace
}  // namespace maglb
