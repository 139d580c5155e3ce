// Steering: which packets of an AF_XDP port go to maglb's workers. Everything else stays with the
// kernel, so the machine keeps its SSH, ARP, neighbour discovery, BGP and ICMP on the same interface.
//
// To a worker goes a frame for this interface's MAC address, untagged or with a stack of one or two VLAN
// tags that is allowed, IPv4 or IPv6 (behind up to IPV6_MAX_EXTENSIONS extension headers), that is
//   - TCP or UDP to a service, by (address, protocol, port) or by (prefix, port range); of prefixes that
//     have all ports of both, any other protocol but ICMP, ICMPv6 and IGMP as well;
//   - a later fragment to an address that the loader put in for fragments (it does not when the address
//     is also the host's own);
//   - an ICMP error about a packet that a service sent;
//   - an echo request to an address that the loader put in for echoes;
//   - an ICMP error about a packet of our tunnels, to an address that the loader put in as their source. It
//     can not tell UDP of a tunnel from the host's own from the same address: that has its errors taken.
// Never to a worker goes what is for a multicast, broadcast or link-local address, or for an IPv4-mapped
// one in IPv6, which is on no wire; and of ICMP nothing that is not above.
//
// A tag that the interface took out of the frame before (receive offload; on veth always, unless the peer's
// transmit offload is off) is not seen here: such a frame counts as untagged.
//
// DPDK loads this object (devarg xdp_prog) and fills xsks_map; a queue without a socket falls back to the
// kernel.
#include "lib/bpf/cursor.bpf.h"
#include "lib/bpf/steer_maps.h"

// <linux/icmp.h> drags in the C library, which has no headers for this target.
#define ICMP_DEST_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PARAMETERPROB 4
#define ICMPV6_ECHO 128

#define VLAN_ID_MASK 0x0fff

// What examine() says beside a counter: the kernel's, and nothing to count.
#define KEEP (-1)

struct icmp_message {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u32 rest;
};

struct vlan_tag {
  __be16 control;
  __be16 type;  // of what follows
};

// What is known of an IP packet behind its headers. Addresses as in the maps.
struct ip_facts {
  __u32 source[4];
  __u32 destination[4];
  __u8 protocol;
  __u8 later_fragment;
};

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, MAGLB_STEER_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAGLB_STEER_MAX_SERVICES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_steer_key);
  __type(value, __u8);
} maglb_services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, MAGLB_STEER_MAX_PREFIXES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_steer_prefix);
  __type(value, struct maglb_steer_ports);
} maglb_prefixes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, MAGLB_STEER_MAX_ADDRESSES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_steer_prefix);
  __type(value, __u8);
} maglb_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAGLB_STEER_MAX_VLANS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct maglb_steer_vlan);
  __type(value, __u8);
} maglb_vlans SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct maglb_steer_config);
} maglb_config SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, MAGLB_STEERED_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} maglb_steered SEC(".maps");

static __always_inline void set_mapped(__u32* address, __be32 v4) {
  address[0] = 0;
  address[1] = 0;
  address[2] = bpf_htonl(0xffff);
  address[3] = v4;
}

static __always_inline int is_mapped(const __u32* address) {
  return address[0] == 0 && address[1] == 0 && address[2] == bpf_htonl(0xffff);
}

static __always_inline int same_address(const __u32* a, const __u32* b) {
  return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

static __always_inline struct maglb_steer_prefix whole(__u32 family, const __u32* address) {
  struct maglb_steer_prefix key = {.bits = MAGLB_STEER_FAMILY_BITS + 128, .family = family};
  __builtin_memcpy(key.address, address, sizeof key.address);
  return key;
}

static __always_inline int is_for(__u32 family, const __u32* address, __u8 purpose) {
  const struct maglb_steer_prefix key = whole(family, address);
  const __u8* purposes = bpf_map_lookup_elem(&maglb_addresses, &key);
  return purposes && (*purposes & purpose);
}

// By halves: MAGLB_STEER_MAX_RANGES is 2 to the 7th. The mask changes no index that can be; the verifier
// can follow it where the compiler turns a comparison into something that it can not.
static __always_inline int has_port(const struct maglb_steer_ports* ports, __u8 protocol, __u16 port) {
  __u32 low = 0;
  __u32 high = ports->count;
  for (int i = 0; i < 8; ++i) {
    const __u32 middle = ((low + high) / 2) & (MAGLB_STEER_MAX_RANGES - 1);
    if (low >= high) {
      return 0;
    }
    const struct maglb_steer_range* range = &ports->ranges[middle];
    if (port < range->low) {
      high = middle;
    } else if (port > range->high) {
      low = middle + 1;
    } else {
      return (range->protocols & protocol) != 0;
    }
  }
  return 0;
}

// TCP and UDP begin with both ports; of another protocol `payload` is not read. The port that counts is the
// service's: the second of a packet to it, the first of one that it sent.
static __always_inline int is_service(__u32 family, const __u32* address, __u8 protocol,
                                      struct cursor* payload, int sent) {
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 || protocol == IPPROTO_IGMP) {
    return 0;
  }
  __be16 port = 0;
  const int has_ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
  if (has_ports) {
    const __be16* both = take(payload, 4);
    if (!both) {
      return 0;
    }
    port = sent ? both[0] : both[1];
    struct maglb_steer_key key = {.protocol = protocol, .port = port};
    __builtin_memcpy(key.address, address, sizeof key.address);
    if (bpf_map_lookup_elem(&maglb_services, &key)) {
      return 1;
    }
  }
  const struct maglb_steer_prefix key = whole(family, address);
  const struct maglb_steer_ports* ports = bpf_map_lookup_elem(&maglb_prefixes, &key);
  if (!ports) {
    return 0;
  }
  return has_ports
             ? has_port(ports, protocol == IPPROTO_TCP ? MAGLB_STEER_TCP : MAGLB_STEER_UDP, bpf_ntohs(port))
             : ports->others;
}

// Reads the header, and steps over it with its options. Says nothing of the length that the header tells:
// a quoted packet is cut short.
static __always_inline const struct iphdr* read_ipv4(struct cursor* cursor, struct ip_facts* facts) {
  const struct iphdr* ip = take(cursor, sizeof *ip);
  if (!ip || ip->version != 4 || ip->ihl < 5 || cursor->left < ipv4_header_bytes(ip) - sizeof *ip) {
    return 0;
  }
  skip(cursor, ipv4_header_bytes(ip) - sizeof *ip);
  set_mapped(facts->source, ip->saddr);
  set_mapped(facts->destination, ip->daddr);
  facts->protocol = ip->protocol;
  facts->later_fragment = ipv4_is_later_fragment(ip);
  return ip;
}

static __always_inline const struct ipv6hdr* read_ipv6(struct cursor* cursor, struct ip_facts* facts) {
  const struct ipv6hdr* ip = take(cursor, sizeof *ip);
  if (!ip || ip->version != 6) {
    return 0;
  }
  __builtin_memcpy(facts->source, &ip->saddr, sizeof facts->source);
  __builtin_memcpy(facts->destination, &ip->daddr, sizeof facts->destination);
  facts->protocol = ip->nexthdr;
  facts->later_fragment = 0;
  return ip;
}

static __always_inline int is_error(__u32 family, __u8 type) {
  if (family == 4) {
    return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
  }
  return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMETERPROB;
}

static __always_inline int is_tunnel(__u8 protocol) {
  return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE ||
         protocol == IPPROTO_UDP;
}

// An error goes back to whom the packet it quotes came from; one that does not is not about us.
static __always_inline int examine_error(struct xdp_md* context, __u32 family, const struct ip_facts* outer,
                                         struct cursor* cursor) {
  struct ip_facts quoted = {};
  if (family == 4) {
    if (!read_ipv4(cursor, &quoted)) {
      return KEEP;
    }
  } else {
    if (!read_ipv6(cursor, &quoted)) {
      return KEEP;
    }
    const enum ipv6_walked walked = ipv6_walk(context, cursor, &quoted.protocol);
    if (walked != kWalkDone) {
      return walked == kWalkTooLong ? MAGLB_KEPT_HEADERS : KEEP;
    }
  }
  if (quoted.later_fragment || !same_address(quoted.source, outer->destination)) {
    return KEEP;
  }
  if (is_tunnel(quoted.protocol) && is_for(family, outer->destination, MAGLB_STEER_TUNNEL_ERRORS)) {
    return MAGLB_STEERED_TUNNEL_ERROR;
  }
  return is_service(family, quoted.source, quoted.protocol, cursor, 1) ? MAGLB_STEERED_ICMP : KEEP;
}

static __always_inline int examine_icmp(struct xdp_md* context, __u32 family, const struct ip_facts* outer,
                                        struct cursor* cursor) {
  const struct icmp_message* icmp = take(cursor, sizeof *icmp);
  if (!icmp) {
    return KEEP;
  }
  if (icmp->type == (family == 4 ? ICMP_ECHO : ICMPV6_ECHO)) {
    return is_for(family, outer->destination, MAGLB_STEER_ECHOES) ? MAGLB_STEERED_ECHO : KEEP;
  }
  return is_error(family, icmp->type) ? examine_error(context, family, outer, cursor) : KEEP;
}

// Behind the IP headers, where both families are alike. The family is a constant wherever this is inlined.
static __always_inline int examine_packet(struct xdp_md* context, __u32 family, const struct ip_facts* facts,
                                          struct cursor* cursor) {
  if (facts->later_fragment) {
    return is_for(family, facts->destination, MAGLB_STEER_FRAGMENTS) ? MAGLB_STEERED_FRAGMENT : KEEP;
  }
  if (facts->protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
    return examine_icmp(context, family, facts, cursor);
  }
  return is_service(family, facts->destination, facts->protocol, cursor, 0) ? MAGLB_STEERED_SERVICE : KEEP;
}

// Multicast, the broadcast address, link-local (RFC 3927).
static __always_inline int never_steered_v4(const __u32* address) {
  const __u32 host = bpf_ntohl(address[3]);
  return (host >> 28) == 0xe || host == 0xffffffff || (host >> 16) == 0xa9fe;
}

// Multicast, link-local (RFC 4291 2.5.6), IPv4-mapped.
static __always_inline int never_steered_v6(const __u32* address) {
  const __u32 host = bpf_ntohl(address[0]);
  return (host >> 24) == 0xff || (host >> 22) == (0xfe80 >> 6) || is_mapped(address);
}

static __always_inline int examine_ipv4(struct xdp_md* context, struct cursor* cursor) {
  const __u32 there = cursor->left;
  struct ip_facts facts = {};
  const struct iphdr* ip = read_ipv4(cursor, &facts);
  if (!ip || never_steered_v4(facts.destination)) {
    return KEEP;
  }
  const __u32 total = bpf_ntohs(ip->tot_len);
  if (total > there || total < ipv4_header_bytes(ip)) {
    return KEEP;
  }
  cursor->left = total - ipv4_header_bytes(ip);
  return examine_packet(context, 4, &facts, cursor);
}

static __always_inline int examine_ipv6(struct xdp_md* context, struct cursor* cursor) {
  struct ip_facts facts = {};
  const struct ipv6hdr* ip = read_ipv6(cursor, &facts);
  if (!ip || never_steered_v6(facts.destination)) {
    return KEEP;
  }
  const __u32 payload = bpf_ntohs(ip->payload_len);
  if (payload > cursor->left) {
    return KEEP;
  }
  cursor->left = payload;
  const enum ipv6_walked walked = ipv6_walk(context, cursor, &facts.protocol);
  if (walked == kWalkBroken || walked == kWalkTooLong) {
    return walked == kWalkTooLong ? MAGLB_KEPT_HEADERS : KEEP;
  }
  facts.later_fragment = walked == kWalkLaterFragment;
  return examine_packet(context, 6, &facts, cursor);
}

static __always_inline int is_tag(__be16 type) {
  return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

// Steps over the tags and makes `type` that of what follows. An inner tag of id 0 is not an entry that can
// be: there 0 says that there is no inner tag.
static __always_inline int tags_allowed(struct cursor* cursor, __be16* type) {
  const struct vlan_tag* tag = take(cursor, sizeof *tag);
  if (!tag) {
    return 0;
  }
  struct maglb_steer_vlan stack = {.outer = bpf_ntohs(tag->control) & VLAN_ID_MASK, .inner = 0};
  *type = tag->type;
  if (is_tag(*type)) {
    tag = take(cursor, sizeof *tag);
    if (!tag) {
      return 0;
    }
    stack.inner = bpf_ntohs(tag->control) & VLAN_ID_MASK;
    *type = tag->type;
    if (stack.inner == 0 || is_tag(*type)) {
      return 0;
    }
  }
  return bpf_map_lookup_elem(&maglb_vlans, &stack) != 0;
}

// Byte by byte: the compiler would call a memcmp that is not there.
static __always_inline int same_mac(const __u8* a, const __u8* b) {
  __u8 difference = 0;
#pragma unroll
  for (int i = 0; i < ETH_ALEN; ++i) {
    difference |= a[i] ^ b[i];
  }
  return difference == 0;
}

static __always_inline int is_for_this_interface(const struct ethhdr* ethernet) {
  const __u32 zero = 0;
  const struct maglb_steer_config* config = bpf_map_lookup_elem(&maglb_config, &zero);
  return config && config->ready && same_mac(ethernet->h_dest, config->mac);
}

// Which counter the frame is one more of, or KEEP.
static __always_inline int examine(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  void* data_end = (void*)(long)context->data_end;
  struct cursor cursor = {data, data_end, 0, (__u32)(data_end - data)};
  const struct ethhdr* ethernet = take(&cursor, sizeof *ethernet);
  if (!ethernet || !is_for_this_interface(ethernet)) {
    return KEEP;
  }
  __be16 type = ethernet->h_proto;
  if (is_tag(type) && !tags_allowed(&cursor, &type)) {
    return MAGLB_KEPT_VLAN;
  }
  if (type == bpf_htons(ETH_P_IP)) {
    return examine_ipv4(context, &cursor);
  }
  return type == bpf_htons(ETH_P_IPV6) ? examine_ipv6(context, &cursor) : KEEP;
}

SEC("xdp")
int maglb_steer(struct xdp_md* context) {
  const int why = examine(context);
  if (why < 0) {
    return XDP_PASS;
  }
  count(&maglb_steered, (__u32)why);
  if (why == MAGLB_KEPT_VLAN || why == MAGLB_KEPT_HEADERS) {
    return XDP_PASS;
  }
  return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
