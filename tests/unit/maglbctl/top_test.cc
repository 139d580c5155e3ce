#include "tools/maglbctl/render/top.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

// `n` is how much traffic there was by then.
TopSample sample(double seconds, uint64_t n) {
  TopSample out;
  out.seconds = seconds;
  out.status = Json::parse(R"({"ready": true, "generation": 17, "dataplane": {"uptime_seconds": 192},
    "backends": {"up": 1, "total": 2}, "warnings": []})");
  out.stats = {
      {"uptime_seconds", 100 + seconds},
      {"totals",
       {{"received", 10 * n}, {"sent", 9 * n}, {"kernel", 0}, {"dropped", {{"no_service", n}, {"held", 0}}}}},
      {"workers", Json::array({{{"worker", 0},
                                {"core", 1},
                                {"received", 10 * n},
                                {"sent", 9 * n},
                                {"kernel", 0},
                                {"dropped", {{"no_service", n}}},
                                {"flows", 120},
                                {"busy", 0.5}}})}};
  out.services = Json::parse(R"({"services": [
    {"name": "dns", "address": "198.51.100.2", "protocol": "udp", "port": 53, "pool": "dns", "backends_up": 0,
     "backends_total": 1, "packets": null, "bytes": null, "new_flows": null},
    {"name": "web", "address": "198.51.100.1", "protocol": "tcp", "port": 80, "pool": "web", "backends_up": 1,
     "backends_total": 2}]})");
  out.services["services"][1].update({{"packets", 9 * n}, {"bytes", 900 * n}, {"new_flows", n}});
  for (const auto& [name, share] : {std::pair("a", uint64_t{1}), std::pair("b", uint64_t{8})}) {
    out.backends["backends"].push_back({{"pool", "web"},
                                        {"name", name},
                                        {"effective", "up"},
                                        {"health", "healthy"},
                                        {"share", 0.5},
                                        {"packets", share * n},
                                        {"bytes", 100 * n},
                                        {"new_flows", n / share},
                                        {"reason", "http 200"}});
  }
  return out;
}

std::string text_of(const Result<Frame>& frame) {
  if (!frame) {
    return "ERROR " + frame.error().message;
  }
  std::string text;
  for (const auto* part : {&frame->head, &frame->body}) {
    for (const std::string& line : *part) {
      text += line + "\n";
    }
  }
  return text;
}

TEST(Top, ShowsRatesBetweenTwoSamples) {
  EXPECT_EQ(text_of(render_top(sample(10, 1000), sample(12, 5000), TopSort::kPackets, false)),
            R"(ready yes  generation 17  up 3m12s  backends 1/2 up  sorted by packets
packets/s: received 20.0 k  sent 18.0 k  to kernel 0  dropped 2000

WORKER  CORE    BUSY  RECEIVED/S  SENT/S  KERNEL/S  DROPPED/S  FLOWS
     0     1  50.0 %      20.0 k  18.0 k         0       2000    120

DROPPED     PACKETS/S  TOTAL
no_service       2000   5000

SERVICE  ADDRESS       PROTOCOL  PORT  POOL   UP  PACKETS/S  BYTES/S  NEW FLOWS/S
web      198.51.100.1  tcp         80  web   1/2     18.0 k    1.8 M         2000
dns      198.51.100.2  udp         53  dns   0/1          -        -            -

BACKEND  EFFECTIVE  HEALTH    SHARE  PACKETS/S  BYTES/S  NEW FLOWS/S  REASON
web/b    up         healthy  50.0 %     16.0 k  200.0 k          250  http 200
web/a    up         healthy  50.0 %       2000  200.0 k         2000  http 200
)");
}

TEST(Top, SortsByTheKeyAndEqualsByName) {
  const auto order = [](TopSort sort) {
    const std::string text = text_of(render_top(sample(10, 1000), sample(12, 5000), sort, false));
    return text.find("web/a") < text.find("web/b") ? "ab" : "ba";
  };
  EXPECT_EQ(order(TopSort::kPackets), std::string("ba"));
  EXPECT_EQ(order(TopSort::kBytes), std::string("ab"));
  EXPECT_EQ(order(TopSort::kNewFlows), std::string("ab"));
  EXPECT_EQ(order(TopSort::kName), std::string("ab"));
  EXPECT_EQ(next(next(next(next(TopSort::kPackets)))), TopSort::kPackets);
}

TEST(Top, HasNoRatesFromOneSampleNorOverARestart) {
  for (const auto& before : {sample(10, 5000), sample(8, 6000)}) {
    const std::string text = text_of(render_top(before, sample(10, 5000), TopSort::kPackets, false));
    EXPECT_NE(text.find("packets/s: received -  sent -"), std::string::npos) << text;
  }
}

TEST(Top, LivesWithoutADataplane) {
  TopSample away = sample(12, 5000);
  away.stats = Json::parse(R"({"uptime_seconds": null, "totals": null, "workers": null})");
  for (const auto& before : {sample(10, 1000), away}) {
    const std::string text = text_of(render_top(before, away, TopSort::kPackets, false));
    EXPECT_NE(text.find("packets/s: received -"), std::string::npos) << text;
    EXPECT_NE(text.find("web/a"), std::string::npos);
  }
}

TEST(Top, RefusesWhatIsNoMaglb) {
  TopSample other = sample(12, 5000);
  other.backends = Json{{"backends", 7}};
  EXPECT_EQ(text_of(render_top(sample(10, 1), other, TopSort::kName, false)),
            "ERROR the answer has no list 'backends'");
  other = sample(12, 5000);
  other.status = Json();
  EXPECT_EQ(text_of(render_top(sample(10, 1), other, TopSort::kName, false)),
            "ERROR the answer has no 'ready'");
}

TEST(Top, EscapesWhatOthersWrote) {
  TopSample now = sample(12, 5000);
  now.backends["backends"][0]["reason"] = "\x1b[2J\xe2\x80\xae";
  now.services["services"][0]["name"] = "\x1b]0;x\x07";
  now.stats["totals"]["dropped"]["\x1b[1m"] = 7;
  const std::string text = text_of(render_top(sample(10, 1), now, TopSort::kName, false));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x1b[2J\\u202e"), std::string::npos);
}

}  // namespace
}  // namespace maglb::ctl
