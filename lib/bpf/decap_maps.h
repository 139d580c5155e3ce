// What the decapsulation programs and maglb-decap share: names and layouts. Plain C, compiled for the
// kernel by decap.bpf.c and for user space by decap.cc.
#pragma once

#include <linux/types.h>

// XDP and TC programs, told apart by their names; both use the same maps.
#define MAGLB_DECAP_XDP "maglb_decap"
#define MAGLB_DECAP_TC "maglb_decap_tc"
#define MAGLB_DECAP_FROM "maglb_from"
#define MAGLB_DECAP_COUNTERS "maglb_decapped"

#define MAGLB_DECAP_MAX_PREFIXES 1024

// A key of the longest-prefix-match map of allowed outer sources.
struct maglb_decap_prefix {
  __u32 length;
  __u8 address[4];
};

// What became of an IPIP packet. "Passed" are left to the kernel as they came, the others dropped.
enum maglb_decap_counter {
  MAGLB_DECAP_OK,
  MAGLB_DECAP_PASSED_SOURCE,      // outer source is in no --from prefix
  MAGLB_DECAP_PASSED_NOT_FOR_US,  // outer destination is not this host
  MAGLB_DECAP_PASSED_FRAGMENT,    // outer fragment
  MAGLB_DECAP_DROPPED_OUTER,      // outer header can't be: lengths, checksum
  MAGLB_DECAP_DROPPED_INNER,      // inner header can't be: version, lengths
  MAGLB_DECAP_DROPPED_NOT_LOCAL,  // inner destination would be forwarded, or is no unicast address
  MAGLB_DECAP_DROPPED_ECN,        // congestion experienced on a packet that is not ECN-capable
  MAGLB_DECAP_DROPPED_ERROR,      // the kernel refused to strip the header
  MAGLB_DECAP_COUNTERS_COUNT,
};
