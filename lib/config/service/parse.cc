#include "lib/config/service/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lib/config/fields.h"
#include "lib/config/service/marks.h"
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

constexpr Word<Scheduler> kSchedulers[] = {{"maglev", Scheduler::kMaglev}};
constexpr std::string_view kLaterSchedulers[] = {"source-hash", "round-robin", "least-connections", "random"};
constexpr Word<AdminState> kStates[] = {
    {"up", AdminState::kUp}, {"drain", AdminState::kDrain}, {"down", AdminState::kDown}};
constexpr Word<ProbeType> kProbeTypes[] = {
    {"none", ProbeType::kNone}, {"tcp", ProbeType::kTcp}, {"http", ProbeType::kHttp}};
constexpr std::string_view kLaterProbeTypes[] = {"https", "http2", "h2", "grpc", "udp", "dns", "icmp"};
constexpr Word<ForwardMode> kForwardModes[] = {{"ipip", ForwardMode::kIpip}, {"l2", ForwardMode::kL2}};
constexpr std::string_view kLaterForwardModes[] = {"gue", "gre", "nat", "fou", "vxlan", "geneve"};
constexpr Word<OnFailure> kOnFailure[] = {{"reschedule", OnFailure::kReschedule}, {"keep", OnFailure::kKeep}};
constexpr Word<Protocol> kProtocols[] = {{"tcp", Protocol::kTcp}, {"udp", Protocol::kUdp}};
constexpr std::string_view kLaterProtocols[] = {"any"};

constexpr uint64_t kMaxPort = 65535;

// "200" or "200-399".
void read_status(const Field& field, ProbeConfig& probe) {
  if (!field.scalar("an HTTP status")) {
    return;
  }
  const std::string_view text = field.node().text;
  const size_t dash = text.find('-');
  const auto low = yaml::parse_integer(text.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : yaml::parse_integer(text.substr(dash + 1));
  if (!low || !high || *low < 100 || *high > 599 || *low > *high) {
    field.problem(
        fmt::format("expected an HTTP status or a range like 200-399, not {}", yaml::describe(field.node())));
    return;
  }
  probe.status_low = static_cast<uint16_t>(*low);
  probe.status_high = static_cast<uint16_t>(*high);
}

void read_probe(const Field& field, ProbeConfig& probe, ProbeMarks& marks) {
  marks.self = field.mark();
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  map.required("type").word<ProbeType>(kProbeTypes, probe.type, kLaterProbeTypes);
  const Field port = map.optional("port");
  const Field path = map.optional("path");
  const Field host = map.optional("host");
  const Field status = map.optional("status");
  const Field interval = map.optional("interval");
  const Field timeout = map.optional("timeout");
  const Field rise = map.optional("rise");
  const Field fall = map.optional("fall");
  map.finish();

  port.integer(1, kMaxPort, probe.port);
  path.string(probe.path);
  host.string(probe.host);
  read_status(status, probe);
  interval.duration(kMinProbeInterval, kMaxProbeInterval, probe.interval);
  if (!timeout.present()) {
    probe.timeout = std::min(probe.timeout, probe.interval);
  }
  timeout.duration(kMinProbeTimeout, kMaxProbeInterval, probe.timeout);
  rise.integer(1, kMaxProbeCount, probe.rise);
  fall.integer(1, kMaxProbeCount, probe.fall);
  marks = {field.mark(),    port.mark(),    path.mark(), host.mark(), status.mark(),
           interval.mark(), timeout.mark(), rise.mark(), fall.mark()};

  if (probe.type == ProbeType::kNone) {
    for (const Field* extra : {&port, &path, &host, &status, &interval, &timeout, &rise, &fall}) {
      if (extra->present()) {
        extra->problem("has no meaning with type none");
      }
    }
  } else if (probe.type == ProbeType::kTcp) {
    for (const Field* extra : {&path, &host, &status}) {
      if (extra->present()) {
        extra->problem("has a meaning with type http only");
      }
    }
  }
}

void read_backend(const Node& node, const std::string& context, PoolConfig& pool, PoolMarks& marks,
                  Problems& problems) {
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
  map.finish();
  pool.backends.push_back(std::move(backend));
  marks.backends.push_back({node.mark, name.mark(), address.mark(), weight.mark()});
}

void read_pool(const Node::Key& key, const Node& node, ServiceConfig& config, ServiceConfigMarks& marks,
               Problems& problems) {
  PoolConfig pool;
  PoolMarks pool_marks;
  pool.name = key.text;
  pool_marks.name = key.mark;
  MapReader map(node, is_name(key.text) ? "pool " + key.text : "pool " + yaml::quote(key.text), problems);
  map.optional("scheduler").word<Scheduler>(kSchedulers, pool.scheduler, kLaterSchedulers);
  const Field table_size = map.optional("table_size");
  table_size.integer(kMinTableSize, kMaxPoolTableSize, pool.table_size);
  pool_marks.table_size = table_size.mark();
  read_probe(map.optional("health"), pool.health, pool_marks.health);
  for (const Node& backend : map.required("backends").list()) {
    read_backend(backend, map.context(), pool, pool_marks, problems);
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

// One port; "any" and ranges are words of the format that this version has not got.
void read_port(const Field& field, uint16_t& port) {
  if (!field.present()) {
    return;
  }
  const std::string& text = field.node().text;
  const size_t dash = text.find('-');
  const bool is_range = dash != std::string::npos && yaml::parse_integer(text.substr(0, dash)) &&
                        yaml::parse_integer(text.substr(dash + 1));
  if (text == "any" || is_range) {
    field.problem(fmt::format("{} is not available in this version: expected one port in 1..65535",
                              is_range ? "a range of ports" : "any"));
    return;
  }
  field.integer(1, kMaxPort, port);
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
  map.finish();

  read_address(address, service.address);
  protocol.word<Protocol>(kProtocols, service.protocol, kLaterProtocols);
  read_port(port, service.port);
  pool.string(service.pool);
  forward.word<ForwardMode>(kForwardModes, service.forward, kLaterForwardModes);
  flow.boolean(service.flow);
  on_failure.word<OnFailure>(kOnFailure, service.on_failure);
  read_timeouts(own_timeouts, service.timeouts);
  config.services.push_back(std::move(service));
  marks.services.push_back({node.mark, name.mark(), address.mark(), protocol.mark(), port.mark(), pool.mark(),
                            on_failure.mark(), own_timeouts.mark()});
}

void read_version(const Field& field) {
  uint64_t version = 0;
  if (field.integer(0, UINT64_MAX, version) && version != 1) {
    field.problem(fmt::format("expected 1: this program does not know format {}", version));
  }
}

void read_config(const Node& root, ServiceConfig& config, ServiceConfigMarks& marks, Problems& problems) {
  MapReader map(root, "", problems);
  read_version(map.required("version"));
  map.optional("seed").integer(0, UINT64_MAX, config.seed);
  FlowTimeouts timeouts;
  read_timeouts(map.optional("timeouts"), timeouts);
  const Field pools = map.optional("pools");
  const Field services = map.optional("services");
  map.finish();
  if (pools.present() && !pools.node().is_map()) {
    pools.problem(fmt::format("expected a map of pools by name, not {}", yaml::describe(pools.node())));
  } else if (pools.present()) {
    for (size_t i = 0; i < pools.node().keys.size(); ++i) {
      read_pool(pools.node().keys[i], pools.node().items[i], config, marks, problems);
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
