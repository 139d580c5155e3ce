// What a replay counted, in words for programs and for people. The equation of the workers holds here
// too: received + originated = sent + kernel + held + sum of dropped.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/lb/explain_report.h"

namespace maglb::replay {

struct Traffic {
  uint64_t packets = 0;
  uint64_t bytes = 0;  // of IP packets as received
  uint64_t new_flows = 0;
};

// Why a frame of the capture goes where it goes.
struct Explained {
  uint64_t frame = 0;  // its number in the capture, the first is 1
  ExplainReport report;
};

struct Report {
  uint64_t received = 0;
  uint64_t originated = 0;
  uint64_t sent = 0;
  uint64_t kernel = 0;
  uint64_t held = 0;                                      // fragments that wait when the capture ends
  std::vector<std::pair<std::string, uint64_t>> dropped;  // every reason, in the order of the path
  std::vector<std::pair<std::string, uint64_t>> events;   // every event
  std::map<std::string, Traffic> services;
  std::map<std::string, std::map<std::string, Traffic>> backends;  // by pool, by name

  // Beside the counters, for whoever reads them: what may surprise about the capture.
  uint64_t cut_frames = 0;        // captured in part; dropped as truncated
  uint64_t oversized_frames = 0;  // longer than any buffer; dropped as multi_segment
  uint64_t backward_frames = 0;   // earlier than the frame before; taken as of that time
};

// One object, with a newline at its end. Its keys are those of docs/replay.md.
std::string to_json(const Report& report, const std::vector<Explained>& explained = {});

// Of each frame a paragraph: a line a step, as the packet travels.
std::string to_text(const std::vector<Explained>& explained);

// A page for people: what is zero is left out.
std::string to_text(const Report& report);

// One line for each of the last three members that is not zero; may be empty.
std::string remarks(const Report& report);

}  // namespace maglb::replay
