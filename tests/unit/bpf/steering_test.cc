// The steering program's loader: what it tells the program, and whose programs it touches. Which frames the
// program steers: steer_program_test.cc, steer_random_test.cc.
#include "lib/bpf/steering.h"

#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/unit/bpf/steering_rig.h"

namespace maglb {
namespace {

TEST_F(SteeringTest, SyncLeavesExactlyWhatIsWanted) {
  Steering steering = attach_and_open();
  SteerWanted wanted;
  for (uint16_t port = 1; port <= 500; ++port) {
    wanted.packets.insert(rule("198.51.100.1", Protocol::kTcp, port));
    wanted.packets.insert({IpPrefix(IpAddress::v4({10, 0, 1, static_cast<uint8_t>(port)})), Protocol::kAny,
                           port, static_cast<uint16_t>(port + 1)});
    wanted.echoes.insert(IpPrefix(IpAddress::v4({10, 0, 2, static_cast<uint8_t>(port)})));
  }
  wanted.vlans = {{1, 0}, {2, 3}};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(*steering.tables(), *compile(wanted));
  wanted = {.packets = {rule("198.51.100.1", Protocol::kTcp, 7), rule("::/0", Protocol::kTcp, 7)},
            .fragments = {prefix("198.51.100.9"), prefix("0.0.0.0/0")}};
  ASSERT_TRUE(steering.sync(wanted));
  EXPECT_EQ(*steering.tables(), *compile(wanted));
  ASSERT_TRUE(steering.sync({}));
  EXPECT_EQ(*steering.tables(), SteerTables{});
}

// As many services as a configuration can have (limits: services), each with a prefix of its own for ports
// and one for fragments.
TEST_F(SteeringTest, HoldsAsManyServicesAsThereCanBe) {
  constexpr uint32_t kServices = 65536;
  Steering steering = attach_and_open();
  SteerWanted wanted;
  for (uint32_t i = 0; i < kServices; ++i) {
    const auto high = static_cast<uint8_t>(i >> 8);
    const IpPrefix address = IpPrefix(IpAddress::v4({10, 0, high, static_cast<uint8_t>(i)}));
    wanted.packets.insert({address, Protocol::kTcp, 80, 80});
    wanted.packets.insert({address, Protocol::kUdp, 5000, 5009});
    wanted.fragments.insert(address);
  }
  const auto synced = steering.sync(wanted);
  ASSERT_TRUE(synced) << synced.error().message;
  const auto frame = [](uint8_t protocol, uint16_t port) {
    return ethernet(ipv4(ip("192.0.2.1"), ip("10.0.255.255"), protocol, ports(1000, port)));
  };
  EXPECT_TRUE(steers(steering, frame(6, 80)));
  EXPECT_TRUE(steers(steering, frame(17, 5009)));
  EXPECT_FALSE(steers(steering, frame(17, 5010)));
  const SteerWanted one{.packets = {rule("10.0.255.255", Protocol::kTcp, 80)}};
  ASSERT_TRUE(steering.sync(one));
  EXPECT_EQ(*steering.tables(), *compile(one));
}

TEST_F(SteeringTest, ARefusedSyncChangesNothing) {
  Steering steering = attach_and_open();
  const SteerWanted wanted{.packets = {rule("198.51.100.0/24", Protocol::kTcp, 8000, 8999)}};
  ASSERT_TRUE(steering.sync(wanted));
  SteerWanted much = wanted;
  for (uint16_t port = 1; port < 300; port = static_cast<uint16_t>(port + 2)) {
    much.packets.insert(rule("198.51.100.0/24", Protocol::kTcp, port));
  }
  EXPECT_EQ(steering.sync(much).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(*steering.tables(), *compile(wanted));
}

// While one thread changes what is around a rule that stays, in every way there is (an entry of its own, in a
// longer prefix, in a shorter one, and all the others moving), another asks for a packet of it all the time.
TEST_F(SteeringTest, NothingThatStaysIsWithoutAnEntryInBetween) {
  Steering steering = attach_and_open();
  const SteerWanted states[] = {
      {.packets = {rule("10.1.1.1", Protocol::kTcp, 80)}},
      {.packets = {rule("10.1.1.0/24", Protocol::kTcp, 80), rule("10.1.0.0/16", Protocol::kTcp, 443)}},
      {.packets = {rule("10.0.0.0/8", Protocol::kAny, 80), rule("10.1.0.0/16", Protocol::kTcp, 22)}},
      {.packets = {rule("10.0.0.0/8", Protocol::kTcp, 443), rule("10.1.0.0/16", Protocol::kTcp, 70, 90)}},
      {.packets = {rule("0.0.0.0/0", Protocol::kTcp, 0, 65535), rule("10.1.1.1", Protocol::kUdp, 1, 2)}},
      {.packets = {rule("10.1.1.1", Protocol::kTcp, 79, 80), rule("10.1.1.0/30", Protocol::kTcp, 9)}}};
  ASSERT_TRUE(steering.sync(states[0]));
  const uint64_t before = steering.counters()->service;
  std::atomic<bool> stop{false};
  uint64_t asked = 0;
  std::thread asking([&] {
    const Frame frame = ethernet(ipv4(ip("192.0.2.1"), ip("10.1.1.1"), 6, ports(1000, 80)));
    while (!stop.load(std::memory_order_relaxed)) {
      bpf_test_run_opts options;
      init_options(options);
      options.data_in = frame.data();
      options.data_size_in = static_cast<uint32_t>(frame.size());
      options.repeat = 100;
      asked += bpf_prog_test_run_opts(program(), &options) == 0 ? 100 : 0;
    }
  });
  for (const SteerWanted& from : states) {
    for (const SteerWanted& to : states) {
      EXPECT_TRUE(steering.sync(from));
      EXPECT_TRUE(steering.sync(to));
    }
  }
  stop.store(true, std::memory_order_relaxed);
  asking.join();
  EXPECT_GT(asked, 1000u);
  EXPECT_EQ(steering.counters()->service - before, asked);
}

TEST_F(SteeringTest, FollowsTheInterfacesMac) {
  Steering steering = attach_and_open();
  ASSERT_TRUE(steering.sync({.packets = {all_of("198.51.100.1")}}));
  const Frame packet = ipv4(ip("192.0.2.1"), ip("198.51.100.1"), 6, ports(1000, 80));
  const MacAddress other = *MacAddress::parse("02:aa:00:00:00:77");
  EXPECT_FALSE(steering.follow_mac()->has_value());
  ASSERT_EQ(run("ip link set lb0 address 02:aa:00:00:00:77"), 0);
  EXPECT_FALSE(steers(steering, ethernet(packet, other)));
  EXPECT_EQ(**steering.follow_mac(), other);
  EXPECT_TRUE(steers(steering, ethernet(packet, other)));
  EXPECT_FALSE(steers(steering, ethernet(packet)));
  ASSERT_EQ(run("ip link set lb0 name lb1"), 0);
  EXPECT_FALSE(steering.follow_mac()->has_value()) << "by index, whatever its name";
  ASSERT_EQ(run("ip link set lb1 name lb0"), 0);
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
