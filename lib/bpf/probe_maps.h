// What the program that encapsulates probes and the process that loads it share: names and layouts. Plain
// C, compiled for the kernel by probe.bpf.c and for user space by probe_tunnel.cc.
#pragma once

#include <linux/types.h>

#define MAGLB_PROBE_TC "maglb_probe"
#define MAGLB_PROBE_PATHS "maglb_paths"
#define MAGLB_PROBE_COUNTERS "maglb_probed"

#define MAGLB_PROBE_MAX_PATHS 65535

// As ForwardMode.
enum maglb_probe_mode { MAGLB_PROBE_IPIP = 0, MAGLB_PROBE_L2 = 1, MAGLB_PROBE_GUE = 2, MAGLB_PROBE_GRE = 3 };

// The way of a mark, which is the key. Addresses are in network order, IPv4 in the first four bytes, the
// rest zero. l2 has no outer header: `version` is the family of `destination`, the backend.
struct maglb_probe_path {
  __u32 source[4];
  __u32 destination[4];
  __u32 gre_key;
  __u16 gue_port;
  __u8 mode;
  __u8 version;  // 4 or 6
  __u8 has_gre_key;
  __u8 udp_checksum;
  __u8 padding[2];
};

// What became of a packet that came into the pair. All but the first are dropped.
enum maglb_probe_counter {
  MAGLB_PROBE_SENT,
  MAGLB_PROBE_NO_PATH,        // its mark is none of ours: what the kernel says on a new device, too
  MAGLB_PROBE_NO_IP,          // no whole IP header
  MAGLB_PROBE_NO_ROUTE,       // the kernel knows no way to the backend
  MAGLB_PROBE_NOT_NEIGHBOUR,  // l2, and the backend is behind a router or of the other family
  MAGLB_PROBE_ERROR,          // the kernel refused to make room
  MAGLB_PROBE_COUNTERS_COUNT,
};
