// What the decapsulation programs and maglb-decap share: names and layouts. Plain C, compiled for the
// kernel by decap.bpf.c and for user space by decap.cc.
#pragma once

#include <linux/types.h>

// XDP and TC programs, told apart by their names; both use the same maps.
#define MAGLB_DECAP_XDP "maglb_decap"
#define MAGLB_DECAP_TC "maglb_decap_tc"
#define MAGLB_DECAP_FROM "maglb_from"
#define MAGLB_DECAP_TUNNELS "maglb_tunnels"
#define MAGLB_DECAP_COUNTERS "maglb_decapped"

#define MAGLB_DECAP_MAX_PREFIXES 1024

// A key of the longest-prefix-match map of allowed outer sources. The family is part of what has to
// match, so that ::/0 does not hold IPv4: `length` counts its 32 bits, too.
#define MAGLB_DECAP_FAMILY_BITS 32

struct maglb_decap_prefix {
  __u32 length;
  __u32 family;      // 4 or 6
  __u8 address[16];  // IPv4: the first four, the rest zero
};

// The one value of the tunnels' map. Zeros: any GRE key, no GUE.
struct maglb_decap_tunnels {
  __u32 gre_key;
  __u16 gue_port;
  __u8 only_gre_key;  // GRE needs `gre_key`
  __u8 padding;
};

// What became of a tunnel packet. "Passed" are left to the kernel as they came, the others dropped.
enum maglb_decap_counter {
  MAGLB_DECAP_OK,
  MAGLB_DECAP_PASSED_SOURCE,        // outer source is in no --from prefix
  MAGLB_DECAP_PASSED_NOT_FOR_US,    // outer destination is not this host
  MAGLB_DECAP_PASSED_FRAGMENT,      // outer fragment
  MAGLB_DECAP_PASSED_OPTIONS,       // destination options other than a tunnel encapsulation limit
  MAGLB_DECAP_PASSED_GRE_KEY,       // GRE without the key that was asked for
  MAGLB_DECAP_PASSED_GRE_CHECKSUM,  // GRE with a checksum, which is not verified here
  MAGLB_DECAP_PASSED_PAYLOAD,       // GRE or GUE that carries no IP: other versions, control messages
  MAGLB_DECAP_DROPPED_OUTER,        // outer header can't be: lengths, checksum
  MAGLB_DECAP_DROPPED_TUNNEL,       // GRE, UDP or GUE header can't be: lengths, reserved bits, routing
  MAGLB_DECAP_DROPPED_INNER,        // inner header can't be: version, lengths
  MAGLB_DECAP_DROPPED_NESTED,       // inner packet is IPIP itself
  MAGLB_DECAP_DROPPED_NOT_LOCAL,    // inner destination would be forwarded, or is no unicast address
  MAGLB_DECAP_DROPPED_ECN,          // congestion experienced on a packet that is not ECN-capable
  MAGLB_DECAP_DROPPED_ERROR,        // the kernel refused to strip the header
  MAGLB_DECAP_COUNTERS_COUNT,
};
