#include "lib/lb/explain_report.h"

#include <algorithm>

#include "lib/net/wire.h"

namespace maglb {
namespace {

std::string number(uint64_t value) {
  return std::to_string(value);
}

std::string in_url(const IpAddress& address) {
  return address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
}

std::string protocol_text(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    default:
      return "protocol " + number(static_cast<uint8_t>(protocol));
  }
}

std::string kind_text(const ParsedFrame& parsed) {
  switch (parsed.kind) {
    case PacketKind::kFlow:
      return "";
    case PacketKind::kFragment:
      return ", a fragment";
    case PacketKind::kIcmpError:
      return ", an ICMP error about a packet of the flow";
    case PacketKind::kEcho:
      return ", a ping";
    case PacketKind::kPortless:
      return ", without ports";
  }
  return "";
}

std::string flags_text(const ParsedFrame& parsed) {
  if (parsed.key.protocol != Protocol::kTcp || parsed.kind != PacketKind::kFlow) {
    return "";
  }
  constexpr std::pair<uint8_t, const char*> kFlags[] = {
      {kTcpSyn, "SYN"}, {kTcpFin, "FIN"}, {kTcpRst, "RST"}, {kTcpAck, "ACK"}};
  std::string text;
  for (const auto& [bit, name] : kFlags) {
    if ((parsed.tcp_flags & bit) != 0) {
      text += text.empty() ? ", " : "+";
      text += name;
    }
  }
  return text;
}

std::string packet_text(const ParsedFrame& parsed) {
  const FlowKey& key = parsed.key;
  return protocol_text(key.protocol) + " " + in_url(key.source) + ":" + number(key.source_port.host()) +
         " -> " + in_url(key.destination) + ":" + number(key.destination_port.host()) + flags_text(parsed) +
         kind_text(parsed) + ", " + number(parsed.l3_length) + " bytes";
}

std::string ports_text(const PortRange& range) {
  if (range.is_any()) {
    return "any port";
  }
  return range.is_single() ? "port " + number(range.first)
                           : "ports " + number(range.first) + "-" + number(range.last);
}

bool matches(const ServiceSpec& spec, const FlowKey& key) {
  return spec.address.contains(key.destination) &&
         (spec.protocol == Protocol::kAny || spec.protocol == key.protocol) &&
         spec.port.contains(key.destination_port.host());
}

std::string match_text(const ServiceSpec& spec, const ExplainNames& names, const FlowKey& key) {
  const auto others = std::count_if(names.services.begin(), names.services.end(),
                                    [&key](const ServiceSpec& other) { return matches(other, key); });
  std::string text = spec.protocol == Protocol::kAny ? "any protocol" : protocol_text(spec.protocol);
  text += " to " + spec.address.to_string() + ", " + ports_text(spec.port);
  return others > 1 ? text + ": the most specific of " + number(static_cast<uint64_t>(others)) + " that match"
                    : text;
}

std::string_view state_text(PlaceState state) {
  constexpr std::string_view kStates[] = {"up", "drain", "unhealthy", "down", "removed", "vacant"};
  return kStates[static_cast<size_t>(state)];
}

std::string_view verdict_text(const PacketFate& fate) {
  switch (fate.verdict) {
    case Verdict::kSend:
      return fate.is_answered ? "answered" : "sent";
    case Verdict::kKernel:
      return "kernel";
    case Verdict::kDrop:
      return "dropped";
    case Verdict::kHeld:
      return "held";
    case Verdict::kHandOver:
      return "handed_over";
    case Verdict::kPending:
      break;
  }
  return "?";
}

uint64_t milliseconds(Duration duration) {
  return static_cast<uint64_t>(std::max(duration, Duration(0)) / std::chrono::milliseconds(1));
}

class Writer {
 public:
  Writer(const Explanation& from, const ExplainNames& names) : from_(from), names_(names) {}

  ExplainReport write();

 private:
  void step(const char* stage, std::string text) { out_.steps.push_back({stage, std::move(text)}); }
  std::string backend_name(uint16_t place) const {
    const auto name = names_.registry.name_of({from_.pool->number, place});
    return name && place != kNoBackend ? name->backend : "";
  }
  FateReport fate(const PacketFate& fate) const;
  bool is_nat() const { return from_.service->forward == ForwardMode::kNat; }
  bool is_reply() const { return from_.session && from_.session->is_reply; }
  // As the client sends.
  FlowKey client_flow() const { return is_reply() ? from_.session->known.client_flow() : from_.parsed.key; }

  void write_service();
  std::string silence() const {
    return "worker " + number(*from_.silent_worker) +
           " does not answer: what is said is true if it has no session of it";
  }
  void write_session();
  void write_flow();
  void write_table();
  void write_backend();
  void write_way();
  void read_outer();
  void write_result();

  const Explanation& from_;
  const ExplainNames& names_;
  ExplainReport out_;
};

FateReport Writer::fate(const PacketFate& fate) const {
  FateReport report;
  report.verdict = verdict_text(fate);
  if (fate.reason) {
    report.reason = name_of(*fate.reason);
    report.explanation = explanation_of(*fate.reason);
  }
  if (fate.place && from_.pool != nullptr) {
    report.backend = backend_name(*fate.place);
  }
  return report;
}

void Writer::write_service() {
  out_.service = names_.registry.service_name(from_.service->id).value_or("");
  const auto spec = std::find_if(names_.services.begin(), names_.services.end(),
                                 [this](const ServiceSpec& one) { return one.name == out_.service; });
  if (spec != names_.services.end()) {
    out_.pool = spec->pool;
    out_.match = match_text(*spec, names_, client_flow());
  }
  out_.encapsulation = to_string(from_.service->forward);
  step("service", out_.service + ": " + out_.match +
                      (is_reply() ? ", of the connection that this packet is a reply of" : ""));
}

void Writer::write_session() {
  if (!from_.session) {
    return step("flow", from_.silent_worker ? silence() : "no worker has a nat session of it");
  }
  const NatSession& known = from_.session->known;
  ExplainReport::Flow flow;
  flow.worker = from_.session->worker;
  flow.state = to_string(flow_state_of(known));
  flow.expires_in_ms = milliseconds(from_.session->expires_in);
  flow.idle_ms = milliseconds(from_.session->idle);
  flow.nat_source = in_url(known.nat) + ":" + number(known.nat_port.host());
  if (const auto name = names_.registry.name_of(known.backend_id)) {
    flow.backend = name->backend;
  }
  const std::string since = known.state == NatState::kClosing
                                ? "for another " + number(flow.expires_in_ms) + " ms"
                                : "idle for " + number(flow.idle_ms) + " ms";
  step("flow", "worker " + number(flow.worker) + " has its nat session: " + flow.state + ", " + since +
                   ", on " + (flow.backend.empty() ? "a backend that is gone" : flow.backend) +
                   ", which sees " + flow.nat_source);
  out_.flow = std::move(flow);
}

void Writer::write_flow() {
  if (is_nat()) {
    return write_session();
  }
  if (!from_.service->track_flows) {
    return step("flow", "not tracked: the service is stateless");
  }
  if (!from_.flow) {
    return step("flow", "no worker knows it");
  }
  const FlowEntry& entry = from_.flow->entry;
  ExplainReport::Flow flow;
  flow.worker = from_.flow->worker;
  flow.state = to_string(entry.state);
  flow.idle_ms = milliseconds(from_.flow->idle);
  flow.expires_in_ms = milliseconds(from_.flow->expires_in);
  if (const auto name = names_.registry.name_of(entry.backend)) {
    flow.backend = name->backend;
  }
  step("flow", "worker " + number(flow.worker) + " has it: " + flow.state + ", idle for " +
                   number(flow.idle_ms) + " ms, on " +
                   (flow.backend.empty() ? "a backend that is gone" : flow.backend));
  out_.flow = std::move(flow);
}

void Writer::write_table() {
  if (is_reply()) {
    return;
  }
  out_.slot = from_.slot;
  out_.table_size = from_.table_size;
  out_.table_backend = backend_name(from_.table_place);
  step("table", "slot " + number(out_.slot) + " of " + number(out_.table_size) + " in pool " + out_.pool +
                    ": " + (out_.table_backend.empty() ? "nobody" : out_.table_backend));
}

void Writer::write_backend() {
  if (!from_.packet.place) {
    return;
  }
  const BackendView& backend = from_.pool->backends[*from_.packet.place];
  out_.backend = backend_name(*from_.packet.place);
  out_.backend_address = backend.address.to_string();
  out_.backend_state = state_text(backend.state);
  std::string why = "by the table";
  if (out_.flow) {
    const BackendId known = from_.session ? from_.session->known.backend_id : from_.flow->entry.backend;
    const std::string what = from_.session ? "session" : "entry";
    why = known == BackendId{from_.pool->number, *from_.packet.place}
              ? "as the flow's " + what + " says"
              : "rescheduled: the " + what + "'s backend no longer takes it";
  } else if (out_.table_backend != out_.backend) {
    why = "chosen by the pool's scheduler";
  }
  step("backend", out_.backend + " (" + out_.backend_address + "), " + out_.backend_state + ", " + why);
}

// The outer addresses of the frame as it leaves.
void Writer::read_outer() {
  const std::vector<uint8_t>& frame = from_.packet.frame;
  size_t at = 2 * sizeof(MacAddress);
  uint16_t type = 0;
  do {
    if (at + 2 > frame.size()) {
      return;
    }
    type = header_at<Be16>(frame.data() + at).host();
    at += type == kEtherTypeVlan || type == kEtherTypeOuterVlan ? 4 : 2;
  } while (type == kEtherTypeVlan || type == kEtherTypeOuterVlan);
  if (type == kEtherTypeIpv4 && at + sizeof(Ipv4Header) <= frame.size()) {
    const auto& ip = header_at<Ipv4Header>(frame.data() + at);
    out_.outer_source = IpAddress::v4(ip.source).to_string();
    out_.outer_destination = IpAddress::v4(ip.destination).to_string();
  } else if (type == kEtherTypeIpv6 && at + sizeof(Ipv6Header) <= frame.size()) {
    const auto& ip = header_at<Ipv6Header>(frame.data() + at);
    out_.outer_source = ip.source.to_string();
    out_.outer_destination = ip.destination.to_string();
  }
}

void Writer::write_way() {
  if (from_.no_way) {
    return step("way", std::string(explanation_of(*from_.no_way)));
  }
  if (!from_.way) {
    return;
  }
  const Explanation::Way& way = *from_.way;
  out_.link = names_.link(way.link);
  out_.next_hop = way.next_hop.to_string();
  out_.overhead = way.overhead;
  out_.mtu = way.mtu;
  out_.largest = way.largest;
  std::string text = out_.encapsulation;
  if (is_tunnel(from_.service->forward) && from_.packet.verdict == Verdict::kSend &&
      !from_.packet.is_answered) {
    read_outer();
    text += " from " + out_.outer_source + " to " + out_.outer_destination;
  }
  if (is_reply()) {
    text += " back to the client " + in_url(from_.session->known.client) + ":" +
            number(from_.session->known.client_port.host());
  }
  step("way", text + ", to " + out_.next_hop + " by " + out_.link);
  const uint32_t sent = out_.bytes + out_.overhead;
  step("size", number(out_.bytes) + " + " + number(out_.overhead) + " = " + number(sent) + " bytes " +
                   (sent <= out_.mtu ? "fit" : "do not fit") + " the MTU of " + number(out_.mtu) +
                   "; packets up to " + number(out_.largest) + " pass whole");
}

void Writer::write_result() {
  out_.result = fate(from_.packet);
  std::string text = out_.result.verdict;
  if (from_.packet.is_fragmented) {
    text += " in pieces";
  }
  if (!out_.result.reason.empty()) {
    text += ", " + out_.result.reason + ": " + out_.result.explanation;
  } else if (from_.packet.verdict == Verdict::kKernel) {
    text +=
        from_.is_parsed && from_.service == nullptr ? ": no service matches" : ": not a packet of a service";
  }
  step("result", std::move(text));
  if (!from_.new_flow) {
    return;
  }
  out_.new_flow = fate(*from_.new_flow);
  const FateReport& fresh = *out_.new_flow;
  if (fresh.reason.empty() && from_.service->track_flows && is_stateful(from_.pool->scheduler)) {
    return step("new flow", fresh.verdict + " to " + fresh.backend + ", say: the pool's scheduler, " +
                                std::string(to_string(from_.pool->scheduler)) + ", chooses for each anew");
  }
  step("new flow", fresh.reason.empty()
                       ? fresh.verdict + " to " + (fresh.backend.empty() ? "nobody" : fresh.backend)
                       : fresh.verdict + ", " + fresh.reason + ": " + fresh.explanation);
}

ExplainReport Writer::write() {
  if (from_.is_parsed) {
    out_.packet = packet_text(from_.parsed);
    out_.bytes = from_.parsed.l3_length;
    step("packet", out_.packet);
  } else {
    step("packet", "not one that a service can match, or a broken one");
  }
  if (from_.service != nullptr) {
    write_service();
    write_flow();
    write_table();
    write_backend();
    write_way();
  } else if (from_.silent_worker) {
    step("flow", silence());
  }
  write_result();
  return std::move(out_);
}

}  // namespace

ExplainReport report_of(const Explanation& explanation, const ExplainNames& names) {
  return Writer(explanation, names).write();
}

}  // namespace maglb
