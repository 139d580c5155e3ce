// What the steering program and its loader share: the maps' names and the layout of their entries.
// Plain C, compiled for the kernel by steer.bpf.c and for user space by steering.cc.
//
// Addresses are 16 bytes in network order, IPv4 mapped (::ffff:a.b.c.d). What has no gap needs no clearing
// before it is a key: no struct here has one.
#pragma once

#include <linux/types.h>

#define MAGLB_STEER_PROGRAM "maglb_steer"
#define MAGLB_STEER_SERVICES "maglb_services"
#define MAGLB_STEER_PREFIXES "maglb_prefixes"
#define MAGLB_STEER_ADDRESSES "maglb_addresses"
#define MAGLB_STEER_VLANS "maglb_vlans"
#define MAGLB_STEER_CONFIG "maglb_config"
#define MAGLB_STEER_COUNTERS "maglb_steered"

#define MAGLB_STEER_MAX_QUEUES 64
// Twice the most services that are configured: a service for TCP and UDP takes two entries, and a change
// adds before it removes.
#define MAGLB_STEER_MAX_SERVICES 131072
#define MAGLB_STEER_MAX_PREFIXES 131072
#define MAGLB_STEER_MAX_ADDRESSES 131072
#define MAGLB_STEER_MAX_VLANS 8192
// Of one prefix, with what it has of the prefixes around it.
#define MAGLB_STEER_MAX_RANGES 128

// Of MAGLB_STEER_SERVICES, a hash map: one address, one port. The value is a byte without meaning.
struct maglb_steer_key {
  __u32 address[4];
  __u8 protocol;
  __u8 unused;
  __u16 port;  // network order
};

// Of MAGLB_STEER_PREFIXES and MAGLB_STEER_ADDRESSES, which are LPM tries. The family comes first, so that
// ::/0 does not hold IPv4.
struct maglb_steer_prefix {
  __u32 bits;    // that count: those of the family, and the prefix's
  __u32 family;  // 4 or 6
  __u32 address[4];
};

#define MAGLB_STEER_FAMILY_BITS 32

// In host order. `protocols`: of the bits below.
struct maglb_steer_range {
  __u16 low;
  __u16 high;
  __u8 protocols;
  __u8 unused;
};

#define MAGLB_STEER_TCP 1
#define MAGLB_STEER_UDP 2

// A value of MAGLB_STEER_PREFIXES. The ranges ascend and do not overlap. A lookup finds the longest prefix
// only: it has the ranges of those around it, too.
struct maglb_steer_ports {
  __u16 count;
  __u8 others;  // all other protocols as well, but for ICMP, ICMPv6 and IGMP
  __u8 unused;
  struct maglb_steer_range ranges[MAGLB_STEER_MAX_RANGES];
};

// A value of MAGLB_STEER_ADDRESSES: bits, with those of the prefixes around it.
#define MAGLB_STEER_FRAGMENTS 1
#define MAGLB_STEER_ECHOES 2
#define MAGLB_STEER_TUNNEL_ERRORS 4

// Of MAGLB_STEER_VLANS, a hash map: ids in host order, `inner` 0 with a single tag.
struct maglb_steer_vlan {
  __u16 outer;
  __u16 inner;
};

// The single entry of MAGLB_STEER_CONFIG. Zero until the loader fills it: nothing is steered before.
struct maglb_steer_config {
  __u8 mac[6];
  __u8 ready;
  __u8 unused;
};

enum maglb_steer_counter {
  MAGLB_STEERED_SERVICE,
  MAGLB_STEERED_FRAGMENT,
  MAGLB_STEERED_ICMP,
  MAGLB_STEERED_ECHO,
  MAGLB_STEERED_TUNNEL_ERROR,
  MAGLB_KEPT_VLAN,     // for our MAC, with tags that are not allowed
  MAGLB_KEPT_HEADERS,  // IPv6 with more extension headers than are walked
  MAGLB_STEERED_COUNTERS,
};
