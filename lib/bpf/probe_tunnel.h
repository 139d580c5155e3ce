// Probes inside the encapsulation of their backends: a socket whose packets carry one of our marks has them
// wrapped and sent to the mark's backend, whatever its own destination is. The answer comes straight back,
// from the address that the socket connected to.
//
// Beside the service's address everything is as on the packet path: outer headers, options, the frame's
// destination by the kernel's neighbours. What differs is the outer source, an address of this host, which
// the backend's decapsulator has to allow.
//
// Threads: one. No process of this network namespace disturbs another (probe_link.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/bpf/attachment.h"
#include "lib/bpf/probe_link.h"
#include "lib/bpf/probe_maps.h"
#include "lib/bpf/probe_path.h"
#include "lib/net/address.h"

namespace maglb {

// The value of the program's map. REQUIRES: `source` has the backend's family.
maglb_probe_path to_wire(const ProbePath& path, const IpAddress& source);

class ProbeTunnel {
 public:
  // How many marks there are: 1..kMaxMarks of the lower half.
  static constexpr uint32_t kMaxMarks = MAGLB_PROBE_MAX_PATHS;

  // Makes devices and rules and loads the program. kSystem when the kernel refuses (no CAP_NET_ADMIN or
  // CAP_BPF).
  static Result<std::unique_ptr<ProbeTunnel>> open(ProbeSources sources);

  // The mark of an index in 1..kMaxMarks.
  uint32_t mark(uint32_t index) const { return link_->instance().mark() | index; }

  // Packets with the mark take this path from now on. kNotFound when there is no route to the backend.
  Result<void> put(uint32_t mark, const ProbePath& path);
  void remove(uint32_t mark);

  // Whether a packet with the mark for the service's address gets to the program, and its answer back to a
  // socket here. Mends rules and routes that others took away. kConflict when the address is this host's own:
  // such packets never leave it.
  Result<void> verify(const IpAddress& service, uint32_t mark);

  // False when someone removed the devices: only a new one helps.
  bool is_there() const;

  const ProbeInstance& instance() const { return link_->instance(); }
  // By name, in the order of maglb_probe_counter.
  Result<std::vector<std::pair<std::string, uint64_t>>> counters() const;

 private:
  ProbeTunnel(ProbeSources sources, std::unique_ptr<ProbeLink> link, BpfObject object);
  Result<IpAddress> source_towards(const IpAddress& destination) const;

  const ProbeSources sources_;
  const BpfObject object_;
  const std::unique_ptr<ProbeLink> link_;  // goes first
};

}  // namespace maglb
