// The steering program against a plain model of its rules: random rules, random frames of few values, so
// that rules and frames meet, and the same frames damaged.
#include <random>

#include "tests/unit/bpf/steering_rig.h"

namespace maglb {
namespace {

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  template <typename T, size_t n>
  const T& of(const T (&values)[n]) {
    return values[below(n)];
  }

 private:
  std::mt19937_64 random_;
};

const char* const kAddresses[2][6] = {
    {"10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1", "172.16.0.1", "169.254.0.1"},
    {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db9::1", "fe80::1", "::ffff:10.0.0.1"}};
const char* const kPrefixes[2][6] = {
    {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/31", "10.0.0.1/32"},
    {"::/0", "2001:db8::/31", "2001:db8::/32", "2001:db8::/64", "2001:db8::/126", "2001:db8::1/128"}};
const uint16_t kPorts[] = {0, 1, 22, 80, 443, 8000, 8500, 8999, 65535};
const Protocol kProtocols[] = {Protocol::kAny, Protocol::kTcp, Protocol::kUdp};

IpPrefix any_prefix(Dice& dice) {
  const auto family = dice.below(2);
  return dice.one_in(2) ? prefix(dice.of(kPrefixes[family])) : prefix(kAddresses[family][dice.below(5)]);
}

SteerWanted any_wanted(Dice& dice) {
  SteerWanted wanted;
  for (uint32_t rules = dice.below(12); rules > 0; --rules) {
    uint16_t first = dice.of(kPorts);
    uint16_t last = dice.one_in(2) ? first : dice.of(kPorts);
    if (dice.one_in(8)) {
      first = 0;
      last = 65535;
    }
    wanted.packets.insert(
        {any_prefix(dice), dice.of(kProtocols), std::min(first, last), std::max(first, last)});
  }
  for (std::set<IpPrefix>* set : {&wanted.fragments, &wanted.echoes, &wanted.tunnel_errors}) {
    for (uint32_t prefixes = dice.below(4); prefixes > 0; --prefixes) {
      set->insert(any_prefix(dice));
    }
  }
  if (dice.one_in(2)) {
    wanted.vlans = {{5, 0}, {5, 6}};
  }
  return wanted;
}

// Inside an error (`quoter`): mostly a packet that its receiver sent.
Frame any_packet(Dice& dice, bool v6, const IpAddress* quoter);

Frame any_payload(Dice& dice, bool v6, uint8_t protocol, const IpAddress* quoter, const IpAddress& to) {
  static const uint8_t kTypes[] = {1, 2, 3, 3, 3, 4, 8, 11, 12, 128, 129, 135, 136};
  if ((protocol == 1 || protocol == 58) && quoter == nullptr) {
    return icmp(dice.of(kTypes), any_packet(dice, dice.one_in(16) ? !v6 : v6, &to));
  }
  return ports(dice.of(kPorts), dice.of(kPorts));
}

// Extension headers in front of `payload`; `protocol` becomes the first one's.
Frame any_extensions(Dice& dice, uint8_t& protocol, Frame payload) {
  static const uint8_t kKinds[] = {0, 43, 44, 60};
  for (uint32_t headers = dice.one_in(4) ? dice.below(11) : 0; headers > 0; --headers) {
    const uint8_t kind = dice.of(kKinds);
    const auto offset = static_cast<uint16_t>(dice.one_in(8) ? dice.below(65536) : dice.below(8));
    payload = kind == 44 ? fragment_header(protocol, offset, payload)
                         : extension(protocol, static_cast<uint8_t>(dice.below(4)), payload);
    protocol = kind;
  }
  return payload;
}

Frame any_packet(Dice& dice, bool v6, const IpAddress* quoter) {
  static const uint8_t kNumbers[] = {6, 17, 6, 17, 1, 58, 1, 58, 2, 4, 41, 47, 132};
  const bool sent_by_it = quoter != nullptr && quoter->is_v4() == !v6 && !dice.one_in(8);
  const IpAddress source = sent_by_it ? *quoter : ip(kAddresses[v6][dice.below(6)]);
  const IpAddress destination = ip(kAddresses[v6][dice.below(dice.one_in(2) ? 6 : 2)]);
  uint8_t protocol = dice.of(kNumbers);
  Frame payload = any_payload(dice, v6, protocol, quoter, destination);
  if (v6) {
    payload = any_extensions(dice, protocol, std::move(payload));
    return ipv6(source, destination, protocol, payload);
  }
  const auto fragment = static_cast<uint16_t>(dice.one_in(8) ? dice.below(65536) : 0);
  const auto options = static_cast<uint8_t>(dice.one_in(4) ? dice.below(11) : 0);
  return ipv4(source, destination, protocol, payload, fragment, options);
}

Frame any_frame(Dice& dice) {
  static const uint16_t kTagTypes[] = {0x8100, 0x88a8};
  static const uint16_t kIds[] = {5, 6, 0x2005, 0};
  std::vector<Tag> tags;
  for (uint32_t n = dice.one_in(3) ? dice.below(4) : 0; n > 0; --n) {
    tags.push_back({dice.of(kTagTypes), tags.empty() && !dice.one_in(4) ? uint16_t{5} : dice.of(kIds)});
  }
  const MacAddress mac = dice.one_in(16) ? MacAddress{{2, 0xaa, 0, 0, 0, 2}} : kOurMac;
  Frame frame = ethernet(any_packet(dice, dice.one_in(2), nullptr), mac, std::move(tags));
  if (dice.one_in(4)) {
    frame.resize(14 + dice.below(static_cast<uint32_t>(frame.size() - 13)));
  } else if (dice.one_in(8)) {
    frame.resize(frame.size() + dice.below(40), 0x50);
  }
  for (uint32_t flips = dice.one_in(4) ? 1 + dice.below(3) : 0; flips > 0; --flips) {
    frame[dice.below(static_cast<uint32_t>(frame.size()))] ^= static_cast<uint8_t>(1 << dice.below(8));
  }
  return frame;
}

std::string hex(const Frame& frame) {
  std::string text;
  for (const uint8_t byte : frame) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

class SteerRandom : public SteeringTest {};

TEST_F(SteerRandom, DecidesAsTheModelDoes) {
  constexpr int kRounds = 200;
  constexpr int kFrames = 200;
  const char* given = std::getenv("MAGLB_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::cout << "seed " << seed << " (MAGLB_SEED repeats it)\n";
  Dice dice(seed);
  Steering steering = attach_and_open();
  std::array<int, 8> seen{};
  for (int round = 0; round < kRounds; ++round) {
    const SteerWanted wanted = any_wanted(dice);
    const auto synced = steering.sync(wanted);
    ASSERT_TRUE(synced) << synced.error().message;
    ASSERT_EQ(*steering.tables(), *compile(wanted));
    for (int i = 0; i < kFrames; ++i) {
      const Frame frame = any_frame(dice);
      const Why expected = model(wanted, kOurMac, frame);
      ASSERT_EQ(verdict(steering, frame), expected)
          << "seed " << seed << ", round " << round << ": " << hex(frame);
      ++seen[static_cast<size_t>(expected)];
    }
  }
  for (size_t why = 0; why < seen.size(); ++why) {
    EXPECT_GT(seen[why], 20) << static_cast<Why>(why) << " is hardly tried";
  }
}

}  // namespace
}  // namespace maglb
