// Steering: which packets of an AF_XDP port go to maglb's workers. Everything else stays with the
// kernel, so the machine keeps its SSH, ARP, BGP and ICMP on the same interface.
//
// To a worker goes an IPv4 frame for this interface's MAC address that is
//   - TCP or UDP to a service: (address, protocol, port), or with wildcards for port or protocol;
//   - a later fragment to a service's address, if the loader put that address in for fragments (it
//     does not when the address is also the host's own);
//   - an ICMP error (unreachable, time exceeded, parameter problem) about a packet that a service sent.
// IPv6 goes to the kernel; the key has room for it. DPDK loads this object (devarg xdp_prog) and fills
// xsks_map; a queue without a socket falls back to the kernel.
#include "lib/bpf/packet.bpf.h"
#include "lib/bpf/steer_maps.h"

// <linux/icmp.h> drags in the C library, which has no headers for this target.
#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

struct icmp_error {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u32 rest;
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

static __always_inline void set_address(struct maglb_steer_key* key, __be32 address) {
  key->address[10] = 0xff;
  key->address[11] = 0xff;
  __builtin_memcpy(key->address + 12, &address, 4);
}

static __always_inline int known(const struct maglb_steer_key* key) {
  return bpf_map_lookup_elem(&maglb_services, key) != 0;
}

// The exact entry, then the wildcards. `port` is in network order.
static __always_inline int is_service(__be32 address, __u8 protocol, __u16 port) {
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
    return 0;
  }
  struct maglb_steer_key key = {};
  set_address(&key, address);
  key.protocol = protocol;
  __builtin_memcpy(key.port, &port, 2);
  if (known(&key)) {
    return 1;
  }
  key.protocol = 0;
  if (known(&key)) {
    return 1;
  }
  key.port[0] = 0;
  key.port[1] = 0;
  if (known(&key)) {
    return 1;
  }
  key.protocol = protocol;
  return known(&key);
}

static __always_inline int is_fragment_of_service(const struct iphdr* ip) {
  struct maglb_steer_key key = {};
  set_address(&key, ip->daddr);
  key.flags = MAGLB_STEER_FRAGMENT;
  return known(&key);
}

// An error goes back to whom the packet it quotes came from; one that does not is not about a service.
static __always_inline int is_error_to_service(const struct iphdr* ip, void* payload, void* data_end) {
  const struct icmp_error* icmp = payload;
  const struct iphdr* quoted = (void*)(icmp + 1);
  if ((void*)(quoted + 1) > data_end) {
    return 0;
  }
  if (icmp->type != ICMP_DEST_UNREACH && icmp->type != ICMP_TIME_EXCEEDED &&
      icmp->type != ICMP_PARAMETERPROB) {
    return 0;
  }
  if (quoted->version != 4 || quoted->ihl < 5 || ipv4_is_later_fragment(quoted) ||
      quoted->saddr != ip->daddr) {
    return 0;
  }
  const __u16* source_port = (void*)quoted + ipv4_header_bytes(quoted);
  if ((void*)(source_port + 2) > data_end) {
    return 0;
  }
  return is_service(quoted->saddr, quoted->protocol, *source_port);
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

static __always_inline int to_worker(struct xdp_md* context, enum maglb_steer_counter why) {
  count(&maglb_steered, why);
  return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

SEC("xdp")
int maglb_steer(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  void* data_end = (void*)(long)context->data_end;
  const struct iphdr* ip = ipv4_header(data, data_end);
  if (!ip || !is_for_this_interface(data)) {
    return XDP_PASS;
  }
  if (ipv4_is_later_fragment(ip)) {
    return is_fragment_of_service(ip) ? to_worker(context, MAGLB_STEERED_FRAGMENT) : XDP_PASS;
  }
  void* payload = (void*)ip + ipv4_header_bytes(ip);
  if (ip->protocol == IPPROTO_ICMP) {
    return is_error_to_service(ip, payload, data_end) ? to_worker(context, MAGLB_STEERED_ICMP) : XDP_PASS;
  }
  // TCP and UDP begin with both ports.
  const __u16* ports = payload;
  if ((void*)(ports + 2) > data_end || bpf_ntohs(ip->tot_len) < ipv4_header_bytes(ip) + 4) {
    return XDP_PASS;
  }
  return is_service(ip->daddr, ip->protocol, ports[1]) ? to_worker(context, MAGLB_STEERED_SERVICE) : XDP_PASS;
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
