#include "lib/bpf/probe_tunnel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "lib/base/check.h"
#include "lib/bpf/libbpf_options.h"
#include "lib/bpf/objects.h"

namespace maglb {
namespace {

constexpr std::array<std::string_view, MAGLB_PROBE_COUNTERS_COUNT> kCounterNames = {
    "sent", "no_path", "no_ip", "no_route", "not_neighbour", "error"};
static_assert(!kCounterNames.back().empty());
static_assert(MAGLB_PROBE_IPIP == static_cast<int>(ForwardMode::kIpip));
static_assert(MAGLB_PROBE_L2 == static_cast<int>(ForwardMode::kL2));
static_assert(MAGLB_PROBE_GUE == static_cast<int>(ForwardMode::kGue));
static_assert(MAGLB_PROBE_GRE == static_cast<int>(ForwardMode::kGre));

void put_address(__u32 (&out)[4], const IpAddress& address) {
  const size_t first = address.is_v4() ? 12 : 0;
  std::memcpy(out, address.bytes.data() + first, address.bytes.size() - first);
}

Result<void> attach(int ifindex, int program_fd) {
  const LibbpfLog log;
  bpf_tc_hook hook;
  init_options(hook);
  hook.ifindex = ifindex;
  hook.attach_point = BPF_TC_INGRESS;
  if (const int rc = bpf_tc_hook_create(&hook); rc < 0 && rc != -EEXIST) {
    return fail_errno("adding a clsact queueing discipline", -rc);
  }
  bpf_tc_opts options;
  init_options(options);
  options.prog_fd = program_fd;
  options.handle = 1;
  options.priority = 1;
  if (const int rc = bpf_tc_attach(&hook, &options); rc < 0) {
    return fail_errno("attaching a TC filter", -rc);
  }
  return {};
}

}  // namespace

ProbePath ProbePath::of(ForwardMode mode, const IpAddress& backend, const ServiceOptions& options) {
  ProbePath path{mode, backend, 0, false, std::nullopt};
  if (mode == ForwardMode::kGue) {
    path.gue_port = options.gue_port;
    path.udp_checksum = options.udp_checksum && !backend.is_v4();
  } else if (mode == ForwardMode::kGre) {
    path.gre_key = options.gre_key;
  }
  return path;
}

maglb_probe_path to_wire(const ProbePath& path, const IpAddress& source) {
  maglb_probe_path wire{};
  put_address(wire.source, source);
  put_address(wire.destination, path.backend);
  wire.gre_key = path.gre_key.value_or(0);
  wire.gue_port = path.gue_port;
  wire.mode = static_cast<__u8>(path.mode);
  wire.version = path.backend.is_v4() ? 4 : 6;
  wire.has_gre_key = path.gre_key.has_value() ? 1 : 0;
  wire.udp_checksum = path.udp_checksum ? 1 : 0;
  return wire;
}

ProbeTunnel::ProbeTunnel(ProbeSources sources, std::unique_ptr<ProbeLink> link, BpfObject object)
    : sources_(std::move(sources)), object_(std::move(object)), link_(std::move(link)) {}

Result<std::unique_ptr<ProbeTunnel>> ProbeTunnel::open(ProbeSources sources) {
  auto object = BpfObject::load(probe_object(), "maglb_probe");
  if (!object) {
    return tl::unexpected<Error>(std::move(object.error()));
  }
  auto link = ProbeLink::make();
  if (!link) {
    return tl::unexpected<Error>(std::move(link.error()));
  }
  if (auto attached = attach((*link)->inner_ifindex(), object->program_fd(MAGLB_PROBE_TC)); !attached) {
    return tl::unexpected<Error>(std::move(attached.error()).within((*link)->instance().inner_device()));
  }
  return std::unique_ptr<ProbeTunnel>(
      new ProbeTunnel(std::move(sources), std::move(*link), std::move(*object)));
}

Result<IpAddress> ProbeTunnel::source_towards(const IpAddress& destination) const {
  if (const auto& chosen = sources_.of(destination)) {
    return *chosen;
  }
  const auto route = link_->ask(destination, 0);
  if (!route) {
    return tl::unexpected<Error>(route.error());
  }
  if (!route->source || route->source->is_v4() != destination.is_v4()) {
    return fail(ErrorKind::kNotFound,
                fmt::format("this host has no address towards {}", destination.to_string()));
  }
  return *route->source;
}

Result<void> ProbeTunnel::put(uint32_t mark, const ProbePath& path) {
  check(path.mode != ForwardMode::kNat, "nat is no tunnel");
  const auto source = source_towards(path.backend);
  if (!source) {
    return tl::unexpected<Error>(source.error());
  }
  const maglb_probe_path wire = to_wire(path, *source);
  if (const int rc = bpf_map_update_elem(object_.map_fd(MAGLB_PROBE_PATHS), &mark, &wire, BPF_ANY); rc < 0) {
    return fail_errno("adding a probe's path", -rc);
  }
  return {};
}

void ProbeTunnel::remove(uint32_t mark) {
  (void)bpf_map_delete_elem(object_.map_fd(MAGLB_PROBE_PATHS), &mark);
}

Result<void> ProbeTunnel::verify(const IpAddress& service, uint32_t mark) {
  const auto gets_there = [&](const Result<ProbeRoute>& route) {
    return route && !route->is_local && route->ifindex == link_->entry_ifindex();
  };
  auto route = link_->ask(service, mark);
  if (gets_there(route)) {
    return {};
  }
  if (route && route->is_local) {
    return fail(
        ErrorKind::kConflict,
        fmt::format("{} is an address of this host: packets for it do not leave", service.to_string()));
  }
  const auto source = source_towards(service);
  if (!source) {
    return tl::unexpected<Error>(source.error());
  }
  if (auto set = link_->set_source(*source); !set) {
    return set;
  }
  route = link_->ask(service, mark);
  if (!gets_there(route)) {
    return fail(ErrorKind::kConflict,
                fmt::format("packets for {} with mark {:#x} do not go to {}: another rule comes before {}",
                            service.to_string(), mark, instance().entry_device(), instance().preference()));
  }
  return {};
}

bool ProbeTunnel::is_there() const {
  const auto index = interface_index(instance().inner_device());
  return index && *index == link_->inner_ifindex();
}

Result<std::vector<std::pair<std::string, uint64_t>>> ProbeTunnel::counters() const {
  const auto values = read_counters(object_.map_fd(MAGLB_PROBE_COUNTERS), MAGLB_PROBE_COUNTERS_COUNT);
  if (!values) {
    return tl::unexpected<Error>(values.error());
  }
  std::vector<std::pair<std::string, uint64_t>> named;
  for (size_t i = 0; i < kCounterNames.size(); ++i) {
    named.emplace_back(kCounterNames[i], (*values)[i]);
  }
  return named;
}

}  // namespace maglb
