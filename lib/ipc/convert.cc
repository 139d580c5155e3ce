#include "lib/ipc/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "lib/base/name.h"
#include "lib/snapshot/view/validate.h"

namespace maglb {
namespace {

static_assert(static_cast<int>(ipc::Backend::DOWN) == static_cast<int>(BackendState::kDown));
static_assert(static_cast<int>(ipc::Pool::RANDOM) == static_cast<int>(kLastScheduler));
static_assert(static_cast<int>(ipc::Service::NAT) == static_cast<int>(kLastForwardMode));

std::string bytes_of(const IpAddress& address) {
  return {address.bytes.begin(), address.bytes.end()};
}

uint64_t milliseconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Result<IpAddress> address_of(std::string_view bytes) {
  IpAddress address;
  if (bytes.size() != address.bytes.size()) {
    return fail(ErrorKind::kInvalid, fmt::format("an address of {} bytes is not one of 16", bytes.size()));
  }
  std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  return address;
}

Result<IpPrefix> prefix_of(std::string_view bytes, uint32_t length) {
  const auto address = address_of(bytes);
  if (!address) {
    return tl::unexpected(address.error());
  }
  if (length > IpPrefix::kBits) {
    return fail(ErrorKind::kInvalid, fmt::format("a prefix of {} bits is longer than an address", length));
  }
  return IpPrefix(*address, static_cast<uint8_t>(length));
}

Result<uint16_t> port_of(uint32_t number) {
  if (number > 65535) {
    return fail(ErrorKind::kInvalid, fmt::format("port {} is not in 0..65535", number));
  }
  return static_cast<uint16_t>(number);
}

Result<BackendSpec> backend_of(const ipc::Backend& message) {
  const auto address = address_of(message.address());
  if (!address) {
    return tl::unexpected(address.error());
  }
  if (message.weight() > kMaxBackendWeight) {
    return fail(ErrorKind::kInvalid,
                fmt::format("weight {} is not in 0..{}", message.weight(), kMaxBackendWeight));
  }
  if (!ipc::Backend::State_IsValid(message.state())) {
    return fail(ErrorKind::kInvalid, fmt::format("{} is no state", static_cast<int>(message.state())));
  }
  return BackendSpec{message.name(),
                     *address,
                     message.weight(),
                     static_cast<BackendState>(message.state()),
                     {message.server_ids().begin(), message.server_ids().end()},
                     message.max_connections()};
}

Result<std::vector<uint16_t>> slots_of(std::string_view bytes) {
  if (bytes.size() % 2 != 0 || bytes.size() / 2 > kMaxTableSize) {
    return fail(ErrorKind::kInvalid, fmt::format("{} bytes are no table of slots", bytes.size()));
  }
  std::vector<uint16_t> slots(bytes.size() / 2);
  if (!bytes.empty()) {
    std::memcpy(slots.data(), bytes.data(), bytes.size());
  }
  return slots;
}

Result<void> take_scheduler(const ipc::Pool& message, PoolSpec& pool) {
  if (!ipc::Pool::Scheduler_IsValid(message.scheduler())) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} is no scheduler", static_cast<int>(message.scheduler())));
  }
  const uint32_t v4 = message.has_source_prefix_v4() ? message.source_prefix_v4() : pool.source_prefix_v4;
  const uint32_t v6 = message.has_source_prefix_v6() ? message.source_prefix_v6() : pool.source_prefix_v6;
  if (v4 > 32 || v6 > 128) {
    return fail(ErrorKind::kInvalid, fmt::format("source prefixes of {} and {} bits", v4, v6));
  }
  pool.scheduler = static_cast<Scheduler>(message.scheduler());
  pool.source_prefix_v4 = static_cast<uint8_t>(v4);
  pool.source_prefix_v6 = static_cast<uint8_t>(v6);
  return {};
}

Result<std::shared_ptr<const PoolSpec>> pool_of(const ipc::Pool& message) {
  auto pool = std::make_shared<PoolSpec>();
  pool->name = message.name();
  pool->seed = message.seed();
  if (message.backends_size() > static_cast<int>(kMaxBackendsPerPool)) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} backends are more than {}", message.backends_size(), kMaxBackendsPerPool));
  }
  for (int i = 0; i < message.backends_size(); ++i) {
    auto backend = backend_of(message.backends(i));
    if (!backend) {
      return tl::unexpected(std::move(backend.error()).within(fmt::format("backend {}", i)));
    }
    pool->backends.push_back(std::move(*backend));
  }
  auto slots = slots_of(message.slots());
  if (!slots) {
    return tl::unexpected(std::move(slots.error()));
  }
  pool->slots = std::move(*slots);
  pool->passive = message.passive();
  if (auto taken = take_scheduler(message, *pool); !taken) {
    return tl::unexpected(std::move(taken.error()));
  }
  if (auto valid = validate(*pool); !valid) {
    return tl::unexpected(std::move(valid.error()));
  }
  return pool;
}

// Capped above what validate() takes, so that no value overflows on its way there.
Duration timeout_of(uint64_t ms) {
  return std::chrono::milliseconds(std::min(ms, milliseconds(kLongestTimeout) + 1));
}

Result<std::vector<IpPrefix>> prefixes_of(const google::protobuf::RepeatedPtrField<ipc::Prefix>& messages) {
  if (messages.size() > static_cast<int>(kMaxSourcePrefixes)) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} prefixes are more than {}", messages.size(), kMaxSourcePrefixes));
  }
  std::vector<IpPrefix> prefixes;
  for (const ipc::Prefix& message : messages) {
    const auto prefix = prefix_of(message.address(), message.length());
    if (!prefix) {
      return tl::unexpected(prefix.error());
    }
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

// A number that has to fit; whether it may be is validate()'s to say.
template <typename Integer>
bool take(uint32_t number, Integer& out) {
  out = static_cast<Integer>(number);
  return number <= std::numeric_limits<Integer>::max();
}

Result<ServiceOptions> options_of(const ipc::Service& message) {
  ServiceOptions options;
  bool fits = take(message.gue_port() == 0 ? kDefaultGuePort : message.gue_port(), options.gue_port) &&
              take(message.backend_port(), options.backend_port) && take(message.mss(), options.mss) &&
              message.quic_size() <= kLastQuicLbId + 1;
  for (int i = 0; fits && i < message.quic_size(); ++i) {
    QuicLbConfig& config = options.quic.emplace_back();
    fits = take(message.quic(i).id(), config.id) &&
           take(message.quic(i).server_id_length(), config.server_id_length) &&
           take(message.quic(i).nonce_length(), config.nonce_length);
  }
  if (!fits || !ipc::Service::Oversize_IsValid(message.oversize())) {
    return fail(ErrorKind::kInvalid, "a number of its options is too large");
  }
  options.udp_checksum = message.udp_checksum();
  if (message.has_gre_key()) {
    options.gre_key = message.gre_key();
  }
  options.proxy_protocol = message.proxy_protocol();
  options.forward_ping = message.forward_ping();
  options.oversize = static_cast<Oversize>(message.oversize());
  auto allow = prefixes_of(message.source_allow());
  auto deny = prefixes_of(message.source_deny());
  if (!allow || !deny) {
    return tl::unexpected(!allow ? allow.error() : deny.error());
  }
  options.source_allow = std::move(*allow);
  options.source_deny = std::move(*deny);
  return options;
}

Result<ServiceSpec> service_of(const ipc::Service& message) {
  ServiceSpec service;
  service.name = message.name();
  service.pool = message.pool();
  if (!is_name(message.pool())) {
    return fail(ErrorKind::kInvalid, "the name of its pool is none");
  }
  const auto address =
      prefix_of(message.address(), message.has_address_length() ? message.address_length() : IpPrefix::kBits);
  if (!address) {
    return tl::unexpected(address.error());
  }
  service.address = *address;
  const auto first = port_of(message.port());
  const auto last = port_of(message.has_last_port() ? message.last_port() : message.port());
  if (!first || !last) {
    return tl::unexpected(!first ? first.error() : last.error());
  }
  service.port.first = *first;
  service.port.last = *last;
  if (message.protocol() > 255) {
    return fail(ErrorKind::kInvalid, fmt::format("protocol {} is not in 0..255", message.protocol()));
  }
  service.protocol = static_cast<Protocol>(message.protocol());
  if (!ipc::Service::Forward_IsValid(message.forward())) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} is no way to forward", static_cast<int>(message.forward())));
  }
  service.forward = static_cast<ForwardMode>(message.forward());
  auto options = options_of(message);
  if (!options) {
    return tl::unexpected(std::move(options.error()));
  }
  service.options = std::move(*options);
  service.keep_on_failure = message.keep_on_failure();
  service.track_flows = message.track_flows();
  service.opening_timeout = timeout_of(message.opening_timeout_ms());
  service.established_timeout = timeout_of(message.established_timeout_ms());
  service.closing_timeout = timeout_of(message.closing_timeout_ms());
  service.udp_timeout = timeout_of(message.udp_timeout_ms());
  if (auto valid = validate(service); !valid) {
    return tl::unexpected(std::move(valid.error()));
  }
  return service;
}

Result<std::vector<ServiceSpec>> services_of(const ipc::Services& message) {
  if (message.services_size() > kMaxServices) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} services are more than {}", message.services_size(), kMaxServices));
  }
  std::vector<ServiceSpec> services;
  std::unordered_set<std::string_view> names;
  std::set<std::tuple<IpPrefix, Protocol, PortRange>> keys;
  for (int i = 0; i < message.services_size(); ++i) {
    const std::string& name = message.services(i).name();
    auto service = service_of(message.services(i));
    if (!service) {
      return tl::unexpected(std::move(service.error()).within(fmt::format("service {}", i)));
    }
    if (!names.insert(name).second ||
        !keys.emplace(service->address, service->protocol, service->port).second) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("service {}: its name or its address, protocol and port occur twice", name));
    }
    services.push_back(std::move(*service));
  }
  return services;
}

// Fills the pools, and the names of those removed.
Result<void> pools_of(const ipc::Apply& message, Change& change) {
  if (message.pools_size() > kMaxPools || message.removed_pools_size() > kMaxPools) {
    return fail(ErrorKind::kInvalid, fmt::format("more than {} pools", kMaxPools));
  }
  std::unordered_set<std::string_view> names;
  const auto take_name = [&names](const std::string& name) -> Result<void> {
    if (!is_name(name)) {
      return fail(ErrorKind::kInvalid, fmt::format("a pool's name is not {}", kNameRule));
    }
    if (!names.insert(name).second) {
      return fail(ErrorKind::kInvalid, fmt::format("pool {} occurs twice", name));
    }
    return {};
  };
  for (const ipc::Pool& pool_message : message.pools()) {
    if (auto good = take_name(pool_message.name()); !good) {
      return good;
    }
    auto pool = pool_of(pool_message);
    if (!pool) {
      return tl::unexpected(std::move(pool.error()));
    }
    change.pools.push_back(std::move(*pool));
  }
  for (const std::string& name : message.removed_pools()) {
    if (auto good = take_name(name); !good) {
      return good;
    }
    change.removed_pools.push_back(name);
  }
  return {};
}

void to_message(const PoolSpec& pool, ipc::Pool& message) {
  message.set_name(pool.name);
  message.set_seed(pool.seed);
  message.set_scheduler(static_cast<ipc::Pool::Scheduler>(pool.scheduler));
  message.set_source_prefix_v4(pool.source_prefix_v4);
  message.set_source_prefix_v6(pool.source_prefix_v6);
  message.set_passive(pool.passive);
  for (const BackendSpec& backend : pool.backends) {
    ipc::Backend& one = *message.add_backends();
    one.set_name(backend.name);
    one.set_address(bytes_of(backend.address));
    one.set_weight(backend.weight);
    one.set_state(static_cast<ipc::Backend::State>(backend.state));
    one.set_max_connections(backend.max_connections);
    for (const std::string& id : backend.server_ids) {
      one.add_server_ids(id);
    }
  }
  // Host order is little-endian (byte_order.h), the order of the message.
  message.set_slots(pool.slots.data(), pool.slots.size() * sizeof(uint16_t));
}

void to_message(const std::vector<IpPrefix>& prefixes,
                google::protobuf::RepeatedPtrField<ipc::Prefix>& list) {
  for (const IpPrefix& prefix : prefixes) {
    ipc::Prefix& message = *list.Add();
    message.set_address(bytes_of(prefix.address));
    message.set_length(prefix.length);
  }
}

void to_message(const ServiceOptions& options, ipc::Service& message) {
  message.set_gue_port(options.gue_port);
  message.set_udp_checksum(options.udp_checksum);
  if (options.gre_key) {
    message.set_gre_key(*options.gre_key);
  }
  message.set_backend_port(options.backend_port);
  message.set_proxy_protocol(options.proxy_protocol);
  message.set_mss(options.mss);
  message.set_forward_ping(options.forward_ping);
  message.set_oversize(static_cast<ipc::Service::Oversize>(options.oversize));
  to_message(options.source_allow, *message.mutable_source_allow());
  to_message(options.source_deny, *message.mutable_source_deny());
  for (const QuicLbConfig& config : options.quic) {
    ipc::QuicLbConfig& one = *message.add_quic();
    one.set_id(config.id);
    one.set_server_id_length(config.server_id_length);
    one.set_nonce_length(config.nonce_length);
  }
}

void to_message(const ServiceSpec& service, ipc::Service& message) {
  message.set_name(service.name);
  message.set_address(bytes_of(service.address.address));
  message.set_address_length(service.address.length);
  message.set_protocol(static_cast<uint32_t>(service.protocol));
  message.set_port(service.port.first);
  message.set_last_port(service.port.last);
  to_message(service.options, message);
  message.set_pool(service.pool);
  message.set_forward(static_cast<ipc::Service::Forward>(service.forward));
  message.set_keep_on_failure(service.keep_on_failure);
  message.set_track_flows(service.track_flows);
  message.set_opening_timeout_ms(milliseconds(service.opening_timeout));
  message.set_established_timeout_ms(milliseconds(service.established_timeout));
  message.set_closing_timeout_ms(milliseconds(service.closing_timeout));
  message.set_udp_timeout_ms(milliseconds(service.udp_timeout));
}

}  // namespace

void to_message(const Change& change, ipc::Apply& message) {
  message.set_generation(change.generation);
  message.set_base_generation(change.base_generation);
  for (const auto& pool : change.pools) {
    to_message(*pool, *message.add_pools());
  }
  for (const std::string& name : change.removed_pools) {
    message.add_removed_pools(name);
  }
  if (change.services) {
    ipc::Services& services = *message.mutable_services();
    for (const ServiceSpec& service : *change.services) {
      to_message(service, *services.add_services());
    }
  }
}

void to_message(const FlowQuery& query, ipc::FlowLookup& message) {
  message.set_protocol(static_cast<uint32_t>(query.protocol));
  message.set_source(bytes_of(query.source));
  message.set_destination(bytes_of(query.destination));
  message.set_source_port(query.source_port);
  message.set_destination_port(query.destination_port);
}

Result<Change> from_message(const ipc::Apply& message) {
  Change change;
  change.generation = message.generation();
  change.base_generation = message.base_generation();
  if (change.generation == 0 || change.generation == change.base_generation) {
    return fail(ErrorKind::kInvalid, fmt::format("generation {} cannot follow generation {}",
                                                 change.generation, change.base_generation));
  }
  if (change.base_generation == 0 && message.removed_pools_size() != 0) {
    return fail(ErrorKind::kInvalid, "a whole state removes no pool");
  }
  if (auto good = pools_of(message, change); !good) {
    return tl::unexpected(std::move(good.error()));
  }
  if (message.has_services()) {
    auto services = services_of(message.services());
    if (!services) {
      return tl::unexpected(std::move(services.error()));
    }
    change.services = std::move(*services);
  }
  return change;
}

Result<FlowQuery> from_message(const ipc::FlowLookup& message) {
  if (message.protocol() != 6 && message.protocol() != 17) {
    return fail(ErrorKind::kInvalid, fmt::format("protocol {} is not 6 or 17", message.protocol()));
  }
  const auto source = address_of(message.source());
  const auto destination = address_of(message.destination());
  const auto source_port = port_of(message.source_port());
  const auto destination_port = port_of(message.destination_port());
  if (!source || !destination) {
    return tl::unexpected(!source ? source.error() : destination.error());
  }
  if (source->is_v4() != destination->is_v4()) {
    return fail(ErrorKind::kInvalid, "the addresses are of two families");
  }
  if (!source_port || !destination_port) {
    return tl::unexpected(!source_port ? source_port.error() : destination_port.error());
  }
  return FlowQuery{static_cast<Protocol>(message.protocol()), *source, *destination, *source_port,
                   *destination_port};
}

void to_message(const ExplainQuery& query, ipc::Explain& message) {
  to_message(query.flow, *message.mutable_flow());
  message.set_tcp_flags(query.tcp_flags);
  message.set_bytes(query.bytes);
  message.set_may_fragment(query.may_fragment);
}

Result<ExplainQuery> from_message(const ipc::Explain& message) {
  const auto flow = from_message(message.flow());
  if (!flow) {
    return tl::unexpected(flow.error());
  }
  if (message.tcp_flags() > 63 || message.bytes() > UINT16_MAX) {
    return fail(ErrorKind::kInvalid,
                fmt::format("flags {} or length {} cannot be", message.tcp_flags(), message.bytes()));
  }
  return ExplainQuery{*flow, static_cast<uint8_t>(message.tcp_flags()),
                      static_cast<uint16_t>(message.bytes()), message.may_fragment()};
}

}  // namespace maglb
