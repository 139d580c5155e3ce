#include "tools/maglbctl/render/render.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

constexpr bool kNoColour = false;

// The text of an answer that can be shown; what is wrong with it else.
std::string shown(const Rendered& rendered) {
  return rendered ? *rendered : "ERROR " + rendered.error().message;
}

Json web1() {
  return Json::parse(R"({"pool": "web", "name": "web1", "address": "10.0.1.11", "weight": 100, "state": "up",
    "health": "healthy", "effective": "up", "reason": "http 200", "since": 192.4, "slots": 32769, "share": 0.50001,
    "next_hop": "02:00:00:00:00:01 via uplink", "packets": 1234567, "bytes": 987654321, "new_flows": 4321})");
}

// As the control plane answers while the dataplane is away: its counters are null.
Json web2() {
  return Json::parse(R"({"pool": "web", "name": "web2", "address": "10.0.1.12", "weight": 50, "state": "up",
    "health": "unhealthy", "effective": "unhealthy", "reason": "connect: connection refused", "since": 3,
    "slots": 0, "share": 0, "next_hop": null, "packets": null, "bytes": null, "new_flows": null})");
}

Json status() {
  return Json::parse(R"({"version": "0.1.0", "uptime_seconds": 90061, "ready": true, "generation": 17,
    "dataplane": {"connected": true, "version": "maglb-dataplane 0.1.0", "generation": 17, "workers": 2, "uptime_seconds": 192,
                  "error": null},
    "config": {"file": "/etc/maglb/maglb.yaml", "source": "file", "applied_at": "2026-11-21T03:00:00Z"},
    "services": 2, "pools": 1, "backends": {"total": 3, "up": 1, "unhealthy": 1, "drain": 1, "down": 0},
    "warnings": []})");
}

TEST(RenderStatus, SaysWhatRuns) {
  EXPECT_EQ(shown(render_status(status(), kNoColour)),
            R"(ready          yes
control plane  version 0.1.0, up 1d01h
dataplane      connected, maglb-dataplane 0.1.0, 2 workers, up 3m12s
generation     17, which the dataplane runs
configuration  /etc/maglb/maglb.yaml, as the file says, applied 2026-11-21T03:00:00Z
services       2
pools          1
backends       3: 1 up, 1 unhealthy, 1 drain, 0 down
)");
}

TEST(RenderStatus, SaysWhatIsWrong) {
  Json json = status();
  json["ready"] = false;
  json["dataplane"] =
      Json::parse(R"({"connected": false, "error": "connect: no such file", "generation": null})");
  json["config"] =
      Json::parse(R"({"file": "/etc/maglb.yaml", "source": "runtime", "applied_at": 1795230000.5})");
  json["warnings"] = Json::parse(R"(["pool dns: the last table stays\u001b]0;x\u0007", 7])");
  EXPECT_EQ(shown(render_status(json, kNoColour)),
            R"(ready          no
control plane  version 0.1.0, up 1d01h
dataplane      not connected: connect: no such file
generation     17
configuration  /etc/maglb.yaml, with changes made at run time, applied 2026-11-21 03:00:00 UTC
services       2
pools          1
backends       3: 1 up, 1 unhealthy, 1 drain, 0 down
warning        pool dns: the last table stays\x1b]0;x\x07
)");
}

TEST(RenderStatus, TellsGenerationsApart) {
  Json json = status();
  json["dataplane"]["generation"] = 15;
  EXPECT_NE(shown(render_status(json, kNoColour)).find("17; the dataplane runs 15\n"), std::string::npos);
}

TEST(RenderStatus, ColoursOnlyWhenAsked) {
  EXPECT_EQ(shown(render_status(status(), false)).find('\x1b'), std::string::npos);
  EXPECT_NE(shown(render_status(status(), true)).find("\x1b[32myes\x1b[0m\n"), std::string::npos);
}

Json service() {
  return Json::parse(
      R"({"name": "web", "address": "198.51.100.1", "protocol": "tcp", "port": 80, "pool": "web",
    "forward": "ipip", "flow": true, "on_failure": "reschedule", "backends_up": 1, "backends_total": 2,
    "packets": 1234567, "bytes": 987654321, "new_flows": 4321})");
}

TEST(RenderServices, ListsThem) {
  Json dns = service();
  dns.update(Json::parse(R"({"name": "dns", "protocol": "udp", "port": 53, "pool": "ns", "forward": "l2",
    "packets": null, "bytes": null, "new_flows": null})"));
  EXPECT_EQ(shown(render_services({{"services", {service(), dns}}}, kNoColour)),
            R"(SERVICE  ADDRESS       PROTOCOL  PORT  POOL  FORWARD   UP  PACKETS     BYTES  NEW FLOWS
web      198.51.100.1  tcp         80  web   ipip     1/2    1.2 M  987.7 MB       4321
dns      198.51.100.1  udp         53  ns    l2       1/2        -         -          -
)");
}

TEST(RenderServices, ShowsOne) {
  EXPECT_EQ(shown(render_service(service(), kNoColour)),
            R"(service      web
address      198.51.100.1
protocol     tcp
port         80
pool         web
backends up  1/2
forward      ipip
flow         on
on failure   reschedule
packets      1.2 M
bytes        987.7 MB
new flows    4321
)");
}

Json pool() {
  return Json::parse(R"({"name": "web", "scheduler": "maglev", "table_size": 65537,
    "health": {"type": "http", "port": 80, "path": "/healthz", "interval_seconds": 1, "timeout_seconds": 0.5,
               "rise": 2, "fall": 3},
    "services": ["web", "web-alt"], "backends_up": 1, "backends_total": 2, "stale": false})");
}

TEST(RenderPools, ListsThem) {
  Json tcp = pool();
  tcp.update(Json::parse(R"({"name": "mail", "health": {"type": "tcp", "port": 0, "interval_seconds": 0.25},
    "services": [], "stale": true, "backends_up": 0})"));
  Json none = pool();
  none.update(Json::parse(R"({"name": "dns", "health": {"type": "none"}, "services": ["dns"]})"));
  EXPECT_EQ(shown(render_pools({{"pools", {pool(), tcp, none}}}, kNoColour)),
            R"(POOL  SCHEDULER  SLOTS   UP  TABLE    PROBE                      SERVICES
web   maglev     65537  1/2  current  http :80/healthz every 1s  web, web-alt
mail  maglev     65537  0/2  stale    tcp every 250ms            -
dns   maglev     65537  1/2  current  none                       dns
)");
}

TEST(RenderPools, ShowsOneWithItsBackends) {
  Json json = pool();
  json["stale"] = true;
  json["backends"] = {web1(), web2()};
  EXPECT_EQ(shown(render_pool(json, kNoColour)),
            R"(pool         web
scheduler    maglev
slots        65537
services     web, web-alt
backends up  1/2
probe        http :80/healthz every 1s
probe rules  timeout 500ms, healthy after 2 successes, unhealthy after 3 failures
table        stale: every backend fails its probe, so the last table stays

BACKEND   ADDRESS    WEIGHT  STATE  HEALTH     EFFECTIVE  SINCE   SHARE  PACKETS     BYTES  NEW FLOWS  REASON
web/web1  10.0.1.11     100  up     healthy    up         3m12s  50.0 %    1.2 M  987.7 MB       4321  http 200
web/web2  10.0.1.12      50  up     unhealthy  unhealthy     3s   0.0 %        -         -          -  connect: connection refused
)");
}

TEST(RenderBackends, ColoursHealthWords) {
  const std::string text = shown(render_backends({{"backends", {web1(), web2()}}}, true));
  EXPECT_NE(text.find("\x1b[32mhealthy\x1b[0m"), std::string::npos);
  EXPECT_NE(text.find("\x1b[31munhealthy\x1b[0m"), std::string::npos);
}

TEST(RenderBackends, AnEmptyListIsItsHeading) {
  EXPECT_EQ(shown(render_backends(Json::parse(R"({"backends": []})"), kNoColour)),
            "BACKEND  ADDRESS  WEIGHT  STATE  HEALTH  EFFECTIVE  SINCE  SHARE  PACKETS  BYTES  NEW FLOWS  "
            "REASON\n");
}

TEST(RenderBackends, ShowsOne) {
  EXPECT_EQ(shown(render_backend(web2(), kNoColour)),
            R"(backend    web/web2
address    10.0.1.12
weight     50
state      up
health     unhealthy
reason     connect: connection refused
since      3s
effective  unhealthy
slots      0
share      0.0 %
next hop   -
packets    -
bytes      -
new flows  -
)");
}

// The three of a passive pool are its last lines; another pool has none.
TEST(RenderBackends, ShowsWhatPacketsTell) {
  Json backend = web1();
  const std::string without = shown(render_backend(backend, kNoColour));
  backend["signals"] = nullptr;
  EXPECT_EQ(shown(render_backend(backend, kNoColour)), without);
  backend["signals"] = {{"refused", 3}, {"repeated", 12}, {"lapsed", 4300}};
  EXPECT_EQ(shown(render_backend(backend, kNoColour)), without +
                                                           "refused    3\n"
                                                           "repeated   12\n"
                                                           "lapsed     4300\n");
}

TEST(RenderBackends, SaysWhatChangedInOneLine) {
  Json drained = web1();
  drained["state"] = "drain";
  drained["effective"] = "drain";
  EXPECT_EQ(shown(render_backend_change(web1(), drained, "state")), "web/web1: state up -> drain\n");
  EXPECT_EQ(shown(render_backend_change(drained, drained, "state")), "web/web1: state is drain as before\n");
  Json heavier = web1();
  heavier["weight"] = 200;
  EXPECT_EQ(shown(render_backend_change(web1(), heavier, "weight")), "web/web1: weight 100 -> 200\n");
}

TEST(RenderBackends, SaysWhenAChangeHasNotTheEffectItNames) {
  Json before = web2();
  before["state"] = "drain";
  EXPECT_EQ(shown(render_backend_change(before, web2(), "state")),
            "web/web2: state drain -> up; it is unhealthy: connect: connection refused\n");
  Json without_reason = web2();
  without_reason["reason"] = "";
  EXPECT_EQ(shown(render_backend_change(before, without_reason, "state")),
            "web/web2: state drain -> up; it is unhealthy\n");
}

TEST(RenderBackends, SaysWhatWasAdded) {
  EXPECT_EQ(shown(render_backend_added(web1())),
            "web/web1: added, address 10.0.1.11, weight 100, state up\n");
}

const LookupQuery kQuery = {"tcp", "192.0.2.11", "40000", "198.51.100.1", "80"};

Json lookup(const char* flow, const char* table_backend, const char* backend) {
  return {{"service", "web"},   {"pool", "web"},
          {"slot", 4711},       {"table_backend", table_backend},
          {"backend", backend}, {"flow", Json::parse(flow)}};
}

TEST(RenderFlowLookup, SaysThatATrackedFlowKeepsItsBackend) {
  const Json json = lookup(
      R"({"found": true, "worker": 1, "state": "established", "backend": "web1", "idle_seconds": 1.5})",
      "web2", "web1");
  EXPECT_EQ(shown(render_flow_lookup(kQuery, json, kNoColour)),
            R"(packet   tcp 192.0.2.11:40000 -> 198.51.100.1:80
service  web, which uses pool web
goes to  web/web1
because  worker 1 tracks this flow (established, idle 1.5s) and keeps it on web1; slot 4711 of pool web's table names web2
)");
}

TEST(RenderFlowLookup, SaysThatTheTableDecidesForANewFlow) {
  EXPECT_EQ(shown(render_flow_lookup(kQuery, lookup(R"({"found": false})", "web2", "web2"), kNoColour)),
            R"(packet   tcp 192.0.2.11:40000 -> 198.51.100.1:80
service  web, which uses pool web
goes to  web/web2
because  no worker tracks this flow, so the table decides: slot 4711 of pool web's table names web2
)");
}

TEST(RenderFlowLookup, SaysWhyAFlowLeavesItsBackend) {
  const char* flow =
      R"({"found": true, "worker": 0, "state": "established", "backend": "web1", "idle_seconds": 2})";
  EXPECT_NE(shown(render_flow_lookup(kQuery, lookup(flow, "web2", "web2"), kNoColour))
                .find("because  worker 0 tracks this flow (established, idle 2s) on web1, which takes no "
                      "packets now, "
                      "so the table decides: slot 4711 of pool web's table names web2\n"),
            std::string::npos);
  const char* gone = R"({"found": true, "worker": 0, "state": "udp", "backend": "", "idle_seconds": 2})";
  EXPECT_NE(shown(render_flow_lookup(kQuery, lookup(gone, "web2", "web2"), kNoColour))
                .find("but its backend is gone, so the table decides: "),
            std::string::npos);
}

TEST(RenderFlowLookup, SaysWhenThereIsNowhereToGo) {
  EXPECT_EQ(shown(render_flow_lookup(kQuery, lookup("{}", "", ""), kNoColour)),
            R"(packet   tcp 192.0.2.11:40000 -> 198.51.100.1:80
service  web, which uses pool web
goes to  nowhere: it is dropped
because  no worker tracks this flow, so the table decides: slot 4711 of pool web's table names no backend
)");
}

TEST(RenderFlowLookup, PutsIpv6AddressesInBrackets) {
  const LookupQuery query = {"udp", "2001:db8::1", "53", "2001:db8::2", "53"};
  EXPECT_NE(shown(render_flow_lookup(query, lookup("{}", "a", "a"), kNoColour))
                .find("packet   udp [2001:db8::1]:53 -> [2001:db8::2]:53\n"),
            std::string::npos);
}

TEST(RenderFlowSummary, ListsStatesAndBackends) {
  const Json json = Json::parse(R"({"flows": 262144, "capacity": 1048576,
    "states": {"opening": 4, "established": 262135, "closing": 3, "udp": 2},
    "backends": [{"pool": "web", "backend": "web1", "flows": 262142}, {"pool": "dns", "backend": "ns1", "flows": 2}]})");
  EXPECT_EQ(shown(render_flow_summary(json, kNoColour)), R"(flows        262.1 k of 1.0 M (25.0 %)
opening      4
established  262.1 k
closing      3
udp          2

BACKEND     FLOWS
web/web1  262.1 k
dns/ns1         2
)");
}

TEST(RenderFlowSummary, WithoutFlowsHasNoTable) {
  const Json json = Json::parse(R"({"flows": null, "capacity": null, "states": null, "backends": []})");
  EXPECT_EQ(shown(render_flow_summary(json, kNoColour)),
            "flows        - of -\nopening      -\nestablished  -\nclosing      -\nudp          -\n");
}

Json stats() {
  return Json::parse(R"({"generation": 17, "uptime_seconds": 3725,
    "totals": {"received": 1234567, "originated": 3, "sent": 1234000, "kernel": 560, "held": 0,
               "dropped": {"too_big": 3, "no_service": 7, "malformed": 0}},
    "workers": [
      {"worker": 0, "core": 1, "received": 1234000, "originated": 3, "sent": 1233440, "kernel": 560, "held": 0,
       "dropped": {"too_big": 3, "no_service": 0}, "events": {"flows_created": 4321, "flows_full": 0},
       "flows": 120, "flow_capacity": 1048576, "busy": 0.25},
      {"worker": 1, "core": 2, "received": 567, "originated": 0, "sent": 560, "kernel": 0, "held": 0,
       "dropped": {"too_big": 0, "no_service": 7}, "events": {"flows_created": 9},
       "flows": 9, "flow_capacity": 1048576, "busy": null}],
    "ports": [{"name": "uplink", "device": "net_af_xdp0,iface=lb0", "link_up": true, "mac": "02:00:00:00:00:02",
               "mtu": 1500, "rx_packets": 1234567, "tx_packets": 1234000, "rx_missed": 0, "tx_errors": 0}]})");
}

TEST(RenderStats, WritesTheEquationOut) {
  EXPECT_EQ(shown(render_stats(stats(), {}, kNoColour)), R"(generation 17, counting for 1h02m

PACKETS
  received    1,234,567
+ originated          3
= sent        1,234,000
+ to kernel         560
+ dropped            10
+ held                0
balance: exact

DROPPED
no_service  7
too_big     3

EVENTS
flows_created  4,330
)");
}

TEST(RenderStats, JudgesTheBalance) {
  Json json = stats();
  json["totals"]["received"] = 1234567 + 128;
  EXPECT_NE(shown(render_stats(json, {}, kNoColour)).find("balance: off by 128, within a burst per worker\n"),
            std::string::npos);
  json["totals"]["received"] = 1234567 - 129;
  EXPECT_NE(
      shown(render_stats(json, {}, kNoColour)).find("balance: off by -129, more than a burst per worker\n"),
      std::string::npos);
}

TEST(RenderStats, ShowsWorkersAndPortsWhenAsked) {
  const std::string text = shown(render_stats(stats(), {.workers = true, .ports = true}, kNoColour));
  const std::string sections = text.substr(text.find("\nWORKER"));
  EXPECT_EQ(sections, R"(
WORKER  CORE  RECEIVED  ORIGINATED   SENT  KERNEL  DROPPED  HELD      FLOWS    BUSY
     0     1     1.2 M           3  1.2 M     560        3     0  120/1.0 M  25.0 %
     1     2       567           0    560       0        7     0    9/1.0 M       -

DROPPED BY WORKER 0
too_big              3

EVENTS OF WORKER 0
flows_created       4,321

DROPPED BY WORKER 1
no_service           7

EVENTS OF WORKER 1
flows_created       9

PORT    LINK  MAC                 MTU  RECEIVED   SENT  MISSED  TX ERRORS  DEVICE
uplink  up    02:00:00:00:00:02  1500     1.2 M  1.2 M       0          0  net_af_xdp0,iface=lb0
)");
}

TEST(RenderStats, WithoutADataplaneShowsDashes) {
  const Json json = Json::parse(R"({"generation": null, "uptime_seconds": null, "workers": null, "ports": [],
    "totals": {"received": null, "originated": null, "sent": null, "kernel": null, "held": null, "dropped": null}})");
  EXPECT_EQ(shown(render_stats(json, {}, kNoColour)), R"(generation -, counting for -

PACKETS
  received    -
+ originated  -
= sent        -
+ to kernel   -
+ dropped     -
+ held        -
balance: -
)");
}

TEST(RenderConfig, SaysWhatACheckFound) {
  EXPECT_EQ(shown(render_check("maglb\x1b.yaml", Json::parse(R"({"valid": true, "services": 2, "pools": 1,
    "backends": 3})"))),
            "maglb\\x1b.yaml: valid: 2 services, 1 pool, 3 backends\n");
}

TEST(RenderConfig, SaysWhatWasApplied) {
  EXPECT_EQ(shown(render_applied("maglb.yaml", Json::parse(R"({"generation": 18, "changed": true})"))),
            "maglb.yaml: applied, generation 18 runs\n");
  EXPECT_EQ(shown(render_applied(
                "maglb.yaml", Json::parse(R"({"generation": 18, "changed": true, "warning": "no room"})"))),
            "maglb.yaml: applied, generation 18 does not run yet: no room\n");
  EXPECT_EQ(shown(render_applied("maglb.yaml", Json::parse(R"({"generation": 18, "changed": false})"))),
            "maglb.yaml: nothing changed, generation 18 runs\n");
}

TEST(RenderJson, KeepsFiguresAndEscapesEverythingUnusual) {
  EXPECT_EQ(
      render_json(Json::parse(R"({"n": 18446744073709551615, "s": "\u001b\u009b\u202eö", "z": null})")),
      "{\n  \"n\": 18446744073709551615,\n  \"s\": \"\\u001b\\u009b\\u202e\\u00f6\",\n  \"z\": null\n}\n");
}

// An answer of something that is no maglb: an error, never a page of dashes.
TEST(Render, RefusesAnswersThatAreSomethingElse) {
  for (const char* document : {"{}", "[]", "null", "7", R"({"services": 7, "pools": {}, "backends": [7]})"}) {
    const Json json = Json::parse(document);
    EXPECT_FALSE(render_status(json, kNoColour)) << document;
    EXPECT_FALSE(render_services(json, kNoColour)) << document;
    EXPECT_FALSE(render_service(json, kNoColour)) << document;
    EXPECT_FALSE(render_pools(json, kNoColour)) << document;
    EXPECT_FALSE(render_pool(json, kNoColour)) << document;
    EXPECT_FALSE(render_backends(json, kNoColour)) << document;
    EXPECT_FALSE(render_backend(json, kNoColour)) << document;
    EXPECT_FALSE(render_backend_change(json, json, "state")) << document;
    EXPECT_FALSE(render_backend_added(json)) << document;
    EXPECT_FALSE(render_flow_lookup(kQuery, json, kNoColour)) << document;
    EXPECT_FALSE(render_flow_summary(json, kNoColour)) << document;
    EXPECT_FALSE(render_stats(json, {}, kNoColour)) << document;
    EXPECT_FALSE(render_check("file", json)) << document;
    EXPECT_FALSE(render_applied("file", json)) << document;
  }
}

// Every member of a foreign type at once: dashes, no crash.
TEST(Render, ToleratesMembersOfForeignTypes) {
  for (const char* foreign : {"null", "7", "\"text\"", "[]", "{}", "[[1]]", "-1.5", "true"}) {
    const auto replaced = [&](Json json) {
      const std::string keep = json.contains("ready") ? "ready" : "name";
      for (auto& [name, value] : json.items()) {
        if (name != keep) {
          value = Json::parse(foreign);
        }
      }
      return json;
    };
    EXPECT_TRUE(render_status(replaced(status()), kNoColour)) << foreign;
    EXPECT_TRUE(render_service(replaced(service()), kNoColour)) << foreign;
    EXPECT_TRUE(render_backend(replaced(web1()), kNoColour)) << foreign;
    EXPECT_TRUE(render_backend_change(web1(), replaced(web1()), "state")) << foreign;
    (void)render_pool(replaced(pool()), kNoColour);
    (void)render_stats(replaced(stats()), {.workers = true, .ports = true}, kNoColour);
  }
}

}  // namespace
}  // namespace maglb::ctl
