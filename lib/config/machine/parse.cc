#include "lib/config/machine/parse.h"

#include <fmt/format.h>

#include <algorithm>
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

void read_tunnel_address(const Field& field, bool v4, std::optional<IpAddress>& out) {
  IpAddress address;
  if (!field.present() || !read_address(field, address)) {
    return;
  }
  if (address.is_v4() != v4) {
    field.problem(fmt::format("expected an {} address, not {}", v4 ? "IPv4" : "IPv6", address.to_string()));
  } else if (address.is_unspecified() || address.is_multicast() || address.is_loopback()) {
    field.problem(fmt::format("expected an address of this machine, not {}", address.to_string()));
  } else {
    out = address;
  }
}

void read_tunnel_source(const Field& field, MachineConfig& config) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  read_tunnel_address(map.optional("ipv4"), true, config.tunnel_source_v4);
  read_tunnel_address(map.optional("ipv6"), false, config.tunnel_source_v6);
  map.finish();
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

void read_port(const Node& node, MachineConfig& config, Seen& seen, Problems& problems) {
  PortConfig port;
  MapReader map(node, fmt::format("port {}", config.ports.size() + 1), problems);
  const Field name = map.required("name");
  if (read_name(name, port.name)) {
    map.set_context("port " + port.name);
    if (!seen.names.insert(port.name).second) {
      name.problem(fmt::format("another port is named {}", port.name));
    }
  }
  read_device(map.required("device"), port, seen);
  map.optional("mtu").integer(kMinMtu, kMaxMtu, port.mtu);
  map.optional("buffers").integer(kMinPortBuffers, kMaxPortBuffers, port.buffers);
  const Field next_hop_mac = map.optional("next_hop_mac");
  MacAddress mac;
  if (next_hop_mac.present() && read_mac(next_hop_mac, mac)) {
    if (mac.is_multicast() || mac == MacAddress{}) {
      next_hop_mac.problem(fmt::format("expected the MAC address of one host, not {}", mac.to_string()));
    }
    port.next_hop_mac = mac;
  }
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
  for (const Node& node : list) {
    read_port(node, config, seen, field.problems());
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
    map.optional("services").integer(1, 65536, config.limits.services);
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
