// What the steering program and its loader share: the maps' names and the layout of their entries.
// Plain C, compiled for the kernel by steer.bpf.c and for user space by steering.cc.
#pragma once

#include <linux/types.h>

#define MAGLB_STEER_PROGRAM "maglb_steer"
#define MAGLB_STEER_SERVICES "maglb_services"
#define MAGLB_STEER_CONFIG "maglb_config"
#define MAGLB_STEER_COUNTERS "maglb_steered"

#define MAGLB_STEER_MAX_QUEUES 64
#define MAGLB_STEER_MAX_SERVICES 65536

// A later fragment has no ports: it is looked up as (address, 0, 0) with this flag.
#define MAGLB_STEER_FRAGMENT 1

// 20 bytes without gaps; IPv4 addresses IPv4-mapped, the port in network order. Protocol 0 and port 0
// are the wildcards.
struct maglb_steer_key {
  __u8 address[16];
  __u8 protocol;
  __u8 flags;
  __u8 port[2];
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
  MAGLB_STEERED_COUNTERS,
};
