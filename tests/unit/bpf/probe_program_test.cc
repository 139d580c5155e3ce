// The program that encapsulates probes, asked packet by packet (BPF_PROG_TEST_RUN): what comes out is byte
// for byte what the packet path makes of the same packet.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <random>
#include <vector>

#include "lib/bpf/attachment.h"
#include "lib/bpf/libbpf_options.h"
#include "lib/bpf/objects.h"
#include "lib/bpf/probe_tunnel.h"
#include "lib/lb/encapsulation.h"
#include "tests/support/own_network.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int kRedirect = 7;
constexpr int kShot = 2;
constexpr uint32_t kMark = 0x6d600001;
constexpr size_t kEthernet = 14;
constexpr size_t kRoom = 64;  // in front of a packet, for the packet path's headers

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

IpAddress backend_of(bool is_v4) {
  return address(is_v4 ? "10.0.1.11" : "2001:db8:0:1::11");
}
IpAddress source_of(bool is_v4) {
  return address(is_v4 ? "10.0.0.2" : "2001:db8::2");
}

// An IP packet of `payload` random bytes behind a header that says UDP.
Bytes packet(bool is_v4, size_t payload, uint8_t tos, bool dont_fragment) {
  std::minstd_rand random(static_cast<unsigned>(payload));
  Bytes bytes(is_v4 ? 20 : 40);
  for (size_t i = 0; i < payload; ++i) {
    bytes.push_back(static_cast<uint8_t>(random()));
  }
  if (is_v4) {
    auto& ip = *reinterpret_cast<Ipv4Header*>(bytes.data());
    ip = Ipv4Header{};
    ip.tos = tos;
    ip.total_length = Be16(static_cast<uint16_t>(bytes.size()));
    ip.fragment = Be16(dont_fragment ? kIpv4DontFragment : uint16_t{0});
    ip.ttl = 64;
    ip.protocol = kProtocolUdp;
    ip.source = source_of(true).to_v4();
    ip.destination = address("198.51.100.1").to_v4();
  } else {
    auto& ip = *reinterpret_cast<Ipv6Header*>(bytes.data());
    ip = Ipv6Header{};
    ip.version_class = static_cast<uint8_t>(0x60 | tos >> 4);
    ip.class_flow = static_cast<uint8_t>(tos << 4);
    ip.payload_length = Be16(static_cast<uint16_t>(payload));
    ip.next_header = kProtocolUdp;
    ip.hop_limit = 64;
    ip.source = source_of(false);
    ip.destination = address("2001:db8:f::1");
  }
  return bytes;
}

Bytes framed(const Bytes& packet) {
  Bytes frame(kEthernet);
  frame[12] = packet[0] >> 4 == 4 ? 0x08 : 0x86;
  frame[13] = packet[0] >> 4 == 4 ? 0x00 : 0xdd;
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

class ProbeProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network(
            "ip link set lo up && ip link add eth0 type veth peer name peer0 &&"
            "ip link set eth0 up && ip link set peer0 up && ip address add 10.0.0.2/16 dev eth0 &&"
            "ip address add 2001:db8::2/48 dev eth0 nodad &&"
            "ip route add 10.9.0.0/16 via 10.0.0.1 &&"
            "sysctl -qw net.ipv4.conf.eth0.forwarding=1 net.ipv6.conf.eth0.forwarding=1")) {
      return;
    }
    auto object = BpfObject::load(probe_object(), "maglb_probe");
    ASSERT_TRUE(object) << object.error().message;
    object_.emplace(std::move(*object));
  }
  void TearDown() override { (void)!std::system("ip link del eth0 2> /dev/null"); }

  void put(const ProbePath& path) {
    const maglb_probe_path wire = to_wire(path, source_of(path.backend.is_v4()));
    ASSERT_EQ(bpf_map_update_elem(object_->map_fd(MAGLB_PROBE_PATHS), &kMark, &wire, BPF_ANY), 0);
  }

  // Sends one packet through; out_ is what became of it.
  int run(const Bytes& packet, uint32_t mark = kMark) {
    const Bytes frame = framed(packet);
    out_.assign(frame.size() + 128, 0);
    __sk_buff context{};
    context.mark = mark;
    context.ifindex = static_cast<uint32_t>(*interface_index("eth0"));
    bpf_test_run_opts options;
    init_options(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<uint32_t>(frame.size());
    options.data_out = out_.data();
    options.data_size_out = static_cast<uint32_t>(out_.size());
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    options.ctx_out = &context;
    options.ctx_size_out = sizeof context;
    EXPECT_EQ(bpf_prog_test_run_opts(object_->program_fd(MAGLB_PROBE_TC), &options), 0);
    out_.resize(options.data_size_out);
    mark_ = context.mark;
    return static_cast<int>(options.retval);
  }

  uint64_t counter(maglb_probe_counter which) {
    return (*read_counters(object_->map_fd(MAGLB_PROBE_COUNTERS), MAGLB_PROBE_COUNTERS_COUNT))[which];
  }

  std::optional<BpfObject> object_;
  Bytes out_;
  uint32_t mark_ = 0;
};

uint16_t at16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// The packet path's frame, of the flow and the id that `like` shows.
Bytes by_packet_path(const ProbePath& path, const Bytes& packet, const Bytes& like) {
  const bool outer_v6 = !path.backend.is_v4();
  ServiceOptions options;
  options.gue_port = path.gue_port;
  options.udp_checksum = path.udp_checksum;
  options.gre_key = path.gre_key;
  const ServiceExtra extra(options, std::pmr::get_default_resource());
  const Encapsulation encapsulation{path.mode, outer_v6, extra};
  uint64_t flow = 0;
  if (outer_v6) {
    // The packet path writes the label's lowest bits first.
    flow |= static_cast<uint64_t>((like[15] & 0x0f) | like[16] << 4 | like[17] << 12) << 44;
  }
  if (path.mode == ForwardMode::kGue) {
    flow |= at16(like, kEthernet + (outer_v6 ? 40 : 20)) & 0x3fff;
  }
  Bytes room(kRoom);
  room.insert(room.end(), packet.begin(), packet.end());
  encapsulation.write({room.data() + kRoom, packet.size()}, packet[0] >> 4 == 6, flow,
                      TunnelSource(source_of(!outer_v6)), path.backend,
                      outer_v6 ? uint16_t{0} : at16(like, 18));
  return {room.begin() + static_cast<ptrdiff_t>(kRoom - encapsulation.bytes()), room.end()};
}

TEST_F(ProbeProgramTest, WritesWhatThePacketPathWrites) {
  for (const ForwardMode mode : {ForwardMode::kIpip, ForwardMode::kGue, ForwardMode::kGre}) {
    for (const int variant : {0, 1}) {
      for (const bool outer_v4 : {true, false}) {
        for (const bool inner_v4 : {true, false}) {
          for (const size_t payload : {20u, 8u, 33u, 52u, 63u, 64u, 65u, 127u, 500u, 1001u, 1240u}) {
            ServiceOptions options;
            options.udp_checksum = variant == 1;
            if (variant == 1) {
              options.gre_key = 0xfedcba98;
              options.gue_port = 6081;
            }
            const ProbePath path = ProbePath::of(mode, backend_of(outer_v4), options);
            put(path);
            const Bytes sent = packet(inner_v4, payload, variant == 1 ? 0xb9 : 0, variant == 0);
            ASSERT_EQ(run(sent), kRedirect);
            ASSERT_EQ(mark_, 0u);
            ASSERT_EQ(at16(out_, 12), outer_v4 ? 0x0800 : 0x86dd);
            ASSERT_EQ(Bytes(out_.begin() + kEthernet, out_.end()), by_packet_path(path, sent, out_))
                << to_string(mode) << " variant " << variant << (outer_v4 ? " IPv4" : " IPv6") << " around "
                << (inner_v4 ? "IPv4" : "IPv6") << " of " << payload;
          }
        }
      }
    }
  }
}

TEST_F(ProbeProgramTest, LeavesThePacketAsItIsForANeighbour) {
  for (const bool is_v4 : {true, false}) {
    put(ProbePath::of(ForwardMode::kL2, backend_of(is_v4), {}));
    const Bytes sent = packet(is_v4, 40, 0, true);
    EXPECT_EQ(run(sent), kRedirect);
    EXPECT_EQ(Bytes(out_.begin() + kEthernet, out_.end()), sent);
  }
  EXPECT_EQ(counter(MAGLB_PROBE_SENT), 2u);
}

TEST_F(ProbeProgramTest, SendsNothingWithoutItsEncapsulation) {
  const Bytes sent = packet(true, 40, 0, true);
  EXPECT_EQ(run(sent), kShot);
  put(ProbePath::of(ForwardMode::kIpip, backend_of(true), {}));
  EXPECT_EQ(run(sent, 0), kShot);
  EXPECT_EQ(run(sent, kMark + 1), kShot);
  EXPECT_EQ(counter(MAGLB_PROBE_NO_PATH), 3u);
  put(ProbePath::of(ForwardMode::kL2, address("10.9.0.1"), {}));
  EXPECT_EQ(run(sent), kShot) << "behind a router";
  EXPECT_EQ(run(packet(false, 40, 0, true)), kShot) << "of another family";
  EXPECT_EQ(counter(MAGLB_PROBE_NOT_NEIGHBOUR), 2u);
  put(ProbePath::of(ForwardMode::kIpip, address("192.0.2.1"), {}));
  EXPECT_EQ(run(sent), kShot) << "no route";
  EXPECT_EQ(counter(MAGLB_PROBE_NO_ROUTE), 1u);
  Bytes broken = sent;
  broken[0] = 0x55;
  put(ProbePath::of(ForwardMode::kIpip, backend_of(true), {}));
  EXPECT_EQ(run(broken), kShot);
  EXPECT_EQ(counter(MAGLB_PROBE_NO_IP), 1u);
}

}  // namespace
}  // namespace maglb
