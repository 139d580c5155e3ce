#include "lib/flow/nat_ports.h"

#include <algorithm>
#include <string>

namespace maglb {
namespace {

void increment(IpAddress& address) {
  for (size_t i = address.bytes.size(); i-- > 0;) {
    if (++address.bytes[i] != 0) {
      return;
    }
  }
}

Result<std::vector<IpAddress>> addresses_of(std::span<const IpPrefix> prefixes) {
  std::vector<IpAddress> all;
  for (const IpPrefix& prefix : prefixes) {
    const uint32_t free_bits = uint32_t{IpPrefix::kBits} - prefix.length;
    if (free_bits > 8 || all.size() + (size_t{1} << free_bits) > NatPorts::kMaxAddresses) {
      return fail(ErrorKind::kInvalid, "more than " + std::to_string(NatPorts::kMaxAddresses) +
                                           " addresses with " + prefix.to_string());
    }
    IpAddress address = prefix.address;
    for (uint32_t i = 0; i < 1u << free_bits; ++i, increment(address)) {
      all.push_back(address);
    }
  }
  return all;
}

}  // namespace

Result<NatPorts> NatPorts::make(std::span<const IpPrefix> prefixes, NatPortRange range, uint32_t workers) {
  if (range.first == 0 || range.first > range.last) {
    return fail(ErrorKind::kInvalid,
                "no range of ports: " + std::to_string(range.first) + " to " + std::to_string(range.last));
  }
  if (workers == 0 || workers > range.size()) {
    return fail(ErrorKind::kInvalid, std::to_string(range.size()) + " ports cannot be shared by " +
                                         std::to_string(workers) + " workers");
  }
  auto all = addresses_of(prefixes);
  if (!all) {
    return tl::unexpected(all.error());
  }
  if (all->empty()) {
    return fail(ErrorKind::kInvalid, "no address");
  }

  NatPorts ports;
  ports.addresses_ = *std::move(all);
  ports.range_ = range;
  ports.workers_ = workers;
  ports.share_ = range.size() / workers;
  const auto v6 = std::stable_partition(ports.addresses_.begin(), ports.addresses_.end(),
                                        [](const IpAddress& address) { return address.is_v4(); });
  ports.v4_count_ = static_cast<uint32_t>(v6 - ports.addresses_.begin());
  ports.places_.fill(kEmpty);
  for (size_t i = 0; i < ports.addresses_.size(); ++i) {
    if (ports.index_of(ports.addresses_[i])) {
      return fail(ErrorKind::kInvalid, ports.addresses_[i].to_string() + " is there twice");
    }
    size_t place = place_of(ports.addresses_[i]);
    while (ports.places_[place] != kEmpty) {
      place = (place + 1) % kPlaces;
    }
    ports.places_[place] = static_cast<uint16_t>(i);
  }
  return ports;
}

Result<std::optional<NatPorts>> NatPorts::of_sources(const std::optional<IpPrefix>& v4,
                                                     const std::optional<IpPrefix>& v6, NatPortRange range,
                                                     uint32_t workers) {
  std::vector<IpPrefix> prefixes;
  for (const auto& source : {v4, v6}) {
    if (source) {
      prefixes.push_back(*source);
    }
  }
  if (prefixes.empty()) {
    return std::optional<NatPorts>();
  }
  auto ports = make(prefixes, range, workers);
  if (!ports) {
    return fail(ports.error().kind, "nat_source: " + ports.error().message);
  }
  return std::optional<NatPorts>(*std::move(ports));
}

NatPorts NatPorts::with_ports(NatPortRange range) const {
  NatPorts ports = *this;
  ports.range_ = range;
  ports.workers_ = 1;
  ports.share_ = range.size();
  return ports;
}

std::optional<uint8_t> NatPorts::index_of(const IpAddress& address) const {
  for (size_t place = place_of(address); places_[place] != kEmpty; place = (place + 1) % kPlaces) {
    if (addresses_[places_[place]] == address) {
      return static_cast<uint8_t>(places_[place]);
    }
  }
  return std::nullopt;
}

std::optional<uint32_t> NatPorts::owner_of(const IpAddress& address, uint16_t port) const {
  if (port < range_.first || !index_of(address)) {
    return std::nullopt;
  }
  const uint32_t owner = (uint32_t{port} - range_.first) / share_;
  return owner < workers_ ? std::optional(owner) : std::nullopt;
}

}  // namespace maglb
