// Going over a packet header by header in an XDP program, IPv6 extension headers with a bound.
//
// The verifier follows every value that a packet pointer can have for itself: eight extension headers of two
// kinds, before and again inside an ICMP error, are beyond it. So a place is a number, made a pointer only
// where something is read, and extension headers are walked in a function of its own.
#pragma once

#include <linux/ipv6.h>

#include "lib/bpf/packet.bpf.h"

// A place in a frame, and how much of the packet there is from it on. What is read has to be in the packet,
// not just in the frame, which may have padding behind it.
struct cursor {
  void* data;
  void* data_end;
  __u32 at;
  __u32 left;
};

// Headers that begin further in the frame than this are not read: no frame that AF_XDP takes has any there,
// and the verifier wants a bound.
#define CURSOR_MAX 0x3fff

static __always_inline void skip(struct cursor* cursor, __u32 bytes) {
  cursor->at += bytes;
  cursor->left -= bytes;
}

// The next `bytes` bytes, a constant, or null.
static __always_inline void* take(struct cursor* cursor, __u32 bytes) {
  __u64 at = cursor->at;
  if (at > CURSOR_MAX || cursor->left < bytes) {
    return 0;
  }
  // Once more for the verifier of kernel 6.1, which forgets the bound of a value that was on the stack.
  asm volatile("%0 &= %1" : "+r"(at) : "i"(CURSOR_MAX));
  void* taken = cursor->data + at;
  if (taken + bytes > cursor->data_end) {
    return 0;
  }
  skip(cursor, bytes);
  return taken;
}

#define IPV6_MAX_EXTENSIONS 8
#define IPV6_OFFSET_MASK 0xfff8

struct ipv6_extension {
  __u8 next;
  __u8 units;     // of 8 bytes, without the first; means nothing in a fragment header
  __be16 offset;  // in a fragment header
  __u8 data[4];
};

enum ipv6_walked { kWalkBroken, kWalkTooLong, kWalkLaterFragment, kWalkDone };

static __always_inline int ipv6_is_extension(__u32 protocol) {
  return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
         protocol == IPPROTO_FRAGMENT;
}

// Not static: the verifier looks at such a function once, by itself, whatever it is called with. Its
// result is one number: bytes gone over, the protocol reached, and an ipv6_walked.
__attribute__((noinline)) __u32 ipv6_walk_from(struct xdp_md* context, __u32 at, __u32 left, __u32 protocol) {
  struct cursor cursor = {(void*)(long)context->data, (void*)(long)context->data_end, at, left};
  enum ipv6_walked walked = kWalkBroken;
  // Unrolled: kernels before 6.2 refuse a loop that is closed by falling through, as compilers lay this one
  // out.
#pragma unroll
  for (int i = 0; i <= IPV6_MAX_EXTENSIONS; ++i) {
    if (!ipv6_is_extension(protocol)) {
      walked = kWalkDone;
      break;
    }
    if (i == IPV6_MAX_EXTENSIONS) {
      walked = kWalkTooLong;
      break;
    }
    const struct ipv6_extension* extension = take(&cursor, sizeof *extension);
    if (!extension) {
      break;
    }
    if (protocol == IPPROTO_FRAGMENT) {
      if (extension->offset & bpf_htons(IPV6_OFFSET_MASK)) {
        walked = kWalkLaterFragment;
        break;
      }
    } else {
      const __u32 bytes = extension->units * 8u;
      if (cursor.left < bytes) {
        break;
      }
      skip(&cursor, bytes);
    }
    protocol = extension->next;
  }
  return (cursor.at - at) << 16 | (protocol & 0xff) << 8 | walked;
}

// Goes over the extension headers, from the one that `protocol` names to what comes after the last, which
// it then names. Behind the fragment header of a later fragment there is nothing to go over.
static __always_inline enum ipv6_walked ipv6_walk(struct xdp_md* context, struct cursor* cursor,
                                                  __u8* protocol) {
  if (!ipv6_is_extension(*protocol)) {
    return kWalkDone;
  }
  const __u32 result = ipv6_walk_from(context, cursor->at, cursor->left, *protocol);
  skip(cursor, result >> 16);
  *protocol = (result >> 8) & 0xff;
  return result & 0xff;
}
