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
    case DropReason::kFragmentTimeout:
      return {"fragment_timeout", "a fragment whose datagram's first one did not come in time"};
    case DropReason::kFragmentOverlap:
      return {"fragment_overlap", "a fragment of a datagram whose fragments overlap or contradict"};
    case DropReason::kFragmentDuplicate:
      return {"fragment_duplicate", "the same piece of a datagram once more"};
    case DropReason::kFragmentLimit:
      return {"fragment_limit", "more fragments, or datagrams in fragments, than are kept track of"};
    case DropReason::kNatFragment:
      return {"nat_fragment", "a fragment for a nat service, which translates whole packets only"};
    case DropReason::kTinyFragment:
      return {"tiny_fragment", "a first fragment ends within its headers, or the next would overwrite them"};
    case DropReason::kExtensionHeaders:
      return {"extension_headers", "more IPv6 extension headers than are walked: 8, of 512 bytes"};
    case DropReason::kSourceDenied:
      return {"source_denied", "the service does not take packets from this client"};
    case DropReason::kEchoLimit:
      return {"echo_limit", "more pings to service addresses than are answered"};
    case DropReason::kBadEcho:
      return {"bad_echo", "an echo request that cannot be answered: its addresses, options or checksum"};
    case DropReason::kLoop:
      return {"loop", "the packet comes from the balancer's own tunnel source"};
    case DropReason::kNoBackend:
      return {"no_backend", "the service's pool has no backend to choose"};
    case DropReason::kBackendsFull:
      return {"backends_full", "the backends that a new flow may go to have all their max_connections"};
    case DropReason::kTunnelError:
      return {"tunnel_error", "an ICMP error about a tunnel of ours"};
    case DropReason::kNoTunnelSource:
      return {"no_tunnel_source", "the service tunnels, and this machine has no tunnel_source configured"};
    case DropReason::kNoNatSource:
      return {"no_nat_source", "the service translates, and this machine has no nat_source of its family"};
    case DropReason::kNoNatPort:
      return {"no_nat_port", "every port of nat_source is taken by a session that lives"};
    case DropReason::kNoSession:
      return {"no_session", "no nat session is known of the packet, and it opens none"};
    case DropReason::kTtlExceeded:
      return {"ttl_exceeded", "nat routes, and the packet's TTL or hop limit ended here"};
    case DropReason::kNoNextHop:
      return {"no_next_hop", "the MAC address towards the backend is not known"};
    case DropReason::kTooBig:
      return {"too_big", "the packet would exceed the egress MTU"};
    case DropReason::kNoHeadroom:
      return {"no_headroom", "the buffer has no room in front for the outer header"};
    case DropReason::kNoBuffer:
      return {"no_buffer", "the packet has to leave in pieces, and there are no buffers for them"};
    case DropReason::kMultiSegment:
      return {"multi_segment", "the packet came in more than one buffer, and its way needs it in one"};
    case DropReason::kNoKernelPath:
      return {"no_kernel_path", "not for a service, and the port has no kernel interface to hand it to"};
    case DropReason::kTxFull:
      return {"tx_full", "the driver's transmit queue was full"};
    case DropReason::kHandOverFull:
      return {"hand_over_full", "the worker that the packet is for takes no more from the others"};
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
    case Event::kIcmpErrorsForwarded:
      return "icmp_errors_forwarded";
    case Event::kTunnelErrors:
      return "tunnel_errors";
    case Event::kTunnelErrorsTold:
      return "tunnel_errors_told";
    case Event::kFragmented:
      return "fragmented";
    case Event::kEchoesAnswered:
      return "echoes_answered";
    case Event::kQuicRouted:
      return "quic_routed";
    case Event::kQuicByTable:
      return "quic_by_table";
    case Event::kNatSessionsOpened:
      return "nat_sessions_opened";
    case Event::kNatSessionsReplaced:
      return "nat_sessions_replaced";
    case Event::kNatSessionsExpired:
      return "nat_sessions_expired";
  }
  return "?";
}

}  // namespace maglb
