#include "lib/config/service/option_faults.h"

#include <fmt/format.h>

#include <set>

namespace maglb {
namespace {

// What belongs to one forward mode.
void check_mode(const ServiceEntry& service, const ServiceMarks& marks, Faults& faults) {
  const ServiceOptions defaults;
  const ServiceOptions& options = service.options;
  const ForwardMode mode = service.forward;
  const std::string has = fmt::format("the service's forward mode is {}", to_string(mode));
  faults.add_if(mode != ForwardMode::kGue && options.gue_port != defaults.gue_port, marks.gue_port,
                "gue_port", "has a meaning with forward gue only: " + has);
  faults.add_if(mode != ForwardMode::kGue && options.udp_checksum, marks.udp_checksum, "udp_checksum",
                "has a meaning with forward gue only: " + has);
  faults.add_if(mode != ForwardMode::kGre && options.gre_key.has_value(), marks.gre_key, "gre_key",
                "has a meaning with forward gre only: " + has);
  faults.add_if(mode != ForwardMode::kNat && options.backend_port != 0, marks.backend_port, "backend_port",
                "has a meaning with forward nat only, which rewrites ports: " + has);
  faults.add_if(!is_tunnel(mode) && options.oversize != defaults.oversize, marks.oversize, "oversize",
                "has a meaning with a tunnel only: " + has);
  faults.add_if(options.proxy_protocol && mode != ForwardMode::kNat, marks.proxy_protocol, "proxy_protocol",
                "needs forward nat: replies that go straight to the client acknowledge bytes that it never "
                "sent; " +
                    has);
}

void check_nat(const ServiceEntry& service, const ServiceMarks& marks, Faults& faults) {
  if (service.forward != ForwardMode::kNat) {
    return;
  }
  const ServiceOptions& options = service.options;
  faults.add_if(service.protocol == Protocol::kAny, marks.protocol, "protocol",
                "expected tcp or udp: nat translates ports");
  faults.add_if(options.proxy_protocol && service.protocol != Protocol::kTcp, marks.proxy_protocol,
                "proxy_protocol", "needs protocol tcp: a datagram has no first byte of a stream");
  faults.add_if(!service.flow, marks.flow, "flow",
                "expected on: nat has to remember every flow to translate its replies");
  faults.add_if(!options.quic.empty(), marks.quic, "quic",
                "does not work with nat, which binds a flow to the client's address and port");
  faults.add_if(options.forward_ping, marks.ping, "ping",
                "expected answer: nat cannot bring a backend's answer back to an echo request");
}

void check_protocol(const ServiceEntry& service, const ServiceMarks& marks, Faults& faults) {
  const ServiceOptions& options = service.options;
  faults.add_if(options.mss != 0 && service.protocol == Protocol::kUdp, marks.mss, "mss",
                "has a meaning with protocol tcp or any only: UDP has no segments");
  faults.add_if(!options.quic.empty() && service.protocol != Protocol::kUdp, marks.quic, "quic",
                "needs protocol udp");
  faults.add_if(service.on_failure == OnFailure::kKeep && service.protocol == Protocol::kUdp,
                marks.on_failure, "on_failure",
                "expected reschedule: a datagram has no connection that could be kept");
  faults.add_if(service.on_failure == OnFailure::kKeep && !service.flow, marks.on_failure, "on_failure",
                "expected reschedule: with flow off there are no flows to keep");
}

void check_quic(const ServiceEntry& service, const ServiceMarks& marks, Faults& faults) {
  std::set<uint8_t> ids;
  for (const QuicLbConfig& config : service.options.quic) {
    faults.add_if(config.id > kLastQuicLbId || !ids.insert(config.id).second, marks.quic, "quic",
                  fmt::format("expected ids in 0..{} that differ: {} is not one, or is there twice",
                              kLastQuicLbId, config.id));
    faults.add_if(
        config.server_id_length < 1 || config.server_id_length > kLongestServerId ||
            config.nonce_length < kLeastQuicNonce || config.length() > kQuicLongestId,
        marks.quic, "quic",
        fmt::format("configuration {}: expected a server id of 1..{} octets and a nonce of {} or more, "
                    "with the first octet {} at most",
                    config.id, kLongestServerId, kLeastQuicNonce, kQuicLongestId));
  }
}

}  // namespace

std::vector<Fault> option_faults(const ServiceEntry& service, const ServiceMarks& marks) {
  Faults faults;
  check_mode(service, marks, faults);
  check_nat(service, marks, faults);
  check_protocol(service, marks, faults);
  check_quic(service, marks, faults);
  faults.add_if(service.options.mss != 0 && service.options.mss < kMinMss, marks.mss, "mss",
                fmt::format("expected {} or more", kMinMss));
  return faults.take();
}

}  // namespace maglb
