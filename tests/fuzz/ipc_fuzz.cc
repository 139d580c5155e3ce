// A peer's bytes, cut into pieces as the first byte says, through framing and decoding.
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/ipc/convert.h"
#include "lib/ipc/frame.h"
#include "lib/ipc/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const size_t piece = size_t{data[0]} + 1;
  std::span<const uint8_t> rest(data + 1, size - 1);
  maglb::FrameReader reader(1 << 20);
  while (!rest.empty()) {
    const auto now = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(now.size());
    reader.feed(now);
    for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
      maglb::ipc::Envelope message;
      if (!message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))) {
        continue;
      }
      // What decodes must say the same again after a second round.
      if (const auto change = maglb::from_message(message.apply())) {
        maglb::ipc::Apply again;
        maglb::to_message(*change, again);
        if (!maglb::from_message(again)) {
          __builtin_trap();
        }
      }
      (void)maglb::from_message(message.flow_lookup());
      (void)maglb::from_message(message.explain());
    }
  }
  return 0;
}
