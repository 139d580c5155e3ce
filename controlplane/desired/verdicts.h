// What the table shall think of a backend, from what its probe knows. Pure.
//
// The rules, in this order:
//   1. No probe: healthy. Known healthy or unhealthy: that.
//   2. Unknown (not probed yet) and judged before under this name and address: the same as then, so that
//      a change of the probe moves nothing until it has an outcome.
//   3. Unknown in a pool that is new here: healthy, so that a first start serves at once; a dead backend
//      leaves with its first failed probe.
//   4. Unknown in a pool that is known: unhealthy until its first successful probe: a backend that was
//      just added gets no traffic before it can serve.
//   5. But where by these rules no backend of a pool is healthy, those that were never judged are: on trial,
//      until one is healthy.
// Who is on trial, or waits by rule 4, is no evidence: what counts the healthy leaves it out (is_judged).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/config/service/model.h"

namespace maglb {

enum class ProbeOpinion : uint8_t { kUnchecked, kUnknown, kHealthy, kUnhealthy };

using BackendKey = std::pair<std::string, std::string>;  // pool, backend

struct Verdict {
  IpAddress address;
  bool healthy = false;
  bool judged = false;  // by a probe, here or before; or taken for healthy by rule 3
};

class Verdicts {
 public:
  using Opinion = std::function<ProbeOpinion(const std::string& pool, const std::string& backend)>;

  // What was judged by an earlier process, when the backend had this address.
  void remember(const BackendKey& backend, const IpAddress& address, bool healthy);

  // Judges every backend of `config` and forgets all others.
  void judge(const ServiceConfig& config, const Opinion& opinion);
  // Judges one pool's. Returns those that were judged unhealthy the last time, and are
  // healthy by their probe now.
  std::vector<std::string> judge_pool(const PoolConfig& pool, const Opinion& opinion);
  // Forgets every pool that is not in `config`.
  void forget_others(const ServiceConfig& config);

  // It was among those that were judged last.
  bool knows(const BackendKey& backend) const;
  // REQUIRES: the backend was in judge()'s configuration.
  bool is_healthy(std::string_view pool, std::string_view backend) const;
  // False: it has had no probe's outcome since it came to a pool that was there. REQUIRES: likewise.
  bool is_judged(std::string_view pool, std::string_view backend) const;

 private:
  using OfPool = std::map<std::string, Verdict, std::less<>>;

  const Verdict& verdict_of(std::string_view pool, std::string_view backend) const;

  std::map<std::string, OfPool, std::less<>> pools_;
};

}  // namespace maglb
