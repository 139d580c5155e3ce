#include "lib/bpf/probe_link.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <utility>

namespace maglb {
namespace {

using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

// Of the table's two routes: the lower one is taken.
constexpr uint32_t kDeviceMetric = 1;
constexpr uint32_t kBlackholeMetric = 2;
// More rules or routes alike than a killed process can have left.
constexpr int kMostLeftovers = 16;

template <typename Header>
Message new_message(int type, int flags, const Header& header) {
  Message message(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags), &nlmsg_free);
  if (message != nullptr &&
      nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) < 0) {
    message.reset();
  }
  return message;
}

uint8_t family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

bool put_address(nl_msg* message, int attribute, const IpAddress& address) {
  return address.is_v4() ? nla_put(message, attribute, 4, address.bytes.data() + 12) == 0
                         : nla_put(message, attribute, 16, address.bytes.data()) == 0;
}

bool put_name(nl_msg* message, const std::string& name) {
  return nla_put_string(message, IFLA_IFNAME, name.c_str()) == 0;
}

std::string_view name_of(uint8_t family) {
  return family == AF_INET ? "IPv4" : "IPv6";
}

// RTM_NEWLINK of a pair: the peer is described by a link message of its own, inside.
bool describe_pair(nl_msg* message, const std::string& entry, const std::string& inner) {
  if (!put_name(message, entry) || nla_put_u32(message, IFLA_MTU, kProbeMtu) != 0) {
    return false;
  }
  nlattr* const info = nla_nest_start(message, IFLA_LINKINFO);
  if (info == nullptr || nla_put_string(message, IFLA_INFO_KIND, "veth") != 0) {
    return false;
  }
  nlattr* const data = nla_nest_start(message, IFLA_INFO_DATA);
  nlattr* const peer = data != nullptr ? nla_nest_start(message, VETH_INFO_PEER) : nullptr;
  ifinfomsg header{};
  if (peer == nullptr || nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
      !put_name(message, inner) || nla_put_u32(message, IFLA_MTU, kProbeMtu) != 0) {
    return false;
  }
  nla_nest_end(message, peer);
  nla_nest_end(message, data);
  nla_nest_end(message, info);
  return true;
}

Message rule_message(int type, int flags, uint8_t family, const ProbeInstance& instance) {
  fib_rule_hdr header{};
  header.family = family;
  header.action = FR_ACT_TO_TBL;
  Message message = new_message(type, flags, header);
  if (message != nullptr && (nla_put_u32(message.get(), FRA_PRIORITY, instance.preference()) != 0 ||
                             nla_put_u32(message.get(), FRA_FWMARK, instance.mark()) != 0 ||
                             nla_put_u32(message.get(), FRA_FWMASK, kProbeMarkMask) != 0 ||
                             nla_put_u32(message.get(), FRA_TABLE, instance.table()) != 0)) {
    message.reset();
  }
  return message;
}

Message route_message(int type, int flags, uint8_t family, const ProbeInstance& instance, uint8_t kind,
                      uint32_t metric) {
  rtmsg header{};
  header.rtm_family = family;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = kind;
  Message message = new_message(type, flags, header);
  if (message != nullptr && (nla_put_u32(message.get(), RTA_TABLE, instance.table()) != 0 ||
                             nla_put_u32(message.get(), RTA_PRIORITY, metric) != 0)) {
    message.reset();
  }
  return message;
}

// A switch of one device, as text like "ipv4/conf/%/forwarding".
Result<void> set_switch(const std::string& path, int value) {
  std::ofstream file("/proc/sys/net/" + path);
  file << value << std::flush;
  if (!file) {
    return fail(ErrorKind::kSystem, fmt::format("setting /proc/sys/net/{} to {} was refused", path, value));
  }
  return {};
}

bool has_ipv6() {
  return std::ifstream("/proc/net/if_inet6").good();
}

// The kernel sums and cuts packets before they enter the pair.
Result<void> turn_off_offloads(const std::string& device) {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value off{ETHTOOL_STXCSUM, 0};
  ifreq request{};
  std::copy(device.begin(), device.end(), request.ifr_name);
  request.ifr_data = reinterpret_cast<char*>(&off);
  if (!fd || ioctl(fd.get(), SIOCETHTOOL, &request) != 0) {
    return fail_errno(device + ": turning checksum offload off", errno);
  }
  return {};
}

// Bound to the instance's name in the abstract namespace, which is the network namespace's own. Empty when
// another process has it.
Result<UniqueFd> hold(uint32_t instance) {
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("maglb-probe-instance-{}", instance);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (!fd) {
    return fail_errno("making a socket", errno);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    if (errno == EADDRINUSE) {
      return UniqueFd();
    }
    return fail_errno("holding a probe instance", errno);
  }
  return fd;
}

std::optional<IpAddress> address_of(nlattr* attribute) {
  if (attribute != nullptr && nla_len(attribute) == 4) {
    std::array<uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), nla_data(attribute), bytes.size());
    return IpAddress::v4(bytes);
  }
  if (attribute != nullptr && nla_len(attribute) == 16) {
    IpAddress address;
    std::memcpy(address.bytes.data(), nla_data(attribute), address.bytes.size());
    return address;
  }
  return std::nullopt;
}

int read_route(nl_msg* message, void* out) {
  nlmsghdr* const header = nlmsg_hdr(message);
  std::array<nlattr*, RTA_MAX + 1> attributes{};
  if (header->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(header, sizeof(rtmsg)) ||
      nlmsg_parse(header, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) {
    return NL_SKIP;
  }
  auto& route = *static_cast<std::optional<ProbeRoute>*>(out);
  route.emplace();
  const uint8_t type = static_cast<const rtmsg*>(nlmsg_data(header))->rtm_type;
  route->is_local = type == RTN_LOCAL;
  if (attributes[RTA_OIF] != nullptr && nla_len(attributes[RTA_OIF]) >= 4 &&
      (type == RTN_UNICAST || type == RTN_LOCAL)) {
    route->ifindex = static_cast<int>(nla_get_u32(attributes[RTA_OIF]));
  }
  route->source = address_of(attributes[RTA_PREFSRC]);
  return NL_OK;
}

}  // namespace

struct ProbeLink::Netlink {
  Netlink() : socket(nl_socket_alloc()) {}
  ~Netlink() { nl_socket_free(socket); }
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  // 0, or a negative NLE_ number.
  int open() {
    if (socket == nullptr) {
      return -NLE_NOMEM;
    }
    nl_socket_disable_auto_ack(socket);
    return nl_connect(socket, NETLINK_ROUTE);
  }

  int change(const Message& message) {
    if (message == nullptr) {
      return -NLE_NOMEM;
    }
    nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_ACK;
    const int sent = nl_send_auto(socket, message.get());
    return sent < 0 ? sent : nl_wait_for_ack(socket);
  }

  nl_sock* socket;
};

namespace {

tl::unexpected<Error> refused(std::string_view what, int nle) {
  return fail(ErrorKind::kSystem, fmt::format("{}: {}", what, nl_geterror(nle)));
}

}  // namespace

ProbeLink::ProbeLink(ProbeInstance instance, UniqueFd hold, std::unique_ptr<Netlink> netlink)
    : instance_(instance), hold_(std::move(hold)), netlink_(std::move(netlink)) {}

Result<std::unique_ptr<ProbeLink>> ProbeLink::make() {
  ProbeInstance instance;
  auto held = hold(instance.number);
  while (held && !*held && ++instance.number < kProbeInstances) {
    held = hold(instance.number);
  }
  if (!held) {
    return tl::unexpected<Error>(std::move(held.error()));
  }
  if (!*held) {
    return fail(ErrorKind::kConflict,
                fmt::format("{} other processes probe through tunnels here", kProbeInstances));
  }
  auto netlink = std::make_unique<Netlink>();
  if (const int rc = netlink->open(); rc < 0) {
    return refused("opening rtnetlink", rc);
  }
  std::unique_ptr<ProbeLink> link(new ProbeLink(instance, std::move(*held), std::move(netlink)));
  link->remove();
  if (auto made = link->make_devices(); !made) {
    return tl::unexpected<Error>(std::move(made.error()));
  }
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    if (family == AF_INET6 && !has_ipv6()) {
      continue;
    }
    if (auto made = link->make_rules(family); !made) {
      return tl::unexpected<Error>(std::move(made.error()));
    }
  }
  return link;
}

ProbeLink::~ProbeLink() {
  remove();
}

// Rules first: a marked packet then takes the way of any other, and no probe is made any more.
void ProbeLink::remove() {
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    for (int i = 0; i < kMostLeftovers; ++i) {
      if (netlink_->change(rule_message(RTM_DELRULE, 0, family, instance_)) < 0) {
        break;
      }
    }
    for (int i = 0; i < kMostLeftovers; ++i) {
      if (netlink_->change(
              route_message(RTM_DELROUTE, 0, family, instance_, RTN_BLACKHOLE, kBlackholeMetric)) < 0) {
        break;
      }
    }
  }
  Message message = new_message(RTM_DELLINK, 0, ifinfomsg{});
  if (message != nullptr && put_name(message.get(), instance_.entry_device())) {
    netlink_->change(message);
  }
}

Result<void> ProbeLink::change_link(const std::string& device, uint32_t flags, uint32_t mask) {
  ifinfomsg header{};
  header.ifi_flags = flags;
  header.ifi_change = mask;
  Message message = new_message(RTM_NEWLINK, 0, header);
  const int rc =
      message != nullptr && put_name(message.get(), device) ? netlink_->change(message) : -NLE_NOMEM;
  if (rc < 0) {
    return refused(fmt::format("setting up device {}", device), rc);
  }
  return {};
}

Result<void> ProbeLink::make_devices() {
  const std::string entry = instance_.entry_device();
  const std::string inner = instance_.inner_device();
  Message message = new_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  const int rc = message != nullptr && describe_pair(message.get(), entry, inner) ? netlink_->change(message)
                                                                                  : -NLE_NOMEM;
  if (rc < 0) {
    return refused(fmt::format("making device {}", entry), rc);
  }
  entry_ifindex_ = static_cast<int>(if_nametoindex(entry.c_str()));
  inner_ifindex_ = static_cast<int>(if_nametoindex(inner.c_str()));
  auto done = turn_off_offloads(entry).and_then(
      [&] { return set_switch(fmt::format("ipv4/conf/{}/forwarding", inner), 1); });
  for (const std::string& device : {entry, inner}) {
    if (done && has_ipv6()) {
      done = set_switch(fmt::format("ipv6/conf/{}/addr_gen_mode", device), 1);  // no link-local address
    }
  }
  if (done && has_ipv6()) {
    done = set_switch(fmt::format("ipv6/conf/{}/forwarding", inner), 1);
  }
  if (done) {
    done = change_link(inner, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
  }
  return done ? change_link(entry, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP) : done;
}

Result<void> ProbeLink::make_rules(uint8_t family) {
  const int blackhole = netlink_->change(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family,
                                                       instance_, RTN_BLACKHOLE, kBlackholeMetric));
  if (blackhole < 0) {
    return refused(fmt::format("adding an {} route to table {}", name_of(family), instance_.table()),
                   blackhole);
  }
  const int rule = netlink_->change(rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, instance_));
  if (rule < 0 && rule != -NLE_EXIST) {
    return refused(fmt::format("adding an {} rule for mark {:#x}/{:#x}", name_of(family), instance_.mark(),
                               kProbeMarkMask),
                   rule);
  }
  return {};
}

Result<void> ProbeLink::set_source(const IpAddress& source) {
  const uint8_t family = family_of(source);
  if (auto ruled = make_rules(family); !ruled) {
    return ruled;
  }
  const Message message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family, instance_,
                                        RTN_UNICAST, kDeviceMetric);
  int rc = -NLE_NOMEM;
  if (message != nullptr && nla_put_u32(message.get(), RTA_OIF, static_cast<uint32_t>(entry_ifindex_)) == 0 &&
      put_address(message.get(), RTA_PREFSRC, source)) {
    rc = netlink_->change(message);
  }
  if (rc < 0) {
    return refused(fmt::format("routing probes from {} to {}", source.to_string(), instance_.entry_device()),
                   rc);
  }
  return {};
}

Result<ProbeRoute> ProbeLink::ask(const IpAddress& destination, uint32_t mark) const {
  rtmsg header{};
  header.rtm_family = family_of(destination);
  header.rtm_dst_len = destination.is_v4() ? 32 : 128;
  const Message message = new_message(RTM_GETROUTE, 0, header);
  if (message == nullptr || !put_address(message.get(), RTA_DST, destination) ||
      (mark != 0 && nla_put_u32(message.get(), RTA_MARK, mark) != 0)) {
    return refused("asking for a route", -NLE_NOMEM);
  }
  std::optional<ProbeRoute> route;
  nl_socket_modify_cb(netlink_->socket, NL_CB_VALID, NL_CB_CUSTOM, read_route, &route);
  int rc = nl_send_auto(netlink_->socket, message.get());
  if (rc >= 0) {
    rc = nl_recvmsgs_default(netlink_->socket);
  }
  nl_socket_modify_cb(netlink_->socket, NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
  if (rc < 0 || !route || route->ifindex == 0) {
    return fail(ErrorKind::kNotFound, "no route to " + destination.to_string());
  }
  return *route;
}

}  // namespace maglb
