// IPIP decapsulation on a real server (RFC 2003), as XDP and as TC program over the same steps.
//
// Which packets: IPv4 in IPv4, not a fragment, to this host, from an allowed outer source. Everything
// else goes to the kernel untouched. Of those, the ones that are malformed, whose inner destination
// this host would forward, or whose ECN marks contradict each other (RFC 6040) are dropped and counted;
// the rest lose their outer header and go on to the kernel as if they had come like that.
//
// "Local": bpf_fib_lookup() asks the kernel's own tables, which need no upkeep after attach. It returns
// an unicast route for what this host would forward: refused. Otherwise the address is local, or leads
// nowhere and the kernel drops it. On an interface that does not forward (the usual server) the helper
// says just that; the kernel then delivers local packets and drops all others, by the same check, so
// nothing can be relayed either. Works the same from kernel 5.7 on.
#include "lib/bpf/decap_maps.h"
#include "lib/bpf/packet.bpf.h"

#include <linux/pkt_cls.h>

#define AF_INET 2
#define ECN_MASK 3
#define ECN_CE 3
#define MAX_OPTION_WORDS 10

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, MAGLB_DECAP_MAX_PREFIXES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_decap_prefix);
  __type(value, __u8);
} maglb_from SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, MAGLB_DECAP_COUNTERS_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} maglb_decapped SEC(".maps");

// What to do with a packet. kStrip comes with a plan: take `outer_bytes` out behind the Ethernet
// header, keep `inner_bytes` after it.
enum step { kPass, kDrop, kStrip };

struct plan {
  __u32 outer_bytes;
  __u32 inner_bytes;
};

static __always_inline enum step pass_as(enum maglb_decap_counter why) {
  count(&maglb_decapped, why);
  return kPass;
}

static __always_inline enum step drop_as(enum maglb_decap_counter why) {
  count(&maglb_decapped, why);
  return kDrop;
}

static __always_inline __u32 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

// Whether the header's checksum holds. The kernel will not look at a header that is gone.
static __always_inline int checksum_holds(const struct iphdr* ip, void* data_end) {
  const __u16* word = (void*)ip;
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < 10; ++i) {
    sum += word[i];
  }
  const __u32 option_words = ip->ihl - 5u;
  word += 10;
#pragma unroll
  for (__u32 i = 0; i < MAX_OPTION_WORDS; ++i) {
    if (i < option_words) {
      if ((void*)(word + 2) > data_end) {
        return 0;
      }
      sum += word[0];
      sum += word[1];
      word += 2;
    }
  }
  return fold(sum) == 0xffff;
}

static __always_inline int is_multicast_or_reserved(__be32 address) {
  const __u32 host = bpf_ntohl(address);
  return host >= 0xe0000000u || (host >> 24) == 127 || (host >> 24) == 0;
}

// Whether this host would send a packet for `destination` on instead of keeping it.
static __always_inline int would_forward(void* context, __u32 ifindex, const struct iphdr* ip) {
  struct bpf_fib_lookup lookup = {};
  lookup.family = AF_INET;
  lookup.ifindex = ifindex;
  lookup.tos = ip->tos & ~ECN_MASK;
  lookup.l4_protocol = ip->protocol;
  lookup.ipv4_src = ip->saddr;
  lookup.ipv4_dst = ip->daddr;
  const long result = bpf_fib_lookup(context, &lookup, sizeof lookup, 0);
  return result != BPF_FIB_LKUP_RET_NOT_FWDED && result != BPF_FIB_LKUP_RET_FWD_DISABLED &&
         result != BPF_FIB_LKUP_RET_BLACKHOLE && result != BPF_FIB_LKUP_RET_UNREACHABLE &&
         result != BPF_FIB_LKUP_RET_PROHIBIT;
}

static __always_inline int is_allowed_source(__be32 source) {
  struct maglb_decap_prefix key = {.length = 32};
  __builtin_memcpy(key.address, &source, 4);
  return bpf_map_lookup_elem(&maglb_from, &key) != 0;
}

// RFC 6040 4.2. Returns 0 when the packet has to be dropped.
static __always_inline int carry_ecn(struct iphdr* inner, __u8 outer_tos) {
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
  if (carried != mark) {
    // RFC 1624: the checksum's change for one 16-bit word.
    const __u16 before = bpf_htons((inner->version << 12) | (inner->ihl << 8) | inner->tos);
    inner->tos = (inner->tos & ~ECN_MASK) | carried;
    const __u16 after = bpf_htons((inner->version << 12) | (inner->ihl << 8) | inner->tos);
    __u32 sum = (__u16)~inner->check;
    sum += (__u16)~before;
    sum += after;
    inner->check = ~fold(sum);
  }
  return 1;
}

// `frame_bytes`: of the whole frame, of which data..data_end may be only the beginning (TC).
static __always_inline enum step examine(void* context, __u32 ifindex, void* data, void* data_end,
                                         __u32 frame_bytes, struct plan* plan) {
  struct ethhdr* ethernet = data;
  struct iphdr* outer = (void*)(ethernet + 1);
  if ((void*)(outer + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) || outer->version != 4 ||
      outer->protocol != IPPROTO_IPIP) {
    return kPass;
  }
  if (ipv4_is_fragment(outer)) {
    return pass_as(MAGLB_DECAP_PASSED_FRAGMENT);
  }
  if (!is_allowed_source(outer->saddr)) {
    return pass_as(MAGLB_DECAP_PASSED_SOURCE);
  }
  if (is_multicast_or_reserved(outer->daddr) || would_forward(context, ifindex, outer)) {
    return pass_as(MAGLB_DECAP_PASSED_NOT_FOR_US);
  }
  const __u32 outer_bytes = ipv4_header_bytes(outer);
  const __u32 outer_total = bpf_ntohs(outer->tot_len);
  if (outer->ihl < 5 || outer_total < outer_bytes || frame_bytes < ETH_HLEN + outer_total ||
      !checksum_holds(outer, data_end)) {
    return drop_as(MAGLB_DECAP_DROPPED_OUTER);
  }
  struct iphdr* inner = (void*)outer + outer_bytes;
  if ((void*)(inner + 1) > data_end) {
    return drop_as(MAGLB_DECAP_DROPPED_INNER);
  }
  const __u32 inner_total = bpf_ntohs(inner->tot_len);
  if (inner->version != 4 || inner->ihl < 5 || inner_total < ipv4_header_bytes(inner) ||
      inner_total > outer_total - outer_bytes) {
    return drop_as(MAGLB_DECAP_DROPPED_INNER);
  }
  if (is_multicast_or_reserved(inner->daddr) || would_forward(context, ifindex, inner)) {
    return drop_as(MAGLB_DECAP_DROPPED_NOT_LOCAL);
  }
  if (!carry_ecn(inner, outer->tos)) {
    return drop_as(MAGLB_DECAP_DROPPED_ECN);
  }
  plan->outer_bytes = outer_bytes;
  plan->inner_bytes = inner_total;
  return kStrip;
}

// The Ethernet header moves up to the inner packet; what lies behind it (padding, or what the outer
// packet had more) is cut off.
static __always_inline int strip(struct xdp_md* context, const struct plan* plan) {
  void* data = (void*)(long)context->data;
  void* data_end = (void*)(long)context->data_end;
  const __u32 outer_bytes = plan->outer_bytes;
  if (outer_bytes > 60 || data + ETH_HLEN > data_end) {
    return -1;
  }
  void* moved = data + outer_bytes;
  if (moved + ETH_HLEN > data_end) {
    return -1;
  }
  __u8 ethernet[ETH_HLEN];
  __builtin_memcpy(ethernet, data, ETH_HLEN);
  __builtin_memcpy(moved, ethernet, ETH_HLEN);
  const int surplus = (int)(data_end - data) - (int)(outer_bytes + ETH_HLEN + plan->inner_bytes);
  if (bpf_xdp_adjust_head(context, (int)outer_bytes) != 0) {
    return -1;
  }
  return surplus > 0 ? (int)bpf_xdp_adjust_tail(context, -surplus) : 0;
}

SEC("xdp")
int maglb_decap(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  void* data_end = (void*)(long)context->data_end;
  struct plan plan = {};
  const enum step step =
      examine(context, context->ingress_ifindex, data, data_end, (__u32)(data_end - data), &plan);
  if (step != kStrip) {
    return step == kPass ? XDP_PASS : XDP_DROP;
  }
  if (strip(context, &plan) != 0) {
    count(&maglb_decapped, MAGLB_DECAP_DROPPED_ERROR);
    return XDP_DROP;
  }
  count(&maglb_decapped, MAGLB_DECAP_OK);
  return XDP_PASS;
}

// After offloads: the packet may be several received ones merged, which stay merged. What the outer
// packet has behind the inner one, the kernel's own IPv4 input cuts off.
SEC("tc")
int maglb_decap_tc(struct __sk_buff* context) {
  if (context->protocol != bpf_htons(ETH_P_IP)) {
    return TC_ACT_UNSPEC;
  }
  // Both headers, the outer one with options, have to be in the part that can be read directly.
  const __u32 headers = ETH_HLEN + 60 + sizeof(struct iphdr);
  bpf_skb_pull_data(context, context->len < headers ? context->len : headers);
  struct plan plan = {};
  const enum step step = examine(context, context->ifindex, (void*)(long)context->data,
                                 (void*)(long)context->data_end, context->len, &plan);
  if (step != kStrip) {
    return step == kPass ? TC_ACT_UNSPEC : TC_ACT_SHOT;
  }
  if (bpf_skb_adjust_room(context, -(int)plan.outer_bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) != 0) {
    count(&maglb_decapped, MAGLB_DECAP_DROPPED_ERROR);
    return TC_ACT_SHOT;
  }
  count(&maglb_decapped, MAGLB_DECAP_OK);
  return TC_ACT_UNSPEC;
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
