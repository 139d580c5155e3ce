// A burst of frames through the whole packet path, of two workers one after the other. Input: a byte that
// says how the services forward, then for each frame a byte of choices, two bytes of length (little-endian),
// the frame. A frame that is to be mended is made what a service takes in all that its kind needs, so that
// the fuzzer comes past addresses and checksums:
//
//   choices   1  headroom         4  mend                     16  one VLAN tag      64  mend a quote, too
//             2  tailroom         8  the second way out is    32  two VLAN tags    128  the next snapshot,
//                                    short                                              later
#include <cstdlib>
#include <memory>

#include "lib/net/checksum.h"
#include "lib/net/wire.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Rig;

constexpr size_t kWorkers = 2;
constexpr size_t kLinks = 2;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

enum Choice : uint8_t {
  kHeadroom = 1,
  kTailroom = 2,
  kMend = 4,
  kShortLink = 8,
  kOneTag = 16,
  kTwoTags = 32,
  kMendQuote = 64,
  kLater = 128,
};

const IpAddress& vip_of(bool v6) {
  static const IpAddress v4 = testing::address(198, 51, 100, 1);
  static const IpAddress of_v6 = IpAddress::parse("2001:db8:100::1").value();
  return v6 ? of_v6 : v4;
}

void seal(Ipv4Header& ip) {
  ip.checksum = Be16(0);
  ip.checksum = internet_checksum({reinterpret_cast<const uint8_t*>(&ip), ip.length_bytes()});
}

// The quoted packet is one that the service has sent.
void mend_quote(uint8_t* quoted, size_t size, bool v6) {
  const size_t header = v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
  if (size < header + 8) {
    return;
  }
  quoted[0] = static_cast<uint8_t>(v6 ? 0x60 | (quoted[0] & 15) : 0x45);
  if (v6) {
    header_at<Ipv6Header>(quoted).source = vip_of(true);
  } else {
    header_at<Ipv4Header>(quoted).source = vip_of(false).to_v4();
  }
}

void mend_v4(uint8_t* packet, size_t size, bool and_quote) {
  if (size < sizeof(Ipv4Header)) {
    return;
  }
  auto& ip = header_at<Ipv4Header>(packet);
  if (ip.version() != 4 || ip.length_bytes() < sizeof ip || ip.length_bytes() > size) {
    ip.version_ihl = 0x45;
  }
  if (ip.total_length.host() > size || ip.total_length.host() < ip.length_bytes()) {
    ip.total_length = Be16(static_cast<uint16_t>(size));
  }
  ip.destination = vip_of(false).to_v4();
  seal(ip);
  const size_t quote = ip.length_bytes() + size_t{8};
  if (and_quote && quote < size) {
    mend_quote(packet + quote, size - quote, false);
  }
}

void mend_v6(uint8_t* packet, size_t size, bool and_quote) {
  if (size < sizeof(Ipv6Header)) {
    return;
  }
  auto& ip = header_at<Ipv6Header>(packet);
  packet[0] = static_cast<uint8_t>(0x60 | (packet[0] & 15));
  if (ip.payload_length.host() > size - sizeof ip) {
    ip.payload_length = Be16(static_cast<uint16_t>(size - sizeof ip));
  }
  ip.destination = vip_of(true);
  const size_t quote = sizeof ip + 8;
  if (and_quote && quote < size) {
    mend_quote(packet + quote, size - quote, true);
  }
}

// Our MAC address, the tags of our link, a version, lengths and checksums that can be. The family is that of
// the EtherType, or of the packet's first digit.
void mend(uint8_t* frame, size_t size, uint8_t choices) {
  const size_t tags = (choices & kTwoTags) != 0 ? 2 : (choices & kOneTag) != 0 ? 1 : 0;
  const size_t l3 = sizeof(EthernetHeader) + 4 * tags;
  if (size < l3 + 1) {
    return;
  }
  header_at<EthernetHeader>(frame).destination = MacAddress{{2, 0, 0, 0, 0, 0xaa}};
  const bool v6 = frame[l3] >> 4 == 6;
  for (size_t tag = 0; tag < tags; ++tag) {
    const bool outer = tags == 2 && tag == 0;
    header_at<Be16>(frame + 12 + 4 * tag) = Be16(outer ? kEtherTypeOuterVlan : kEtherTypeVlan);
    header_at<Be16>(frame + 14 + 4 * tag) = Be16(outer ? uint16_t{9} : uint16_t{7});
  }
  header_at<Be16>(frame + l3 - 2) = Be16(v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  const bool and_quote = (choices & kMendQuote) != 0;
  v6 ? mend_v6(frame + l3, size - l3, and_quote) : mend_v4(frame + l3, size - l3, and_quote);
}

// All that a service may ask for, by the bits of one byte.
void configure(Rig& rig, uint8_t how) {
  constexpr ForwardMode kModes[] = {ForwardMode::kIpip, ForwardMode::kGue, ForwardMode::kGre,
                                    ForwardMode::kL2};
  rig.tcp_mode = kModes[how & 3];
  rig.tcp_options.udp_checksum = rig.tcp_mode == ForwardMode::kGue && (how & 4) != 0;
  if (rig.tcp_mode == ForwardMode::kGre && (how & 4) != 0) {
    rig.tcp_options.gre_key = 77;
  }
  rig.tcp_options.mss = (how & 8) != 0 ? uint16_t{1200} : uint16_t{0};
  rig.tcp_options.oversize = (how & 16) != 0 ? Oversize::kInner : Oversize::kOuter;
  rig.tcp_options.forward_ping = (how & 32) != 0;
  rig.udp_options.quic = {{0, 1, 4}, {5, 2, 6}};
  rig.server_ids = {{{1}, 1}, {{2, 2}, 2}, {{3}, 3}};
  if ((how & 64) != 0) {
    rig.addresses.fill(IpAddress::parse("2001:db8:1::11").value());
  }
  for (const bool v6 : {false, true}) {
    // Whatever is not asked of the others, of IPsec for example.
    rig.more.push_back(
        rig.service(3, vip_of(v6), Protocol::kAny, PortRange(), rig.tcp_mode, rig.tcp_options));
    ServiceOptions filtered = rig.tcp_options;
    filtered.source_deny = {IpPrefix::parse(v6 ? "2001:db8::/33" : "192.0.2.0/25").value()};
    rig.more.push_back(
        rig.service(4, vip_of(v6), Protocol::kTcp, PortRange(1000, 1999), rig.tcp_mode, filtered));
  }
  if ((how & 128) != 0) {  // to a VLAN, of the first port
    rig.ports[1].port = 0;
    rig.ports[1].vlan_outer = 9;
  }
  rig.ports[1].vlan_inner = (how & 128) != 0 ? uint16_t{7} : uint16_t{0};
  rig.publish();
}

struct Block {
  std::unique_ptr<uint8_t[]> bytes;
  size_t size = 0;
};

// One frame of the input, in a block of exactly its size and rooms.
size_t load(const uint8_t* data, size_t size, Block& block, Batch& batch) {
  const uint8_t choices = data[0];
  const size_t length = std::min<size_t>(data[1] | size_t{data[2]} << 8, size - 3);
  const uint16_t headroom = (choices & kHeadroom) != 0 ? 128 : choices >> 3;
  const uint16_t tailroom = (choices & kTailroom) != 0 ? 64 : 0;
  block.size = headroom + length + tailroom;
  block.bytes = std::make_unique<uint8_t[]>(block.size);
  uint8_t* const frame = block.bytes.get() + headroom;
  std::copy(data + 3, data + 3 + length, frame);
  if (length >= sizeof(EthernetHeader)) {
    frame[6] = (frame[6] & 1) | 4;  // the sender's MAC address is none of a backend's: 02:01:...
  }
  if ((choices & kMend) != 0) {
    mend(frame, length, choices);
  }
  batch.add({frame, static_cast<uint16_t>(length), headroom, tailroom, 0});
  return 3 + length;
}

void require_sound(const Packet& packet, const Block& block, const Rig& rig, const Batch& batch, size_t i) {
  const uint8_t* const begin = block.bytes.get();
  require(batch.verdicts[i] != Verdict::kPending);
  require(packet.data >= begin && packet.data + packet.length <= begin + block.size);
  require(packet.data - begin == packet.headroom);
  if (batch.verdicts[i] != Verdict::kSend) {
    return;
  }
  require(batch.out_ports[i] < kLinks);
  const bool is_forwarded = packet.data[0] == 2 && packet.data[1] == 1;
  constexpr size_t kLink = sizeof(EthernetHeader) + 8;  // with two tags
  constexpr size_t kLongestError = 1280;
  require(packet.length <= kLink + (is_forwarded ? size_t{rig.ports[1].mtu} : kLongestError) ||
          batch.notes[i].parsed.kind == PacketKind::kEcho);  // its answer is as long as it is
}

void serve(Rig& rig, Batch& batch, const Block* blocks) {
  for (size_t worker = 0; worker < kWorkers; ++worker) {
    Batch copy = batch;
    // The second worker gets what the first one made of the frames: tunnelled packets, ICMP errors.
    process(copy, rig.snapshot(), rig.worker(worker), rig.now);
    rig.settle(copy, worker);
    require(rig.counters_add_up(worker));
    for (uint32_t i = 0; i < copy.size; ++i) {
      require_sound(copy.packets[i], blocks[i], rig, copy, i);
    }
  }
  batch.clear();
}

void fuzz(const uint8_t* data, size_t size) {
  if (size == 0) {
    return;
  }
  Rig rig(kWorkers, 64);
  configure(rig, data[0]);
  ++data;
  --size;
  Block blocks[kBatchSize];
  Batch batch;
  batch.clear();
  while (size >= 3) {
    const uint8_t choices = data[0];
    const size_t taken = load(data, size, blocks[batch.size], batch);
    data += taken;
    size -= taken;
    rig.ports[1].mtu = (choices & kShortLink) != 0 ? 68 : 1500;
    if ((choices & kLater) != 0 || batch.size == kBatchSize) {
      serve(rig, batch, blocks);
      // Entries now say something else than the table.
      rig.slots = {static_cast<uint16_t>((rig.slots[0] + 1) % Rig::kBackends)};
      rig.publish();
      rig.now += std::chrono::seconds(1);
    }
  }
  serve(rig, batch, blocks);
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  maglb::fuzz(data, size);
  return 0;
}
