// The way out of a packet whose backend is known: which link, to whom, and in what it travels.
#pragma once

#include <optional>
#include <span>

#include "lib/lb/batch.h"
#include "lib/lb/encapsulation.h"
#include "lib/lb/worker_context.h"

namespace maglb {

struct Egress {
  ForwardMode mode;
  const ServiceExtra& extra;
  bool is_tunnel = false;
  bool outer_v6 = false;  // of the packet as it leaves
  uint8_t link = 0;       // index of WorkerContext::ports
  uint16_t overhead = 0;  // bytes in front of the packet, without the link's
  uint64_t mac = 0;       // of the next hop, as MacAddress::word()

  Encapsulation encapsulation(bool may_be_cut = false) const { return {mode, outer_v6, extra, may_be_cut}; }
  // Whether sending it reads all of the packet.
  bool needs_whole_packet() const { return outer_v6 && mode == ForwardMode::kGue && extra.udp_checksum; }
};

// Of a packet whose notes name service and backend. Nothing, and why, if there is none.
std::optional<Egress> egress_of(const Batch& batch, size_t i, const Snapshot& snapshot,
                                const WorkerContext& worker, DropReason& why_not);

// Makes the IP packet at `ip` in `packet`'s frame, of `length` bytes, one that leaves by `egress`; whether
// it is too big is not asked. The frame's Ethernet header is still that of its arrival. False: there is no
// room in front, and nothing has changed.
bool send_packet(Packet& packet, uint8_t* ip, uint16_t length, const Batch::Notes& notes,
                 const Egress& egress, WorkerContext& worker, uint8_t& out_port);

// The steps of send_packet(), for packets that leave in pieces.

// Bytes of Ethernet and tags.
size_t link_bytes(const PortView& link);
// The MAC address that the frame goes on from, as MacAddress::word(). REQUIRES: `packet` is as it came.
uint64_t source_mac(const Packet& packet, const PortView& link);
// Writes what the packet travels in, if in anything, and returns where that begins. REQUIRES:
// egress.overhead writable bytes in front of it; as Encapsulation::write().
uint8_t* encapsulate(std::span<uint8_t> ip, const Batch::Notes& notes, const Egress& egress,
                     WorkerContext& worker, bool may_be_cut);
// The frame of `packet`'s buffer becomes the `length` bytes at `ip` on the link. REQUIRES: link_bytes()
// writable bytes in front of it.
void put_on_link(Packet& packet, uint8_t* ip, size_t length, const Egress& egress, const PortView& link,
                 uint64_t source, uint8_t& out_port);

}  // namespace maglb
