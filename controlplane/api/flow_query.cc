#include "controlplane/api/flow_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace maglb {
namespace {

Result<std::string> parameter(const Target& target, const char* name) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) {
    return fail(ErrorKind::kInvalid, fmt::format("parameter {} is missing", name));
  }
  return found->second;
}

Result<IpAddress> address_parameter(const Target& target, const char* name) {
  const auto text = parameter(target, name);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto address = IpAddress::parse(*text);
  if (!address) {
    return tl::unexpected(std::move(address.error()).within(name));
  }
  return *address;
}

Result<uint16_t> port_parameter(const Target& target, const char* name) {
  const auto text = parameter(target, name);
  if (!text) {
    return tl::unexpected(text.error());
  }
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), port);
  if (error != std::errc() || end != text->data() + text->size()) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: expected a number in 0..65535", name));
  }
  return port;
}

// "syn", "syn+ack", "fin+ack": as they stand in the header; none is ACK.
Result<uint8_t> flags_parameter(const Target& target) {
  constexpr std::pair<std::string_view, uint8_t> kFlags[] = {
      {"fin", 1}, {"syn", 2}, {"rst", 4}, {"psh", 8}, {"ack", 16}};
  const auto found = target.query.find("flags");
  std::string_view rest = found == target.query.end() ? "ack" : std::string_view(found->second);
  uint8_t flags = 0;
  while (!rest.empty()) {
    const size_t plus = std::min(rest.find('+'), rest.size());
    const auto flag = std::find_if(std::begin(kFlags), std::end(kFlags),
                                   [&](const auto& one) { return one.first == rest.substr(0, plus); });
    if (flag == std::end(kFlags)) {
      return fail(ErrorKind::kInvalid, "flags: expected some of fin, syn, rst, psh, ack with + between them");
    }
    flags |= flag->second;
    rest.remove_prefix(std::min(plus + 1, rest.size()));
  }
  return flags;
}

}  // namespace

Result<FlowQuery> flow_query(const Target& target) {
  const auto protocol = parameter(target, "protocol");
  if (!protocol || (*protocol != "tcp" && *protocol != "udp")) {
    return fail(ErrorKind::kInvalid, "protocol: expected tcp or udp");
  }
  const auto source = address_parameter(target, "source");
  const auto destination = address_parameter(target, "destination");
  if (!source || !destination) {
    return tl::unexpected(source ? destination.error() : source.error());
  }
  if (source->is_v4() != destination->is_v4()) {
    return fail(ErrorKind::kInvalid, "source and destination: expected addresses of one family");
  }
  const auto source_port = port_parameter(target, "source_port");
  const auto destination_port = port_parameter(target, "destination_port");
  if (!source_port || !destination_port) {
    return tl::unexpected(source_port ? destination_port.error() : source_port.error());
  }
  return FlowQuery{*protocol == "tcp" ? Protocol::kTcp : Protocol::kUdp, *source, *destination, *source_port,
                   *destination_port};
}

Result<ExplainQuery> explain_query(const Target& target) {
  const auto flow = flow_query(target);
  if (!flow) {
    return tl::unexpected(flow.error());
  }
  ExplainQuery query;
  query.flow = *flow;
  const auto flags = flags_parameter(target);
  const auto bytes = target.query.contains("bytes") ? port_parameter(target, "bytes") : uint16_t{0};
  if (!flags || !bytes) {
    return tl::unexpected(flags ? bytes.error() : flags.error());
  }
  query.tcp_flags = *flags;
  query.bytes = *bytes;
  query.may_fragment = target.query.contains("may_fragment");
  return query;
}

}  // namespace maglb
