#include "controlplane/desired/edit.h"

#include <fmt/format.h>

#include <algorithm>

namespace maglb {
namespace {

auto named(std::string_view name) {
  return [name](const auto& one) { return one.name == name; };
}

tl::unexpected<Error> no_pool(std::string_view pool) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no pool {}", pool));
}

tl::unexpected<Error> no_backend(std::string_view pool, std::string_view backend) {
  return fail(ErrorKind::kNotFound, fmt::format("pool {} has no backend {}", pool, backend));
}

}  // namespace

PoolConfig* find_pool(ServiceConfig& config, std::string_view pool) {
  const auto found = std::find_if(config.pools.begin(), config.pools.end(), named(pool));
  return found == config.pools.end() ? nullptr : &*found;
}

const PoolConfig* find_pool(const ServiceConfig& config, std::string_view pool) {
  const auto found = std::find_if(config.pools.begin(), config.pools.end(), named(pool));
  return found == config.pools.end() ? nullptr : &*found;
}

const BackendConfig* find_backend(const PoolConfig& pool, std::string_view backend) {
  const auto found = std::find_if(pool.backends.begin(), pool.backends.end(), named(backend));
  return found == pool.backends.end() ? nullptr : &*found;
}

Result<ServiceConfig> with_backend_added(ServiceConfig config, std::string_view pool, BackendConfig backend) {
  PoolConfig* into = find_pool(config, pool);
  if (into == nullptr) {
    return no_pool(pool);
  }
  if (find_backend(*into, backend.name) != nullptr) {
    return fail(ErrorKind::kConflict, fmt::format("pool {} has a backend {} already", pool, backend.name));
  }
  into->backends.push_back(std::move(backend));
  return config;
}

Result<ServiceConfig> with_backend_removed(ServiceConfig config, std::string_view pool,
                                           std::string_view backend) {
  PoolConfig* from = find_pool(config, pool);
  if (from == nullptr) {
    return no_pool(pool);
  }
  if (std::erase_if(from->backends, named(backend)) == 0) {
    return no_backend(pool, backend);
  }
  return config;
}

bool is_found(const ServiceConfig& running, const ServiceConfig& document, std::string_view pool,
              std::string_view backend) {
  const PoolConfig* runs = find_pool(running, pool);
  const PoolConfig* lists = find_pool(document, pool);
  return runs != nullptr && lists != nullptr && find_backend(*runs, backend) != nullptr &&
         find_backend(*lists, backend) == nullptr;
}

ServiceConfig with_backend_listed(ServiceConfig document, const ServiceConfig& running, std::string_view pool,
                                  std::string_view backend) {
  find_pool(document, pool)->backends.push_back(*find_backend(*find_pool(running, pool), backend));
  return document;
}

std::string describe_patch(const ServiceConfig& config, std::string_view pool, std::string_view backend,
                           const BackendPatch& patch) {
  constexpr std::string_view kStates[] = {"up", "drain", "down"};
  const auto word = [&](AdminState state) { return kStates[static_cast<size_t>(state)]; };
  const PoolConfig* in = find_pool(config, pool);
  const BackendConfig* before = in == nullptr ? nullptr : find_backend(*in, backend);
  std::string text = fmt::format("backend {} of pool {}:", backend, pool);
  if (before != nullptr && patch.weight) {
    text += fmt::format(" weight {} -> {}", before->weight, *patch.weight);
  }
  if (before != nullptr && patch.state) {
    text +=
        fmt::format("{} state {} -> {}", patch.weight ? "," : "", word(before->state), word(*patch.state));
  }
  return text;
}

Result<ServiceConfig> with_backend_patched(ServiceConfig config, std::string_view pool,
                                           std::string_view backend, const BackendPatch& patch) {
  PoolConfig* in = find_pool(config, pool);
  if (in == nullptr) {
    return no_pool(pool);
  }
  const auto found = std::find_if(in->backends.begin(), in->backends.end(), named(backend));
  if (found == in->backends.end()) {
    return no_backend(pool, backend);
  }
  found->weight = patch.weight.value_or(found->weight);
  found->state = patch.state.value_or(found->state);
  return config;
}

}  // namespace maglb
