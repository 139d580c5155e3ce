#include "lib/snapshot/view/service_extra.h"

namespace maglb {

std::vector<std::pair<IpPrefix, uint32_t>> SourceFilter::rules_of(const ServiceOptions& options) {
  std::vector<std::pair<IpPrefix, uint32_t>> rules;
  // In front, so that of a prefix in both lists it is this one that counts.
  for (const IpPrefix& prefix : options.source_deny) {
    rules.emplace_back(prefix, kDeny);
  }
  for (const IpPrefix& prefix : options.source_allow) {
    rules.emplace_back(prefix, kAllow);
  }
  return rules;
}

SourceFilter::SourceFilter(const ServiceOptions& options, std::pmr::memory_resource* memory)
    : rules_(rules_of(options), memory), allows_others_(options.source_allow.empty()) {}

ServiceExtra::ServiceExtra(const ServiceOptions& options, std::pmr::memory_resource* memory)
    : gue_port(options.gue_port),
      backend_port(options.backend_port),
      mss(options.mss),
      udp_checksum(options.udp_checksum),
      has_gre_key(options.gre_key.has_value()),
      gre_key(options.gre_key.value_or(0)),
      proxy_protocol(options.proxy_protocol),
      forward_ping(options.forward_ping),
      oversize(options.oversize),
      has_filter(!options.source_allow.empty() || !options.source_deny.empty()),
      filter(options, memory),
      quic(options.quic.begin(), options.quic.end(), memory) {}

}  // namespace maglb
