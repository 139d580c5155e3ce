// Which frames the steering program steers, for both families.
#include "tests/unit/bpf/steering_rig.h"

namespace maglb {
namespace {

// The same places in both families.
struct Family {
  const char* name;
  const char* client;
  const char* router;
  const char* service;  // in near
  const char* host;     // in near
  const char* near;     // a prefix with 8 bits of its own
  const char* around;
  const char* elsewhere;
  std::vector<uint8_t> errors;
  uint8_t echo;
};

const Family kFamilies[] = {{"v4",
                             "192.0.2.1",
                             "192.0.2.254",
                             "198.51.100.1",
                             "198.51.100.2",
                             "198.51.100.0/24",
                             "198.51.0.0/16",
                             "203.0.113.9",
                             {3, 11, 12},
                             8},
                            {"v6",
                             "2001:db8:1::1",
                             "2001:db8:1::ff",
                             "2001:db8:f::1",
                             "2001:db8:f::2",
                             "2001:db8:f::/120",
                             "2001:db8:f::/64",
                             "2001:db8:e::9",
                             {1, 2, 3, 4},
                             128}};

class SteerProgram : public SteeringTest, public testing::WithParamInterface<Family> {
 protected:
  const Family& f() const { return GetParam(); }
  // A frame from the client.
  Frame to(const char* destination, uint8_t protocol, const Frame& payload) const {
    return ethernet(packet(ip(f().client), ip(destination), protocol, payload));
  }
  Frame tcp(const char* destination, uint16_t port) const { return to(destination, 6, ports(1000, port)); }
  Frame udp(const char* destination, uint16_t port) const { return to(destination, 17, ports(1000, port)); }
  Frame error(uint8_t type, const Frame& quoted, const char* destination) const {
    return ethernet(
        packet(ip(f().router), ip(destination), icmp_protocol(ip(destination)), icmp(type, quoted)));
  }
  Frame sent_by(const char* source, uint8_t protocol, const Frame& payload) const {
    return packet(ip(source), ip(f().client), protocol, payload);
  }
  Frame later_fragment(const char* destination) const {
    return ethernet(ip(destination).is_v4()
                        ? ipv4(ip(f().client), ip(destination), 17, ports(1, 53), 100)
                        : ipv6(ip(f().client), ip(destination), 44, fragment_header(17, 800, ports(1, 53))));
  }
  Frame first_fragment(const char* destination, uint16_t port) const {
    return ethernet(ip(destination).is_v4()
                        ? ipv4(ip(f().client), ip(destination), 17, ports(1, port), 0x2000)
                        : ipv6(ip(f().client), ip(destination), 44, fragment_header(17, 1, ports(1, port))));
  }
};

INSTANTIATE_TEST_SUITE_P(Both, SteerProgram, testing::ValuesIn(kFamilies),
                         [](const auto& info) { return info.param.name; });

TEST_P(SteerProgram, SteersOnlyPacketsOfServices) {
  Steering steering = attach_and_open();
  EXPECT_EQ(verdict(steering, tcp(f().service, 80)), Why::kKernel) << "before the first sync";
  ASSERT_TRUE(steering.sync({.packets = {rule(f().service, Protocol::kTcp, 80)}}));
  EXPECT_EQ(verdict(steering, tcp(f().service, 80)), Why::kService);
  EXPECT_FALSE(steers(steering, tcp(f().service, 81)));
  EXPECT_FALSE(steers(steering, udp(f().service, 80)));
  EXPECT_FALSE(steers(steering, tcp(f().host, 80)));
}

TEST_P(SteerProgram, MatchesProtocolAnyAtOnePort) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {rule(f().service, Protocol::kAny, 53)}}));
  EXPECT_TRUE(steers(steering, udp(f().service, 53)));
  EXPECT_TRUE(steers(steering, tcp(f().service, 53)));
  EXPECT_FALSE(steers(steering, tcp(f().service, 54)));
  EXPECT_FALSE(steers(steering, to(f().service, 47, ports(1000, 53))));
}

TEST_P(SteerProgram, LeavesSshOnTheHostAddressToTheKernelBesideARange) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {rule(f().near, Protocol::kTcp, 8000, 8999)}}));
  EXPECT_FALSE(steers(steering, tcp(f().host, 22)));
  EXPECT_FALSE(steers(steering, tcp(f().service, 22)));
  for (const uint16_t port : {8000, 8500, 8999}) {
    EXPECT_TRUE(steers(steering, tcp(f().service, port))) << port;
    EXPECT_FALSE(steers(steering, udp(f().service, port))) << port;
  }
  EXPECT_FALSE(steers(steering, tcp(f().service, 7999)));
  EXPECT_FALSE(steers(steering, tcp(f().service, 9000)));
  EXPECT_FALSE(steers(steering, tcp(f().elsewhere, 8500)));
}

TEST_P(SteerProgram, ALongerPrefixKeepsWhatTheOnesAroundItHave) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync(
      {.packets = {rule(f().around, Protocol::kTcp, 443), rule(f().near, Protocol::kUdp, 0, 65535),
                   rule(f().service, Protocol::kTcp, 8000, 8001)}}));
  EXPECT_TRUE(steers(steering, tcp(f().service, 443)));
  EXPECT_TRUE(steers(steering, udp(f().service, 1)));
  EXPECT_TRUE(steers(steering, tcp(f().service, 8001)));
  EXPECT_TRUE(steers(steering, tcp(f().host, 443)));
  EXPECT_TRUE(steers(steering, udp(f().host, 1)));
  EXPECT_FALSE(steers(steering, tcp(f().host, 8001)));
}

TEST_P(SteerProgram, EveryPortOfAnyProtocolTakesOtherProtocolsButIcmpAndIgmp) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of(f().near)}}));
  for (int protocol = 0; protocol < 256; ++protocol) {
    const bool header =
        ip(f().service).is_v4() ? false : protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
    const bool kept = protocol == 1 || protocol == 2 || protocol == 58 || header;
    EXPECT_EQ(steers(steering, to(f().service, static_cast<uint8_t>(protocol), Frame(4, 0xfe))), !kept)
        << protocol;
  }
  ASSERT_TRUE(steering.sync({.packets = {rule(f().near, Protocol::kAny, 1, 65535)}}));
  EXPECT_FALSE(steers(steering, to(f().service, 47, ports(1, 2))));
}

TEST_P(SteerProgram, SteersLaterFragmentsOnlyWhereToldTo) {
  Steering steering = attach_and_open();
  SteerWanted wanted{.packets = {rule(f().near, Protocol::kUdp, 53)}};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_FALSE(steers(steering, later_fragment(f().service)));
  EXPECT_EQ(verdict(steering, first_fragment(f().service, 53)), Why::kService);
  EXPECT_FALSE(steers(steering, first_fragment(f().service, 54)));
  wanted.fragments = {IpPrefix(ip(f().service))};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(verdict(steering, later_fragment(f().service)), Why::kFragment);
  EXPECT_FALSE(steers(steering, later_fragment(f().host)));
  wanted.fragments = {prefix(f().near)};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(verdict(steering, later_fragment(f().host)), Why::kFragment);
  EXPECT_FALSE(steers(steering, later_fragment(f().elsewhere)));
}

TEST_P(SteerProgram, SteersIcmpErrorsAboutPacketsOfServices) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync(
      {.packets = {rule(f().service, Protocol::kTcp, 80), rule(f().near, Protocol::kUdp, 5000, 5999)}}));
  const Frame ours = sent_by(f().service, 6, ports(80, 1000));
  for (int type = 0; type < 256; ++type) {
    const bool is_error = std::count(f().errors.begin(), f().errors.end(), type) > 0;
    EXPECT_EQ(verdict(steering, error(static_cast<uint8_t>(type), ours, f().service)),
              is_error ? Why::kIcmp : Why::kKernel)
        << type;
  }
  const uint8_t type = f().errors[0];
  EXPECT_EQ(verdict(steering, error(type, sent_by(f().host, 17, ports(5500, 9)), f().host)), Why::kIcmp);
  EXPECT_FALSE(steers(steering, error(type, ours, f().host))) << "not sent to whom it quotes";
  EXPECT_FALSE(steers(steering, error(type, sent_by(f().service, 6, ports(81, 80)), f().service)));
  EXPECT_FALSE(steers(steering, error(type, sent_by(f().service, 17, ports(80, 80)), f().service)));
  const Frame echo = sent_by(f().service, icmp_protocol(ip(f().service)), icmp(0, {}));
  EXPECT_FALSE(steers(steering, error(type, echo, f().service)));
  const size_t header = ip(f().service).is_v4() ? 20 : 40;
  EXPECT_TRUE(steers(
      steering, error(type, Frame(ours.begin(), ours.begin() + static_cast<long>(header) + 4), f().service)));
  EXPECT_FALSE(steers(
      steering, error(type, Frame(ours.begin(), ours.begin() + static_cast<long>(header) + 3), f().service)));
}

TEST_P(SteerProgram, SteersEchoRequestsWhereToldTo) {
  Steering steering = attach_and_open();
  const auto ping = [&](const char* to_whom) {
    return to(to_whom, icmp_protocol(ip(to_whom)), icmp(f().echo, Frame(56)));
  };
  ASSERT_TRUE(steering.sync({.packets = {all_of(f().near)}}));
  EXPECT_FALSE(steers(steering, ping(f().service)));
  ASSERT_TRUE(steering.sync({.echoes = {IpPrefix(ip(f().service))}}));
  EXPECT_EQ(verdict(steering, ping(f().service)), Why::kEcho);
  EXPECT_FALSE(steers(steering, ping(f().host)));
  const uint8_t other_echo = f().echo == 8 ? 128 : 8;
  EXPECT_FALSE(
      steers(steering, to(f().service, icmp_protocol(ip(f().service)), icmp(other_echo, Frame(56)))));
}

TEST_P(SteerProgram, SteersErrorsAboutOurTunnels) {
  Steering steering = attach_and_open();
  const uint8_t type = f().errors[0];
  const auto about = [&](uint8_t protocol, const char* source, const char* destination) {
    return error(type, sent_by(source, protocol, Frame(8, 1)), destination);
  };
  EXPECT_FALSE(steers(steering, about(4, f().service, f().service)));
  ASSERT_TRUE(steering.sync({.tunnel_errors = {IpPrefix(ip(f().service))}}));
  for (int protocol = 0; protocol < 256; ++protocol) {
    const bool tunnel = protocol == 4 || protocol == 41 || protocol == 47 || protocol == 17;
    EXPECT_EQ(verdict(steering, about(static_cast<uint8_t>(protocol), f().service, f().service)) ==
                  Why::kTunnelError,
              tunnel)
        << protocol;
  }
  EXPECT_FALSE(steers(steering, about(4, f().host, f().service))) << "quotes another's packet";
  EXPECT_FALSE(steers(steering, about(4, f().host, f().host)));
}

TEST_P(SteerProgram, LooksBehindTheVlanTagsThatAreAllowed) {
  Steering steering = attach_and_open();
  SteerWanted wanted{.packets = {rule(f().service, Protocol::kTcp, 80)}};
  const Frame inner = packet(ip(f().client), ip(f().service), 6, ports(1000, 80));
  const auto tagged = [&](std::vector<Tag> tags) { return ethernet(inner, kOurMac, std::move(tags)); };
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(verdict(steering, tagged({{0x8100, 100}})), Why::kKeptVlan);
  wanted.vlans = {{100, 0}, {200, 7}};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_TRUE(steers(steering, tagged({})));
  for (const uint16_t outer : {0x8100, 0x88a8}) {
    EXPECT_EQ(verdict(steering, tagged({{outer, 100}})), Why::kService);
    EXPECT_EQ(verdict(steering, tagged({{outer, 0xe000 | 100}})), Why::kService) << "with a priority";
    EXPECT_EQ(verdict(steering, tagged({{outer, 200}, {0x8100, 7}})), Why::kService);
    EXPECT_EQ(verdict(steering, tagged({{outer, 101}})), Why::kKeptVlan);
    EXPECT_EQ(verdict(steering, tagged({{outer, 200}})), Why::kKeptVlan);
    EXPECT_EQ(verdict(steering, tagged({{outer, 7}, {0x8100, 200}})), Why::kKeptVlan);
    EXPECT_EQ(verdict(steering, tagged({{outer, 100}, {0x8100, 0}})), Why::kKeptVlan);
    EXPECT_EQ(verdict(steering, tagged({{outer, 200}, {0x8100, 7}, {0x8100, 7}})), Why::kKeptVlan);
    EXPECT_EQ(verdict(steering, tagged({{outer, 0}})), Why::kKeptVlan);
  }
  EXPECT_EQ(verdict(steering, ethernet(inner, *MacAddress::parse("02:aa:00:00:00:02"), {{0x8100, 9}})),
            Why::kKernel);
  wanted.vlans = {{0, 0}};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_TRUE(steers(steering, tagged({{0x8100, 0xa000}})));
}

TEST_P(SteerProgram, LeavesFramesForOtherMacsAndTypesToTheKernel) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of(f().service)}}));
  const Frame inner = packet(ip(f().client), ip(f().service), 6, ports(1000, 80));
  EXPECT_TRUE(steers(steering, ethernet(inner)));
  EXPECT_FALSE(steers(steering, ethernet(inner, *MacAddress::parse("02:aa:00:00:00:02"))));
  EXPECT_FALSE(steers(steering, ethernet(inner, *MacAddress::parse("ff:ff:ff:ff:ff:ff"))));
  EXPECT_FALSE(steers(steering, ethernet(inner, kOurMac, {}, 0x0806))) << "ARP";
  const uint16_t other = ip(f().service).is_v4() ? kEtherTypeIpv6 : kEtherTypeIpv4;
  EXPECT_FALSE(steers(steering, ethernet(inner, kOurMac, {}, other)));
}

// Whatever the rules say.
TEST_P(SteerProgram, NeverTakesMulticastBroadcastOrLinkLocal) {
  Steering steering = attach_and_open();
  const bool v4 = ip(f().service).is_v4();
  const IpPrefix all = prefix(v4 ? "0.0.0.0/0" : "::/0");
  ASSERT_TRUE(steering.sync({.packets = {{all, Protocol::kAny, 0, 65535}},
                             .fragments = {all},
                             .echoes = {all},
                             .tunnel_errors = {all}}));
  const std::vector<const char*> kept =
      v4 ? std::vector<const char*>{"224.0.0.1", "239.255.255.255", "255.255.255.255", "169.254.0.1"}
         : std::vector<const char*>{"ff02::1", "ff05::2", "fe80::1", "febf::1", "::ffff:198.51.100.1"};
  for (const char* destination : kept) {
    const Frame six = ipv6(ip("2001:db8::1"), ip(destination), 6, ports(1, 80));
    EXPECT_FALSE(steers(steering, v4 ? tcp(destination, 80) : ethernet(six))) << destination;
  }
  EXPECT_TRUE(steers(steering, tcp(f().elsewhere, 80)));
  for (const char* destination :
       v4 ? std::vector<const char*>{"223.255.255.255", "169.253.0.1", "169.255.0.1"}
          : std::vector<const char*>{"fec0::1", "fe7f::1", "::1:0:0:1"}) {
    EXPECT_TRUE(steers(steering, tcp(destination, 80))) << destination;
  }
}

TEST_P(SteerProgram, AllOfOneFamilyIsNothingOfTheOther) {
  Steering steering = attach_and_open();
  const bool v4 = ip(f().service).is_v4();
  const IpPrefix other = prefix(v4 ? "::/0" : "0.0.0.0/0");
  ASSERT_TRUE(steering.sync({.packets = {{other, Protocol::kAny, 0, 65535}}, .fragments = {other}}));
  EXPECT_FALSE(steers(steering, tcp(f().service, 80)));
  EXPECT_FALSE(steers(steering, later_fragment(f().service)));
}

TEST_P(SteerProgram, PassesEveryTruncation) {
  Steering steering = attach_and_open();
  const SteerWanted wanted{.packets = {all_of(f().near)},
                           .fragments = {prefix(f().near)},
                           .echoes = {prefix(f().near)},
                           .tunnel_errors = {IpPrefix(ip(f().host))},
                           .vlans = {{5, 6}}};
  ASSERT_TRUE(steering.sync(wanted));
  const Frame plain = packet(ip(f().client), ip(f().service), 6, ports(1000, 80));
  for (const Frame& whole : {ethernet(plain), ethernet(plain, kOurMac, {{0x88a8, 5}, {0x8100, 6}}),
                             later_fragment(f().service), first_fragment(f().service, 53),
                             error(f().errors[0], sent_by(f().service, 6, ports(80, 9)), f().service),
                             error(f().errors[0], sent_by(f().host, 47, ports(80, 9)), f().host),
                             to(f().service, icmp_protocol(ip(f().service)), icmp(f().echo, Frame(8)))}) {
    EXPECT_TRUE(steers(steering, whole));
    for (size_t length = 14; length < whole.size(); ++length) {
      EXPECT_FALSE(steers(steering, Frame(whole.begin(), whole.begin() + static_cast<long>(length))))
          << length;
    }
    Frame padded = whole;
    padded.resize(whole.size() + 30);
    EXPECT_TRUE(steers(steering, padded));
  }
}

// The packet says that it ends before what the padding has.
TEST_P(SteerProgram, DoesNotReadPaddingAsPacket) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {rule(f().service, Protocol::kTcp, 80)}}));
  const Frame padding = ports(1000, 80);
  for (size_t bytes = 0; bytes < 4; ++bytes) {
    const Frame cut = packet(ip(f().client), ip(f().service), 6,
                             Frame(padding.begin(), padding.begin() + static_cast<long>(bytes)));
    EXPECT_FALSE(steers(
        steering, joined(ethernet(cut), Frame(padding.begin() + static_cast<long>(bytes), padding.end()))))
        << bytes;
  }
}

class SteerProgramV4 : public SteeringTest {};
class SteerProgramV6 : public SteeringTest {};

TEST_F(SteerProgramV4, StepsOverOptionsOutsideAndInside) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {rule("198.51.100.1", Protocol::kTcp, 80)}}));
  const IpAddress client = ip("192.0.2.1");
  const IpAddress service = ip("198.51.100.1");
  for (uint8_t words = 0; words <= 10; ++words) {
    EXPECT_TRUE(steers(steering, ethernet(ipv4(client, service, 6, ports(1, 80), 0, words)))) << int{words};
    const Frame quoted = ipv4(service, client, 6, ports(80, 1), 0, words);
    EXPECT_TRUE(steers(steering, ethernet(ipv4(client, service, 1, icmp(3, quoted), 0, words))))
        << int{words};
  }
  const Frame later = ipv4(service, client, 6, ports(80, 1), 100);
  EXPECT_FALSE(steers(steering, ethernet(ipv4(client, service, 1, icmp(3, later)))));
}

TEST_F(SteerProgramV4, LeavesHeadersThatAreNoneToTheKernel) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of("198.51.100.1")}}));
  const Frame whole = ethernet(ipv4(ip("192.0.2.1"), ip("198.51.100.1"), 6, ports(1000, 80)));
  for (const uint8_t bad : {0x44, 0x65, 0x4f, 0x00}) {
    Frame frame = whole;
    frame[14] = bad;
    EXPECT_FALSE(steers(steering, frame)) << int{bad};
  }
}

const IpAddress kClient6 = ip("2001:db8:1::1");
const IpAddress kService6 = ip("2001:db8:f::1");

TEST_F(SteerProgramV6, StepsOverExtensionHeadersOutsideAndInside) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {rule("2001:db8:f::1", Protocol::kTcp, 80)}}));
  for (const uint8_t units : {0, 1, 7, 100}) {
    const auto wrapped = [&](const Frame& payload) {
      return extension(60, units, extension(43, 0, extension(44, 2, fragment_header(6, 0, payload))));
    };
    EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 0, wrapped(ports(1, 80))))),
              Why::kService);
    EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 0, wrapped(ports(1, 81))))), Why::kKernel);
    const Frame quoted = ipv6(kService6, kClient6, 0, wrapped(ports(80, 1)));
    EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 58, icmp(2, quoted)))), Why::kIcmp);
  }
}

TEST_F(SteerProgramV6, WalksEightExtensionHeadersAndSaysSoOfMore) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of("2001:db8:f::1")}}));
  for (const uint8_t kind : {0, 43, 44, 60}) {
    const auto put = [kind](uint8_t next, const Frame& behind) {
      return kind == 44 ? fragment_header(next, 0, behind) : extension(next, 0, behind);
    };
    Frame payload = put(6, ports(80, 80));
    for (int headers = 1; headers <= 12; ++headers) {
      const Why outside = headers <= 8 ? Why::kService : Why::kKeptHeaders;
      const Why inside = headers <= 8 ? Why::kIcmp : Why::kKeptHeaders;
      EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, kind, payload))), outside) << headers;
      const Frame quoted = ipv6(kService6, kClient6, kind, payload);
      EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 58, icmp(3, quoted)))), inside)
          << headers;
      payload = put(kind, payload);
    }
  }
}

TEST_F(SteerProgramV6, FindsLaterFragmentsBehindExtensionHeaders) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of("2001:db8:f::1")}, .fragments = {prefix("2001:db8:f::1")}}));
  const Frame later = extension(44, 1, fragment_header(6, 8, {}));
  EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 0, later))), Why::kFragment);
  const Frame quoted = ipv6(kService6, kClient6, 0, later);
  EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 58, icmp(3, quoted)))), Why::kKernel);
}

// An extension header that says it is longer than the packet; every length of every one.
TEST_F(SteerProgramV6, PassesExtensionHeadersThatEndOutside) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of("2001:db8:f::1")}}));
  for (int units = 0; units < 256; ++units) {
    Frame payload = extension(6, 20, ports(80, 80));
    payload[1] = static_cast<uint8_t>(units);
    EXPECT_EQ(steers(steering, ethernet(ipv6(kClient6, kService6, 60, payload))), units <= 22) << units;
  }
  EXPECT_FALSE(steers(steering, ethernet(ipv6(kClient6, kService6, 60, {6, 0, 0, 0, 0, 0, 0}))));
}

TEST_F(SteerProgramV6, LeavesNeighbourDiscoveryToTheKernel) {
  Steering steering = attach_and_open();
  const IpPrefix all = prefix("::/0");
  ASSERT_TRUE(
      steering.sync({.packets = {{all, Protocol::kAny, 0, 65535}}, .echoes = {all}, .tunnel_errors = {all}}));
  const Frame quoted = ipv6(kService6, kClient6, 6, ports(80, 1));
  for (uint8_t type = 133; type <= 137; ++type) {
    for (const uint8_t units : {0, 3}) {
      const Frame message = extension(58, units, icmp(type, quoted));
      EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 0, message))), Why::kKernel)
          << int{type};
    }
    EXPECT_EQ(verdict(steering, ethernet(ipv6(kClient6, kService6, 58, icmp(type, quoted)))), Why::kKernel);
  }
}

}  // namespace
}  // namespace maglb
