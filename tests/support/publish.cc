// A control plane for tests: compiles a maglb.yaml and publishes it once, or asks a dataplane and
// prints the answer as JSON.
//
//   publish SOCKET apply FILE [--generation N] [--unhealthy POOL/BACKEND]...
//   publish SOCKET hello | stats | summary
//   publish SOCKET lookup PROTOCOL SOURCE SOURCE_PORT DESTINATION DESTINATION_PORT
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "lib/config/service/parse.h"
#include "lib/ipc/convert.h"
#include "lib/snapshot/build/compile.h"
#include "tests/support/ipc_client.h"

namespace maglb::test {
namespace {

int complain(const std::string& message) {
  fmt::print(stderr, "publish: {}\n", message);
  return 1;
}

int print(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    return complain("the reply cannot be printed");
  }
  fmt::print("{}\n", json);
  return 0;
}

std::optional<ipc::Envelope> make_apply(const std::vector<std::string>& words) {
  uint64_t generation = 1;
  std::set<std::string> unhealthy;
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    if (words[i] == "--generation") {
      generation = std::strtoull(words[i + 1].c_str(), nullptr, 10);
    } else {
      unhealthy.insert(words[i + 1]);
    }
  }
  const auto config = load_service_config(words.at(0));
  if (!config) {
    fmt::print(stderr, "{}\n", config.error().to_string());
    return std::nullopt;
  }
  const Compiled compiled = compile(
      *config,
      [&](std::string_view pool, std::string_view backend) {
        return !unhealthy.contains(fmt::format("{}/{}", pool, backend));
      },
      nullptr);
  ipc::Envelope request;
  to_message(difference(nullptr, 0, compiled, generation), *request.mutable_apply());
  return request;
}

std::optional<ipc::Envelope> make_lookup(const std::vector<std::string>& words) {
  const auto source = IpAddress::parse(words.at(1));
  const auto destination = IpAddress::parse(words.at(3));
  if (!source || !destination) {
    return std::nullopt;
  }
  FlowQuery query;
  query.protocol = words.at(0) == "udp" ? Protocol::kUdp : Protocol::kTcp;
  query.source = *source;
  query.source_port = static_cast<uint16_t>(std::atoi(words.at(2).c_str()));
  query.destination = *destination;
  query.destination_port = static_cast<uint16_t>(std::atoi(words.at(4).c_str()));
  ipc::Envelope request;
  to_message(query, *request.mutable_flow_lookup());
  return request;
}

std::optional<ipc::Envelope> make_request(const std::string& verb, const std::vector<std::string>& words) {
  ipc::Envelope request;
  if (verb == "apply" && !words.empty()) {
    return make_apply(words);
  }
  if (verb == "lookup" && words.size() == 5) {
    return make_lookup(words);
  }
  if (verb == "stats") {
    request.mutable_stats_request();
    return request;
  }
  if (verb == "summary") {
    request.mutable_flow_summary_request();
    return request;
  }
  return std::nullopt;
}

int run(const std::string& socket, const std::string& verb, const std::vector<std::string>& words) {
  IpcClient client(socket);
  if (!client.is_connected()) {
    return complain("nobody listens at " + socket);
  }
  const auto greeting = client.ask(hello(verb == "apply"));
  if (!greeting || !greeting->has_hello_reply()) {
    return complain("no greeting");
  }
  if (verb == "hello") {
    return print(greeting->hello_reply());
  }
  auto request = make_request(verb, words);
  if (!request) {
    return complain("what is " + verb + "?");
  }
  request->set_id(2);
  const auto reply = client.ask(*request);
  if (!reply) {
    return complain("no reply");
  }
  switch (reply->body_case()) {
    case ipc::Envelope::kApplyReply:
      print(reply->apply_reply());
      return reply->apply_reply().error().empty() ? 0 : 1;
    case ipc::Envelope::kStats:
      return print(reply->stats());
    case ipc::Envelope::kFlowLookupReply:
      return print(reply->flow_lookup_reply());
    case ipc::Envelope::kFlowSummary:
      return print(reply->flow_summary());
    default:
      return complain(reply->error().message());
  }
}

}  // namespace
}  // namespace maglb::test

int main(int argc, char** argv) {
  if (argc < 3) {
    return maglb::test::complain("usage: publish SOCKET VERB ...");
  }
  return maglb::test::run(argv[1], argv[2], {argv + 3, argv + argc});
}
