#include "tools/maglbctl/render/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/rate.h"

namespace maglb::ctl {
namespace {

using ByName = std::map<std::string, const Json*, std::less<>>;

// Both samples' objects of one kind, so that each of now finds itself before.
class Pairs {
 public:
  template <typename NameOf>
  Pairs(const std::vector<const Json*>& before, NameOf name_of) {
    for (const Json* object : before) {
      before_.emplace(name_of(*object), object);
    }
  }

  const Json& before(const std::string& name) const {
    static const Json kNone;
    const auto found = before_.find(name);
    return found == before_.end() ? kNone : *found->second;
  }

 private:
  ByName before_;
};

std::string worker_name(const Json& worker) {
  return text(worker, "worker");
}
std::string service_name(const Json& service) {
  return text(service, "name");
}
std::string backend_name(const Json& backend) {
  return fmt::format("{}/{}", text(backend, "pool"), text(backend, "name"));
}

struct Row {
  std::string name;
  const Json* object = nullptr;
  std::optional<double> packets;
  std::optional<double> bytes;
  std::optional<double> new_flows;
};

std::optional<double> key_of(const Row& row, TopSort sort) {
  switch (sort) {
    case TopSort::kPackets:
      return row.packets;
    case TopSort::kBytes:
      return row.bytes;
    case TopSort::kNewFlows:
      return row.new_flows;
    case TopSort::kName:
      break;
  }
  return std::nullopt;
}

// The most first; among equals by name, so that rows do not dance.
void sort_rows(std::vector<Row>& rows, TopSort sort) {
  std::sort(rows.begin(), rows.end(), [sort](const Row& a, const Row& b) {
    const double of_a = key_of(a, sort).value_or(-1);
    const double of_b = key_of(b, sort).value_or(-1);
    return of_a != of_b ? of_a > of_b : a.name < b.name;
  });
}

template <typename NameOf>
std::vector<Row> rows_of(const std::vector<const Json*>& before, const std::vector<const Json*>& now,
                         NameOf name_of, double seconds, TopSort sort) {
  const Pairs pairs(before, name_of);
  std::vector<Row> rows;
  for (const Json* object : now) {
    const std::string name = name_of(*object);
    const Json& was = pairs.before(name);
    rows.push_back({name, object, rate(was, *object, "packets", seconds),
                    rate(was, *object, "bytes", seconds), rate(was, *object, "new_flows", seconds)});
  }
  sort_rows(rows, sort);
  return rows;
}

std::string services_table(const std::vector<Row>& rows, bool colour) {
  Table table({{"SERVICE"},
               {"ADDRESS"},
               {"PROTOCOL"},
               {"PORT", Align::kRight},
               {"POOL"},
               {"UP", Align::kRight},
               {"PACKETS/S", Align::kRight},
               {"BYTES/S", Align::kRight},
               {"NEW FLOWS/S", Align::kRight}});
  for (const Row& row : rows) {
    const Json& service = *row.object;
    table.add({row.name, text(service, "address"), text(service, "protocol"), text(service, "port"),
               text(service, "pool"), up_of_total(service, "backends"), human_rate(row.packets),
               human_rate(row.bytes), human_rate(row.new_flows)});
  }
  return table.to_string(colour);
}

std::string backends_table(const std::vector<Row>& rows, bool colour) {
  Table table({{"BACKEND"},
               {"EFFECTIVE"},
               {"HEALTH"},
               {"SHARE", Align::kRight},
               {"PACKETS/S", Align::kRight},
               {"BYTES/S", Align::kRight},
               {"NEW FLOWS/S", Align::kRight},
               {"REASON"}});
  for (const Row& row : rows) {
    const Json& backend = *row.object;
    table.add({row.name, state_cell(backend, "effective"), state_cell(backend, "health"),
               share(backend, "share"), human_rate(row.packets), human_rate(row.bytes),
               human_rate(row.new_flows), text(backend, "reason")});
  }
  return table.to_string(colour);
}

// The sum of the rates of all of an object's counters.
std::optional<double> rate_of_all(const Json& before, const Json& now, double seconds) {
  if (!now.is_object()) {
    return std::nullopt;
  }
  double sum = 0;
  for (const auto& [name, value] : now.items()) {
    const auto one = rate(before, now, name, seconds);
    if (!one) {
      return std::nullopt;
    }
    sum += *one;
  }
  return sum;
}

Cell busy_cell(const std::optional<double>& busy) {
  if (!busy) {
    return {"-"};
  }
  const Tone tone = *busy >= 0.95 ? Tone::kBad : *busy >= 0.8 ? Tone::kWarning : Tone::kPlain;
  return {human_share(*busy), tone};
}

std::string workers_table(const std::vector<const Json*>& before, const TopSample& sample_before,
                          const std::vector<const Json*>& now, const TopSample& sample_now, bool colour) {
  const double seconds = sample_now.seconds - sample_before.seconds;
  const double uptime_before = number(sample_before.stats, "uptime_seconds").value_or(0);
  const double uptime_now = number(sample_now.stats, "uptime_seconds").value_or(0);
  const Pairs pairs(before, worker_name);
  Table table({{"WORKER", Align::kRight},
               {"CORE", Align::kRight},
               {"BUSY", Align::kRight},
               {"RECEIVED/S", Align::kRight},
               {"SENT/S", Align::kRight},
               {"KERNEL/S", Align::kRight},
               {"DROPPED/S", Align::kRight},
               {"FLOWS", Align::kRight}});
  for (const Json* worker : now) {
    const Json& was = pairs.before(worker_name(*worker));
    table.add({text(*worker, "worker"), text(*worker, "core"),
               busy_cell(busy_between(was, uptime_before, *worker, uptime_now)),
               human_rate(rate(was, *worker, "received", seconds)),
               human_rate(rate(was, *worker, "sent", seconds)),
               human_rate(rate(was, *worker, "kernel", seconds)),
               human_rate(rate_of_all(member(was, "dropped"), member(*worker, "dropped"), seconds)),
               count(*worker, "flows")});
  }
  return table.to_string(colour);
}

// Reasons that ever dropped a packet, the fastest first.
std::string drops_table(const Json& before, const Json& now, double seconds, bool colour) {
  struct Drop {
    std::string reason;
    uint64_t total;
    std::optional<double> per_second;
  };
  std::vector<Drop> drops;
  if (now.is_object()) {
    for (const auto& [reason, value] : now.items()) {
      const auto total = whole_number(now, reason);
      if (total && *total != 0) {
        drops.push_back({escaped(reason), *total, rate(before, now, reason, seconds)});
      }
    }
  }
  std::sort(drops.begin(), drops.end(), [](const Drop& a, const Drop& b) {
    const double of_a = a.per_second.value_or(-1);
    const double of_b = b.per_second.value_or(-1);
    return of_a != of_b ? of_a > of_b : a.reason < b.reason;
  });
  Table table({{"DROPPED"}, {"PACKETS/S", Align::kRight}, {"TOTAL", Align::kRight}});
  for (const Drop& drop : drops) {
    const Tone tone = drop.per_second.value_or(0) > 0 ? Tone::kWarning : Tone::kPlain;
    table.add({{drop.reason, tone}, human_rate(drop.per_second), human_count(drop.total)});
  }
  return table.to_string(colour);
}

std::string status_line(const Json& status, TopSort sort, bool colour) {
  const bool ready = is_true(status, "ready");
  const Json& backends = member(status, "backends");
  const Json& warnings = member(status, "warnings");
  std::string line =
      fmt::format("ready {}  generation {}  up {}  backends {}/{} up  sorted by {}",
                  painted(ready ? "yes" : "no", ready ? Tone::kGood : Tone::kBad, colour),
                  text(status, "generation"), duration(member(status, "dataplane"), "uptime_seconds"),
                  text(backends, "up"), text(backends, "total"), to_string(sort));
  if (warnings.is_array() && !warnings.empty()) {
    const std::string counted = fmt::format("{} warning{}", warnings.size(), warnings.size() == 1 ? "" : "s");
    line += "  " + painted(counted, Tone::kWarning, colour);
  }
  return line;
}

std::string totals_line(const Json& before, const Json& now, double seconds) {
  const auto of = [&](const char* counter) { return human_rate(rate(before, now, counter, seconds)); };
  return fmt::format("packets/s: received {}  sent {}  to kernel {}  dropped {}", of("received"), of("sent"),
                     of("kernel"),
                     human_rate(rate_of_all(member(before, "dropped"), member(now, "dropped"), seconds)));
}

void append_lines(std::vector<std::string>& lines, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

struct Lists {
  std::vector<const Json*> services;
  std::vector<const Json*> backends;
  std::vector<const Json*> workers;  // none while the dataplane is away
};

Result<Lists> lists_of(const TopSample& sample) {
  if (auto ok = expect_member(sample.status, "ready"); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = expect_member(sample.stats, "totals"); !ok) {
    return tl::unexpected(ok.error());
  }
  auto services = objects(sample.services, "services");
  auto backends = objects(sample.backends, "backends");
  if (!services || !backends) {
    return tl::unexpected(!services ? services.error() : backends.error());
  }
  Lists lists{std::move(*services), std::move(*backends), {}};
  if (!member(sample.stats, "workers").is_null()) {
    auto workers = objects(sample.stats, "workers");
    if (!workers) {
      return tl::unexpected(workers.error());
    }
    lists.workers = std::move(*workers);
  }
  return lists;
}

}  // namespace

const char* to_string(TopSort sort) {
  switch (sort) {
    case TopSort::kPackets:
      return "packets";
    case TopSort::kBytes:
      return "bytes";
    case TopSort::kNewFlows:
      return "new-flows";
    case TopSort::kName:
      break;
  }
  return "name";
}

TopSort next(TopSort sort) {
  return static_cast<TopSort>((static_cast<std::size_t>(sort) + 1) % kTopSorts);
}

Result<Frame> render_top(const TopSample& before, const TopSample& now, TopSort sort, bool colour) {
  const auto was = lists_of(before);
  const auto is = lists_of(now);
  if (!was || !is) {
    return tl::unexpected(!was ? was.error() : is.error());
  }
  const double seconds = now.seconds - before.seconds;
  const Json& totals_before = member(before.stats, "totals");
  const Json& totals_now = member(now.stats, "totals");
  Frame frame;
  frame.head = {status_line(now.status, sort, colour), totals_line(totals_before, totals_now, seconds), ""};
  const std::string sections[] = {
      workers_table(was->workers, before, is->workers, now, colour),
      drops_table(member(totals_before, "dropped"), member(totals_now, "dropped"), seconds, colour),
      services_table(rows_of(was->services, is->services, service_name, seconds, sort), colour),
      backends_table(rows_of(was->backends, is->backends, backend_name, seconds, sort), colour)};
  for (const std::string& section : sections) {
    if (!frame.body.empty()) {
      frame.body.emplace_back();
    }
    append_lines(frame.body, section);
  }
  return frame;
}

}  // namespace maglb::ctl
