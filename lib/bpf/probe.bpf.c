// Puts a probe inside the encapsulation that its backend's traffic gets and sends it to the backend.
//
// It sits at the ingress of one end of a pair of devices whose other end marked packets are routed to.
// There, and not at the egress of the first end, packets are whole: the device has no offloads, so that the
// kernel has cut and summed them before they come. What goes out again is a plain packet in every device.
//
//   mark ──> path: outer addresses, mode, options
//   outer headers as lib/lb/encapsulation.h writes them: hop limit 64, DSCP, ECN and DF of the inner packet
//   bpf_fib_lookup() for the backend ──> bpf_redirect_neigh() to its device, which resolves the next hop
//
// The mark is taken off: what the rules of this host say of marked packets is not for the outer one. A
// packet without a path is dropped: nothing leaves here without its encapsulation.
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include "lib/bpf/packet.bpf.h"
#include "lib/bpf/probe_maps.h"

#define AF_INET 2
#define AF_INET6 10
#define OUTER_TTL 64
#define FIRST_SOURCE_PORT 49152  // RFC 6335, 6
#define GRE_HAS_KEY 0x2000
#define DONT_FRAGMENT 0x4000

// A checksum is taken in pieces of this many bytes, at most so many: more than the device's MTU and a shim.
#define PIECE 64
#define MOST_PIECES 24

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAGLB_PROBE_MAX_PATHS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct maglb_probe_path);
} maglb_paths SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, MAGLB_PROBE_COUNTERS_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} maglb_probed SEC(".maps");

// What an outer header takes over from the packet.
struct inner {
  __u32 bytes;
  __u8 version;
  __u8 tos;
  __u8 dont_fragment;
};

struct udp_gue {
  __be16 source;
  __be16 destination;
  __be16 length;
  __u16 checksum;
  __u8 version_length;
  __u8 protocol;
  __be16 flags;
};

struct gre {
  __be16 flags;
  __be16 type;
  __be32 key;
};

static __always_inline int drop_as(enum maglb_probe_counter why) {
  count(&maglb_probed, why);
  return TC_ACT_SHOT;
}

static __always_inline __u16 folded(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)sum;
}

static __always_inline int read_inner(struct __sk_buff* context, struct inner* inner) {
  __u8 first[8];
  if (bpf_skb_load_bytes(context, ETH_HLEN, first, sizeof first) != 0) {
    return -1;
  }
  inner->bytes = context->len - ETH_HLEN;
  inner->version = first[0] >> 4;
  if (inner->version == 4) {
    inner->tos = first[1];
    inner->dont_fragment = (first[6] & (DONT_FRAGMENT >> 8)) != 0;
    return context->protocol == bpf_htons(ETH_P_IP) ? 0 : -1;
  }
  inner->tos = (__u8)(first[0] << 4 | first[1] >> 4);
  inner->dont_fragment = 1;
  return inner->version == 6 && context->protocol == bpf_htons(ETH_P_IPV6) ? 0 : -1;
}

static __always_inline __u32 shim_bytes(const struct maglb_probe_path* path) {
  if (path->mode == MAGLB_PROBE_GUE) {
    return sizeof(struct udp_gue);
  }
  if (path->mode == MAGLB_PROBE_GRE) {
    return path->has_gre_key ? 8 : 4;
  }
  return 0;
}

static __always_inline __u8 protocol_of(const struct inner* inner) {
  return inner->version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static __always_inline __u8 outer_protocol(const struct maglb_probe_path* path, const struct inner* inner) {
  if (path->mode == MAGLB_PROBE_GUE) {
    return IPPROTO_UDP;
  }
  return path->mode == MAGLB_PROBE_GRE ? IPPROTO_GRE : protocol_of(inner);
}

static __always_inline long write_shim(struct __sk_buff* context, const struct maglb_probe_path* path,
                                       const struct inner* inner, __u32 at, __u32 flow) {
  if (path->mode == MAGLB_PROBE_GUE) {
    struct udp_gue shim = {.source = bpf_htons(FIRST_SOURCE_PORT | (flow & 0x3fff)),
                           .destination = bpf_htons(path->gue_port),
                           .length = bpf_htons(sizeof shim + inner->bytes),
                           .protocol = protocol_of(inner)};
    return bpf_skb_store_bytes(context, at, &shim, sizeof shim, 0);
  }
  if (path->mode == MAGLB_PROBE_GRE) {
    const struct gre shim = {.flags = path->has_gre_key ? bpf_htons(GRE_HAS_KEY) : 0,
                             .type = inner->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6),
                             .key = bpf_htonl(path->gre_key)};
    return path->has_gre_key ? bpf_skb_store_bytes(context, at, &shim, 8, 0)
                             : bpf_skb_store_bytes(context, at, &shim, 4, 0);
  }
  return 0;
}

static __always_inline long write_outer_v4(struct __sk_buff* context, const struct maglb_probe_path* path,
                                           const struct inner* inner, __u32 shim) {
  struct iphdr ip = {.version = 4,
                     .ihl = 5,
                     .tos = inner->tos,
                     .tot_len = bpf_htons((__u16)(sizeof ip + shim + inner->bytes)),
                     // RFC 6864, 4.1: what may not be fragmented needs no id.
                     .id = inner->dont_fragment ? 0 : (__u16)bpf_get_prandom_u32(),
                     .frag_off = inner->dont_fragment ? bpf_htons(DONT_FRAGMENT) : 0,
                     .ttl = OUTER_TTL,
                     .protocol = outer_protocol(path, inner),
                     .saddr = path->source[0],
                     .daddr = path->destination[0]};
  const __s64 sum = bpf_csum_diff(0, 0, (__be32*)&ip, sizeof ip, 0);
  ip.check = (__u16)~folded((__u32)sum);
  return bpf_skb_store_bytes(context, ETH_HLEN, &ip, sizeof ip, 0);
}

static __always_inline long write_outer_v6(struct __sk_buff* context, const struct maglb_probe_path* path,
                                           const struct inner* inner, __u32 shim, __u32 flow) {
  const __u32 label = flow >> 12 | 0x10000;  // never 0 (RFC 6438), by the same bit as on the packet path
  struct ipv6hdr ip = {};
  *(__be32*)&ip = bpf_htonl(6u << 28 | (__u32)inner->tos << 20 | label);
  ip.payload_len = bpf_htons((__u16)(shim + inner->bytes));
  ip.nexthdr = outer_protocol(path, inner);
  ip.hop_limit = OUTER_TTL;
  __builtin_memcpy(&ip.saddr, path->source, 16);
  __builtin_memcpy(&ip.daddr, path->destination, 16);
  return bpf_skb_store_bytes(context, ETH_HLEN, &ip, sizeof ip, 0);
}

// The sum of `bytes` bytes of the packet from `at` on, onto `sum`; 0 on failure, which no sum of a packet
// with addresses is. Not static: looked at by the verifier once, by itself.
__attribute__((noinline)) __u64 sum_of_packet(struct __sk_buff* context, __u32 at, __u32 bytes, __u32 begun) {
  __u8 piece[PIECE];
  __u64 sum = begun;
  for (int i = 0; i < MOST_PIECES; ++i) {
    if (bytes < PIECE) {
      break;
    }
    if (bpf_skb_load_bytes(context, at, piece, PIECE) != 0) {
      return 0;
    }
    sum = (__u32)bpf_csum_diff(0, 0, (__be32*)piece, PIECE, (__u32)sum);
    at += PIECE;
    bytes -= PIECE;
  }
  if (bytes >= PIECE) {
    return 0;
  }
  __builtin_memset(piece, 0, sizeof piece);
  if (bytes > 0) {
    // Bounds for the verifier, which has to see both where the length is used; that of Linux 6.1 learns
    // nothing from a comparison with 0.
    __u32 but_one = bytes - 1;
    asm volatile("%0 &= %1" : "+r"(but_one) : "i"(PIECE - 1));
    if (bpf_skb_load_bytes(context, at, piece, but_one + 1) != 0) {
      return 0;
    }
  }
  return (__u32)bpf_csum_diff(0, 0, (__be32*)piece, PIECE, (__u32)sum);
}

// RFC 8200, 8.1, of the outer UDP header; all of the packet is there already, the field zero.
static __always_inline long sum_udp_v6(struct __sk_buff* context, const struct maglb_probe_path* path,
                                       __u32 udp_bytes) {
  const __be32 rest[2] = {bpf_htonl(udp_bytes), bpf_htonl(IPPROTO_UDP)};
  __be32 addresses[8];
  __builtin_memcpy(addresses, path->source, 16);
  __builtin_memcpy(addresses + 4, path->destination, 16);
  __s64 begun = bpf_csum_diff(0, 0, addresses, sizeof addresses, 0);
  begun = bpf_csum_diff(0, 0, (__be32*)rest, sizeof rest, (__u32)begun);
  const __u32 at = ETH_HLEN + sizeof(struct ipv6hdr);
  const __u64 sum = sum_of_packet(context, at, udp_bytes, (__u32)begun);
  if (sum == 0) {
    return -1;
  }
  __u16 checksum = (__u16)~folded(sum);
  if (checksum == 0) {
    checksum = 0xffff;
  }
  return bpf_skb_store_bytes(context, at + __builtin_offsetof(struct udp_gue, checksum), &checksum,
                             sizeof checksum, 0);
}

static __always_inline long encapsulate(struct __sk_buff* context, const struct maglb_probe_path* path,
                                        const struct inner* inner) {
  const __u32 flow = bpf_get_hash_recalc(context);
  const __u32 shim = shim_bytes(path);
  const int is_v4 = path->version == 4;
  const __u32 header = is_v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
  const __u64 flags = is_v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
  if (bpf_skb_adjust_room(context, (__s32)(header + shim), BPF_ADJ_ROOM_MAC, flags) != 0) {
    return -1;
  }
  const __be16 type = is_v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
  if (bpf_skb_store_bytes(context, __builtin_offsetof(struct ethhdr, h_proto), &type, sizeof type, 0) != 0 ||
      write_shim(context, path, inner, ETH_HLEN + header, flow) != 0) {
    return -1;
  }
  if (is_v4) {
    return write_outer_v4(context, path, inner, shim);
  }
  if (write_outer_v6(context, path, inner, shim, flow) != 0) {
    return -1;
  }
  const int summed = path->mode == MAGLB_PROBE_GUE && path->udp_checksum;
  return summed ? sum_udp_v6(context, path, shim + inner->bytes) : 0;
}

// The kernel's way to the backend. A neighbour that is not resolved yet is resolved by the packet itself.
static __always_inline long find_way(struct __sk_buff* context, const struct maglb_probe_path* path,
                                     struct bpf_fib_lookup* way) {
  way->ifindex = context->ifindex;
  if (path->version == 4) {
    way->family = AF_INET;
    way->ipv4_src = path->source[0];
    way->ipv4_dst = path->destination[0];
  } else {
    way->family = AF_INET6;
    __builtin_memcpy(way->ipv6_src, path->source, 16);
    __builtin_memcpy(way->ipv6_dst, path->destination, 16);
  }
  const long result = bpf_fib_lookup(context, way, sizeof *way, 0);
  return result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH ? 0 : -1;
}

static __always_inline int same_address(const __u32* a, const __u32* b, int is_v4) {
  return a[0] == b[0] && (is_v4 || (a[1] == b[1] && a[2] == b[2] && a[3] == b[3]));
}

// Whether the frame can go to the backend itself as it is.
static __always_inline int is_neighbour(const struct maglb_probe_path* path, const struct inner* inner,
                                        const struct bpf_fib_lookup* way) {
  const int is_v4 = path->version == 4;
  return inner->version == path->version && way->family == (is_v4 ? AF_INET : AF_INET6) &&
         same_address(way->ipv6_dst, path->destination, is_v4);
}

SEC("tc")
int maglb_probe(struct __sk_buff* context) {
  const __u32 mark = context->mark;
  const struct maglb_probe_path* path = bpf_map_lookup_elem(&maglb_paths, &mark);
  if (!path) {
    return drop_as(MAGLB_PROBE_NO_PATH);
  }
  struct inner inner = {};
  if (read_inner(context, &inner) != 0) {
    return drop_as(MAGLB_PROBE_NO_IP);
  }
  struct bpf_fib_lookup way = {};
  if (find_way(context, path, &way) != 0) {
    return drop_as(MAGLB_PROBE_NO_ROUTE);
  }
  if (path->mode == MAGLB_PROBE_L2) {
    if (!is_neighbour(path, &inner, &way)) {
      return drop_as(MAGLB_PROBE_NOT_NEIGHBOUR);
    }
  } else if (encapsulate(context, path, &inner) != 0) {
    return drop_as(MAGLB_PROBE_ERROR);
  }
  context->mark = 0;
  struct bpf_redir_neigh next = {.nh_family = way.family};
  __builtin_memcpy(next.ipv6_nh, way.ipv6_dst, 16);
  count(&maglb_probed, MAGLB_PROBE_SENT);
  return (int)bpf_redirect_neigh(way.ifindex, &next, sizeof next, 0);
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
