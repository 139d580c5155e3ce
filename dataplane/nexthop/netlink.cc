#include "dataplane/nexthop/netlink.h"

#include <fmt/format.h>
#include <linux/lwtunnel.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace maglb {
namespace {

using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

constexpr size_t kReceiveBytes = 32768;  // what the kernel itself uses for rtnetlink messages

uint8_t family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

Message new_message(int type, int flags, const void* header, size_t length) {
  Message message(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags), &nlmsg_free);
  if (message != nullptr &&
      nlmsg_append(message.get(), const_cast<void*>(header), length, NLMSG_ALIGNTO) < 0) {
    message.reset();
  }
  return message;
}

bool put_address(nl_msg* message, int attribute, const IpAddress& address) {
  return address.is_v4() ? nla_put(message, attribute, 4, address.bytes.data() + 12) == 0
                         : nla_put(message, attribute, 16, address.bytes.data()) == 0;
}

// Nothing unless the length is the family's. An IPv6 address that is IPv4-mapped is none here: it would
// pass for an IPv4 one, which the kernel keeps elsewhere.
std::optional<IpAddress> address_of(uint16_t family, const uint8_t* bytes, int length) {
  IpAddress address;
  if (family == AF_INET && length == 4) {
    std::array<uint8_t, 4> v4{};
    std::copy_n(bytes, 4, v4.begin());
    return IpAddress::v4(v4);
  }
  if (family == AF_INET6 && length == 16) {
    std::copy_n(bytes, 16, address.bytes.begin());
    return address.is_v4() ? std::nullopt : std::optional(address);
  }
  return std::nullopt;
}

std::optional<IpAddress> get_address(uint16_t family, nlattr* attribute) {
  if (attribute == nullptr) {
    return std::nullopt;
  }
  return address_of(family, static_cast<const uint8_t*>(nla_data(attribute)), nla_len(attribute));
}

std::optional<MacAddress> get_mac(nlattr* attribute) {
  MacAddress mac;
  if (attribute == nullptr || nla_len(attribute) != static_cast<int>(mac.bytes.size())) {
    return std::nullopt;
  }
  std::copy_n(static_cast<const uint8_t*>(nla_data(attribute)), mac.bytes.size(), mac.bytes.begin());
  return mac == MacAddress{} ? std::nullopt : std::optional(mac);
}

std::optional<NeighbourEntry> decode_neighbour(nlmsghdr* message) {
  std::array<nlattr*, NDA_MAX + 1> attributes{};
  if (!nlmsg_valid_hdr(message, sizeof(ndmsg)) ||
      nlmsg_parse(message, sizeof(ndmsg), attributes.data(), NDA_MAX, nullptr) < 0) {
    return std::nullopt;
  }
  const auto* header = static_cast<const ndmsg*>(nlmsg_data(message));
  const auto address = get_address(header->ndm_family, attributes[NDA_DST]);
  if (!address || header->ndm_ifindex <= 0) {
    return std::nullopt;
  }
  return NeighbourEntry{header->ndm_ifindex, *address, header->ndm_state, get_mac(attributes[NDA_LLADDR])};
}

std::string_view why_not_unicast(uint8_t type) {
  switch (type) {
    case RTN_LOCAL:
      return "is an address of this machine";
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
      return "is not a unicast address here";
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
      return "is blocked by a route";
    default:
      return "has no unicast route";
  }
}

// The kernel answers a lookup that ends in such a route with an error number.
std::string_view why_no_route(int error_number) {
  switch (error_number) {
    case ENETUNREACH:
    case ESRCH:
      return "no route";
    case EHOSTUNREACH:
      return "route is unreachable";
    case EINVAL:
      return "route is a blackhole";
    case EACCES:
      return "route is prohibited";
    case ENETDOWN:
      return "network is down";
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return "the kernel does not route this family of addresses";
    default:
      return {};
  }
}

RouteAnswer nowhere(std::string problem) {
  return RouteAnswer{0, std::nullopt, std::move(problem)};
}

// RTA_VIA: a gateway of another family than the destination's (RFC 8950).
std::optional<IpAddress> get_via(nlattr* attribute) {
  const int prefix = static_cast<int>(sizeof(rtvia));
  if (nla_len(attribute) <= prefix) {
    return std::nullopt;
  }
  const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
  __kernel_sa_family_t family;
  std::memcpy(&family, bytes, sizeof family);
  return address_of(family, bytes + prefix, nla_len(attribute) - prefix);
}

Result<RouteAnswer> decode_route_message(nlmsghdr* message) {
  std::array<nlattr*, RTA_MAX + 1> attributes{};
  if (message->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(message, sizeof(rtmsg)) ||
      nlmsg_parse(message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) {
    return fail(ErrorKind::kSystem, "the kernel's answer about a route makes no sense");
  }
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(message));
  if (header->rtm_type != RTN_UNICAST) {
    return nowhere(std::string(why_not_unicast(header->rtm_type)));
  }
  if (attributes[RTA_ENCAP_TYPE] != nullptr) {
    return nowhere("route needs an encapsulation");
  }
  nlattr* oif = attributes[RTA_OIF];
  if (oif == nullptr || nla_len(oif) != 4 || nla_get_s32(oif) <= 0) {
    return nowhere("route names no interface");
  }
  RouteAnswer answer{nla_get_s32(oif), std::nullopt, {}};
  if (nlattr* gateway = attributes[RTA_GATEWAY]) {
    answer.gateway = get_address(header->rtm_family, gateway);
    if (!answer.gateway) {
      return nowhere("route has a gateway that is no address");
    }
  } else if (nlattr* via = attributes[RTA_VIA]) {
    answer.gateway = get_via(via);
    if (!answer.gateway) {
      return nowhere("route has a gateway that is no address");
    }
  }
  return answer;
}

NetlinkEvent decode_event(nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      auto entry = decode_neighbour(message);
      if (!entry) {
        return Malformed{};
      }
      return NeighbourChanged{*entry, message->nlmsg_type == RTM_DELNEIGH};
    }
    case NLMSG_OVERRUN:
      return ChangesLost{};
    default:
      return RoutingChanged{};
  }
}

// Bridges tell of their forwarding entries in the same group, and proxy entries are told there too: those
// are no neighbours.
bool concerns_us(nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH) {
    return message->nlmsg_type >= RTM_BASE || message->nlmsg_type == NLMSG_OVERRUN;
  }
  if (!nlmsg_valid_hdr(message, sizeof(ndmsg))) {
    return true;
  }
  const auto* header = static_cast<const ndmsg*>(nlmsg_data(message));
  return (header->ndm_family == AF_INET || header->ndm_family == AF_INET6) &&
         (header->ndm_flags & NTF_PROXY) == 0;
}

// One datagram from the kernel. Bytes read, 0 if it was someone else's, or a negative errno.
ssize_t receive(int fd, std::span<uint8_t> buffer, int flags) {
  sockaddr_nl sender{};
  iovec part{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const ssize_t length = ::recvmsg(fd, &header, flags);
  if (length < 0) {
    return -errno;
  }
  if (sender.nl_pid != 0) {
    return 0;
  }
  return (header.msg_flags & MSG_TRUNC) != 0 ? -ENOBUFS : length;
}

template <typename Use>
void for_each_message(std::span<uint8_t> bytes, Use use) {
  auto* message = reinterpret_cast<nlmsghdr*>(bytes.data());
  int remaining = static_cast<int>(bytes.size());
  while (nlmsg_ok(message, remaining)) {
    use(message);
    message = nlmsg_next(message, &remaining);
  }
}

}  // namespace

void decode_events(std::span<uint8_t> bytes, const std::function<void(const NetlinkEvent&)>& on_event) {
  size_t messages = 0;
  for_each_message(bytes, [&](nlmsghdr* message) {
    ++messages;
    if (concerns_us(message)) {
      on_event(decode_event(message));
    }
  });
  if (messages == 0) {
    on_event(Malformed{});
  }
}

Result<RouteAnswer> decode_route(std::span<uint8_t> message) {
  auto* header = reinterpret_cast<nlmsghdr*>(message.data());
  if (!nlmsg_ok(header, static_cast<int>(message.size()))) {
    return fail(ErrorKind::kSystem, "the kernel's answer about a route is truncated");
  }
  return decode_route_message(header);
}

std::string interface_name(int ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(static_cast<unsigned>(ifindex), name.data()) != nullptr ? std::string(name.data())
                                                                                : fmt::format("#{}", ifindex);
}

Result<NetlinkSocket> NetlinkSocket::for_questions() {
  NetlinkSocket socket(UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)));
  if (!socket.fd_) {
    return fail_errno("opening a netlink socket", errno);
  }
  // The kernel answers before send() returns; the limit is for a kernel that does not.
  const timeval limit{2, 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return socket;
}

Result<NetlinkSocket> NetlinkSocket::for_events(int receive_buffer_bytes) {
  NetlinkSocket socket(
      UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)));
  if (!socket.fd_) {
    return fail_errno("opening a netlink socket", errno);
  }
  if (receive_buffer_bytes > 0 &&
      ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof(int)) < 0) {
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    return fail_errno("binding a netlink socket", errno);
  }
  for (const int group : {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                          RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE}) {
    if (::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
      return fail_errno(fmt::format("joining netlink group {}", group), errno);
    }
  }
  // Next-hop objects: kernels before 5.3 have none.
  const int nexthops = RTNLGRP_NEXTHOP;
  ::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nexthops, sizeof nexthops);
  return socket;
}

int NetlinkSocket::ask(nl_msg* question, const std::function<void(nlmsghdr*)>& on_answer) {
  nlmsghdr* header = nlmsg_hdr(question);
  header->nlmsg_seq = ++sequence_;
  if (::send(fd(), header, header->nlmsg_len, 0) < 0) {
    return errno;
  }
  alignas(nlmsghdr) std::array<uint8_t, kReceiveBytes> buffer;
  int outcome = -1;
  while (outcome < 0) {
    const ssize_t length = receive(fd(), buffer, 0);
    if (length == -EINTR) {
      continue;
    }
    if (length < 0) {
      return static_cast<int>(-length);
    }
    for_each_message(std::span(buffer).first(static_cast<size_t>(length)), [&](nlmsghdr* message) {
      if (message->nlmsg_seq != sequence_ || outcome >= 0) {
        return;  // the late answer to a question that was given up
      }
      if (message->nlmsg_type != NLMSG_ERROR) {
        on_answer(message);
        outcome = 0;
      } else if (nlmsg_valid_hdr(message, sizeof(nlmsgerr))) {
        outcome = std::max(0, -static_cast<const nlmsgerr*>(nlmsg_data(message))->error);
      }
    });
  }
  return outcome;
}

Result<RouteAnswer> NetlinkSocket::ask_route(const IpAddress& destination) {
  rtmsg header{};
  header.rtm_family = family_of(destination);
  header.rtm_dst_len = destination.is_v4() ? 32 : 128;
  const Message question = new_message(RTM_GETROUTE, 0, &header, sizeof header);
  if (question == nullptr || !put_address(question.get(), RTA_DST, destination)) {
    return fail(ErrorKind::kSystem, "out of memory for a netlink message");
  }
  Result<RouteAnswer> answer = fail(ErrorKind::kSystem, "the kernel did not answer about a route");
  const int error = ask(question.get(), [&](nlmsghdr* message) { answer = decode_route_message(message); });
  if (error == 0) {
    return answer;
  }
  const std::string_view why = why_no_route(error);
  if (why.empty()) {
    return fail_errno("asking for a route", error);
  }
  return nowhere(std::string(why));
}

Result<std::optional<NeighbourEntry>> NetlinkSocket::ask_neighbour(int ifindex, const IpAddress& address) {
  ndmsg header{};
  header.ndm_family = family_of(address);
  header.ndm_ifindex = ifindex;
  const Message question = new_message(RTM_GETNEIGH, 0, &header, sizeof header);
  if (question == nullptr || !put_address(question.get(), NDA_DST, address)) {
    return fail(ErrorKind::kSystem, "out of memory for a netlink message");
  }
  std::optional<NeighbourEntry> entry;
  const int error = ask(question.get(), [&](nlmsghdr* message) {
    if (message->nlmsg_type == RTM_NEWNEIGH) {
      entry = decode_neighbour(message);
    }
  });
  if (error != 0 && error != ENOENT && error != ENODEV) {
    return fail_errno("asking for a neighbour", error);
  }
  return entry;
}

Result<void> NetlinkSocket::request_neighbour(int ifindex, const IpAddress& address) {
  ndmsg header{};
  header.ndm_family = family_of(address);
  header.ndm_ifindex = ifindex;
  header.ndm_state = NUD_NONE;
  header.ndm_flags = NTF_USE;
  const Message request = new_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, &header, sizeof header);
  if (request == nullptr || !put_address(request.get(), NDA_DST, address)) {
    return fail(ErrorKind::kSystem, "out of memory for a netlink message");
  }
  if (const int error = ask(request.get(), [](nlmsghdr*) {}); error != 0) {
    return fail_errno("requesting a neighbour", error);
  }
  return {};
}

void NetlinkSocket::read_events(int reads, const std::function<void(const NetlinkEvent&)>& on_event) {
  alignas(nlmsghdr) std::array<uint8_t, kReceiveBytes> buffer;
  for (int i = 0; i < reads; ++i) {
    const ssize_t length = receive(fd(), buffer, MSG_DONTWAIT);
    if (length == -EAGAIN) {
      return;
    }
    if (length == -ENOBUFS) {
      on_event(ChangesLost{});
    } else if (length > 0) {
      decode_events(std::span(buffer).first(static_cast<size_t>(length)), on_event);
    } else if (length < 0 && length != -EINTR) {
      return;
    }
  }
}

}  // namespace maglb
