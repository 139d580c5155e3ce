#include "lib/config/service/parse.h"

#include <fmt/format.h>

#include <optional>

#include "lib/base/hex.h"
#include "lib/config/fields.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/own_probes.h"
#include "lib/config/service/pool_fields.h"
#include "lib/config/service/probe_read.h"
#include "lib/config/service/source_fields.h"
#include "lib/config/service/validate.h"
#include "lib/yaml/document.h"
#include "lib/yaml/reader.h"
#include "lib/yaml/text.h"

namespace maglb {

namespace {

using yaml::Field;
using yaml::MapReader;
using yaml::Mark;
using yaml::Node;
using yaml::Problems;
using yaml::Word;

constexpr Word<AdminState> kStates[] = {
    {"up", AdminState::kUp}, {"drain", AdminState::kDrain}, {"down", AdminState::kDown}};
constexpr Word<ForwardMode> kForwardModes[] = {{"ipip", ForwardMode::kIpip},
                                               {"gue", ForwardMode::kGue},
                                               {"gre", ForwardMode::kGre},
                                               {"l2", ForwardMode::kL2},
                                               {"nat", ForwardMode::kNat}};
constexpr std::string_view kLaterForwardModes[] = {"fou", "vxlan", "geneve"};
constexpr Word<OnFailure> kOnFailure[] = {{"reschedule", OnFailure::kReschedule}, {"keep", OnFailure::kKeep}};
constexpr Word<Protocol> kProtocols[] = {
    {"tcp", Protocol::kTcp}, {"udp", Protocol::kUdp}, {"any", Protocol::kAny}};
constexpr Word<Oversize> kOversize[] = {{"outer", Oversize::kOuter}, {"inner", Oversize::kInner}};
constexpr Word<bool> kPing[] = {{"answer", false}, {"forward", true}};
constexpr Word<bool> kProxyProtocol[] = {{"off", false}, {"v2", true}};

constexpr Word<NetworkFailure> kNetworkFailures[] = {{"hold", NetworkFailure::kHold},
                                                     {"act", NetworkFailure::kAct}};

constexpr Word<int> kVersions[] = {{"1", 1}};

constexpr uint64_t kMaxPort = 65535;

// Octets as hexadecimal digits, two each: "0a01".
void read_server_ids(const Field& field, BackendConfig& backend) {
  for (const Node& node : field.list()) {
    const Field item(&node, node.mark, field.context(), field.problems());
    const auto octets = node.is_scalar() ? parse_hex(node.text) : std::nullopt;
    if (!octets || octets->empty() || octets->size() > kLongestServerId) {
      item.problem(fmt::format("expected a server id of 1..{} octets in hexadecimal, in quotes, not {}",
                               kLongestServerId, yaml::describe(node)));
      continue;
    }
    backend.server_ids.push_back(*octets);
  }
}

void read_backend(const Node& node, const std::string& context, PoolConfig& pool, PoolMarks& marks,
                  OwnProbes& own_probes, Problems& problems) {
  BackendConfig backend;
  MapReader map(node, fmt::format("{}: backend {}", context, pool.backends.size() + 1), problems);
  const Field name = map.required("name");
  if (read_name(name, backend.name)) {
    map.set_context(fmt::format("{}: backend {}", context, backend.name));
  }
  const Field address = map.required("address");
  read_address(address, backend.address);
  const Field weight = map.optional("weight");
  weight.integer(0, kMaxWeight, backend.weight);
  map.optional("state").word<AdminState>(kStates, backend.state);
  const Field server_ids = map.optional("server_ids");
  read_server_ids(server_ids, backend);
  const Field max_connections = map.optional("max_connections");
  max_connections.integer(1, kMaxConnections, backend.max_connections);
  FieldMarks health;
  backend.health = read_own_probe(map.optional("health"), pool.health, health, own_probes);
  map.finish();
  pool.backends.push_back(std::move(backend));
  marks.backends.push_back({node.mark, name.mark(), address.mark(), weight.mark(), server_ids.mark(),
                            max_connections.mark(), std::move(health)});
}

void read_pool(const Node::Key& key, const Node& node, ServiceConfig& config, ServiceConfigMarks& marks,
               OwnProbes& own_probes, Problems& problems) {
  PoolConfig pool;
  PoolMarks pool_marks;
  pool.name = key.text;
  pool_marks.name = key.mark;
  MapReader map(node, is_name(key.text) ? "pool " + key.text : "pool " + yaml::quote(key.text), problems);
  pool_marks.fields.start(node.mark);
  read_pool_fields(map, pool, pool_marks.fields);
  const Field table_size = map.optional("table_size");
  table_size.integer(kMinTableSize, kMaxPoolTableSize, pool.table_size);
  pool_marks.table_size = table_size.mark();
  read_probe(map.optional("health"), pool.health, pool_marks.health);
  const Field source = map.optional("source");
  read_source(source, pool.source, pool_marks.source);
  for (const Node& backend :
       (source.present() ? map.optional("backends") : map.required("backends")).list()) {
    read_backend(backend, map.context(), pool, pool_marks, own_probes, problems);
  }
  map.finish();
  config.pools.push_back(std::move(pool));
  marks.pools.push_back(std::move(pool_marks));
}

void read_timeouts(const Field& field, FlowTimeouts& timeouts) {
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  map.optional("opening").duration(kMinIdleTimeout, kMaxIdleTimeout, timeouts.opening);
  map.optional("established").duration(kMinIdleTimeout, kMaxIdleTimeout, timeouts.established);
  map.optional("closing").duration(kMinIdleTimeout, kMaxIdleTimeout, timeouts.closing);
  map.optional("udp").duration(kMinIdleTimeout, kMaxIdleTimeout, timeouts.udp);
  map.finish();
}

void read_prefixes(const Field& field, std::vector<IpPrefix>& prefixes) {
  for (const Node& node : field.list()) {
    const Field item(&node, node.mark, field.context(), field.problems());
    IpPrefix prefix;
    if (read_prefix(item, prefix)) {
      prefixes.push_back(prefix);
    }
  }
}

// One that is not whole is left out, so that nothing else is said of it.
void read_quic(const Field& field, std::vector<QuicLbConfig>& configs) {
  size_t number = 0;
  for (const Node& node : field.list()) {
    QuicLbConfig config;
    MapReader map(node, fmt::format("{}: configuration {}", field.context(), ++number), field.problems());
    const bool has_id = map.required("id").integer(0, kLastQuicLbId, config.id);
    const bool has_length =
        map.required("server_id_length").integer(1, kLongestServerId, config.server_id_length);
    const bool has_nonce = map.required("nonce_length").integer(kLeastQuicNonce, 18, config.nonce_length);
    map.finish();
    if (has_id && has_length && has_nonce) {
      configs.push_back(config);
    }
  }
}

void read_options(MapReader& map, ServiceOptions& options, ServiceMarks& marks) {
  const auto take = [&map](std::string_view key, Mark& mark) {
    const Field field = map.optional(key);
    mark = field.mark();
    return field;
  };
  take("gue_port", marks.gue_port).integer(1, kMaxPort, options.gue_port);
  take("udp_checksum", marks.udp_checksum).boolean(options.udp_checksum);
  uint32_t key = 0;
  if (take("gre_key", marks.gre_key).integer(0, UINT32_MAX, key)) {
    options.gre_key = key;
  }
  take("backend_port", marks.backend_port).integer(1, kMaxPort, options.backend_port);
  take("proxy_protocol", marks.proxy_protocol).word<bool>(kProxyProtocol, options.proxy_protocol);
  take("mss", marks.mss).integer(kMinMss, 65495, options.mss);
  take("ping", marks.ping).word<bool>(kPing, options.forward_ping);
  take("oversize", marks.oversize).word<Oversize>(kOversize, options.oversize);
  read_prefixes(take("source_allow", marks.source_allow), options.source_allow);
  read_prefixes(take("source_deny", marks.source_deny), options.source_deny);
  read_quic(take("quic", marks.quic), options.quic);
}

void read_service(const Node& node, const FlowTimeouts& timeouts, ServiceConfig& config,
                  ServiceConfigMarks& marks, Problems& problems) {
  ServiceEntry service;
  service.timeouts = timeouts;
  MapReader map(node, fmt::format("service {}", config.services.size() + 1), problems);
  const Field name = map.required("name");
  if (read_name(name, service.name)) {
    map.set_context("service " + service.name);
  }
  const Field address = map.required("address");
  const Field protocol = map.required("protocol");
  const Field port = map.required("port");
  const Field pool = map.required("pool");
  const Field forward = map.optional("forward");
  const Field flow = map.optional("flow");
  const Field on_failure = map.optional("on_failure");
  const Field own_timeouts = map.optional("timeouts");
  ServiceMarks service_marks;
  read_options(map, service.options, service_marks);
  map.finish();

  read_prefix(address, service.address);
  protocol.word<Protocol>(kProtocols, service.protocol);
  service.port = PortRange(0);  // no port, until one is read
  read_port_range(port, service.port);
  pool.string(service.pool);
  forward.word<ForwardMode>(kForwardModes, service.forward, kLaterForwardModes);
  flow.boolean(service.flow);
  on_failure.word<OnFailure>(kOnFailure, service.on_failure);
  read_timeouts(own_timeouts, service.timeouts);
  config.services.push_back(std::move(service));
  service_marks.self = node.mark;
  service_marks.name = name.mark();
  service_marks.address = address.mark();
  service_marks.protocol = protocol.mark();
  service_marks.port = port.mark();
  service_marks.pool = pool.mark();
  service_marks.forward = forward.mark();
  service_marks.flow = flow.mark();
  service_marks.on_failure = on_failure.mark();
  service_marks.timeouts = own_timeouts.mark();
  marks.services.push_back(service_marks);
}

void read_config(const Node& root, ServiceConfig& config, ServiceConfigMarks& marks, Problems& problems) {
  MapReader map(root, "", problems);
  int version = 0;
  map.required("version").word<int>(kVersions, version);
  map.optional("seed").integer(0, UINT64_MAX, config.seed);
  map.optional("network_failure").word<NetworkFailure>(kNetworkFailures, config.network_failure);
  FlowTimeouts timeouts;
  read_timeouts(map.optional("timeouts"), timeouts);
  const Field pools = map.optional("pools");
  const Field services = map.optional("services");
  map.finish();
  if (pools.present() && !pools.node().is_map()) {
    pools.problem(fmt::format("expected a map of pools by name, not {}", yaml::describe(pools.node())));
  } else if (pools.present()) {
    OwnProbes own_probes;
    for (size_t i = 0; i < pools.node().keys.size(); ++i) {
      read_pool(pools.node().keys[i], pools.node().items[i], config, marks, own_probes, problems);
    }
  }
  for (const Node& node : services.list()) {
    read_service(node, timeouts, config, marks, problems);
  }
}

}  // namespace

yaml::Checked<ServiceConfig> parse_service_config(std::string_view text, const std::string& file) {
  auto root = yaml::parse_document(text, file);
  if (!root) {
    return tl::unexpected(std::move(root).error());
  }
  ServiceConfig config;
  ServiceConfigMarks marks;
  Problems problems(file);
  read_config(*root, config, marks, problems);
  validate(config, marks, problems);
  if (!problems.empty()) {
    problems.sort();
    return tl::unexpected(std::move(problems));
  }
  return config;
}

yaml::Checked<ServiceConfig> load_service_config(const std::string& path) {
  auto text = yaml::read_file(path);
  if (!text) {
    return tl::unexpected(std::move(text).error());
  }
  return parse_service_config(*text, path);
}

}  // namespace maglb
