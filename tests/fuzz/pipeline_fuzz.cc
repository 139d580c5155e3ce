// A burst of frames through the whole packet path. Input: for each frame a byte of choices, two bytes of
// length (little-endian), the frame. A frame whose checksum is to be mended gets a right one, so that
// the fuzzer comes past it.
#include <cstdlib>
#include <memory>

#include "lib/net/checksum.h"
#include "lib/net/wire.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Rig;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Block {
  std::unique_ptr<uint8_t[]> bytes;
  size_t size = 0;
};

// Lets a frame reach a service: our MAC address, IPv4, the checksum.
void mend(uint8_t* frame, size_t size) {
  if (size < 34) {
    return;
  }
  auto& ethernet = header_at<EthernetHeader>(frame);
  ethernet.destination = MacAddress{{2, 0, 0, 0, 0, 0xaa}};
  ethernet.type = Be16(kEtherTypeIpv4);
  auto& ip = header_at<Ipv4Header>(frame + 14);
  if (ip.length_bytes() <= size - 14) {
    ip.checksum = Be16(0);
    ip.checksum = internet_checksum({frame + 14, ip.length_bytes()});
  }
}

void fuzz(const uint8_t* data, size_t size) {
  Rig rig(2, 64);
  Block blocks[kBatchSize];
  Batch batch;
  batch.clear();
  uint8_t choices = 0;
  while (size >= 3 && batch.size < kBatchSize) {
    choices = data[0];
    const size_t length = std::min<size_t>(data[1] | size_t{data[2]} << 8, size - 3);
    const uint16_t headroom = (choices & 1) != 0 ? 128 : choices >> 3;
    const uint16_t tailroom = (choices & 2) != 0 ? 64 : 0;
    Block& block = blocks[batch.size];
    block.size = headroom + length + tailroom;
    block.bytes = std::make_unique<uint8_t[]>(block.size);
    std::copy(data + 3, data + 3 + length, block.bytes.get() + headroom);
    if ((choices & 4) != 0) {
      mend(block.bytes.get() + headroom, length);
    }
    batch.add({block.bytes.get() + headroom, static_cast<uint16_t>(length), headroom, tailroom, 0});
    data += 3 + length;
    size -= 3 + length;
  }
  rig.ports[1].mtu = (choices & 8) != 0 ? 68 : 1500;
  for (size_t worker = 0; worker < 2; ++worker) {
    Batch copy = batch;
    // The second worker gets what the first one made of the frames: tunnelled packets, ICMP errors.
    process(copy, rig.snapshot(), rig.worker(worker), rig.now);
    rig.settle(copy, worker);
    require(rig.counters_add_up(worker));
    for (uint32_t i = 0; i < copy.size; ++i) {
      const Packet& packet = copy.packets[i];
      const uint8_t* const begin = blocks[i].bytes.get();
      require(copy.verdicts[i] != Verdict::kPending);
      require(packet.data >= begin && packet.data + packet.length <= begin + blocks[i].size);
      require(packet.data - begin == packet.headroom);
      if (copy.verdicts[i] == Verdict::kSend) {
        require(copy.out_ports[i] < rig.ports.size());
        require(packet.length <= 14 + std::max<size_t>(rig.ports[copy.out_ports[i]].mtu, 576));
      }
    }
  }
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  maglb::fuzz(data, size);
  return 0;
}
