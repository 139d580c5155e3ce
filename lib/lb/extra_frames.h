// Frames that the path makes beside those that came, as the pieces of a packet that is too big: a list that
// the caller sends after the burst. Their buffers are the caller's, which gives them one by one as the path
// asks; nothing here allocates.
//
// 1. A buffer that was taken is in the list until the caller has sent the list, or is given back.
// 2. There are at most kMost in a burst, whatever arrives.
// 3. Who makes frames counts them as originated once it is certain that they are sent.
//
// Thread: one, the worker that has it.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "lib/lb/packet.h"

namespace maglb {

struct ExtraFrame {
  Packet packet;           // is_segmented is 0
  void* handle = nullptr;  // the caller's name for the buffer
  uint8_t out_port = 0;
  uint8_t cause = 0;  // index in the batch of the packet that it was made for
};

// How a caller gives buffers. Plain functions: there is one kind of caller in a program.
struct FrameBuffers {
  // Sets handle and packet: `data` at the buffer's first byte, the room behind it in tailroom, all else 0.
  // False: there is none.
  bool (*take)(void* context, ExtraFrame& frame) = nullptr;
  void (*give_back)(void* context, void* handle) = nullptr;
  void* context = nullptr;
};

class ExtraFrames {
 public:
  static constexpr size_t kMost = 256;

  ExtraFrames() = default;
  explicit ExtraFrames(const FrameBuffers& buffers) : buffers_(buffers) {}

  // A frame in the list with `headroom` writable bytes in front of its data and `length` behind: its
  // packet's length. Null: there is no buffer, or none that large.
  ExtraFrame* take(size_t headroom, size_t length) {
    if (size_ == kMost || buffers_.take == nullptr || !buffers_.take(buffers_.context, frames_[size_])) {
      return nullptr;
    }
    ExtraFrame& frame = frames_[size_++];
    Packet& packet = frame.packet;
    if (packet.tailroom < headroom + length) {
      give_back(size_ - 1);
      return nullptr;
    }
    packet.data += headroom;
    packet.headroom = static_cast<uint16_t>(headroom);
    packet.length = static_cast<uint16_t>(length);
    packet.tailroom = static_cast<uint16_t>(packet.tailroom - headroom - length);
    return &frame;
  }

  // All but the first `kept`.
  void give_back(size_t kept) {
    while (size_ > kept) {
      buffers_.give_back(buffers_.context, frames_[--size_].handle);
    }
  }

  size_t size() const { return size_; }
  std::span<const ExtraFrame> list() const { return std::span(frames_).first(size_); }
  // The caller has taken over all that are in the list.
  void clear() { size_ = 0; }

 private:
  FrameBuffers buffers_;
  size_t size_ = 0;
  std::array<ExtraFrame, kMost> frames_;
};

}  // namespace maglb
