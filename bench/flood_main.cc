// flood [--seconds 60] [--round-trip-ms 10] [--kind syn|ack|both] [--json]: exit status 1 if a flow
// moved that must not.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/flood.h"

namespace maglb::bench {
namespace {

int run(FloodKind kind, int seconds, int round_trip_ms, bool is_json) {
  Flood flood(kind);
  const FloodResult r = flood.run(std::chrono::seconds(seconds), std::chrono::milliseconds(round_trip_ms));
  const auto not_stored =
      flood.balancer().counters().events[static_cast<size_t>(Event::kFlowsNotStored)].value();
  const struct {
    const char* name;
    double value;
  } figures[] = {{"seconds", r.seconds},
                 {"flood_packets", double(r.packets)},
                 {"flood_mpps", double(r.packets) / r.seconds / 1e6},
                 {"ns_per_packet", r.seconds * 1e9 / double(flood.balancer().counters().received.value())},
                 {"changes", double(r.changes)},
                 {"established_checked", double(r.checked)},
                 {"established_moved", double(r.established_moved)},
                 {"followed_removal", double(r.followed_removal)},
                 {"clients", double(r.clients)},
                 {"clients_evicted", double(r.clients_evicted)},
                 {"clients_moved_opening", double(r.clients_moved_opening)},
                 {"clients_moved", double(r.clients_moved)},
                 {"most_opening", double(r.most_opening)},
                 {"most_size", double(r.most_size)},
                 {"capacity", double(flood.balancer().flows().capacity())},
                 {"flows_not_stored", double(not_stored)}};
  const char* before = is_json ? "{" : "";
  for (const auto& [name, value] : figures) {
    std::printf(is_json ? "%s\"%s\": %.12g" : "%s%-22s %.12g", before, name, value);
    before = is_json ? ", " : "\n";
  }
  std::printf(is_json ? "}\n" : "\n");
  return r.established_moved + r.clients_moved == 0 ? 0 : 1;
}

}  // namespace
}  // namespace maglb::bench

int main(int argc, char** argv) {
  using maglb::bench::FloodKind;
  int seconds = 60;
  int round_trip_ms = 10;
  bool is_json = false;
  FloodKind kind = FloodKind::kBoth;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--json") {
      is_json = true;
    } else if (word == "--seconds" && has_value) {
      seconds = std::atoi(argv[++i]);
    } else if (word == "--round-trip-ms" && has_value) {
      round_trip_ms = std::atoi(argv[++i]);
    } else if (word == "--kind" && has_value && std::string_view(argv[i + 1]) == "syn") {
      kind = FloodKind::kSyn;
      ++i;
    } else if (word == "--kind" && has_value && std::string_view(argv[i + 1]) == "ack") {
      kind = FloodKind::kAck;
      ++i;
    } else if (word == "--kind" && has_value && std::string_view(argv[i + 1]) == "both") {
      ++i;
    } else {
      std::fprintf(stderr, "usage: flood [--seconds n] [--round-trip-ms n] [--kind syn|ack|both] [--json]\n");
      return 2;
    }
  }
  return maglb::bench::run(kind, seconds, round_trip_ms, is_json);
}
