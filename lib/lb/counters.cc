#include "lib/lb/counters.h"

namespace maglb {
namespace {

struct Words {
  std::string_view name;
  std::string_view explanation;
};

Words words_of(DropReason reason) {
  switch (reason) {
    case DropReason::kTruncated:
      return {"truncated", "the frame ends before its headers do"};
    case DropReason::kBadIpHeader:
      return {"bad_ip_header",
              "an IP header that cannot be: version, lengths, fragment, order of extension headers"};
    case DropReason::kBadIpChecksum:
      return {"bad_ip_checksum", "the IPv4 header checksum is wrong"};
    case DropReason::kBadL4Header:
      return {"bad_l4_header", "the TCP data offset or the UDP length cannot be"};
    case DropReason::kFragment:
      return {"fragment", "a fragment for a service address; fragments are not forwarded"};
    case DropReason::kTinyFragment:
      return {"tiny_fragment", "a first fragment ends within its headers, or the next would overwrite them"};
    case DropReason::kExtensionHeaders:
      return {"extension_headers", "more IPv6 extension headers than are walked: 8, of 512 bytes"};
    case DropReason::kLoop:
      return {"loop", "the packet comes from the balancer's own tunnel source"};
    case DropReason::kNoBackend:
      return {"no_backend", "the service's pool has no backend to choose"};
    case DropReason::kNoTunnelSource:
      return {"no_tunnel_source", "the service tunnels, and this machine has no tunnel_source configured"};
    case DropReason::kNoNextHop:
      return {"no_next_hop", "the MAC address towards the backend is not known"};
    case DropReason::kTooBig:
      return {"too_big", "the packet would exceed the egress MTU"};
    case DropReason::kNoHeadroom:
      return {"no_headroom", "the buffer has no room in front for the outer header"};
    case DropReason::kMultiSegment:
      return {"multi_segment", "the packet came in more than one buffer"};
    case DropReason::kNoKernelPath:
      return {"no_kernel_path", "not for a service, and the port has no kernel interface to hand it to"};
    case DropReason::kTxFull:
      return {"tx_full", "the driver's transmit queue was full"};
  }
  return {"?", "?"};
}

}  // namespace

std::string_view name_of(DropReason reason) {
  return words_of(reason).name;
}
std::string_view explanation_of(DropReason reason) {
  return words_of(reason).explanation;
}

std::string_view name_of(Event event) {
  switch (event) {
    case Event::kFlowsCreated:
      return "flows_created";
    case Event::kFlowsRescheduled:
      return "flows_rescheduled";
    case Event::kFlowsAdopted:
      return "flows_adopted";
    case Event::kFlowsNotStored:
      return "flows_not_stored";
    case Event::kFlowsExpired:
      return "flows_expired";
    case Event::kForeignLookups:
      return "foreign_lookups";
    case Event::kForeignLookupsSuppressed:
      return "foreign_lookups_suppressed";
    case Event::kIcmpSuppressed:
      return "icmp_suppressed";
  }
  return "?";
}

}  // namespace maglb
