#include "lib/config/service/probe_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "lib/config/service/durations.h"
#include "lib/config/service/probe_keys.h"
#include "lib/config/service/text_values.h"
#include "lib/config/service/write.h"
#include "lib/net/address.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

constexpr std::string_view kDnsTypes[] = {"A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"};
constexpr std::string_view kPinStart = "sha256//";

// A Host header, or the name that a certificate is to have: a name or an address, maybe with a port.
bool is_host(std::string_view host) {
  return is_text(host) && host.find_first_of(" /?#@\\") == std::string_view::npos &&
         host.size() <= kMaxHostName + 6;
}

bool is_pin(std::string_view pin) {
  constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return pin.size() == kMaxPin && pin.starts_with(kPinStart) && pin.back() == '=' &&
         pin.find_first_not_of(kBase64, kPinStart.size()) == kMaxPin - 1;
}

// What the type has no use for.
void check_meaning(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  const ProbeConfig defaults = default_probe(probe.type);
  for (const ProbeKey& key : probe_keys()) {
    if (!has_type(key.types, probe.type) && key.differs(probe, defaults)) {
      faults.add_if(true, marks.of(key.key), std::string(key.key), no_meaning(key.types, probe.type));
    }
  }
}

void check_times(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  const auto text = [](Duration duration) { return yaml::format_duration(duration); };
  faults.add_if(!is_between(kMinProbeInterval, probe.interval, kMaxProbeInterval), marks.of("interval"),
                "interval", "expected whole milliseconds in 10ms..1h");
  const bool timeout_good = is_between(kMinProbeTimeout, probe.timeout, kMaxProbeInterval);
  faults.add_if(!timeout_good, marks.of("timeout"), "timeout", "expected whole milliseconds in 1ms..1h");
  faults.add_if(
      timeout_good && probe.timeout > probe.interval, marks.of("timeout"), "timeout",
      fmt::format("{} is longer than the interval of {}: expected a probe to end before the next one",
                  text(probe.timeout), text(probe.interval)));
  const bool has_fast = probe.fast_interval != Duration{};
  faults.add_if(has_fast && !is_between(kMinProbeInterval, probe.fast_interval, kMaxProbeInterval),
                marks.of("fast_interval"), "fast_interval", "expected whole milliseconds in 10ms..1h, or 0s");
  faults.add_if(
      has_fast && probe.fast_interval > probe.interval, marks.of("fast_interval"), "fast_interval",
      fmt::format("{} is longer than the interval of {}", text(probe.fast_interval), text(probe.interval)));
  faults.add_if(!is_between(Duration{}, probe.cool_down, kMaxCoolDown), marks.of("cool_down"), "cool_down",
                "expected whole milliseconds in 0s..24h");
  for (const auto& [count, key] : {std::pair{probe.rise, "rise"}, std::pair{probe.fall, "fall"}}) {
    faults.add_if(count < 1 || count > kMaxProbeCount, marks.of(key), key,
                  fmt::format("{} is not in 1..{}", count, kMaxProbeCount));
  }
}

void check_http(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  // Path and host go into the request as they are.
  const std::string& path = probe.path;
  faults.add_if(path.empty() || path[0] != '/' || path.find_first_of(" #") != std::string::npos ||
                    !is_text(path) || path.size() > kMaxProbePath,
                marks.of("path"), "path",
                fmt::format("expected a path that starts with / and has no spaces and no #, at most {} bytes",
                            kMaxProbePath));
  faults.add_if(probe.method != "GET" && probe.method != "HEAD", marks.of("method"), "method",
                "expected GET or HEAD");
  const auto is_bad = [](const StatusRange& range) {
    return range.low < 100 || range.high > 599 || range.low > range.high;
  };
  faults.add_if(probe.status.empty() || probe.status.size() > kMaxStatusRanges ||
                    std::any_of(probe.status.begin(), probe.status.end(), is_bad),
                marks.of("status"), "status",
                fmt::format("expected 1..{} ranges within 100-599", kMaxStatusRanges));
  faults.add_if(!is_text(probe.body) || probe.body.size() > kMaxProbeBody, marks.of("body"), "body",
                fmt::format("expected at most {} bytes of text without control characters", kMaxProbeBody));
  faults.add_if(!probe.body.empty() && probe.method == "HEAD", marks.of("body"), "body",
                "expected method GET: the answer to HEAD has no body");
  faults.add_if(probe.http_version != 1 && probe.http_version != 2, marks.of("http_version"), "http_version",
                "expected 1 or 2");
}

void check_tls(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  const ProbeTls& tls = probe.tls;
  if (!tls.enabled) {
    faults.add_if(probe.type == ProbeType::kHttps, marks.of("tls"), "tls", "https is always inside TLS");
    faults.add_if(tls != ProbeTls{}, marks.of("tls"), "tls", "what is in it needs enabled: on");
    return;
  }
  faults.add_if(!tls.server_name.empty() && !is_host_name(tls.server_name), marks.of("tls.server_name"),
                "tls: server_name", "expected a host name, without a port");
  faults.add_if(!tls.ca_file.empty() && !is_absolute_path(tls.ca_file), marks.of("tls.ca_file"),
                "tls: ca_file", fmt::format("expected a path from /, at most {} bytes", kMaxFilePath));
  faults.add_if(!tls.ca_file.empty() && !tls.verify, marks.of("tls.ca_file"), "tls: ca_file",
                "has a meaning with verify: on only");
  faults.add_if(!tls.pin.empty() && !is_pin(tls.pin), marks.of("tls.pin"), "tls: pin",
                "expected sha256// and the Base64 of the 32 octets of a key's digest");
}

// REQUIRES: a probe of type dns.
void check_dns(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  const ProbeDns& dns = probe.dns;
  faults.add_if(dns.name != "." && !is_host_name(dns.name), marks.of("dns.name"), "dns: name",
                "expected a name of DNS without a dot at its end, or \".\", the root");
  faults.add_if(std::find(std::begin(kDnsTypes), std::end(kDnsTypes), dns.type) == std::end(kDnsTypes),
                marks.of("dns.type"), "dns: type",
                fmt::format("expected one of {}", yaml::join_words(kDnsTypes)));
  faults.add_if(!is_text(dns.expect) || dns.expect.size() > kMaxProbeExpect, marks.of("dns.expect"),
                "dns: expect",
                fmt::format("expected at most {} bytes of text without control characters", kMaxProbeExpect));
  if (!dns.expect.empty() && (dns.type == "A" || dns.type == "AAAA")) {
    const auto address = IpAddress::parse(dns.expect);
    const bool wants_v4 = dns.type == "A";
    faults.add_if(
        !address || address->is_v4() != wants_v4, marks.of("dns.expect"), "dns: expect",
        fmt::format("expected an IPv{} address, which an answer of type {} has", wants_v4 ? 4 : 6, dns.type));
  }
}

// REQUIRES: a probe of type exec.
void check_command(const ProbeConfig& probe, const FieldMarks& marks, Faults& faults) {
  const yaml::Mark mark = marks.of("command");
  const auto& command = probe.command;
  size_t size = 0;
  bool words_good = true;
  for (const std::string& word : command) {
    size += word.size();
    words_good = words_good && word.size() <= kMaxCommandWord && is_text(word);
  }
  faults.add_if(command.empty() || !is_absolute_path(command[0]), mark, "command",
                "expected a list: the path of a program, from /, and its arguments");
  faults.add_if(
      command.size() > kMaxCommandWords || !words_good || size > kMaxCommand, mark, "command",
      fmt::format("expected at most {} words of {} bytes without control characters, {} bytes in all",
                  kMaxCommandWords, kMaxCommandWord, kMaxCommand));
}

}  // namespace

std::vector<Fault> probe_faults(const ProbeConfig& probe, const FieldMarks& marks) {
  Faults faults;
  if (probe.type > ProbeType::kExec || probe.via > ProbeVia::kTunnel) {
    faults.add_if(true, marks.self(), "", "expected a type and a way that there is");
    return faults.take();
  }
  if (probe.type == ProbeType::kNone) {
    faults.add_if(probe != default_probe(ProbeType::kNone), marks.self(), "",
                  "type none has no other settings");
    return faults.take();
  }
  check_meaning(probe, marks, faults);
  check_times(probe, marks, faults);
  check_http(probe, marks, faults);
  faults.add_if(!is_host(probe.host), marks.of("host"), "host", "expected a host name");
  if (has_type(types_with("tls"), probe.type)) {
    check_tls(probe, marks, faults);
  }
  faults.add_if(!is_text(probe.grpc_service) || probe.grpc_service.size() > kMaxGrpcService,
                marks.of("grpc_service"), "grpc_service",
                fmt::format("expected at most {} bytes of text without control characters", kMaxGrpcService));
  if (probe.type == ProbeType::kDns) {
    check_dns(probe, marks, faults);
  }
  for (const auto& [octets, key] : {std::pair{&probe.send, "send"}, std::pair{&probe.expect, "expect"}}) {
    faults.add_if(octets->size() > kMaxProbeOctets, marks.of(key), key,
                  fmt::format("expected at most {} octets, not {}", kMaxProbeOctets, octets->size()));
  }
  if (probe.type == ProbeType::kExec) {
    check_command(probe, marks, faults);
  }
  return faults.take();
}

}  // namespace maglb
