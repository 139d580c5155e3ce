// A packet that nobody has sent, for a question: where would it go?
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/error.h"
#include "lib/lb/worker_context.h"
#include "lib/net/flow_key.h"

namespace maglb {

struct QuestionPacket {
  FlowKey key;            // TCP or UDP, addresses of one family
  uint8_t tcp_flags = 0;  // 0: of an established connection, ACK
  uint16_t ip_bytes = 0;  // length of the IP packet; 0: just its headers
  bool dont_fragment = true;
};

// As a frame to that link. kInvalid: the length is below the headers' or above kLargestFrame.
Result<std::vector<uint8_t>> frame_of(const QuestionPacket& question, const PortView& link);

}  // namespace maglb
