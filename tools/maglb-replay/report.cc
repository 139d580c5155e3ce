#include "tools/maglb-replay/report.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

namespace maglb::replay {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Traffic& traffic) {
  return {{"packets", traffic.packets}, {"bytes", traffic.bytes}, {"new_flows", traffic.new_flows}};
}

template <typename Named>
Json json_of(const Named& named) {
  Json object = Json::object();
  for (const auto& [name, value] : named) {
    object[name] = value;
  }
  return object;
}

void add_line(std::string& text, std::string_view name, uint64_t value) {
  fmt::format_to(std::back_inserter(text), "{:<28}{:>12}\n", name, value);
}

void add_traffic(std::string& text, const std::string& name, const Traffic& traffic) {
  fmt::format_to(std::back_inserter(text), "{:<28}{:>12}{:>16}{:>12}\n", name, traffic.packets, traffic.bytes,
                 traffic.new_flows);
}

void add_heading(std::string& text, std::string_view what) {
  fmt::format_to(std::back_inserter(text), "\n{:<28}{:>12}{:>16}{:>12}\n", what, "PACKETS", "BYTES",
                 "NEW FLOWS");
}

Json json_of(const FateReport& fate) {
  return {{"verdict", fate.verdict}, {"reason", fate.reason}, {"backend", fate.backend}};
}

Json json_of(const Explained& one) {
  const ExplainReport& report = one.report;
  Json object = {{"frame", one.frame},        {"packet", report.packet},
                 {"service", report.service}, {"pool", report.pool},
                 {"slot", report.slot},       {"table_backend", report.table_backend},
                 {"backend", report.backend}, {"result", json_of(report.result)}};
  if (report.new_flow) {
    object["new_flow"] = json_of(*report.new_flow);
  }
  object["steps"] = Json::array();
  for (const ExplainStep& step : report.steps) {
    object["steps"].push_back({{"stage", step.stage}, {"text", step.text}});
  }
  return object;
}

}  // namespace

std::string to_text(const std::vector<Explained>& explained) {
  std::string text;
  for (const Explained& one : explained) {
    fmt::format_to(std::back_inserter(text), "{}frame {}\n", text.empty() ? "" : "\n", one.frame);
    for (const ExplainStep& step : one.report.steps) {
      fmt::format_to(std::back_inserter(text), "  {:<10}{}\n", step.stage, step.text);
    }
  }
  return text;
}

std::string to_json(const Report& report, const std::vector<Explained>& explained) {
  Json object;
  object["received"] = report.received;
  object["originated"] = report.originated;
  object["sent"] = report.sent;
  object["kernel"] = report.kernel;
  object["held"] = report.held;
  object["dropped"] = json_of(report.dropped);
  object["services"] = Json::object();
  for (const auto& [name, traffic] : report.services) {
    object["services"][name] = json_of(traffic);
  }
  object["backends"] = Json::object();
  for (const auto& [pool, backends] : report.backends) {
    object["backends"][pool] = Json::object();
    for (const auto& [name, traffic] : backends) {
      object["backends"][pool][name] = json_of(traffic);
    }
  }
  object["events"] = json_of(report.events);
  if (!explained.empty()) {
    object["explained"] = Json::array();
    for (const Explained& one : explained) {
      object["explained"].push_back(json_of(one));
    }
  }
  return object.dump(2) + "\n";
}

std::string to_text(const Report& report) {
  std::string text;
  add_line(text, "received", report.received);
  add_line(text, "originated", report.originated);
  add_line(text, "sent", report.sent);
  add_line(text, "kernel", report.kernel);
  if (report.held != 0) {
    add_line(text, "held", report.held);
  }
  for (const auto& [reason, count] : report.dropped) {
    if (count != 0) {
      add_line(text, "dropped " + reason, count);
    }
  }
  add_heading(text, "SERVICE");
  for (const auto& [name, traffic] : report.services) {
    add_traffic(text, name, traffic);
  }
  add_heading(text, "BACKEND");
  for (const auto& [pool, backends] : report.backends) {
    for (const auto& [name, traffic] : backends) {
      add_traffic(text, pool + "/" + name, traffic);
    }
  }
  return text;
}

std::string remarks(const Report& report) {
  std::string text;
  const auto add = [&text](uint64_t frames, std::string_view what) {
    if (frames != 0) {
      fmt::format_to(std::back_inserter(text), "{} {} {}\n", frames, frames == 1 ? "frame" : "frames", what);
    }
  };
  add(report.cut_frames,
      "cut short by the capture (dropped as truncated): capture with a larger snap length");
  add(report.oversized_frames, "longer than 65535 bytes (dropped as multi_segment)");
  add(report.backward_frames, "earlier than the one before (taken as of the same time)");
  return text;
}

}  // namespace maglb::replay
