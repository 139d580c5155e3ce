// A table of NAT sessions with what it stands on, for tests.
#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include "lib/flow/nat_table.h"
#include "lib/flow/nat_track.h"
#include "lib/net/wire.h"

namespace maglb {

inline IpAddress address(const std::string& text) {
  return IpAddress::parse(text).value();
}

inline NatPorts nat_ports(const std::vector<std::string>& texts, NatPortRange range, uint32_t workers = 1) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : texts) {
    prefixes.push_back(IpPrefix::parse(text).value());
  }
  return NatPorts::make(prefixes, range, workers).value();
}

class NatRig {
 public:
  static constexpr uint32_t kService = 77;

  explicit NatRig(NatPorts nat_ports, uint32_t worker = 0, uint64_t key = 1)
      : ports(std::move(nat_ports)),
        hash({key, key + 1}),
        table(ports, worker, {key + 2, key + 3}, NatTable::kDefaultQuarantine,
              std::pmr::new_delete_resource()) {}

  static FlowKey key(uint16_t client, Protocol protocol = Protocol::kTcp, bool v6 = false) {
    FlowKey key;
    key.source = address(v6 ? "2001:db8:1::1" : "192.0.2.1");
    key.destination = address(v6 ? "2001:db8:2::1" : "198.51.100.1");
    key.source_port = Be16(client);
    key.destination_port = Be16(80);
    key.protocol = protocol;
    return key;
  }
  FlowDigest digest(const FlowKey& key) const { return hash.digest(key, kService); }
  NatFlow flow(const FlowKey& key, bool proxy_header = false) const {
    NatFlow flow;
    flow.key = key;
    flow.digest = digest(key);
    flow.service_id = kService;
    flow.backend_id = {3, 4};
    flow.backend = address(key.source.is_v4() ? "10.9.0.1" : "fd00:9::1");
    flow.backend_port = Be16(8080);
    flow.proxy_header = proxy_header;
    return flow;
  }

  NatSession* find(const FlowKey& key) { return table.find(key, kService, digest(key), now); }
  NatSession* find_reply(const NatSession& session) {
    return table.find_reply(session.nat_index, session.nat_port.host(), session.protocol, Tick::at(now));
  }
  NatTable::Opened open(const FlowKey& key, bool proxy_header = false) {
    return table.open(flow(key, proxy_header), timeouts.opening, now);
  }
  void client(NatSession& session, const TcpFacts& facts) {
    track_client(table, session, facts, timeouts, now);
  }
  void backend(NatSession& session, const TcpFacts& facts) {
    track_backend(table, session, facts, timeouts, now);
  }
  // Three-way handshake with these first numbers.
  void establish(NatSession& session, uint32_t client_isn = 1000, uint32_t backend_isn = 5000) {
    client(session, {kTcpSyn, client_isn, 0});
    backend(session, {kTcpSyn | kTcpAck, backend_isn, client_isn + 1});
    client(session, {kTcpAck, client_isn + 1, backend_isn + 1});
  }
  void sweep() {
    table.sweep(table.capacity(), now, [](const NatSession&) { return true; });
  }
  void pass(Duration time) {
    now += time;
    sweep();
  }

  NatPorts ports;
  FlowHash hash;
  NatTable table;
  NatTimeouts timeouts;
  Time now = std::chrono::hours(1);
};

}  // namespace maglb
