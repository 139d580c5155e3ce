#include "lib/bpf/decap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include "lib/bpf/attachment.h"
#include "lib/bpf/decap_maps.h"
#include "lib/bpf/libbpf_options.h"
#include "lib/bpf/objects.h"

namespace maglb {
namespace {

// Our place among the TC filters of an interface's ingress.
constexpr uint32_t kTcPriority = 27757;
constexpr uint32_t kTcHandle = 1;

constexpr std::array<std::string_view, MAGLB_DECAP_COUNTERS_COUNT> kCounterNames = {
    "decapsulated",   "passed_source",       "passed_not_for_us", "passed_fragment", "passed_options",
    "passed_gre_key", "passed_gre_checksum", "passed_payload",    "dropped_outer",   "dropped_tunnel",
    "dropped_inner",  "dropped_nested",      "dropped_not_local", "dropped_ecn",     "dropped_error"};
static_assert(!kCounterNames.back().empty());

tl::unexpected<Error> within(const std::string& interface, Error&& error) {
  return tl::unexpected<Error>(std::move(error).within(interface));
}

void init_ingress(bpf_tc_hook& hook, int ifindex) {
  init_options(hook);
  hook.ifindex = ifindex;
  hook.attach_point = BPF_TC_INGRESS;
}

// The program at our place among the TC filters, if any.
Result<std::optional<BpfProgram>> find_tc(int ifindex) {
  const LibbpfLog quiet;
  bpf_tc_hook hook;
  init_ingress(hook, ifindex);
  bpf_tc_opts options;
  init_options(options);
  options.handle = kTcHandle;
  options.priority = kTcPriority;
  const int rc = bpf_tc_query(&hook, &options);
  if (rc == -ENOENT || rc == -EINVAL) {
    return std::nullopt;  // no such filter, or not even the queueing discipline it would be in
  }
  if (rc < 0) {
    return fail_errno("asking for TC filters", -rc);
  }
  auto program = open_program(options.prog_id);
  if (!program) {
    return tl::unexpected<Error>(std::move(program.error()));
  }
  return std::move(*program);
}

Result<void> attach_tc(int ifindex, int program_fd) {
  const LibbpfLog log;
  bpf_tc_hook hook;
  init_ingress(hook, ifindex);
  if (const int rc = bpf_tc_hook_create(&hook); rc < 0 && rc != -EEXIST) {
    return fail_errno("adding a clsact queueing discipline", -rc);
  }
  bpf_tc_opts options;
  init_options(options);
  options.prog_fd = program_fd;
  options.flags = BPF_TC_F_REPLACE;
  options.handle = kTcHandle;
  options.priority = kTcPriority;
  if (const int rc = bpf_tc_attach(&hook, &options); rc < 0) {
    return fail_errno("attaching a TC filter", -rc);
  }
  return {};
}

// The clsact queueing discipline stays: others may have their filters in it.
Result<void> detach_tc(int ifindex) {
  const LibbpfLog log;
  bpf_tc_hook hook;
  init_ingress(hook, ifindex);
  bpf_tc_opts options;
  init_options(options);
  options.handle = kTcHandle;
  options.priority = kTcPriority;
  if (const int rc = bpf_tc_detach(&hook, &options); rc < 0) {
    return fail_errno("detaching a TC filter", -rc);
  }
  return {};
}

// What is in the two places that could be ours.
struct Places {
  int ifindex = 0;
  std::optional<XdpAttachment> xdp;
  std::optional<BpfProgram> tc;

  bool xdp_is_ours() const { return xdp && xdp->program.name == MAGLB_DECAP_XDP; }
  bool tc_is_ours() const { return tc && tc->name == MAGLB_DECAP_TC; }
};

Result<Places> look_at(const std::string& interface) {
  const auto ifindex = interface_index(interface);
  if (!ifindex) {
    return tl::unexpected<Error>(ifindex.error());
  }
  auto xdp = find_xdp(*ifindex);
  if (!xdp) {
    return within(interface, std::move(xdp.error()));
  }
  auto tc = find_tc(*ifindex);
  if (!tc) {
    return within(interface, std::move(tc.error()));
  }
  return Places{*ifindex, std::move(*xdp), std::move(*tc)};
}

Result<void> refuse_foreign(const std::string& interface, const Places& places, DecapMode mode) {
  if (mode != DecapMode::kTc && places.xdp && !places.xdp_is_ours()) {
    return fail(ErrorKind::kConflict, foreign_program(interface, "an XDP", places.xdp->program));
  }
  if (places.tc && !places.tc_is_ours()) {
    return fail(ErrorKind::kConflict, foreign_program(interface, "a TC", *places.tc));
  }
  return {};
}

// One of the network namespace's IPv6 switches, false if the kernel does not have it.
bool ipv6_switch(const std::string& interface, const char* name) {
  std::ifstream file(fmt::format("/proc/sys/net/ipv6/conf/{}/{}", interface, name));
  int value = 0;
  return file >> value && value != 0;
}

// The switch makes the kernel forward what the program, asking the kernel, is told it would not.
Result<void> refuse_force_forwarding(const std::string& interface) {
  if (ipv6_switch(interface, "force_forwarding") && !ipv6_switch("all", "forwarding")) {
    return fail(
        ErrorKind::kConflict,
        fmt::format("interface {} forwards IPv6 by net.ipv6.conf.{}.force_forwarding, where inner packets "
                    "for other hosts could not be told: set net.ipv6.conf.all.forwarding instead",
                    interface, interface));
  }
  return {};
}

// Where the address lies in the prefix's key, which counts the bits of its family only.
maglb_decap_prefix to_wire(const IpPrefix& prefix) {
  maglb_decap_prefix wire{};
  const bool is_v4 = prefix.is_v4();
  wire.length = MAGLB_DECAP_FAMILY_BITS + prefix.text_length();
  wire.family = is_v4 ? 4 : 6;
  std::copy(prefix.address.bytes.begin() + (is_v4 ? 12 : 0), prefix.address.bytes.end(), wire.address);
  return wire;
}

IpPrefix from_wire(const maglb_decap_prefix& wire) {
  const auto length = static_cast<uint8_t>(wire.length - MAGLB_DECAP_FAMILY_BITS);
  if (wire.family == 4) {
    const IpAddress address =
        IpAddress::v4({wire.address[0], wire.address[1], wire.address[2], wire.address[3]});
    return {address, static_cast<uint8_t>(IpPrefix::kV4Offset + length)};
  }
  IpPrefix prefix{{}, length};
  std::copy(std::begin(wire.address), std::end(wire.address), prefix.address.bytes.begin());
  return prefix;
}

Result<void> write_tunnels(int map_fd, const DecapRules& rules) {
  const uint32_t key = 0;
  maglb_decap_tunnels value{};
  value.gre_key = rules.gre_key.value_or(0);
  value.only_gre_key = rules.gre_key.has_value() ? 1 : 0;
  value.gue_port = rules.gue_port;
  if (const int rc = bpf_map_update_elem(map_fd, &key, &value, BPF_ANY); rc < 0) {
    return fail_errno("setting up the tunnels", -rc);
  }
  return {};
}

Result<void> read_tunnels(int map_fd, DecapRules& rules) {
  const uint32_t key = 0;
  maglb_decap_tunnels value{};
  if (const int rc = bpf_map_lookup_elem(map_fd, &key, &value); rc < 0) {
    return fail_errno("reading the tunnels", -rc);
  }
  rules.gre_key = value.only_gre_key != 0 ? std::optional<uint32_t>(value.gre_key) : std::nullopt;
  rules.gue_port = value.gue_port;
  return {};
}

Result<BpfObject> load_with(const DecapRules& rules) {
  auto object = BpfObject::load(decap_object(), "maglb_decap");
  if (!object) {
    return object;
  }
  const uint8_t value = 1;
  for (const IpPrefix& prefix : rules.from) {
    const maglb_decap_prefix key = to_wire(prefix);
    const int rc = bpf_map_update_elem(object->map_fd(MAGLB_DECAP_FROM), &key, &value, BPF_ANY);
    if (rc < 0) {
      return fail_errno(fmt::format("allowing outer sources {}", prefix.to_string()), -rc);
    }
  }
  if (auto written = write_tunnels(object->map_fd(MAGLB_DECAP_TUNNELS), rules); !written) {
    return tl::unexpected<Error>(std::move(written.error()));
  }
  return object;
}

// In the driver if it can; else where the mode says. Ours that is already there is replaced where it is:
// the kernel does not have both modes at once.
Result<DecapPlace> attach_somewhere(const Places& places, const BpfObject& object, DecapMode mode) {
  const int xdp_fd = object.program_fd(MAGLB_DECAP_XDP);
  const auto to_tc = [&] {
    return attach_tc(places.ifindex, object.program_fd(MAGLB_DECAP_TC)).map([] { return DecapPlace::kTc; });
  };
  if (mode == DecapMode::kTc) {
    return to_tc();
  }
  if (places.xdp) {
    const XdpMode there = places.xdp->mode;
    return attach_xdp(places.ifindex, xdp_fd, there, &*places.xdp).map([&] {
      return there == XdpMode::kGeneric ? DecapPlace::kXdpGeneric : DecapPlace::kXdpNative;
    });
  }
  if (attach_xdp(places.ifindex, xdp_fd, XdpMode::kNative, nullptr)) {
    return DecapPlace::kXdpNative;
  }
  if (mode == DecapMode::kAuto) {
    return to_tc();
  }
  return attach_xdp(places.ifindex, xdp_fd, XdpMode::kGeneric, nullptr).map([] {
    return DecapPlace::kXdpGeneric;
  });
}

Result<std::vector<IpPrefix>> read_prefixes(int map_fd) {
  std::vector<IpPrefix> prefixes;
  maglb_decap_prefix key{};
  maglb_decap_prefix* previous = nullptr;
  for (uint32_t i = 0; i <= MAGLB_DECAP_MAX_PREFIXES; ++i) {
    maglb_decap_prefix next{};
    const int rc = bpf_map_get_next_key(map_fd, previous, &next);
    if (rc == -ENOENT) {
      break;
    }
    if (rc < 0) {
      return fail_errno("reading the allowed outer sources", -rc);
    }
    prefixes.push_back(from_wire(next));
    key = next;
    previous = &key;
  }
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

Result<void> read_maps(const BpfProgram& program, DecapStatus& status) {
  auto tunnels = open_map(program, MAGLB_DECAP_TUNNELS);
  if (!tunnels) {
    return fail(ErrorKind::kConflict,
                tunnels.error().message + ": another version of maglb-decap attached it, attach again");
  }
  auto from = open_map(program, MAGLB_DECAP_FROM);
  auto counters = open_map(program, MAGLB_DECAP_COUNTERS);
  if (!from || !counters) {
    return tl::unexpected<Error>(!from ? from.error() : counters.error());
  }
  if (auto read = read_tunnels(tunnels->get(), status.rules); !read) {
    return read;
  }
  auto prefixes = read_prefixes(from->get());
  const auto values = read_counters(counters->get(), MAGLB_DECAP_COUNTERS_COUNT);
  if (!prefixes || !values) {
    return tl::unexpected<Error>(!prefixes ? prefixes.error() : values.error());
  }
  status.rules.from = std::move(*prefixes);
  for (size_t i = 0; i < kCounterNames.size(); ++i) {
    status.counters.emplace_back(kCounterNames[i], (*values)[i]);
  }
  return {};
}

}  // namespace

std::string_view to_string(DecapPlace place) {
  switch (place) {
    case DecapPlace::kXdpNative:
      return "xdp";
    case DecapPlace::kXdpGeneric:
      return "xdp-generic";
    case DecapPlace::kTc:
      return "tc";
  }
  return "?";
}

Result<DecapPlace> attach_decap(const std::string& interface, const DecapRules& rules, DecapMode mode) {
  const auto places = look_at(interface);
  if (!places) {
    return tl::unexpected<Error>(places.error());
  }
  if (auto free = refuse_foreign(interface, *places, mode); !free) {
    return tl::unexpected<Error>(std::move(free.error()));
  }
  if (auto told = refuse_force_forwarding(interface); !told) {
    return tl::unexpected<Error>(std::move(told.error()));
  }
  const auto object = load_with(rules);
  if (!object) {
    return within(interface, Error(object.error()));
  }
  auto place = attach_somewhere(*places, *object, mode);
  if (!place) {
    return within(interface, std::move(place.error()));
  }
  // An older one of ours in the other place goes last: what one has stripped the other does not see.
  auto cleaned = Result<void>();
  if (*place == DecapPlace::kTc && places->xdp_is_ours()) {
    cleaned = detach_xdp(places->ifindex, *places->xdp);
  } else if (*place != DecapPlace::kTc && places->tc_is_ours()) {
    cleaned = detach_tc(places->ifindex);
  }
  if (!cleaned) {
    return within(interface, std::move(cleaned.error()));
  }
  return place;
}

Result<void> detach_decap(const std::string& interface) {
  const auto places = look_at(interface);
  if (!places) {
    return tl::unexpected<Error>(places.error());
  }
  if (!places->xdp_is_ours() && !places->tc_is_ours()) {
    if (auto free = refuse_foreign(interface, *places, DecapMode::kAuto); !free) {
      return free;
    }
    return fail(ErrorKind::kNotFound, fmt::format("interface {} has no maglb-decap", interface));
  }
  if (places->xdp_is_ours()) {
    if (auto detached = detach_xdp(places->ifindex, *places->xdp); !detached) {
      return within(interface, std::move(detached.error()));
    }
  }
  if (places->tc_is_ours()) {
    if (auto detached = detach_tc(places->ifindex); !detached) {
      return within(interface, std::move(detached.error()));
    }
  }
  return {};
}

Result<std::optional<DecapStatus>> decap_status(const std::string& interface) {
  const auto places = look_at(interface);
  if (!places) {
    return tl::unexpected<Error>(places.error());
  }
  if (!places->xdp_is_ours() && !places->tc_is_ours()) {
    return std::nullopt;
  }
  DecapStatus status;
  status.interface = interface;
  status.place = DecapPlace::kTc;
  if (places->xdp_is_ours()) {
    status.place = places->xdp->mode == XdpMode::kGeneric ? DecapPlace::kXdpGeneric : DecapPlace::kXdpNative;
  }
  const BpfProgram& program = places->xdp_is_ours() ? places->xdp->program : *places->tc;
  status.program_id = program.id;
  if (auto read = read_maps(program, status); !read) {
    return within(interface, std::move(read.error()));
  }
  return status;
}

}  // namespace maglb
