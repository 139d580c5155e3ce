// maglb-decap: strips IPIP, GRE and GUE on a real server, so that it needs no tunnel device. Attaches a BPF
// program and exits; the kernel does the rest.
#include <fmt/format.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/bpf/decap.h"

namespace maglb {
namespace {

// As maglbctl's.
enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kInvalid = 3, kNotFound = 5, kConflict = 6 };

int report(const Error& error) {
  fmt::print(stderr, "maglb-decap: {}\n", error.message);
  switch (error.kind) {
    case ErrorKind::kInvalid:
      return kInvalid;
    case ErrorKind::kNotFound:
      return kNotFound;
    case ErrorKind::kConflict:
      return kConflict;
    case ErrorKind::kUnavailable:
    case ErrorKind::kSystem:
      return kFailed;
  }
  return kFailed;
}

int attach(const std::string& interface, const std::vector<std::string>& from, DecapRules rules,
           DecapMode mode) {
  for (const std::string& text : from) {
    const auto prefix = IpPrefix::parse(text);
    if (!prefix) {
      fmt::print(stderr, "maglb-decap: --from {}\n", prefix.error().message);
      return kUsage;
    }
    rules.from.push_back(*prefix);
  }
  const auto place = attach_decap(interface, rules, mode);
  if (!place) {
    return report(place.error());
  }
  fmt::print(stderr, "attached to {} ({})\n", interface, to_string(*place));
  return kOk;
}

int detach(const std::string& interface) {
  if (const auto detached = detach_decap(interface); !detached) {
    return report(detached.error());
  }
  fmt::print(stderr, "detached from {}\n", interface);
  return kOk;
}

std::vector<std::string> all_interfaces() {
  std::vector<std::string> names;
  if (struct if_nameindex* list = if_nameindex()) {
    for (const struct if_nameindex* entry = list; entry->if_index != 0; ++entry) {
      names.emplace_back(entry->if_name);
    }
    if_freenameindex(list);
  }
  return names;
}

std::vector<std::string> from_texts(const DecapStatus& status) {
  std::vector<std::string> texts;
  for (const IpPrefix& prefix : status.rules.from) {
    texts.push_back(prefix.to_string());
  }
  return texts;
}

void print_json(const std::vector<DecapStatus>& statuses) {
  auto interfaces = nlohmann::ordered_json::array();
  for (const DecapStatus& status : statuses) {
    auto counters = nlohmann::ordered_json::object();
    for (const auto& [name, value] : status.counters) {
      counters[std::string(name)] = value;
    }
    const auto& key = status.rules.gre_key;
    const nlohmann::ordered_json gre_key =
        key ? nlohmann::ordered_json(*key) : nlohmann::ordered_json(nullptr);
    interfaces.push_back({{"interface", status.interface},
                          {"mode", to_string(status.place)},
                          {"program_id", status.program_id},
                          {"from", from_texts(status)},
                          {"gre_key", gre_key},
                          {"gue_port", status.rules.gue_port},
                          {"counters", counters}});
  }
  fmt::print("{}\n", nlohmann::ordered_json{{"interfaces", interfaces}}.dump(2));
}

void print_table(const std::vector<DecapStatus>& statuses) {
  for (const DecapStatus& status : statuses) {
    const auto& key = status.rules.gre_key;
    fmt::print("{}: {}, program {}, from {}, GRE key {}, GUE port {}\n", status.interface,
               to_string(status.place), status.program_id, fmt::join(from_texts(status), ", "),
               key ? std::to_string(*key) : "any", status.rules.gue_port);
    for (const auto& [name, value] : status.counters) {
      fmt::print("  {:<20} {:>12}\n", name, value);
    }
  }
}

int status(const std::string& interface, const std::string& output) {
  std::vector<DecapStatus> statuses;
  for (const std::string& name : interface.empty() ? all_interfaces() : std::vector{interface}) {
    auto found = decap_status(name);
    if (!found) {
      // An interface of the list may be gone by now, and may be none that has BPF programs.
      if (interface.empty() && found.error().kind == ErrorKind::kNotFound) {
        continue;
      }
      return report(found.error());
    }
    if (*found) {
      statuses.push_back(std::move(**found));
    }
  }
  output == "json" ? print_json(statuses) : print_table(statuses);
  if (!interface.empty() && statuses.empty()) {
    return report({ErrorKind::kNotFound, fmt::format("interface {} has no maglb-decap", interface)});
  }
  return kOk;
}

constexpr const char* kNotes =
    "The outer packet must not be fragmented: its fragments are left to the kernel. Where packets are too\n"
    "big for the way to the server, have the service fragment the inner packet, or raise the MTU.\n"
    "GRE with a checksum is left to the kernel, sequence numbers are ignored. UDP checksums of GUE are not\n"
    "verified, fields in its header are skipped. Outer IPv6 extension headers: only a tunnel encapsulation "
    "limit.";

int run(int argc, char** argv) {
  CLI::App app("Strips IPIP, GRE and GUE from packets of maglb on a real server, IPv4 and IPv6 in either.",
               "maglb-decap");
  app.footer(kNotes);
  app.set_version_flag("--version", "maglb-decap " MAGLB_VERSION);
  app.require_subcommand(1);
  std::string interface;
  std::string output = "table";
  std::vector<std::string> from;
  DecapRules rules;
  DecapMode mode = DecapMode::kAuto;
  const std::map<std::string, DecapMode> modes = {
      {"auto", DecapMode::kAuto}, {"xdp", DecapMode::kXdp}, {"tc", DecapMode::kTc}};

  CLI::App* attach_command = app.add_subcommand("attach", "attach to an interface, or replace what is there");
  attach_command->add_option("-i,--interface", interface, "interface that the packets arrive on")->required();
  attach_command
      ->add_option("--from", from, "accept tunnels from these sources only, IPv4 or IPv6 (repeatable)")
      ->required()
      ->expected(1)
      ->take_all();
  attach_command
      ->add_option("--mode", mode,
                   "auto: XDP, else TC; xdp: also generic XDP; tc: after the kernel's offloads")
      ->transform(CLI::CheckedTransformer(modes));
  attach_command->add_option("--gre-key", rules.gre_key,
                             "accept GRE with this key only; else with any or none");
  attach_command->add_option("--gue-port", rules.gue_port, "UDP port of GUE")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  attach_command->footer(kNotes);
  CLI::App* detach_command = app.add_subcommand("detach", "take it off an interface");
  detach_command->add_option("-i,--interface", interface, "interface")->required();
  CLI::App* status_command = app.add_subcommand("status", "where it is attached and what it did");
  status_command->add_option("-i,--interface", interface, "only this interface");
  status_command->add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}));

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (attach_command->parsed()) {
    return attach(interface, from, rules, mode);
  }
  return detach_command->parsed() ? detach(interface) : status(interface, output);
}

}  // namespace
}  // namespace maglb

int main(int argc, char** argv) {
  return maglb::run(argc, argv);
}
