// The decapsulation programs in the kernel, asked packet by packet (BPF_PROG_TEST_RUN), XDP and TC alike:
// what comes out byte for byte, and which counter says so. Expected packets come from the same builder as
// those inside the tunnels, never from the programs. tests/decap has scapy's packets and real sockets.
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <tuple>

#include "lib/bpf/attachment.h"
#include "lib/bpf/decap.h"
#include "lib/bpf/decap_maps.h"
#include "lib/bpf/libbpf_options.h"
#include "tests/support/own_network.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kIpip = 4;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kIp6 = 41;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kGre = 47;
constexpr uint8_t kOptions = 60;
constexpr uint32_t kKey = 0xfedcba98;
const std::vector<IpPrefix> kFrom = {*IpPrefix::parse("10.0.0.0/24"), *IpPrefix::parse("2001:db8::/64")};
constexpr int kXdpDrop = 1;
constexpr int kXdpPass = 2;
constexpr int kTcUnspec = -1;

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes joined(Bytes bytes, const Bytes& more) {
  append(bytes, more);
  return bytes;
}

void put16(Bytes& bytes, size_t at, size_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}

// RFC 1071, over whole words.
uint16_t internet_checksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

Bytes address_bytes(int version, const char* text) {
  const IpAddress address = *IpAddress::parse(text);
  return {address.bytes.begin() + (version == 4 ? 12 : 0), address.bytes.end()};
}

struct Ip {
  int version;
  const char* source;
  const char* destination;
  uint8_t tos = 0;
  uint16_t fragment = 0;
};

Bytes packet(const Ip& ip, uint8_t protocol, const Bytes& payload) {
  Bytes bytes;
  if (ip.version == 4) {
    bytes = {0x45, ip.tos, 0, 0, 0x12, 0x34, 0, 0, 64, protocol, 0, 0};
    put16(bytes, 2, 20 + payload.size());
    put16(bytes, 6, ip.fragment);
  } else {
    const auto second = static_cast<uint8_t>(ip.tos << 4 | 0xa);  // with a flow label
    bytes = {static_cast<uint8_t>(0x60 | ip.tos >> 4), second, 0xbc, 0xde, 0, 0, protocol, 64};
    put16(bytes, 4, payload.size());
  }
  append(bytes, address_bytes(ip.version, ip.source));
  append(bytes, address_bytes(ip.version, ip.destination));
  if (ip.version == 4) {
    put16(bytes, 10, internet_checksum(bytes));
  }
  return joined(bytes, payload);
}

Bytes frame(int version, const Bytes& ip) {
  Bytes bytes = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  append(bytes, version == 4 ? Bytes{0x08, 0x00} : Bytes{0x86, 0xdd});
  return joined(bytes, ip);
}

Ip outer(int version) {
  return version == 4 ? Ip{4, "10.0.0.1", "10.0.0.2"} : Ip{6, "2001:db8::1", "2001:db8::2"};
}

Ip inner(int version) {
  return version == 4 ? Ip{4, "192.0.2.1", "198.51.100.1"} : Ip{6, "2001:db8:c::1", "2001:db8:5::1"};
}

Bytes datagram(const Ip& ip) {
  return packet(ip, kUdp, {0x12, 0x34, 0, 53, 0, 12, 0, 0, 'd', 'a', 't', 'a'});
}

Bytes gre(uint16_t flags, uint16_t type, const Bytes& behind) {
  Bytes bytes(4);
  put16(bytes, 0, flags);
  put16(bytes, 2, type);
  return joined(bytes, behind);
}

uint16_t gre_type(int version) {
  return version == 4 ? 0x0800 : 0x86dd;
}

uint8_t protocol_of(int version) {
  return version == 4 ? kIpip : kIp6;
}

Bytes udp(const Bytes& payload, uint16_t port = DecapRules::kGuePort) {
  Bytes bytes = {0xc0, 1, 0, 0, 0, 0, 0, 0};
  put16(bytes, 2, port);
  put16(bytes, 4, 8 + payload.size());
  return joined(bytes, payload);
}

Bytes gue(uint8_t bits, uint8_t protocol, const Bytes& behind) {
  return udp(joined({bits, protocol, 0, 0}, behind));
}

// How a packet gets into a tunnel, named for the tests.
struct Tunnel {
  const char* name;
  uint8_t (*protocol)(int inner_version);
  Bytes (*wrap)(int inner_version, const Bytes& inside);
};

uint8_t is_gre(int) {
  return kGre;
}

uint8_t is_udp(int) {
  return kUdp;
}

const Bytes kKeyBytes = {0xfe, 0xdc, 0xba, 0x98};
const Bytes kSequence = {0, 0, 0, 7};

const Tunnel kTunnels[] = {
    {"ipip", protocol_of, [](int, const Bytes& in) { return in; }},
    {"gre", is_gre, [](int v, const Bytes& in) { return gre(0, gre_type(v), in); }},
    {"gre_key", is_gre,
     [](int v, const Bytes& in) { return gre(0x2000, gre_type(v), joined(kKeyBytes, in)); }},
    {"gre_sequence", is_gre,
     [](int v, const Bytes& in) { return gre(0x1000, gre_type(v), joined(kSequence, in)); }},
    {"gre_key_sequence", is_gre,
     [](int v, const Bytes& in) {
       return gre(0x3000, gre_type(v), joined(joined(kKeyBytes, kSequence), in));
     }},
    {"gue", is_udp, [](int v, const Bytes& in) { return gue(0, protocol_of(v), in); }},
    {"gue_fields", is_udp,
     [](int v, const Bytes& in) { return gue(31, protocol_of(v), joined(Bytes(124, 0x45), in)); }},
};

Bytes tunnelled(int outer_version, const Tunnel& tunnel, int inner_version, const Bytes& inside) {
  return frame(outer_version, packet(outer(outer_version), tunnel.protocol(inner_version),
                                     tunnel.wrap(inner_version, inside)));
}

// Behind an IPv6 header.
Bytes options(uint8_t next, const Bytes& content) {
  return joined({next, static_cast<uint8_t>(content.size() / 8)}, content);
}

const Bytes kLimit = {4, 1, 4, 1, 1, 0};  // as Linux writes it

void write_sysctl(const char* path, const char* value) {
  FILE* file = std::fopen(path, "w");
  ASSERT_NE(file, nullptr) << path;
  std::fputs(value, file);
  std::fclose(file);
}

class DecapProgramTest : public testing::TestWithParam<DecapMode> {
 protected:
  void SetUp() override {
    // The programs run as on `lo`. This host would forward whatever is not its own.
    if (!entered_own_network(
            "ip link set lo up && ip link add eth0 type veth peer name peer0 && ip link set eth0 up &&"
            "ip addr add 10.0.0.2/32 dev lo && ip addr add 198.51.100.1/32 dev lo &&"
            "ip addr add 2001:db8::2/128 dev lo nodad && ip addr add 2001:db8:5::1/128 dev lo nodad &&"
            "ip link set peer0 up && ip route add default dev eth0 && ip -6 route add default dev eth0")) {
      return;
    }
    write_sysctl("/proc/sys/net/ipv4/conf/all/forwarding", "1");
    write_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    attach({.from = kFrom, .gre_key = {}});
  }

  void TearDown() override { (void)!std::system("ip link del eth0 2> /dev/null"); }

  void attach(const DecapRules& rules) {
    const auto place = attach_decap("eth0", rules, GetParam());
    ASSERT_TRUE(place) << place.error().message;
    auto program = open_program((*decap_status("eth0"))->program_id);
    ASSERT_TRUE(program);
    program_ = std::move(*program);
    counters_ = std::move(*open_map(program_, MAGLB_DECAP_COUNTERS));
  }

  std::vector<uint64_t> counters() { return *read_counters(counters_.get(), MAGLB_DECAP_COUNTERS_COUNT); }

  // Runs the program over the frame. The counter that rose, or none; what came out is in out_.
  std::optional<maglb_decap_counter> fate_of(const Bytes& bytes) {
    const std::vector<uint64_t> before = counters();
    out_.assign(4096, 0);
    bpf_test_run_opts run;
    init_options(run);
    run.data_in = bytes.data();
    run.data_size_in = static_cast<uint32_t>(bytes.size());
    run.data_out = out_.data();
    run.data_size_out = static_cast<uint32_t>(out_.size());
    run.repeat = 1;
    rc_ = bpf_prog_test_run_opts(program_.fd.get(), &run);
    out_.resize(rc_ == 0 ? run.data_size_out : 0);
    verdict_ = static_cast<int>(run.retval);
    const std::vector<uint64_t> after = counters();
    std::optional<maglb_decap_counter> risen;
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] != before[i]) {
        EXPECT_EQ(after[i], before[i] + 1);
        EXPECT_FALSE(risen) << "a packet is counted once";
        risen = static_cast<maglb_decap_counter>(i);
      }
    }
    EXPECT_TRUE(rc_ == 0 || bytes.size() < 14 + 40) << rc_ << ": the kernel does not run it";
    const bool dropped = risen && *risen >= MAGLB_DECAP_DROPPED_OUTER;
    if (rc_ == 0) {
      const bool tc = GetParam() == DecapMode::kTc;
      EXPECT_EQ(verdict_, tc ? (dropped ? 2 : kTcUnspec) : (dropped ? kXdpDrop : kXdpPass));
      EXPECT_TRUE(risen == MAGLB_DECAP_OK || out_ == bytes) << "what is not stripped stays as it was";
    }
    return risen;
  }

  BpfProgram program_;
  UniqueFd counters_;
  Bytes out_;
  int verdict_ = 0;
  int rc_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Programs, DecapProgramTest, testing::Values(DecapMode::kXdp, DecapMode::kTc),
                         [](const auto& param) { return param.param == DecapMode::kTc ? "Tc" : "Xdp"; });

template <typename Function>
void for_all_tunnels(Function function) {
  for (const Tunnel& tunnel : kTunnels) {
    for (const int outside : {4, 6}) {
      for (const int inside : {4, 6}) {
        SCOPED_TRACE(testing::Message() << tunnel.name << ": IPv" << inside << " in IPv" << outside);
        function(tunnel, outside, inside);
      }
    }
  }
}

TEST_P(DecapProgramTest, DeliversTheInnerPacketByteForByte) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes in = datagram(inner(inside));
    EXPECT_EQ(fate_of(tunnelled(outside, tunnel, inside, in)), MAGLB_DECAP_OK);
    EXPECT_EQ(out_, frame(inside, in));
  });
}

TEST_P(DecapProgramTest, CarriesEcnInwardAsRfc6040Says) {
  constexpr int kTable[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};  // [inner][outer]
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    for (uint8_t pair = 0; pair < 16; ++pair) {
      const uint8_t arriving = pair / 4;
      const uint8_t marked = pair % 4;
      Ip in = inner(inside);
      in.tos = static_cast<uint8_t>(0xb8 | arriving);
      Ip out = outer(outside);
      out.tos = static_cast<uint8_t>(0x54 | marked);
      const Bytes wrapped = tunnel.wrap(inside, datagram(in));
      const auto fate = fate_of(frame(outside, packet(out, tunnel.protocol(inside), wrapped)));
      const int carried = kTable[arriving][marked];
      ASSERT_EQ(fate, carried < 0 ? MAGLB_DECAP_DROPPED_ECN : MAGLB_DECAP_OK) << int{pair};
      if (carried >= 0) {
        in.tos = static_cast<uint8_t>(0xb8 | carried);
        ASSERT_EQ(out_, frame(inside, datagram(in))) << int{pair};
      }
    }
  });
}

TEST_P(DecapProgramTest, StripsNothingFromAFrameCutAtAnyLength) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes whole = tunnelled(outside, tunnel, inside, datagram(inner(inside)));
    for (size_t length = 14; length < whole.size(); ++length) {
      ASSERT_NE(fate_of(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))), MAGLB_DECAP_OK)
          << length;
    }
  });
}

// The outer headers agree that it is so short.
TEST_P(DecapProgramTest, StripsNothingFromATunnelCutAtAnyLength) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes whole = tunnel.wrap(inside, datagram(inner(inside)));
    for (size_t length = 0; length < whole.size(); ++length) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<long>(length));
      if (tunnel.protocol(inside) == kUdp && length >= 6) {
        put16(cut, 4, length);
      }
      const Bytes bytes = frame(outside, packet(outer(outside), tunnel.protocol(inside), cut));
      ASSERT_NE(fate_of(bytes), MAGLB_DECAP_OK) << length;
      // Not even with what would complete it behind, where Ethernet pads.
      const Bytes rest(whole.begin() + static_cast<long>(length), whole.end());
      ASSERT_NE(fate_of(joined(bytes, rest)), MAGLB_DECAP_OK) << length;
    }
  });
}

TEST_P(DecapProgramTest, CutsOffPadding) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes in = datagram(inner(inside));
    EXPECT_EQ(fate_of(joined(tunnelled(outside, tunnel, inside, in), Bytes(9, 0xaa))), MAGLB_DECAP_OK);
    if (GetParam() == DecapMode::kXdp) {
      EXPECT_EQ(out_, frame(inside, in));
    }
  });
}

TEST_P(DecapProgramTest, AcceptsOnlyAllowedSourcesOfTheSameFamily) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes wrapped = tunnel.wrap(inside, datagram(inner(inside)));
    for (const char* source :
         {outside == 4 ? "10.0.1.1" : "2001:db8:0:1::1", outside == 4 ? "32.1.13.184" : "a00::1"}) {
      Ip out = outer(outside);
      out.source = source;
      EXPECT_EQ(fate_of(frame(outside, packet(out, tunnel.protocol(inside), wrapped))),
                MAGLB_DECAP_PASSED_SOURCE);
    }
  });
}

TEST_P(DecapProgramTest, APrefixOfAllHoldsItsOwnFamilyOnly) {
  const Bytes in = datagram(inner(4));
  for (const int family : {4, 6}) {
    attach({.from = {*IpPrefix::parse(family == 4 ? "0.0.0.0/0" : "::/0")}, .gre_key = {}});
    for (const int outside : {4, 6}) {
      EXPECT_EQ(fate_of(tunnelled(outside, kTunnels[0], 4, in)),
                outside == family ? MAGLB_DECAP_OK : MAGLB_DECAP_PASSED_SOURCE);
    }
  }
}

TEST_P(DecapProgramTest, TakesOnlyPacketsToThisHost) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes wrapped = tunnel.wrap(inside, datagram(inner(inside)));
    for (const char* destination :
         {outside == 4 ? "10.0.0.3" : "2001:db8::3", outside == 4 ? "224.0.0.5" : "ff02::5",
          outside == 4 ? "127.0.0.1" : "::1"}) {
      Ip out = outer(outside);
      out.destination = destination;
      EXPECT_EQ(fate_of(frame(outside, packet(out, tunnel.protocol(inside), wrapped))),
                MAGLB_DECAP_PASSED_NOT_FOR_US)
          << destination;
    }
  });
}

TEST_P(DecapProgramTest, NeverStripsWhatWouldBeForwarded) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    for (const char* destination :
         inside == 4 ? std::vector{"203.0.113.9", "224.0.0.5", "127.0.0.1", "0.0.0.0", "255.255.255.255"}
                     : std::vector{"2001:db8:9::9", "ff02::5", "::1", "::", "fe80::1"}) {
      Ip in = inner(inside);
      in.destination = destination;
      EXPECT_EQ(fate_of(tunnelled(outside, tunnel, inside, datagram(in))), MAGLB_DECAP_DROPPED_NOT_LOCAL)
          << destination;
    }
  });
}

TEST_P(DecapProgramTest, NeverStripsANestedTunnel) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    for (const uint8_t protocol : {kIpip, kIp6}) {
      const Bytes in = packet(inner(inside), protocol, datagram(inner(protocol == kIpip ? 4 : 6)));
      EXPECT_EQ(fate_of(tunnelled(outside, tunnel, inside, in)), MAGLB_DECAP_DROPPED_NESTED);
    }
  });
}

TEST_P(DecapProgramTest, RefusesAnInnerHeaderThatCanNotBe) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes good = datagram(inner(inside));
    const auto with = [&](size_t at, uint8_t value) {
      Bytes bad = good;
      bad[at] = value;
      return fate_of(tunnelled(outside, tunnel, inside, bad));
    };
    EXPECT_EQ(with(0, inside == 4 ? 0x65 : 0x45), MAGLB_DECAP_DROPPED_INNER) << "the other version";
    EXPECT_EQ(with(inside == 4 ? 2 : 4, 1), MAGLB_DECAP_DROPPED_INNER) << "longer than there is";
    if (inside == 4) {
      EXPECT_EQ(with(0, 0x44), MAGLB_DECAP_DROPPED_INNER);
      EXPECT_EQ(with(3, 19), MAGLB_DECAP_DROPPED_INNER);
    }
  });
}

TEST_P(DecapProgramTest, RefusesAnOuterHeaderThatCanNotBe) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes good = tunnelled(outside, tunnel, inside, datagram(inner(inside)));
    Bytes bad = good;
    bad[outside == 4 ? 16 : 18] = 3;
    EXPECT_EQ(fate_of(bad), MAGLB_DECAP_DROPPED_OUTER) << "longer than the frame";
    if (outside == 4) {
      bad = good;
      bad[24] ^= 1;
      EXPECT_EQ(fate_of(bad), MAGLB_DECAP_DROPPED_OUTER) << "checksum";
    }
  });
}

TEST_P(DecapProgramTest, LeavesOuterFragmentsToTheKernel) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes wrapped = tunnel.wrap(inside, datagram(inner(inside)));
    const uint8_t protocol = tunnel.protocol(inside);
    const auto fragment = [&](uint16_t units, bool more) {
      if (outside == 4) {
        Ip out = outer(4);
        out.fragment = static_cast<uint16_t>(units | (more ? 0x2000 : 0));
        return fate_of(frame(4, packet(out, protocol, wrapped)));
      }
      Bytes header = {protocol, 0, 0, 0, 1, 2, 3, 4};
      put16(header, 2, static_cast<size_t>(units << 3 | (more ? 1 : 0)));
      return fate_of(frame(6, packet(outer(6), kFragment, joined(header, wrapped))));
    };
    EXPECT_EQ(fragment(0, true), MAGLB_DECAP_PASSED_FRAGMENT);
    const auto later = fragment(100, false);
    EXPECT_EQ(later, protocol == kUdp ? std::nullopt : std::optional(MAGLB_DECAP_PASSED_FRAGMENT))
        << "a later fragment of UDP does not say its port";
  });
}

TEST_P(DecapProgramTest, StepsOverATunnelEncapsulationLimitAndNothingElse) {
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    if (outside == 4) {
      return;
    }
    const Bytes in = datagram(inner(inside));
    const uint8_t protocol = tunnel.protocol(inside);
    const Bytes wrapped = tunnel.wrap(inside, in);
    const auto behind = [&](uint8_t next, const Bytes& headers) {
      return fate_of(frame(6, packet(outer(6), next, joined(headers, wrapped))));
    };
    for (const Bytes& good :
         {kLimit, Bytes{1, 1, 0, 4, 1, 4}, Bytes{4, 1, 0, 0, 0, 0}, Bytes{0, 4, 1, 9, 1, 0}}) {
      EXPECT_EQ(behind(kOptions, options(protocol, good)), MAGLB_DECAP_OK);
      EXPECT_EQ(out_, frame(inside, in));
    }
    const auto refused = protocol == kUdp ? std::nullopt : std::optional(MAGLB_DECAP_PASSED_OPTIONS);
    for (const Bytes& bad : {Bytes{0, 0, 0, 0, 0, 0}, Bytes{1, 4, 0, 0, 0, 0}, Bytes{4, 1, 4, 4, 1, 4},
                             Bytes{4, 2, 4, 4, 0, 0}, Bytes{5, 2, 0, 0, 1, 0}, Bytes{4, 1, 4, 1, 2, 0},
                             Bytes{4, 1, 4, 0, 0, 4}, Bytes{0xc2, 4, 0, 1, 0, 0}}) {
      EXPECT_EQ(behind(kOptions, options(protocol, bad)), refused);
    }
    Bytes longer = kLimit;
    append(longer, {1, 6, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(behind(kOptions, options(protocol, longer)), refused);
    EXPECT_EQ(behind(kOptions, joined(options(kOptions, kLimit), options(protocol, kLimit))), std::nullopt);
    for (const uint8_t other : {0, 43, 51}) {  // hop-by-hop options, routing, authentication
      EXPECT_EQ(behind(other, options(protocol, kLimit)), std::nullopt);
    }
  });
}

TEST_P(DecapProgramTest, TakesOuterIpv4Options) {
  for (size_t words = 1; words <= 10; ++words) {
    const Bytes in = datagram(inner(6));
    Bytes header = packet(outer(4), kIp6, {});
    header.insert(header.end(), words * 4, 1);
    header[0] = static_cast<uint8_t>(0x45 + words);
    put16(header, 2, header.size() + in.size());
    put16(header, 10, 0);
    put16(header, 10, internet_checksum(header));
    EXPECT_EQ(fate_of(frame(4, joined(header, in))), MAGLB_DECAP_OK) << words;
    EXPECT_EQ(out_, frame(6, in));
  }
}

TEST_P(DecapProgramTest, RefusesGreThatIsNotForIt) {
  for (const int outside : {4, 6}) {
    const Bytes in = datagram(inner(4));
    const auto fate = [&](uint16_t flags, uint16_t type) {
      return fate_of(frame(outside, packet(outer(outside), kGre, gre(flags, type, joined(Bytes(4, 0), in)))));
    };
    EXPECT_EQ(fate(0x8000, 0x0800), MAGLB_DECAP_PASSED_GRE_CHECKSUM);
    EXPECT_EQ(fate(0x2000, 0x6558), MAGLB_DECAP_PASSED_PAYLOAD) << "Ethernet";
    for (uint16_t version = 1; version < 8; ++version) {
      EXPECT_EQ(fate(0x2000 | version, 0x880b), MAGLB_DECAP_PASSED_PAYLOAD) << "PPTP";
    }
    for (const uint16_t reserved :
         {0x4000, 0x0800, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x0008}) {
      EXPECT_EQ(fate(reserved, 0x0800), MAGLB_DECAP_DROPPED_TUNNEL) << reserved;
    }
    EXPECT_EQ(fate(0x2000, 0x0800), MAGLB_DECAP_OK) << "key 0";
  }
}

TEST_P(DecapProgramTest, TakesOnlyTheGreKeyThatWasAskedFor) {
  attach({.from = kFrom, .gre_key = kKey});
  for (const int outside : {4, 6}) {
    const Bytes in = datagram(inner(4));
    const auto fate = [&](uint16_t flags, const Bytes& fields) {
      return fate_of(frame(outside, packet(outer(outside), kGre, gre(flags, 0x0800, joined(fields, in)))));
    };
    EXPECT_EQ(fate(0x2000, kKeyBytes), MAGLB_DECAP_OK);
    EXPECT_EQ(fate(0x3000, joined(kKeyBytes, kSequence)), MAGLB_DECAP_OK);
    EXPECT_EQ(fate(0x2000, {0x98, 0xba, 0xdc, 0xfe}), MAGLB_DECAP_PASSED_GRE_KEY);
    EXPECT_EQ(fate(0x1000, kKeyBytes), MAGLB_DECAP_PASSED_GRE_KEY) << "a sequence number is no key";
    EXPECT_EQ(fate(0, {}), MAGLB_DECAP_PASSED_GRE_KEY);
    EXPECT_EQ(fate_of(tunnelled(outside, kTunnels[0], 4, in)), MAGLB_DECAP_OK) << "IPIP has no key";
  }
}

TEST_P(DecapProgramTest, RefusesUdpThatIsNotForIt) {
  for (const int outside : {4, 6}) {
    const Bytes in = datagram(inner(4));
    const auto fate = [&](const Bytes& payload) {
      return fate_of(frame(outside, packet(outer(outside), kUdp, payload)));
    };
    EXPECT_EQ(fate(udp(joined({0, kIpip, 0, 0}, in), 6081)), std::nullopt) << "another port";
    EXPECT_EQ(fate(udp(in)), MAGLB_DECAP_PASSED_PAYLOAD) << "IP without a GUE header";
    EXPECT_EQ(fate(gue(0x20, kIpip, in)), MAGLB_DECAP_PASSED_PAYLOAD) << "control";
    EXPECT_EQ(fate(gue(0x80, kIpip, in)), MAGLB_DECAP_PASSED_PAYLOAD) << "variant 2";
    EXPECT_EQ(fate(gue(0, kUdp, in)), MAGLB_DECAP_PASSED_PAYLOAD) << "not IP";
    EXPECT_EQ(fate(gue(31, kIpip, in)), MAGLB_DECAP_DROPPED_TUNNEL) << "fields beyond the end";
    for (const size_t length : {0, 7, 11, 45}) {
      Bytes bad = gue(0, kIpip, in);
      put16(bad, 4, length == 45 ? bad.size() + 1 : length);
      EXPECT_EQ(fate(bad), MAGLB_DECAP_DROPPED_TUNNEL) << length;
    }
    Bytes shorter = gue(0, kIpip, in);
    put16(shorter, 4, shorter.size() - 1);
    EXPECT_EQ(fate(shorter), MAGLB_DECAP_DROPPED_INNER) << "UDP ends before the inner packet";
    Bytes summed = gue(0, kIpip, in);
    put16(summed, 6, 0xdead);
    EXPECT_EQ(fate(summed), MAGLB_DECAP_OK) << "the UDP checksum is not verified";
  }
}

TEST_P(DecapProgramTest, StandsAnyBytes) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for_all_tunnels([&](const Tunnel& tunnel, int outside, int inside) {
    const Bytes whole = tunnelled(outside, tunnel, inside, datagram(inner(inside)));
    for (int i = 0; i < 300; ++i) {
      Bytes bytes = whole;
      for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
        bytes[12 + random() % (bytes.size() - 12)] = static_cast<uint8_t>(random());
      }
      if (fate_of(bytes) == MAGLB_DECAP_OK) {
        ASSERT_TRUE(out_[12] == 0x08 ? out_[14] >> 4 == 4 : out_[14] >> 4 == 6);
      }
    }
  });
}

}  // namespace
}  // namespace maglb
