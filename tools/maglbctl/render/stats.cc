#include <fmt/format.h>

#include <map>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

// The sum of an object's figures; nothing when it has none, as when the dataplane is away.
std::optional<uint64_t> sum_of(const Json& counters) {
  if (!counters.is_object()) {
    return std::nullopt;
  }
  uint64_t sum = 0;
  for (const auto& [name, value] : counters.items()) {
    sum += value.is_number_unsigned() ? value.get<uint64_t>() : 0;
  }
  return sum;
}

std::string exact_or_dash(const std::optional<uint64_t>& value) {
  return value ? exact_count(*value) : "-";
}

// What a worker may hold in its hands between counting a packet as received and as gone.
constexpr uint64_t kBurst = 64;

Cell verdict(const std::optional<uint64_t>& in, const std::optional<uint64_t>& out, std::size_t workers) {
  if (!in || !out) {
    return {"-"};
  }
  if (*in == *out) {
    return {"exact", Tone::kGood};
  }
  const uint64_t off = *in > *out ? *in - *out : *out - *in;
  const std::string sign = *in > *out ? "" : "-";
  if (off <= kBurst * workers) {
    return {fmt::format("off by {}{}, within a burst per worker", sign, exact_count(off)), Tone::kPlain};
  }
  return {fmt::format("off by {}{}, more than a burst per worker", sign, exact_count(off)), Tone::kBad};
}

// received + originated = sent + to kernel + dropped + held, term by term.
std::string equation(const Json& totals, std::size_t workers, bool colour) {
  const auto dropped = sum_of(member(totals, "dropped"));
  const auto add = [](std::optional<uint64_t> a, std::optional<uint64_t> b) {
    return a && b ? std::optional(*a + *b) : std::nullopt;
  };
  const auto in = add(whole_number(totals, "received"), whole_number(totals, "originated"));
  const auto out = add(add(whole_number(totals, "sent"), whole_number(totals, "kernel")),
                       add(dropped, whole_number(totals, "held")));
  Table terms({{"PACKETS"}, {"", Align::kRight}});
  terms.add({"  received", exact(totals, "received")});
  terms.add({"+ originated", exact(totals, "originated")});
  terms.add({"= sent", exact(totals, "sent")});
  terms.add({"+ to kernel", exact(totals, "kernel")});
  terms.add({"+ dropped", exact_or_dash(dropped)});
  terms.add({"+ held", exact(totals, "held")});
  const Cell balance = verdict(in, out, workers);
  return terms.to_string(colour) + "balance: " + painted(balance.text, balance.tone, colour) + "\n";
}

// Named figures that are not zero, as a table with `title` over the names; empty when there are none.
std::string non_zero(const Json& counters, const std::string& title, bool colour) {
  if (!counters.is_object()) {
    return {};
  }
  Table table({{title}, {"", Align::kRight}});
  for (const auto& [name, value] : counters.items()) {
    if (value.is_number_unsigned() && value.get<uint64_t>() != 0) {
      table.add({escaped(name), exact_count(value.get<uint64_t>())});
    }
  }
  return table.empty() ? "" : "\n" + table.to_string(colour);
}

Json events_of_all(const std::vector<const Json*>& workers) {
  Json sum = Json::object();
  for (const Json* worker : workers) {
    const Json& events = member(*worker, "events");
    if (!events.is_object()) {
      continue;
    }
    for (const auto& [name, value] : events.items()) {
      if (value.is_number_unsigned()) {
        sum[name] = sum.value(name, uint64_t{0}) + value.get<uint64_t>();
      }
    }
  }
  return sum;
}

std::string flows_cell(const Json& worker) {
  return fmt::format("{}/{}", count(worker, "flows"), count(worker, "flow_capacity"));
}

std::string workers_table(const std::vector<const Json*>& workers, bool colour) {
  Table table({{"WORKER", Align::kRight},
               {"CORE", Align::kRight},
               {"RECEIVED", Align::kRight},
               {"ORIGINATED", Align::kRight},
               {"SENT", Align::kRight},
               {"KERNEL", Align::kRight},
               {"DROPPED", Align::kRight},
               {"HELD", Align::kRight},
               {"FLOWS", Align::kRight},
               {"BUSY", Align::kRight}});
  for (const Json* worker : workers) {
    const auto dropped = sum_of(member(*worker, "dropped"));
    table.add({text(*worker, "worker"), text(*worker, "core"), count(*worker, "received"),
               count(*worker, "originated"), count(*worker, "sent"), count(*worker, "kernel"),
               dropped ? human_count(*dropped) : "-", count(*worker, "held"), flows_cell(*worker),
               share(*worker, "busy")});
  }
  std::string out = "\n" + table.to_string(colour);
  for (const Json* worker : workers) {
    out += non_zero(member(*worker, "dropped"), fmt::format("DROPPED BY WORKER {}", text(*worker, "worker")),
                    colour);
    out += non_zero(member(*worker, "events"), fmt::format("EVENTS OF WORKER {}", text(*worker, "worker")),
                    colour);
  }
  return out;
}

std::string ports_table(const std::vector<const Json*>& ports, bool colour) {
  Table table({{"PORT"},
               {"LINK"},
               {"MAC"},
               {"MTU", Align::kRight},
               {"RECEIVED", Align::kRight},
               {"SENT", Align::kRight},
               {"MISSED", Align::kRight},
               {"TX ERRORS", Align::kRight},
               {"DEVICE"}});
  for (const Json* port : ports) {
    const Json& link = member(*port, "link_up");
    const Cell link_cell = !link.is_boolean() ? Cell("-")
                           : link.get<bool>() ? Cell("up", Tone::kGood)
                                              : Cell("down", Tone::kBad);
    table.add({text(*port, "name"), link_cell, text(*port, "mac"), text(*port, "mtu"),
               count(*port, "rx_packets"), count(*port, "tx_packets"), count(*port, "rx_missed"),
               count(*port, "tx_errors"), text(*port, "device")});
  }
  return "\n" + table.to_string(colour);
}

// A list that is null while the dataplane is away is an empty one.
Result<std::vector<const Json*>> objects_or_none(const Json& stats, std::string_view list) {
  if (member(stats, list).is_null()) {
    return std::vector<const Json*>{};
  }
  return objects(stats, list);
}

}  // namespace

Rendered render_stats(const Json& stats, const StatsSections& sections, bool colour) {
  if (auto ok = expect_member(stats, "totals"); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto workers = objects_or_none(stats, "workers");
  const auto ports = objects_or_none(stats, "ports");
  if (!workers || !ports) {
    return tl::unexpected(!workers ? workers.error() : ports.error());
  }
  const Json& totals = member(stats, "totals");
  std::string out = fmt::format("generation {}, counting for {}\n\n", text(stats, "generation"),
                                duration(stats, "uptime_seconds"));
  out += equation(totals, workers->size(), colour);
  out += non_zero(member(totals, "dropped"), "DROPPED", colour);
  out += non_zero(events_of_all(*workers), "EVENTS", colour);
  if (sections.workers) {
    out += workers_table(*workers, colour);
  }
  if (sections.ports) {
    out += ports_table(*ports, colour);
  }
  return out;
}

}  // namespace maglb::ctl
