// Reading tunnel packets in BPF programs: IP headers of both families in one shape, and the headers of
// GRE (RFC 2784, 2890) and GUE (draft-ietf-intarea-gue) between an outer and an inner one. Only reading:
// what to do with what is read is the caller's. What can't be read is named by its counter.
//
// A frame ends twice: where its bytes end, and before that where an IP or UDP header says that it does
// (Ethernet pads). Reads are checked against the first here, lengths against the second by the caller.
#pragma once

#include "lib/bpf/decap_maps.h"
#include "lib/bpf/packet.bpf.h"

#include <linux/ipv6.h>

#define IPV6_FLOW_MASK 0x0fffffff
#define MAX_OPTION_WORDS 10
#define LIMIT_HEADER_BYTES 8
#define LIMIT_OPTION_BYTES 6
#define IPV6_FRAGMENT_BYTES 8
#define IPV6_FRAGMENT_OFFSET_MASK 0xfff8

#define OPTION_PAD1 0
#define OPTION_PADN 1
#define OPTION_LIMIT 4

// Names of <linux/in6.h> that are left out where a C library might have them.
#define NEXT_FRAGMENT 44
#define NEXT_DESTINATION_OPTIONS 60

#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_VERSION_MASK 0x0007

#define GUE_VARIANT_MASK 0xc0
#define GUE_CONTROL 0x20
#define GUE_WORDS_MASK 0x1f
#define GUE_MAX_FIELD_BYTES 124

#define UDP_BYTES 8
#define GUE_BYTES 4

// From the frame's beginning to the inner header: with the longest IPv4 options and GUE fields.
#define MAX_INNER_OFFSET (ETH_HLEN + 60 + UDP_BYTES + GUE_BYTES + GUE_MAX_FIELD_BYTES)
#define MAX_HEADERS (MAX_INNER_OFFSET + 40)

struct frame {
  void* data;
  void* data_end;
  __u32 bytes;  // of the whole frame, of which data..data_end may be only the beginning (TC)
};

enum wholeness { kWhole, kFirstFragment, kLaterFragment };

struct ip_view {
  __u8 version;
  __u8 protocol;  // what follows `header_bytes`
  __u8 tos;       // or traffic class
  __u8 wholeness;
  __u32 header_bytes;  // with options
  __u32 total_bytes;   // as the header says
  __be32 flow;         // IPv6: traffic class and flow label
  __be32 source[4];    // IPv4: the first, the rest zero
  __be32 destination[4];
};

struct gre_header {
  __be16 flags;
  __be16 ethertype;
};

struct udp_header {
  __be16 source;
  __be16 destination;
  __be16 bytes;
  __be16 checksum;
};

struct gue_header {
  __u8 bits;  // variant, control, length of the fields in words
  __u8 protocol;
  __be16 flags;
};

// Where an inner packet lies in the frame, and where at the latest it has to end.
struct place {
  __u32 offset;
  __u32 end;
  __u8 version;
};

// `bytes` at `offset`, or null. REQUIRES: `bytes` is a constant.
static __always_inline void* bytes_at(const struct frame* frame, __u32 offset, __u32 bytes) {
  // The compiler may know that the offset is small, the verifier has to see it.
  asm volatile("" : "+r"(offset));
  if (offset > MAX_INNER_OFFSET) {
    return 0;
  }
  void* at = frame->data + offset;
  return at + bytes > frame->data_end ? 0 : at;
}

static __always_inline int read_ipv4(const struct frame* frame, __u32 offset, struct ip_view* view) {
  const struct iphdr* ip = bytes_at(frame, offset, sizeof *ip);
  if (!ip || ip->version != 4) {
    return 0;
  }
  view->version = 4;
  view->protocol = ip->protocol;
  view->tos = ip->tos;
  view->wholeness = !ipv4_is_fragment(ip)        ? kWhole
                    : ipv4_is_later_fragment(ip) ? kLaterFragment
                                                 : kFirstFragment;
  view->header_bytes = ipv4_header_bytes(ip);
  view->total_bytes = bpf_ntohs(ip->tot_len);
  view->source[0] = ip->saddr;
  view->destination[0] = ip->daddr;
  return 1;
}

static __always_inline int read_ipv6(const struct frame* frame, __u32 offset, struct ip_view* view) {
  const struct ipv6hdr* ip = bytes_at(frame, offset, sizeof *ip);
  if (!ip || ip->version != 6) {
    return 0;
  }
  __be32 first;
  __builtin_memcpy(&first, ip, sizeof first);
  view->version = 6;
  view->protocol = ip->nexthdr;
  view->tos = (__u8)(bpf_ntohl(first) >> 20);
  view->wholeness = kWhole;
  view->header_bytes = sizeof *ip;
  view->total_bytes = sizeof *ip + bpf_ntohs(ip->payload_len);
  view->flow = first & bpf_htonl(IPV6_FLOW_MASK);
  __builtin_memcpy(view->source, &ip->saddr, 16);
  __builtin_memcpy(view->destination, &ip->daddr, 16);
  return 1;
}

// The fixed header. Whether the lengths make sense is for has_sane_lengths().
static __always_inline int read_ip(const struct frame* frame, __u32 offset, __u8 version,
                                   struct ip_view* view) {
  return version == 4 ? read_ipv4(frame, offset, view) : read_ipv6(frame, offset, view);
}

static __always_inline int has_sane_lengths(const struct ip_view* view) {
  return view->header_bytes >= (view->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) &&
         view->total_bytes >= view->header_bytes;
}

static __always_inline __u32 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

// Whether the checksum of an IPv4 header with options holds.
static __always_inline int ipv4_checksum_holds(const struct frame* frame, __u32 offset) {
  const struct iphdr* ip = bytes_at(frame, offset, sizeof *ip);
  if (!ip) {
    return 0;
  }
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
      if ((void*)(word + 2) > frame->data_end) {
        return 0;
      }
      sum += word[0];
      sum += word[1];
      word += 2;
    }
  }
  return fold(sum) == 0xffff;
}

// Steps over an IPv6 fragment header.
static __always_inline int read_fragment_header(const struct frame* frame, struct ip_view* view) {
  const __u8* header = bytes_at(frame, ETH_HLEN + view->header_bytes, IPV6_FRAGMENT_BYTES);
  if (!header) {
    return 0;
  }
  const __u16 offset = (__u16)(header[2] << 8 | header[3]) & IPV6_FRAGMENT_OFFSET_MASK;
  view->wholeness = offset == 0 ? kFirstFragment : kLaterFragment;
  view->protocol = header[0];
  view->header_bytes += IPV6_FRAGMENT_BYTES;
  return 1;
}

// Whether the options are a tunnel encapsulation limit (RFC 2473 4.1.1) and padding. `left` counts the
// bytes of an option that are still to come.
static __always_inline int is_encapsulation_limit(const __u8* options) {
  __u32 left = 0;
  int limits = 0;
#pragma unroll
  for (__u32 i = 0; i < LIMIT_OPTION_BYTES; ++i) {
    if (left > 0) {
      --left;
    } else if (options[i] != OPTION_PAD1) {
      if (i + 1 == LIMIT_OPTION_BYTES || i + 2 + options[i + 1] > LIMIT_OPTION_BYTES) {
        return 0;
      }
      if (options[i] == OPTION_LIMIT && options[i + 1] == 1) {
        ++limits;
      } else if (options[i] != OPTION_PADN) {
        return 0;
      }
      left = 1 + options[i + 1];
    }
  }
  return limits == 1;
}

// Steps over destination options. Returns 0 when they are not there, or no such options as a tunnel's
// entry adds; `view->protocol` is right either way.
static __always_inline int read_limit_header(const struct frame* frame, struct ip_view* view) {
  const __u8* header = bytes_at(frame, ETH_HLEN + view->header_bytes, LIMIT_HEADER_BYTES);
  if (!header) {
    return 0;
  }
  view->protocol = header[0];
  view->header_bytes += LIMIT_HEADER_BYTES;
  return header[1] == 0 && is_encapsulation_limit(header + 2);
}

static __always_inline int is_tunnel_protocol(__u8 protocol) {
  return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE;
}

// Steps over a GRE header.
static __always_inline enum maglb_decap_counter read_gre(const struct frame* frame,
                                                         const struct maglb_decap_tunnels* tunnels,
                                                         struct place* inner) {
  const struct gre_header* gre = bytes_at(frame, inner->offset, sizeof *gre);
  if (!gre) {
    return MAGLB_DECAP_DROPPED_TUNNEL;
  }
  const __u16 flags = bpf_ntohs(gre->flags);
  if ((flags & GRE_VERSION_MASK) != 0) {
    return MAGLB_DECAP_PASSED_PAYLOAD;
  }
  if ((flags & ~(GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)) != 0) {
    return MAGLB_DECAP_DROPPED_TUNNEL;
  }
  if ((flags & GRE_CHECKSUM) != 0) {
    return MAGLB_DECAP_PASSED_GRE_CHECKSUM;
  }
  if (gre->ethertype != bpf_htons(ETH_P_IP) && gre->ethertype != bpf_htons(ETH_P_IPV6)) {
    return MAGLB_DECAP_PASSED_PAYLOAD;
  }
  inner->version = gre->ethertype == bpf_htons(ETH_P_IP) ? 4 : 6;
  inner->offset += sizeof *gre;
  if ((flags & GRE_KEY) != 0) {
    const __be32* key = bytes_at(frame, inner->offset, sizeof *key);
    if (!key) {
      return MAGLB_DECAP_DROPPED_TUNNEL;
    }
    if (tunnels->only_gre_key && bpf_ntohl(*key) != tunnels->gre_key) {
      return MAGLB_DECAP_PASSED_GRE_KEY;
    }
    inner->offset += sizeof *key;
  } else if (tunnels->only_gre_key) {
    return MAGLB_DECAP_PASSED_GRE_KEY;
  }
  inner->offset += (flags & GRE_SEQUENCE) != 0 ? sizeof(__be32) : 0;
  return MAGLB_DECAP_OK;
}

static __always_inline int version_of(__u8 protocol) {
  return protocol == IPPROTO_IPIP ? 4 : protocol == IPPROTO_IPV6 ? 6 : 0;
}

// Steps over UDP and GUE headers.
static __always_inline enum maglb_decap_counter read_gue(const struct frame* frame, struct place* inner) {
  const struct udp_header* udp = bytes_at(frame, inner->offset, UDP_BYTES + GUE_BYTES);
  if (!udp) {
    return MAGLB_DECAP_DROPPED_TUNNEL;
  }
  const __u32 udp_bytes = bpf_ntohs(udp->bytes);
  if (udp_bytes < UDP_BYTES + GUE_BYTES || udp_bytes > inner->end - inner->offset) {
    return MAGLB_DECAP_DROPPED_TUNNEL;
  }
  const struct gue_header* gue = (void*)(udp + 1);
  inner->version = (__u8)version_of(gue->protocol);
  if ((gue->bits & (GUE_VARIANT_MASK | GUE_CONTROL)) != 0 || inner->version == 0) {
    return MAGLB_DECAP_PASSED_PAYLOAD;
  }
  inner->end = inner->offset + udp_bytes;
  inner->offset += UDP_BYTES + GUE_BYTES + (gue->bits & GUE_WORDS_MASK) * 4;
  return MAGLB_DECAP_OK;
}

// From the outer header's end to the inner header. What a GRE header says may come from beyond the packet's
// end: that is noticed when it has been stepped over. REQUIRES: is_sane_outer().
static __always_inline enum maglb_decap_counter find_inner(const struct frame* frame,
                                                           const struct maglb_decap_tunnels* tunnels,
                                                           const struct ip_view* outer, struct place* inner) {
  inner->offset = ETH_HLEN + outer->header_bytes;
  inner->end = ETH_HLEN + outer->total_bytes;
  enum maglb_decap_counter found = MAGLB_DECAP_OK;
  if (outer->protocol == IPPROTO_GRE) {
    found = read_gre(frame, tunnels, inner);
  } else if (outer->protocol == IPPROTO_UDP) {
    found = read_gue(frame, inner);
  } else {
    inner->version = (__u8)version_of(outer->protocol);
  }
  return found == MAGLB_DECAP_OK && inner->offset > inner->end ? MAGLB_DECAP_DROPPED_TUNNEL : found;
}
