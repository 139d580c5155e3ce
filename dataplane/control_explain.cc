// Control::explain(): the packet path over a packet that an operator asks about.
#include "dataplane/control.h"
#include "lib/lb/explain_report.h"
#include "lib/lb/question_packet.h"

namespace maglb {
namespace {

// For a worker that the machine has no core for just now. The main core does nothing else meanwhile.
constexpr Duration kPatience = std::chrono::milliseconds(100);

QuestionPacket question_of(const ExplainQuery& query) {
  QuestionPacket question;
  question.key.source = query.flow.source;
  question.key.destination = query.flow.destination;
  question.key.source_port = Be16(query.flow.source_port);
  question.key.destination_port = Be16(query.flow.destination_port);
  question.key.protocol = query.flow.protocol;
  question.tcp_flags = query.tcp_flags;
  question.ip_bytes = query.bytes;
  question.dont_fragment = !query.may_fragment;
  return question;
}

void fill(const FateReport& from, ipc::ExplainReply::Fate& to) {
  to.set_verdict(from.verdict);
  to.set_reason(from.reason);
  to.set_explanation(from.explanation);
  to.set_backend(from.backend);
}

void fill(const ExplainReport::Flow& from, ipc::ExplainReply::Flow& to) {
  to.set_worker(from.worker);
  to.set_state(from.state);
  to.set_backend(from.backend);
  to.set_idle_ms(from.idle_ms);
  to.set_expires_in_ms(from.expires_in_ms);
  to.set_nat_source(from.nat_source);
}

void fill(const ExplainReport& from, ipc::ExplainReply& to) {
  to.set_packet(from.packet);
  to.set_service(from.service);
  to.set_match(from.match);
  to.set_pool(from.pool);
  if (from.flow) {
    fill(*from.flow, *to.mutable_flow());
  }
  to.set_slot(from.slot);
  to.set_table_size(from.table_size);
  to.set_table_backend(from.table_backend);
  to.set_backend(from.backend);
  to.set_backend_address(from.backend_address);
  to.set_backend_state(from.backend_state);
  to.set_link(from.link);
  to.set_next_hop(from.next_hop);
  to.set_encapsulation(from.encapsulation);
  to.set_outer_source(from.outer_source);
  to.set_outer_destination(from.outer_destination);
  to.set_overhead(from.overhead);
  to.set_mtu(from.mtu);
  to.set_largest(from.largest);
  to.set_bytes(from.bytes);
  fill(from.result, *to.mutable_result());
  if (from.new_flow) {
    fill(*from.new_flow, *to.mutable_new_flow());
  }
  for (const ExplainStep& from_step : from.steps) {
    ipc::ExplainReply::Step& step = *to.add_steps();
    step.set_stage(from_step.stage);
    step.set_text(from_step.text);
  }
}

}  // namespace

ExplainSources Control::sources(const Snapshot& snapshot) const {
  const ExplainSettings& settings = parts_.explain;
  return {snapshot,
          settings.tables,
          settings.next_hop_table,
          settings.links,
          settings.flow_key,
          settings.tunnel_source_v4,
          settings.tunnel_source_v6,
          settings.path,
          settings.nat_ports,
          settings.flows,
          [this](uint32_t worker, const NatQuestion& question) {
            return parts_.workers.at(worker)->ask_nat(question, kPatience);
          }};
}

void Control::explain(const ExplainQuery& query, ipc::ExplainReply& reply) {
  const Snapshot* const snapshot = parts_.publisher.current();
  reply.set_generation(parts_.registry.generation());
  if (snapshot == nullptr) {
    reply.set_error("nothing was published yet");
    return;
  }
  const ExplainSettings& settings = parts_.explain;
  const auto frame = frame_of(question_of(query), settings.links[0]);
  if (!frame) {
    reply.set_error(frame.error().message);
    return;
  }
  const Explanation explanation = explainer_.explain(*frame, 0, sources(*snapshot), parts_.clock.now());
  const auto link_name = [&settings](uint8_t link) { return settings.link_names.at(link); };
  fill(report_of(explanation, {parts_.registry, services_, link_name}), reply);
}

}  // namespace maglb
