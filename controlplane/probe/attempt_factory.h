// From a probe's type to what carries it out.
//
// A type that nobody added is not silently good: its attempts fail with a reason that says so, and the
// error log names it.
//
// Threads: the io_context's one.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "controlplane/probe/attempt.h"

namespace maglb {

inline constexpr size_t kProbeTypes = static_cast<size_t>(ProbeType::kExec) + 1;

class AttemptFactory {
 public:
  using Maker = std::function<std::shared_ptr<Attempt>()>;

  // Knows the types that need nothing but the event loop.
  explicit AttemptFactory(boost::asio::io_context& io);

  // Makes `maker` the one for the type. What it makes may live longer than the factory.
  void add(ProbeType type, Maker maker);

  // Never null. REQUIRES: type is not kNone.
  std::shared_ptr<Attempt> make(ProbeType type) const;

 private:
  boost::asio::io_context& io_;
  std::array<Maker, kProbeTypes> makers_;
};

}  // namespace maglb
