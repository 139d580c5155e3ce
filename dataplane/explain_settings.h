// What the workers have beside the snapshot, for a packet that is explained on the main core.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/base/siphash.h"
#include "lib/config/machine/model.h"
#include "lib/lb/explain.h"

namespace maglb {

struct ExplainSettings {
  SipKey flow_key;
  TunnelSource tunnel_source_v4;
  TunnelSource tunnel_source_v6;
  PathFunction path;
  const NextHopTable& next_hop_table;
  std::span<const PortView> links;
  std::vector<std::string> link_names;
  std::span<const FlowTable* const> tables;
  std::span<const BackendFlows* const> flows;
  const NatPorts* nat_ports;  // the workers'; null: no nat_source
};

// By the index of a link's view: ports, then the VLANs of all of them.
std::vector<std::string> link_names(const MachineConfig& config);

}  // namespace maglb
