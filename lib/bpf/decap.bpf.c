// Tunnel decapsulation on a real server, as XDP and as TC program over the same steps.
//
// Which packets: IPv4 or IPv6 in IPv4 or IPv6, by
//   - IPIP (RFC 2003, 2473, 4213): protocols 4 and 41,
//   - GRE (RFC 2784, 2890): version 0, with any key, none, or only the one that was asked for. Sequence
//     numbers are stepped over. A checksum covers the whole packet, too much to read here: refused,
//   - GUE variant 0: UDP to the GUE port, with fields stepped over. UDP checksums are not verified, and
//     may be zero over IPv6, too (RFC 6935): the inner packet's own covers what matters.
// Only to this host, from an allowed outer source, not a fragment, and over IPv6 without extension
// headers but the tunnel encapsulation limit (RFC 2473). Everything else goes to the kernel untouched. Of
// those, the ones that are malformed, whose inner destination this host would forward, that are tunnels
// inside again, or whose ECN marks contradict each other (RFC 6040) are dropped and counted; the rest lose
// their outer headers and go on to the kernel as if they had come like that.
//
// "Local": bpf_fib_lookup() asks the kernel's own tables, which need no upkeep after attach. It returns
// a unicast route for what this host would forward: refused. Otherwise the address is local, or leads
// nowhere and the kernel drops it. On an interface that does not forward (the usual server) the helper
// says just that. For IPv4 the kernel goes by the same switch, delivers local packets and drops all others,
// so nothing can be relayed either. For IPv6 it goes by the switch of all interfaces, whatever this one's
// says, so the question is asked once more for `lo`, which follows that one. (Linux 6.17 has an IPv6
// switch force_forwarding per interface that the helper does not know: attaching refuses it.)
#include "lib/bpf/decap_maps.h"
#include "lib/bpf/tunnel.bpf.h"

#include <linux/pkt_cls.h>

#define AF_INET 2
#define AF_INET6 10
#define LO_IFINDEX 1
#define ECN_MASK 3
#define ECN_CE 3

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, MAGLB_DECAP_MAX_PREFIXES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_decap_prefix);
  __type(value, __u8);
} maglb_from SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct maglb_decap_tunnels);
} maglb_tunnels SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, MAGLB_DECAP_COUNTERS_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} maglb_decapped SEC(".maps");

// What to do with a packet. kStrip comes with a plan.
enum step { kPass, kDrop, kStrip };

// Take `outer_bytes` out behind the Ethernet header, keep `inner_bytes` after it; then, if `remarked`, the
// packet begins with `first` and has, if IPv4, this checksum.
struct plan {
  __u32 outer_bytes;
  __u32 inner_bytes;
  __u8 outer_version;
  __u8 inner_version;
  __u8 remarked;
  __u8 first[2];
  __u16 checksum;
};

static __always_inline enum step pass_as(enum maglb_decap_counter why) {
  count(&maglb_decapped, why);
  return kPass;
}

static __always_inline enum step drop_as(enum maglb_decap_counter why) {
  count(&maglb_decapped, why);
  return kDrop;
}

static __always_inline enum step refuse_as(enum maglb_decap_counter why) {
  return why < MAGLB_DECAP_DROPPED_OUTER ? pass_as(why) : drop_as(why);
}

static __always_inline __be16 ethertype_of(__u8 version) {
  return version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

static __always_inline int is_unicast(const struct ip_view* ip) {
  const __u32 first = bpf_ntohl(ip->destination[0]);
  if (ip->version == 4) {
    return first < 0xe0000000u && (first >> 24) != 127 && (first >> 24) != 0;
  }
  const int is_unspecified_or_loopback =
      (ip->destination[0] | ip->destination[1] | ip->destination[2]) == 0 &&
      bpf_ntohl(ip->destination[3]) <= 1;
  return (first >> 24) != 0xff && !is_unspecified_or_loopback;
}

// fe80::/10, which routes say nothing about.
static __always_inline int is_link_local(const struct ip_view* ip) {
  return ip->version == 6 && (bpf_ntohl(ip->destination[0]) >> 22) == 0xfe80 >> 6;
}

static __always_inline long ask_route(void* context, __u32 ifindex, const struct ip_view* ip) {
  struct bpf_fib_lookup lookup = {};
  lookup.ifindex = ifindex;
  lookup.l4_protocol = ip->protocol;
  if (ip->version == 4) {
    lookup.family = AF_INET;
    lookup.tos = ip->tos & ~ECN_MASK;
    lookup.ipv4_src = ip->source[0];
    lookup.ipv4_dst = ip->destination[0];
  } else {
    lookup.family = AF_INET6;
    lookup.flowinfo = ip->flow;
    __builtin_memcpy(lookup.ipv6_src, ip->source, 16);
    __builtin_memcpy(lookup.ipv6_dst, ip->destination, 16);
  }
  return bpf_fib_lookup(context, &lookup, sizeof lookup, 0);
}

// Whether this host would send the packet on instead of keeping it.
static __always_inline int would_forward(void* context, __u32 ifindex, const struct ip_view* ip) {
  long result = ask_route(context, ifindex, ip);
  if (result == BPF_FIB_LKUP_RET_FWD_DISABLED && ip->version == 6) {
    result = ask_route(context, LO_IFINDEX, ip);
  }
  return result != BPF_FIB_LKUP_RET_NOT_FWDED && result != BPF_FIB_LKUP_RET_FWD_DISABLED &&
         result != BPF_FIB_LKUP_RET_BLACKHOLE && result != BPF_FIB_LKUP_RET_UNREACHABLE &&
         result != BPF_FIB_LKUP_RET_PROHIBIT;
}

static __always_inline int is_allowed_source(const struct ip_view* ip) {
  struct maglb_decap_prefix key = {.length = MAGLB_DECAP_FAMILY_BITS + (ip->version == 4 ? 32 : 128),
                                   .family = ip->version};
  __builtin_memcpy(key.address, ip->source, 16);
  return bpf_map_lookup_elem(&maglb_from, &key) != 0;
}

// RFC 6040 4.2, into the plan. Returns 0 when the packet has to be dropped.
static __always_inline int carry_ecn(const struct frame* frame, __u32 offset, __u8 outer_tos,
                                     const struct ip_view* inner, struct plan* plan) {
  const __u8 outer = outer_tos & ECN_MASK;
  const __u8 mark = inner->tos & ECN_MASK;
  __u8 carried = mark;
  if (outer == ECN_CE) {
    if (mark == 0) {
      return 0;
    }
    carried = ECN_CE;
  } else if (outer == 1 && mark == 2) {
    carried = 1;  // ECT(1) over ECT(0)
  }
  const struct iphdr* ip = bytes_at(frame, offset, sizeof *ip);
  if (carried == mark || !ip) {
    return 1;
  }
  __u16 before;
  __builtin_memcpy(&before, ip, sizeof before);
  const __u16 after = before ^ bpf_htons((__u16)((carried ^ mark) << (inner->version == 4 ? 0 : 4)));
  __builtin_memcpy(plan->first, &after, sizeof after);
  // RFC 1624: the checksum's change for one 16-bit word.
  __u32 sum = (__u16)~ip->check;
  sum += (__u16)~before;
  sum += after;
  plan->checksum = (__u16)~fold(sum);
  plan->remarked = 1;
  return 1;
}

// Whether it is UDP to the GUE port, as far as that can be told: not of a later fragment.
static __always_inline int is_gue(const struct frame* frame, const struct ip_view* outer, __u16 port) {
  if (outer->protocol != IPPROTO_UDP || outer->wholeness == kLaterFragment) {
    return 0;
  }
  const struct udp_header* udp = bytes_at(frame, ETH_HLEN + outer->header_bytes, sizeof *udp);
  return udp && port != 0 && udp->destination == bpf_htons(port);
}

// The outer header. Returns MAGLB_DECAP_OK, with outer->protocol 0 for what is no tunnel at all.
static __always_inline enum maglb_decap_counter read_outer(const struct frame* frame,
                                                           const struct maglb_decap_tunnels* tunnels,
                                                           struct ip_view* outer) {
  const struct ethhdr* ethernet = bytes_at(frame, 0, sizeof *ethernet);
  if (!ethernet) {
    return MAGLB_DECAP_OK;
  }
  const __be16 type = ethernet->h_proto;
  if ((type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6)) ||
      !read_ip(frame, ETH_HLEN, type == bpf_htons(ETH_P_IP) ? 4 : 6, outer)) {
    outer->protocol = 0;
    return MAGLB_DECAP_OK;
  }
  if (outer->version == 6 && outer->protocol == NEXT_DESTINATION_OPTIONS &&
      !read_limit_header(frame, outer)) {
    if (is_tunnel_protocol(outer->protocol)) {
      return MAGLB_DECAP_PASSED_OPTIONS;
    }
    outer->protocol = 0;
    return MAGLB_DECAP_OK;
  }
  if (outer->version == 6 && outer->protocol == NEXT_FRAGMENT && !read_fragment_header(frame, outer)) {
    outer->protocol = 0;
    return MAGLB_DECAP_OK;
  }
  if (!is_tunnel_protocol(outer->protocol) && !is_gue(frame, outer, tunnels->gue_port)) {
    outer->protocol = 0;
    return MAGLB_DECAP_OK;
  }
  return outer->wholeness == kWhole ? MAGLB_DECAP_OK : MAGLB_DECAP_PASSED_FRAGMENT;
}

static __always_inline int is_sane_outer(const struct frame* frame, const struct ip_view* outer) {
  return has_sane_lengths(outer) && frame->bytes >= ETH_HLEN + outer->total_bytes &&
         (outer->version == 6 || ipv4_checksum_holds(frame, ETH_HLEN));
}

static __always_inline enum maglb_decap_counter check_inner(void* context, __u32 ifindex,
                                                            const struct ip_view* inner, __u32 room) {
  if (!has_sane_lengths(inner) || inner->total_bytes > room) {
    return MAGLB_DECAP_DROPPED_INNER;
  }
  if (version_of(inner->protocol) != 0) {
    return MAGLB_DECAP_DROPPED_NESTED;
  }
  if (!is_unicast(inner) || is_link_local(inner) || would_forward(context, ifindex, inner)) {
    return MAGLB_DECAP_DROPPED_NOT_LOCAL;
  }
  return MAGLB_DECAP_OK;
}

static __always_inline enum step examine(void* context, __u32 ifindex, const struct frame* frame,
                                         struct plan* plan) {
  const __u32 zero = 0;
  const struct maglb_decap_tunnels* tunnels = bpf_map_lookup_elem(&maglb_tunnels, &zero);
  if (!tunnels) {
    return kPass;
  }
  struct ip_view outer = {};
  enum maglb_decap_counter found = read_outer(frame, tunnels, &outer);
  if (found != MAGLB_DECAP_OK || outer.protocol == 0) {
    return found == MAGLB_DECAP_OK ? kPass : pass_as(found);
  }
  if (!is_allowed_source(&outer)) {
    return pass_as(MAGLB_DECAP_PASSED_SOURCE);
  }
  if (!is_unicast(&outer) || would_forward(context, ifindex, &outer)) {
    return pass_as(MAGLB_DECAP_PASSED_NOT_FOR_US);
  }
  if (!is_sane_outer(frame, &outer)) {
    return drop_as(MAGLB_DECAP_DROPPED_OUTER);
  }
  struct place place = {};
  found = find_inner(frame, tunnels, &outer, &place);
  if (found != MAGLB_DECAP_OK) {
    return refuse_as(found);
  }
  struct ip_view inner = {};
  if (!read_ip(frame, place.offset, place.version, &inner)) {
    return drop_as(MAGLB_DECAP_DROPPED_INNER);
  }
  found = check_inner(context, ifindex, &inner, place.end - place.offset);
  if (found != MAGLB_DECAP_OK) {
    return drop_as(found);
  }
  if (!carry_ecn(frame, place.offset, outer.tos, &inner, plan)) {
    return drop_as(MAGLB_DECAP_DROPPED_ECN);
  }
  plan->outer_bytes = place.offset - ETH_HLEN;
  plan->inner_bytes = inner.total_bytes;
  plan->outer_version = outer.version;
  plan->inner_version = inner.version;
  return kStrip;
}

// The Ethernet header moves up to the inner packet; what lies behind it (padding, or what the outer
// packet had more) is cut off.
static __always_inline int strip(struct xdp_md* context, const struct frame* frame, const struct plan* plan) {
  struct ethhdr* ethernet = bytes_at(frame, 0, sizeof *ethernet);
  const __u32 outer_bytes = plan->outer_bytes;
  struct ethhdr* moved = bytes_at(frame, outer_bytes, ETH_HLEN + sizeof(struct iphdr));
  if (!ethernet || !moved) {
    return -1;
  }
  struct ethhdr copy = *ethernet;
  copy.h_proto = ethertype_of(plan->inner_version);
  *moved = copy;
  if (plan->remarked) {
    struct iphdr* inner = (void*)(moved + 1);
    __builtin_memcpy(inner, plan->first, sizeof plan->first);
    if (plan->inner_version == 4) {
      inner->check = plan->checksum;
    }
  }
  const int surplus = (int)frame->bytes - (int)(outer_bytes + ETH_HLEN + plan->inner_bytes);
  if (bpf_xdp_adjust_head(context, (int)outer_bytes) != 0) {
    return -1;
  }
  return surplus > 0 ? (int)bpf_xdp_adjust_tail(context, -surplus) : 0;
}

SEC("xdp")
int maglb_decap(struct xdp_md* context) {
  const struct frame frame = {(void*)(long)context->data, (void*)(long)context->data_end,
                              (__u32)(context->data_end - context->data)};
  struct plan plan = {};
  const enum step step = examine(context, context->ingress_ifindex, &frame, &plan);
  if (step != kStrip) {
    return step == kPass ? XDP_PASS : XDP_DROP;
  }
  if (strip(context, &frame, &plan) != 0) {
    count(&maglb_decapped, MAGLB_DECAP_DROPPED_ERROR);
    return XDP_DROP;
  }
  count(&maglb_decapped, MAGLB_DECAP_OK);
  return XDP_PASS;
}

static __always_inline long shrink(struct __sk_buff* context, __u32 bytes) {
  return bpf_skb_adjust_room(context, -(int)bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

// Takes the outer headers out and makes the packet one of the inner family. bpf_skb_change_proto() does
// the latter by 20 bytes more or less in the same place; the flags of bpf_skb_adjust_room() for it are
// there from Linux 6.3 on only. What is left in between has to hold a header of the family that it still
// is, hence the order.
static __always_inline long take_out(struct __sk_buff* context, const struct plan* plan) {
  const __u32 difference = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
  if (plan->outer_version == plan->inner_version) {
    return shrink(context, plan->outer_bytes);
  }
  const __be16 type = ethertype_of(plan->inner_version);
  if (plan->inner_version == 6) {
    const long changed = bpf_skb_change_proto(context, type, 0);
    return changed != 0 ? changed : shrink(context, plan->outer_bytes + difference);
  }
  const long shrunk = shrink(context, plan->outer_bytes - difference);
  return shrunk != 0 ? shrunk : bpf_skb_change_proto(context, type, 0);
}

// The card's sum covers the packet but not the Ethernet header.
static __always_inline long store_packet(struct __sk_buff* context, __u32 offset, const void* from,
                                         __u32 bytes) {
  return bpf_skb_store_bytes(context, ETH_HLEN + offset, from, bytes, BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long strip_tc(struct __sk_buff* context, const struct plan* plan) {
  if (take_out(context, plan) != 0) {
    return -1;
  }
  if (plan->outer_version != plan->inner_version) {
    const __be16 type = ethertype_of(plan->inner_version);
    if (bpf_skb_store_bytes(context, __builtin_offsetof(struct ethhdr, h_proto), &type, sizeof type, 0) !=
        0) {
      return -1;
    }
  }
  if (!plan->remarked) {
    return 0;
  }
  if (store_packet(context, 0, plan->first, sizeof plan->first) != 0) {
    return -1;
  }
  return plan->inner_version == 4 ? store_packet(context, __builtin_offsetof(struct iphdr, check),
                                                 &plan->checksum, sizeof plan->checksum)
                                  : 0;
}

// After offloads: the packet may be several received ones merged, which stay merged. What the outer
// packet has behind the inner one, the kernel's own IP input cuts off.
SEC("tc")
int maglb_decap_tc(struct __sk_buff* context) {
  if (context->protocol != bpf_htons(ETH_P_IP) && context->protocol != bpf_htons(ETH_P_IPV6)) {
    return TC_ACT_UNSPEC;
  }
  // All headers have to be in the part that can be read directly.
  bpf_skb_pull_data(context, context->len < MAX_HEADERS ? context->len : MAX_HEADERS);
  const struct frame frame = {(void*)(long)context->data, (void*)(long)context->data_end, context->len};
  struct plan plan = {};
  const enum step step = examine(context, context->ifindex, &frame, &plan);
  if (step != kStrip) {
    return step == kPass ? TC_ACT_UNSPEC : TC_ACT_SHOT;
  }
  if (strip_tc(context, &plan) != 0) {
    count(&maglb_decapped, MAGLB_DECAP_DROPPED_ERROR);
    return TC_ACT_SHOT;
  }
  count(&maglb_decapped, MAGLB_DECAP_OK);
  return TC_ACT_UNSPEC;
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
