#include "lib/lb/icmp_error.h"

#include <utility>

#include "lib/net/icmp_message.h"
#include "lib/net/wire.h"

namespace maglb {

void become_fragmentation_needed(Packet& packet, const ParsedFrame& parsed, uint16_t next_hop_mtu) {
  uint8_t* const ip = packet.data + parsed.l3_offset;
  const size_t room = size_t{packet.length} + packet.tailroom - parsed.l3_offset;
  const size_t written = write_too_big({parsed.key.destination, parsed.key.source, next_hop_mtu},
                                       {ip, parsed.l3_length}, {ip, room});

  auto& ethernet = header_at<EthernetHeader>(packet.data);
  std::swap(ethernet.destination, ethernet.source);
  packet.length = static_cast<uint16_t>(parsed.l3_offset + written);
}

}  // namespace maglb
