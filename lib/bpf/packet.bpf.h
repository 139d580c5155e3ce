// Reading packets in BPF programs: what steer.bpf.c and the decap programs share.
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000

static __always_inline __u32 ipv4_header_bytes(const struct iphdr* ip) {
  return ip->ihl * 4u;
}

static __always_inline int ipv4_is_later_fragment(const struct iphdr* ip) {
  return (ip->frag_off & bpf_htons(IPV4_OFFSET_MASK)) != 0;
}

static __always_inline int ipv4_is_fragment(const struct iphdr* ip) {
  return (ip->frag_off & bpf_htons(IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS)) != 0;
}

// The IPv4 header of the frame if it and what it says of its own length are inside the frame.
static __always_inline struct iphdr* ipv4_header(void* data, void* data_end) {
  struct ethhdr* ethernet = data;
  struct iphdr* ip = (void*)(ethernet + 1);
  if ((void*)(ip + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP)) {
    return 0;
  }
  const __u32 total = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || ip->ihl < 5 || total < ipv4_header_bytes(ip)) {
    return 0;
  }
  if ((__u64)(data_end - (void*)ip) < total) {
    return 0;
  }
  return ip;
}

static __always_inline void count(void* counters, __u32 which) {
  __u64* value = bpf_map_lookup_elem(counters, &which);
  if (value) {
    ++*value;
  }
}
