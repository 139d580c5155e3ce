#include "lib/config/service/probe_keys.h"

#include <fmt/format.h>

#include <vector>

#include "lib/base/check.h"
#include "lib/config/service/write.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

template <auto Member>
constexpr ProbeKey key_of(std::string_view key, ProbeTypes types) {
  return {key, types, [](const ProbeConfig& a, const ProbeConfig& b) { return a.*Member != b.*Member; },
          [](const ProbeConfig& from, ProbeConfig& to) { to.*Member = from.*Member; }};
}

constexpr ProbeTypes kUdpProbe = types_of(ProbeType::kUdp);

constexpr ProbeKey kKeys[] = {
    key_of<&ProbeConfig::via>("via", kProbesWithPort),
    key_of<&ProbeConfig::port>("port", kProbesWithPort),
    key_of<&ProbeConfig::path>("path", kHttpProbes),
    key_of<&ProbeConfig::host>("host", kHttpProbes | types_of(ProbeType::kGrpc)),
    key_of<&ProbeConfig::method>("method", kHttpProbes),
    key_of<&ProbeConfig::status>("status", kHttpProbes),
    key_of<&ProbeConfig::body>("body", kHttpProbes),
    key_of<&ProbeConfig::http_version>("http_version", types_of(ProbeType::kHttps)),
    key_of<&ProbeConfig::tls>("tls", types_of(ProbeType::kHttps, ProbeType::kGrpc)),
    key_of<&ProbeConfig::grpc_service>("grpc_service", types_of(ProbeType::kGrpc)),
    key_of<&ProbeConfig::dns>("dns", types_of(ProbeType::kDns)),
    key_of<&ProbeConfig::send>("send", kUdpProbe),
    key_of<&ProbeConfig::expect>("expect", kUdpProbe),
    key_of<&ProbeConfig::command>("command", types_of(ProbeType::kExec)),
    key_of<&ProbeConfig::interval>("interval", kEveryProbe),
    key_of<&ProbeConfig::fast_interval>("fast_interval", kEveryProbe),
    key_of<&ProbeConfig::timeout>("timeout", kEveryProbe),
    key_of<&ProbeConfig::cool_down>("cool_down", kEveryProbe),
    key_of<&ProbeConfig::rise>("rise", kEveryProbe),
    key_of<&ProbeConfig::fall>("fall", kEveryProbe),
};

}  // namespace

std::span<const ProbeKey> probe_keys() {
  return kKeys;
}

ProbeTypes types_with(std::string_view key) {
  for (const ProbeKey& known : kKeys) {
    if (known.key == key) {
      return known.types;
    }
  }
  check(key == "send_hex" || key == "expect_hex", "a key of a probe");
  return kUdpProbe;
}

ProbeConfig default_probe(ProbeType type) {
  ProbeConfig probe;
  probe.type = type;
  probe.tls.enabled = type == ProbeType::kHttps;
  return probe;
}

ProbeConfig inherit_probe(const ProbeConfig& base, ProbeType type) {
  ProbeConfig probe = default_probe(type);
  for (const ProbeKey& key : kKeys) {
    if (has_type(key.types, base.type) && has_type(key.types, type)) {
      key.copy(base, probe);
    }
  }
  if (type == ProbeType::kHttps) {
    probe.tls.enabled = true;
  }
  return probe;
}

std::string no_meaning(ProbeTypes types, ProbeType type) {
  if (type == ProbeType::kNone) {
    return "has no meaning with type none";
  }
  std::vector<std::string_view> names;
  for (unsigned i = 0; i <= static_cast<unsigned>(ProbeType::kExec); ++i) {
    if (has_type(types, static_cast<ProbeType>(i))) {
      names.push_back(to_string(static_cast<ProbeType>(i)));
    }
  }
  return fmt::format("has a meaning with type {} only", yaml::join_words(names));
}

}  // namespace maglb
