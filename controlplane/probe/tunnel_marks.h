// The marks of probes that travel in tunnels: one for each distinct way (mode, backend, options), and the
// kernel's side of it (lib/bpf/probe_tunnel.h), which is made when the first probe needs it and removed with
// the last.
//
// Invariants:
//   1. A user with a path leaves give() with a mark whose packets take that path, or with a fault that says
//      why not. It is never left to be probed directly.
//   2. A fault is of this host: no privilege, no device, another rule in the way, the service's address on
//      this host, no route to the backend, no mark left; or l2 and a service of the other family than the
//      backend, which would need a neighbour of both. It is no evidence about a backend.
//   3. At most `max_marks` marks; one that became free is the last to be used again.
//
// What was true is looked at again: the rules each kLookInterval, services and paths kLooksAtATime of each
// then. What others removed is mended; what cannot be mended becomes a fault, and what works again ceases to
// be one: then `on_change` is called, whose receiver plans anew.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/probe/prober.h"
#include "lib/bpf/probe_path.h"
#include "lib/bpf/probe_tunnel.h"

namespace maglb {

class TunnelMarks {
 public:
  static constexpr std::chrono::milliseconds kLookInterval{250};
  static constexpr size_t kLooksAtATime = 50;

  // `sources`: what probes shall come from.
  TunnelMarks(boost::asio::io_context& io, ProbeSources sources, std::function<void()> on_change,
              uint32_t max_marks = ProbeTunnel::kMaxMarks);

  // Makes the paths of `users` the whole set and fills in their targets' marks or faults. Users without a
  // path are left alone. Attempts of users that are not in it any more have to be cancelled before the
  // event loop goes on.
  void give(std::vector<ProbeUser>& users);

  // What cannot be probed through its tunnel, and why; at most a few lines.
  std::vector<std::string> warnings() const;

 private:
  struct Way {
    uint32_t index = 0;  // 0: none was left
    bool wanted = true;
    std::string fault;
  };
  struct Service {
    bool wanted = true;
    std::string fault;
  };

  void open();
  void close();
  void want(const std::vector<ProbeUser>& users);
  void drop_unwanted();
  void set_fault(std::string& fault, std::string now);
  void connect(const ProbePath& path, Way& way);
  void verify(const IpAddress& service, Service& known);
  uint32_t next_free();
  std::string fault_of(const ProbeUser& user) const;
  void look_again_later();
  void look_again();
  void look_at_services();
  void look_at_ways();
  void tell();

  boost::asio::steady_timer timer_;
  const ProbeSources sources_;
  const std::function<void()> on_change_;
  const uint32_t max_marks_;
  std::unique_ptr<ProbeTunnel> tunnel_;
  std::string fault_;  // why there is no tunnel_
  std::map<ProbePath, Way> ways_;
  std::map<IpAddress, Service> services_;
  std::set<std::pair<IpAddress, IpAddress>> across_families_;  // service and backend, by l2
  std::vector<bool> taken_;                                    // by index
  uint32_t taken_count_ = 0;
  uint32_t last_index_ = 0;
  std::optional<ProbePath> looked_way_;  // the last one that was looked at
  std::optional<IpAddress> looked_service_;
  std::vector<std::string> told_;
  bool looking_ = false;
  bool changed_ = false;  // a fault, or the marks, since give()
};

}  // namespace maglb
