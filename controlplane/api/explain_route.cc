#include "controlplane/api/explain_route.h"

#include "controlplane/api/answer.h"
#include "controlplane/api/flow_query.h"

namespace maglb {
namespace {

constexpr std::chrono::milliseconds kTimeout{2000};

Json fate_object(const ipc::ExplainReply::Fate& fate) {
  return {{"verdict", fate.verdict()},
          {"reason", text_or_null(fate.reason())},
          {"explanation", text_or_null(fate.explanation())},
          {"backend", text_or_null(fate.backend())}};
}

Json flow_object(const ipc::ExplainReply& reply) {
  if (!reply.has_flow()) {
    return nullptr;
  }
  const ipc::ExplainReply::Flow& flow = reply.flow();
  return {{"worker", flow.worker()},
          {"state", flow.state()},
          {"backend", text_or_null(flow.backend())},
          {"idle_seconds", static_cast<double>(flow.idle_ms()) / 1000},
          {"expires_in_seconds", static_cast<double>(flow.expires_in_ms()) / 1000},
          {"nat_source", text_or_null(flow.nat_source())}};
}

Json backend_object(const ipc::ExplainReply& reply) {
  if (reply.backend().empty()) {
    return nullptr;
  }
  return {{"name", reply.backend()}, {"address", reply.backend_address()}, {"state", reply.backend_state()}};
}

Json way_object(const ipc::ExplainReply& reply) {
  if (reply.link().empty()) {
    return nullptr;
  }
  return {{"encapsulation", reply.encapsulation()},
          {"outer_source", text_or_null(reply.outer_source())},
          {"outer_destination", text_or_null(reply.outer_destination())},
          {"next_hop", reply.next_hop()},
          {"link", reply.link()},
          {"mtu", reply.mtu()},
          {"overhead", reply.overhead()},
          {"largest_packet", reply.largest()}};
}

Json explain_object(const ipc::ExplainReply& reply) {
  Json steps = Json::array();
  for (const ipc::ExplainReply::Step& step : reply.steps()) {
    steps.push_back({{"stage", step.stage()}, {"text", step.text()}});
  }
  const bool has_table = reply.table_size() != 0;
  return {{"generation", reply.generation()},
          {"packet", reply.packet()},
          {"bytes", reply.bytes()},
          {"service", text_or_null(reply.service())},
          {"match", text_or_null(reply.match())},
          {"pool", text_or_null(reply.pool())},
          {"flow", flow_object(reply)},
          {"slot", has_table ? Json(reply.slot()) : Json(nullptr)},
          {"table_size", has_table ? Json(reply.table_size()) : Json(nullptr)},
          {"table_backend", text_or_null(reply.table_backend())},
          {"backend", backend_object(reply)},
          {"way", way_object(reply)},
          {"result", fate_object(reply.result())},
          {"new_flow", reply.has_new_flow() ? fate_object(reply.new_flow()) : Json(nullptr)},
          {"steps", std::move(steps)}};
}

ApiResponse answer(const Result<ipc::Envelope>& reply) {
  if (!reply) {
    return error_response(reply.error());
  }
  if (const std::string& why = reply->explain_reply().error(); !why.empty()) {
    return error_response(400, "invalid", why);
  }
  return json_response(explain_object(reply->explain_reply()));
}

}  // namespace

void add_explain_route(Api& api, DataplaneClient& client) {
  api.add("GET", "/v1/explain", [&client](const Api::Arguments& call, Respond respond) {
    const auto query = explain_query(call.target);
    if (!query) {
      return respond(error_response(query.error()));
    }
    ipc::Envelope envelope;
    to_message(*query, *envelope.mutable_explain());
    client.request(std::move(envelope), kTimeout,
                   [respond](const Result<ipc::Envelope>& reply) { respond(answer(reply)); });
  });
}

}  // namespace maglb
