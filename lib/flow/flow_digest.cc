#include "lib/flow/flow_digest.h"

namespace maglb {
namespace {

Block block_of(const IpAddress& address) {
  Block block;
  std::memcpy(block.bytes.data(), address.bytes.data(), block.bytes.size());
  return block;
}

// SipHash as a generator: output `number` under the key.
uint64_t expand(const SipKey& key, uint8_t number) {
  return siphash24(key, {&number, 1});
}

}  // namespace

FlowHash::FlowHash(const SipKey& key) {
  uint8_t number = 0;
  const auto next = [&] {
    const std::array<uint64_t, 2> words = {expand(key, number),
                                           expand(key, static_cast<uint8_t>(number + 1))};
    number = static_cast<uint8_t>(number + 2);
    Block block;
    std::memcpy(block.bytes.data(), words.data(), block.bytes.size());
    return block;
  };
  for (Row& row : rows_) {
    row.source = next();
    row.destination = next();
  }
  last_ = next();
}

FlowDigest FlowHash::digest(const FlowKey& flow, uint32_t service_id) const {
  Block source = block_of(flow.source) ^ rows_[0].source;
  Block destination = block_of(flow.destination) ^ rows_[0].destination;
  for (size_t r = 1; r < rows_.size(); ++r) {
    source = aes_round_portable(source, rows_[r].source);
    destination = aes_round_portable(destination, rows_[r].destination);
  }
  const std::array<uint64_t, 2> rest = {flow.rest(), service_id};
  Block all;
  std::memcpy(all.bytes.data(), rest.data(), all.bytes.size());
  all = source ^ destination ^ all;
  for (const Block& key : {last_, rows_[0].source, rows_[0].destination}) {
    all = aes_round_portable(all, key);
  }
  return {load_le64(&all.bytes[0]), load_le64(&all.bytes[8])};
}

}  // namespace maglb
