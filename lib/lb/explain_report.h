// An explanation in words and names: what people and the API are told.
//
// Threads: as the Registry's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/lb/explain.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

struct ExplainNames {
  const Registry& registry;
  std::span<const ServiceSpec> services;          // that run
  std::function<std::string(uint8_t link)> link;  // its name: of a port, or of a port and its VLANs
};

// One line of an answer, in the order that the packet travels.
struct ExplainStep {
  std::string stage;  // packet, service, flow, table, backend, way, size, result, new flow
  std::string text;
};

// Empty or 0 is what there is not.
struct FateReport {
  std::string verdict;      // sent, answered, kernel, dropped, held, handed_over
  std::string reason;       // of dropped and answered: too_big
  std::string explanation;  // of the reason, a line
  std::string backend;
};

struct ExplainReport {
  std::string packet;  // "tcp 192.0.2.1:40000 -> 198.51.100.1:80, SYN, 60 bytes"
  std::string service;
  std::string match;  // why this service: "tcp 198.51.100.0/24, ports 8000-8999: the most specific of 2"
  std::string pool;
  struct Flow {
    uint32_t worker = 0;
    std::string state;
    std::string backend;  // empty: gone
    uint64_t idle_ms = 0;
    uint64_t expires_in_ms = 0;
    std::string nat_source;  // of a nat session: whom the backend sees, "10.7.0.1:40001"
  };
  std::optional<Flow> flow;
  uint32_t slot = 0;
  uint32_t table_size = 0;  // 0: there is no table
  std::string table_backend;
  std::string backend;
  std::string backend_address;
  std::string backend_state;
  std::string link;
  std::string next_hop;       // MAC address
  std::string encapsulation;  // "ipip", "gue", "gre", "l2", "nat"
  std::string outer_source;   // of a tunnel
  std::string outer_destination;
  uint32_t overhead = 0;
  uint32_t mtu = 0;
  uint32_t largest = 0;  // packet of a client that passes whole
  uint32_t bytes = 0;    // of this packet, as IP
  FateReport result;
  std::optional<FateReport> new_flow;
  std::vector<ExplainStep> steps;
};

// REQUIRES: the explanation is of the registry's last snapshot.
ExplainReport report_of(const Explanation& explanation, const ExplainNames& names);

}  // namespace maglb
