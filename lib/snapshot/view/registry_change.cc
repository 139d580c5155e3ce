#include "lib/snapshot/view/registry_change.h"

#include <fmt/format.h>

#include <set>

#include "lib/snapshot/view/validate.h"

namespace maglb {
namespace {

// The record of a pool that is no more: its places wait for their flows to go.
PoolRecord removed_record(const PoolRecord& before) {
  PoolRecord record = before;
  record.removed = true;
  if (record.keep_on_failure) {
    wait_anew(record);
  }
  record.views.clear();
  for (PlaceRecord& place : record.places) {
    if (place.life == PlaceRecord::Life::kLive) {
      place.life = PlaceRecord::Life::kRemoved;
      place.removed_in_round = PlaceRecord::kNotSeen;
    }
  }
  settle(record);
  return record;
}

std::vector<uint32_t> counters_of_gone(const Change& change, const Services& before) {
  std::set<ServiceRecord::Identity> after;
  for (const ServiceSpec& spec : change.services.value_or(std::vector<ServiceSpec>{})) {
    after.insert(ServiceRecord::identity_of(spec));
  }
  std::vector<uint32_t> counters;
  for (const auto& [identity, service] : before) {
    if (!after.contains(identity)) {
      counters.push_back(service.counter);
    }
  }
  return counters;
}

}  // namespace

Result<void> validate_change(const Change& change) {
  if (change.generation == 0) {
    return fail(ErrorKind::kInvalid, "generation 0 stands for none");
  }
  std::set<std::string_view> names;
  for (const auto& pool : change.pools) {
    if (pool == nullptr || !names.insert(pool->name).second) {
      return fail(ErrorKind::kInvalid, "a pool is there twice, or empty");
    }
    if (auto valid = validate(*pool); !valid) {
      return valid;
    }
  }
  for (const std::string& name : change.removed_pools) {
    if (!names.insert(name).second) {
      return fail(ErrorKind::kInvalid, "pool " + name + " is both given and removed");
    }
  }
  std::set<std::string_view> service_names;
  std::set<std::tuple<IpPrefix, Protocol, PortRange>> targets;
  for (const ServiceSpec& service : change.services.value_or(std::vector<ServiceSpec>{})) {
    if (auto valid = validate(service); !valid) {
      return valid;
    }
    if (!service_names.insert(service.name).second ||
        !targets.insert({service.address, service.protocol, service.port}).second) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("service {}: its name or its address, protocol and port are "
                              "another service's too",
                              service.name));
    }
  }
  return {};
}

Result<Records> pools_after(const Change& change, const Records& before, Transaction& transaction) {
  Records pools = before;
  std::set<std::string_view> given;
  for (const auto& spec : change.pools) {
    given.insert(spec->name);
    const auto old = pools.find(spec->name);
    if (old != pools.end() && !old->second->removed && *old->second->spec == *spec) {
      continue;
    }
    auto record = transaction.record_after(old == pools.end() ? nullptr : old->second.get(), spec);
    if (!record) {
      return tl::unexpected(record.error());
    }
    pools.insert_or_assign(spec->name, std::make_shared<const PoolRecord>(std::move(*record)));
  }
  const std::set<std::string_view> removed(change.removed_pools.begin(), change.removed_pools.end());
  const bool whole = change.base_generation == 0;
  for (auto& [name, record] : pools) {
    if (!record->removed && (removed.contains(name) || (whole && !given.contains(name)))) {
      record = std::make_shared<const PoolRecord>(removed_record(*record));
    }
  }
  return pools;
}

Result<std::shared_ptr<const Services>> services_after(const Change& change,
                                                       const std::shared_ptr<const Services>& before,
                                                       uint32_t& next_id, Transaction& transaction) {
  if (!change.gives_services()) {
    return before;
  }
  Services services;
  transaction.gone_service_counters = counters_of_gone(change, *before);
  for (const ServiceSpec& spec : change.services.value_or(std::vector<ServiceSpec>{})) {
    const auto identity = ServiceRecord::identity_of(spec);
    const auto old = before->find(identity);
    ServiceRecord record = old == before->end() ? ServiceRecord{} : old->second;
    record.spec = spec;
    if (record.id == 0) {
      const auto counter = transaction.take_service_counter();
      if (!counter) {
        return tl::unexpected(counter.error());
      }
      record.id = next_id++;
      record.counter = *counter;
    }
    services.emplace(identity, std::move(record));
  }
  return std::make_shared<const Services>(std::move(services));
}

Result<void> validate_references(const Services& services, const Records& pools) {
  for (const auto& [identity, service] : services) {
    const auto pool = pools.find(service.spec.pool);
    if (pool == pools.end() || pool->second->removed) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("service {}: there is no pool {}", service.spec.name, service.spec.pool));
    }
  }
  return {};
}

}  // namespace maglb
