#include "lib/config/machine/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "lib/config/fields.h"
#include "lib/config/machine/device.h"
#include "lib/net/backend_id.h"
#include "lib/yaml/document.h"
#include "lib/yaml/reader.h"

namespace maglb {

namespace {

using yaml::Field;
using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

constexpr yaml::Word<int> kVersions[] = {{"1", 1}};

void read_cores(const Field& field, MachineConfig& config) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  map.required("main").integer(0, kMaxCore, config.main_core);
  const Field workers = map.required("workers");
  map.finish();
  const auto list = workers.list();
  if (workers.present() && workers.node().is_sequence() && (list.empty() || list.size() > kMaxWorkers)) {
    workers.problem(fmt::format("expected 1..{} cores, not {}", kMaxWorkers, list.size()));
    return;
  }
  std::set<uint32_t> seen;
  for (const Node& node : list) {
    const Field item(&node, node.mark, workers.context(), field.problems());
    uint32_t core = 0;
    if (!item.integer(0, kMaxCore, core)) {
      continue;
    }
    if (!seen.insert(core).second) {
      item.problem(fmt::format("core {} is a worker already", core));
    }
    config.worker_cores.push_back(core);
  }
}

// Whether some address of it is none that a host sends from.
bool has_unusable(const IpPrefix& prefix) {
  static constexpr std::string_view kUnusable[] = {
      "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "ff00::/8"};
  return std::any_of(std::begin(kUnusable), std::end(kUnusable),
                     [&](std::string_view bad) { return IpPrefix::parse(bad)->overlaps(prefix); });
}

// An address of this machine, or a prefix of them, of that family.
void read_own_prefix(const Field& field, bool v4, std::optional<IpPrefix>& out) {
  IpPrefix prefix;
  if (!field.present() || !read_prefix(field, prefix)) {
    return;
  }
  if (prefix.is_v4() != v4) {
    field.problem(fmt::format("expected an {} address or prefix, not {}", v4 ? "IPv4" : "IPv6",
                              prefix.to_short_string()));
  } else if (has_unusable(prefix)) {
    field.problem(fmt::format("expected an address of this machine, not {}", prefix.to_short_string()));
  } else {
    out = prefix;
  }
}

void read_tunnel_source(const Field& field, MachineConfig& config) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  read_own_prefix(map.optional("ipv4"), true, config.tunnel_source_v4);
  read_own_prefix(map.optional("ipv6"), false, config.tunnel_source_v6);
  map.finish();
}

// More than 2^32 are as good as that.
uint64_t addresses_of(const IpPrefix& prefix) {
  return uint64_t{1} << std::min(IpPrefix::kBits - prefix.length, 32);
}

void read_nat_source(const Field& field, NatSourceConfig& source) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  const Field v4 = map.optional("ipv4");
  const Field v6 = map.optional("ipv6");
  read_own_prefix(v4, true, source.v4);
  read_own_prefix(v6, false, source.v6);
  const Field ports = map.optional("ports");
  map.finish();
  constexpr int kFewest = IpPrefix::kBits - std::bit_width(kMaxNatAddresses - 1);
  for (const auto& [prefix, at] : {std::pair{source.v4, &v4}, std::pair{source.v6, &v6}}) {
    if (prefix && prefix->length < kFewest) {
      at->problem(
          fmt::format("expected at most {} addresses, {} has more", kMaxNatAddresses, prefix->to_string()));
    }
  }
  if (source.v4 && source.v6 && addresses_of(*source.v4) + addresses_of(*source.v6) > kMaxNatAddresses) {
    v6.problem(fmt::format("expected at most {} addresses together with ipv4", kMaxNatAddresses));
  }
  if (!ports.present()) {
    return;
  }
  if (!read_port_range(ports, source.ports) || source.ports.size() < kMaxWorkers) {
    ports.problem(fmt::format("expected a range of at least {} ports, like 1024-65535", kMaxWorkers));
  }
}

struct Seen {
  std::set<std::string> names, devices, interfaces;
};

void read_device(const Field& field, PortConfig& port, Seen& seen) {
  if (!field.string(port.device)) {
    return;
  }
  const auto device = parse_device(port.device);
  if (!device) {
    field.problem(device.error().message);
  } else if (!seen.devices.insert(device->name).second) {
    field.problem(fmt::format("device {} is another port's already", device->name));
  } else if (!device->interface.empty() && !seen.interfaces.insert(device->interface).second) {
    field.problem(fmt::format("interface {} is another port's already", device->interface));
  }
}

bool read_next_hop_mac(const Field& field, std::optional<MacAddress>& out) {
  MacAddress mac;
  if (!field.present() || !read_mac(field, mac)) {
    return false;
  }
  if (mac.is_multicast() || mac == MacAddress{}) {
    field.problem(fmt::format("expected the MAC address of one host, not {}", mac.to_string()));
  }
  out = mac;
  return true;
}

// "id: 100", or "id: [200, 100]" with the outer tag first.
void read_vlan_id(const Field& field, VlanConfig& vlan) {
  constexpr uint64_t kLastId = 4094;
  if (!field.present() || !field.node().is_sequence()) {
    field.integer(1, kLastId, vlan.id);
    return;
  }
  const auto list = field.list();
  if (list.size() != 2) {
    field.problem("expected one VLAN id, or two in a list with the outer one first");
    return;
  }
  Field(&list[0], list[0].mark, field.context(), field.problems()).integer(1, kLastId, vlan.outer);
  Field(&list[1], list[1].mark, field.context(), field.problems()).integer(1, kLastId, vlan.id);
}

void read_vlans(const Field& field, PortConfig& port, Seen& seen) {
  std::set<std::pair<uint16_t, uint16_t>> ids;
  for (const Node& node : field.list()) {
    VlanConfig vlan;
    MapReader map(node, fmt::format("{}: VLAN {}", field.context(), port.vlans.size() + 1), field.problems());
    const Field name = map.required("name");
    if (read_name(name, vlan.name) && !seen.names.insert(vlan.name).second) {
      name.problem(fmt::format("another port or VLAN is named {}", vlan.name));
    }
    const Field id = map.required("id");
    read_vlan_id(id, vlan);
    if (id.present() && !ids.emplace(vlan.outer, vlan.id).second) {
      id.problem("another VLAN of the port has this id");
    }
    const Field interface = map.optional("interface");
    if (interface.string(vlan.interface) && !seen.interfaces.insert(vlan.interface).second) {
      interface.problem(fmt::format("interface {} is another port's already", vlan.interface));
    }
    map.optional("mtu").integer(kMinMtu, kMaxMtu, vlan.mtu);
    read_next_hop_mac(map.optional("next_hop_mac"), vlan.next_hop_mac);
    map.finish();
    port.vlans.push_back(std::move(vlan));
  }
}

void read_port(const Node& node, MachineConfig& config, Seen& seen, Problems& problems) {
  PortConfig port;
  MapReader map(node, fmt::format("port {}", config.ports.size() + 1), problems);
  const Field name = map.required("name");
  if (read_name(name, port.name)) {
    if (!seen.names.insert(port.name).second) {
      name.problem(fmt::format("another port is named {}", port.name));
    }
    map.set_context("port " + port.name);
  }
  read_device(map.required("device"), port, seen);
  map.optional("mtu").integer(kMinMtu, kMaxMtu, port.mtu);
  map.optional("buffers").integer(kMinPortBuffers, kMaxPortBuffers, port.buffers);
  read_next_hop_mac(map.optional("next_hop_mac"), port.next_hop_mac);
  read_vlans(map.optional("vlans"), port, seen);
  map.finish();
  config.ports.push_back(std::move(port));
}

void read_ports(const Field& field, MachineConfig& config) {
  const auto list = field.list();
  if (field.present() && field.node().is_sequence() && (list.empty() || list.size() > kMaxMachinePorts)) {
    field.problem(fmt::format("expected 1..{} ports, not {}", kMaxMachinePorts, list.size()));
    return;
  }
  Seen seen;
  size_t vlans = 0;
  for (const Node& node : list) {
    read_port(node, config, seen, field.problems());
    vlans += config.ports.back().vlans.size();
  }
  if (vlans > kMaxVlans) {
    field.problem(fmt::format("expected at most {} VLANs, not {}", kMaxVlans, vlans));
  }
}

void read_memory(const Field& field, MemoryConfig& memory) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  bool hugepages = false;
  if (map.optional("hugepages").boolean(hugepages)) {
    memory.hugepages = hugepages;
  }
  map.optional("size").size(kMinMemoryBytes, kMaxMemoryBytes, memory.size_bytes);
  map.finish();
}

void read_limits(const Field& flow_table, const Field& limits, MachineConfig& config) {
  if (flow_table.present()) {
    MapReader map(flow_table.node(), flow_table.context(), flow_table.problems());
    map.optional("entries").integer(kMinFlowEntries, kMaxFlowEntries, config.flow_entries);
    map.finish();
  }
  if (limits.present()) {
    MapReader map(limits.node(), limits.context(), limits.problems());
    map.optional("services").integer(1, kMaxServiceNumbers, config.limits.services);
    map.optional("pools").integer(1, kMaxPoolNumbers, config.limits.pools);
    map.optional("backends").integer(1, 1 << 20, config.limits.backends);
    map.finish();
  }
}

void read_config(const Node& root, MachineConfig& config, Problems& problems) {
  MapReader map(root, "", problems);
  int version = 0;
  map.optional("version").word<int>(kVersions, version);
  read_cores(map.required("cores"), config);
  read_tunnel_source(map.optional("tunnel_source"), config);
  read_nat_source(map.optional("nat_source"), config.nat_source);
  read_ports(map.required("ports"), config);
  read_memory(map.optional("memory"), config.memory);
  const Field flow_table = map.optional("flow_table");
  read_limits(flow_table, map.optional("limits"), config);
  map.finish();
}

}  // namespace

yaml::Checked<MachineConfig> parse_machine_config(std::string_view text, const std::string& file) {
  const auto root = yaml::parse_document(text, file);
  if (!root) {
    return tl::unexpected(root.error());
  }
  MachineConfig config;
  Problems problems(file);
  read_config(*root, config, problems);
  if (!problems.empty()) {
    problems.sort();
    return tl::unexpected(std::move(problems));
  }
  return config;
}

yaml::Checked<MachineConfig> load_machine_config(const std::string& path) {
  const auto text = yaml::read_file(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  return parse_machine_config(*text, path);
}

}  // namespace maglb
