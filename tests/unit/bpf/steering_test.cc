// The steering program in the kernel, asked packet by packet (BPF_PROG_TEST_RUN): without sockets it
// always says "pass", so its counters tell what it would have steered.
#include "lib/bpf/steering.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "lib/bpf/objects.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

using Frame = std::vector<uint8_t>;

const MacAddress kOurMac = *MacAddress::parse("02:aa:00:00:00:01");

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

Frame ipv4(const char* source, const char* destination, uint8_t protocol, const Frame& payload,
           uint16_t fragment = 0) {
  Ipv4Header header;
  header.total_length = Be16(static_cast<uint16_t>(sizeof header + payload.size()));
  header.protocol = protocol;
  header.fragment = Be16(fragment);
  header.ttl = 64;
  header.source = ip(source).to_v4();
  header.destination = ip(destination).to_v4();
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  Frame packet(bytes, bytes + sizeof header);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

Frame ports(uint16_t source, uint16_t destination) {
  Frame header(20);
  header[0] = static_cast<uint8_t>(source >> 8);
  header[1] = static_cast<uint8_t>(source);
  header[2] = static_cast<uint8_t>(destination >> 8);
  header[3] = static_cast<uint8_t>(destination);
  return header;
}

Frame icmp_error(uint8_t type, const Frame& quoted) {
  Frame message = {type, 4, 0, 0, 0, 0, 0, 0};
  message.insert(message.end(), quoted.begin(), quoted.end());
  return message;
}

Frame ethernet(const Frame& packet, const MacAddress& destination = kOurMac, uint16_t type = 0x0800) {
  Frame frame(destination.bytes.begin(), destination.bytes.end());
  frame.insert(frame.end(), {2, 0, 0, 0, 0, 9, static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)});
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

int run(const char* command) {
  return std::system(command);
}

class SteeringTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "needs root to load BPF programs";
    }
    if (unshare(CLONE_NEWNET) != 0) {
      GTEST_SKIP() << "can't make a network namespace";
    }
    ASSERT_EQ(run("ip link add lb0 address 02:aa:00:00:00:01 type veth peer name peer0"), 0);
    auto object = BpfObject::load(steer_object(), "maglb_steer");
    ASSERT_TRUE(object) << object.error().message;
    object_.emplace(std::move(*object));
  }

  void TearDown() override {
    if (object_) {
      run("ip link del lb0");
    }
  }

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

  // Whether the program steers the frame.
  bool steers(const Steering& steering, const Frame& frame) {
    const SteerCounters before = *steering.counters();
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<uint32_t>(frame.size());
    EXPECT_EQ(bpf_prog_test_run_opts(program(), &options), 0);
    EXPECT_EQ(options.retval, 2u) << "without a socket the kernel keeps the packet";
    const SteerCounters after = *steering.counters();
    return after.service + after.fragment + after.icmp != before.service + before.fragment + before.icmp;
  }

  std::optional<BpfObject> object_;
};

TEST_F(SteeringTest, SteersOnlyPacketsOfServices) {
  Steering steering = attach_and_open();
  const Frame web = ethernet(ipv4("192.0.2.1", "198.51.100.1", 6, ports(1000, 80)));
  EXPECT_FALSE(steers(steering, web)) << "before the first sync";
  ASSERT_TRUE(steering.sync({SteerKey::packets(ip("198.51.100.1"), Protocol::kTcp, 80)}));
  EXPECT_TRUE(steers(steering, web));
  EXPECT_FALSE(steers(steering, ethernet(ipv4("192.0.2.1", "198.51.100.1", 6, ports(1000, 81)))));
  EXPECT_FALSE(steers(steering, ethernet(ipv4("192.0.2.1", "198.51.100.1", 17, ports(1000, 80)))));
  EXPECT_FALSE(steers(steering, ethernet(ipv4("192.0.2.1", "198.51.100.2", 6, ports(1000, 80)))));
}

TEST_F(SteeringTest, LeavesFramesForOtherMacsAndTypesToTheKernel) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({SteerKey::packets(ip("198.51.100.1"), Protocol::kAny, 0)}));
  const Frame packet = ipv4("192.0.2.1", "198.51.100.1", 6, ports(1000, 80));
  EXPECT_TRUE(steers(steering, ethernet(packet)));
  EXPECT_FALSE(steers(steering, ethernet(packet, *MacAddress::parse("02:aa:00:00:00:02"))));
  EXPECT_FALSE(steers(steering, ethernet(packet, *MacAddress::parse("ff:ff:ff:ff:ff:ff"))));
  EXPECT_FALSE(steers(steering, ethernet(packet, kOurMac, 0x86dd)));
  ASSERT_TRUE(steering.set_mac(*MacAddress::parse("02:aa:00:00:00:02")));
  EXPECT_FALSE(steers(steering, ethernet(packet)));
}

TEST_F(SteeringTest, MatchesWildcards) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({SteerKey::packets(ip("198.51.100.1"), Protocol::kUdp, 0),
                             SteerKey::packets(ip("198.51.100.2"), Protocol::kAny, 53),
                             SteerKey::packets(ip("198.51.100.3"), Protocol::kAny, 0)}));
  const auto packet = [](const char* to, uint8_t protocol, uint16_t port) {
    return ethernet(ipv4("192.0.2.1", to, protocol, ports(1000, port)));
  };
  EXPECT_TRUE(steers(steering, packet("198.51.100.1", 17, 9)));
  EXPECT_FALSE(steers(steering, packet("198.51.100.1", 6, 9)));
  EXPECT_TRUE(steers(steering, packet("198.51.100.2", 17, 53)));
  EXPECT_TRUE(steers(steering, packet("198.51.100.2", 6, 53)));
  EXPECT_FALSE(steers(steering, packet("198.51.100.2", 6, 54)));
  EXPECT_TRUE(steers(steering, packet("198.51.100.3", 6, 1)));
  EXPECT_FALSE(steers(steering, packet("198.51.100.3", 47, 1))) << "any means TCP and UDP";
}

TEST_F(SteeringTest, SteersLaterFragmentsOnlyWhenToldTo) {
  Steering steering = attach_and_open();
  const SteerKey service = SteerKey::packets(ip("198.51.100.1"), Protocol::kUdp, 53);
  const Frame later = ethernet(ipv4("192.0.2.1", "198.51.100.1", 17, ports(1, 53), 100));
  const Frame first = ethernet(ipv4("192.0.2.1", "198.51.100.1", 17, ports(1, 53), 0x2000));
  ASSERT_TRUE(steering.sync({service}));
  EXPECT_FALSE(steers(steering, later));
  EXPECT_TRUE(steers(steering, first));
  ASSERT_TRUE(steering.sync({service, SteerKey::later_fragments(ip("198.51.100.1"))}));
  EXPECT_TRUE(steers(steering, later));
}

TEST_F(SteeringTest, SteersIcmpErrorsAboutPacketsOfServices) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({SteerKey::packets(ip("198.51.100.1"), Protocol::kTcp, 80)}));
  const auto error = [](uint8_t type, const Frame& quoted, const char* to = "198.51.100.1") {
    return ethernet(ipv4("192.0.2.254", to, 1, icmp_error(type, quoted)));
  };
  const Frame ours = ipv4("198.51.100.1", "192.0.2.1", 6, ports(80, 1000));
  for (const uint8_t type : {3, 11, 12}) {
    EXPECT_TRUE(steers(steering, error(type, ours)));
  }
  EXPECT_FALSE(steers(steering, error(8, ours))) << "an echo request is no error";
  EXPECT_FALSE(steers(steering, error(3, ours, "10.0.0.2"))) << "not sent to whom it quotes";
  EXPECT_FALSE(steers(steering, error(3, ipv4("198.51.100.1", "192.0.2.1", 6, ports(81, 1000)))));
  EXPECT_FALSE(steers(steering, error(3, ipv4("198.51.100.1", "192.0.2.1", 6, ports(80, 1), 100))));
  EXPECT_FALSE(steers(steering, error(3, Frame(ours.begin(), ours.begin() + 22))));
}

TEST_F(SteeringTest, PassesEveryTruncation) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({SteerKey::packets(ip("198.51.100.1"), Protocol::kAny, 0),
                             SteerKey::later_fragments(ip("198.51.100.1"))}));
  const Frame whole = ethernet(ipv4("192.0.2.1", "198.51.100.1", 6, ports(1000, 80)));
  for (size_t length = 14; length < whole.size(); ++length) {
    EXPECT_FALSE(steers(steering, Frame(whole.begin(), whole.begin() + static_cast<long>(length))));
  }
  for (const uint8_t bad : {0x44, 0x65, 0x4f, 0x00}) {
    Frame frame = whole;
    frame[14] = bad;
    EXPECT_FALSE(steers(steering, frame)) << int{bad};
  }
}

TEST_F(SteeringTest, SyncLeavesExactlyWhatIsWanted) {
  Steering steering = attach_and_open();
  std::set<SteerKey> wanted;
  for (uint16_t port = 1; port <= 500; ++port) {
    wanted.insert(SteerKey::packets(ip("198.51.100.1"), Protocol::kTcp, port));
  }
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(*steering.entries(), wanted);
  wanted = {SteerKey::packets(ip("198.51.100.1"), Protocol::kTcp, 7),
            SteerKey::later_fragments(ip("198.51.100.9"))};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(*steering.entries(), wanted);
  ASSERT_TRUE(steering.sync({}));
  EXPECT_TRUE(steering.entries()->empty());
}

TEST_F(SteeringTest, TakesOffItsOwnLeftover) {
  attach();
  const auto cleared = clear_leftover_steering("lb0", std::chrono::seconds(1));
  ASSERT_TRUE(cleared) << cleared.error().message;
  EXPECT_FALSE(find_xdp(*interface_index("lb0"))->has_value());
  EXPECT_TRUE(clear_leftover_steering("lb0", Duration::zero())) << "nothing to do is fine";
}

TEST_F(SteeringTest, RefusesSomeoneElsesProgramByName) {
  const bpf_insn pass[] = {{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 2},
                           {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "firewall", "GPL", pass, 2, nullptr));
  ASSERT_TRUE(other);
  ASSERT_TRUE(attach_xdp(*interface_index("lb0"), other.get(), XdpMode::kNative, nullptr));
  for (const auto& result : {clear_leftover_steering("lb0", Duration::zero()),
                             Steering::open("lb0").map([](const Steering&) {})}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kConflict);
    EXPECT_NE(result.error().message.find("firewall (id "), std::string::npos) << result.error().message;
  }
  EXPECT_TRUE(find_xdp(*interface_index("lb0"))->has_value());
}

TEST_F(SteeringTest, OpenNamesWhatIsMissing) {
  EXPECT_EQ(Steering::open("nosuch0").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Steering::open("lb0").error().message, "interface lb0 has no XDP program");
}

TEST_F(SteeringTest, ObjectIsAFileThatCanBeOpenedByPath) {
  const auto object = SteeringObject::create();
  ASSERT_TRUE(object);
  struct stat about {};
  ASSERT_EQ(stat(object->path().c_str(), &about), 0);
  EXPECT_EQ(static_cast<size_t>(about.st_size), steer_object().size());
}

}  // namespace
}  // namespace maglb
