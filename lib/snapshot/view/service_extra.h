// What a service has beside what every packet of every service needs: looked at for the services that have
// it, out of line.
//
// Threads: immutable once made; any number of readers.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "lib/net/prefix_map.h"
#include "lib/net/service_options.h"

namespace maglb {

static_assert(2 * kMaxSourcePrefixes <= PrefixMap::kMostPrefixes);

// Which clients a service takes: the longest prefix that holds the client decides; of one that is in both
// lists, the one to deny.
class SourceFilter {
 public:
  SourceFilter(const ServiceOptions& options, std::pmr::memory_resource* memory);

  bool allows(const IpAddress& source) const {
    const auto rule = rules_.find(source);
    return rule ? *rule == kAllow : allows_others_;
  }

 private:
  enum : uint32_t { kDeny, kAllow };
  static std::vector<std::pair<IpPrefix, uint32_t>> rules_of(const ServiceOptions& options);

  PrefixMap rules_;
  bool allows_others_;
};

struct ServiceExtra {
  ServiceExtra(const ServiceOptions& options, std::pmr::memory_resource* memory);

  uint16_t gue_port;
  uint16_t backend_port;  // 0: the packet's
  uint16_t mss;           // 0: as it is
  bool udp_checksum;
  bool has_gre_key;
  uint32_t gre_key;
  bool proxy_protocol;
  bool forward_ping;
  Oversize oversize;
  bool has_filter;
  SourceFilter filter;
  std::pmr::vector<QuicLbConfig> quic;
};

}  // namespace maglb
