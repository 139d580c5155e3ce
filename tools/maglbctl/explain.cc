#include <fmt/format.h>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {
namespace {

struct Question {
  LookupQuery flow;
  std::string flags;
  uint32_t bytes = 0;
  bool may_fragment = false;
};

// What stands in it was checked: nothing needs escaping in a URL.
std::string path_of(const Question& question) {
  const LookupQuery& flow = question.flow;
  std::string path =
      fmt::format("/v1/explain?protocol={}&source={}&source_port={}&destination={}&destination_port={}",
                  flow.protocol, flow.source, flow.source_port, flow.destination, flow.destination_port);
  if (!question.flags.empty()) {
    path += "&flags=" + question.flags;
  }
  if (question.bytes != 0) {
    path += fmt::format("&bytes={}", question.bytes);
  }
  return question.may_fragment ? path + "&may_fragment=1" : path;
}

std::string refuse_flags(std::string& text) {
  for (const std::string& flag : CLI::detail::split(text, '+')) {
    if (flag != "fin" && flag != "syn" && flag != "rst" && flag != "psh" && flag != "ack") {
      return "flags are some of fin, syn, rst, psh, ack with + between them";
    }
  }
  return "";
}

}  // namespace

void add_explain(CLI::App& root, Action& chosen) {
  CLI::App& explain =
      add_verb(root, "explain",
               {.description = "Why a packet goes where it goes, step by step",
                .arguments = "PROTOCOL SOURCE SOURCE_PORT DESTINATION DESTINATION_PORT",
                .examples = {"explain tcp 192.0.2.11 40000 198.51.100.1 80",
                             "explain tcp 192.0.2.11 40000 198.51.100.1 80 --flags syn",
                             "explain udp 192.0.2.11 5353 198.51.100.2 53 --bytes 1500 -o json"}});
  auto question = std::make_shared<Question>();
  const CLI::Range port(0, 65535, "a port");
  explain.add_option("PROTOCOL", question->flow.protocol)->required()->check(CLI::IsMember({"tcp", "udp"}));
  explain.add_option("SOURCE", question->flow.source)->required()->check(kAddress);
  explain.add_option("SOURCE_PORT", question->flow.source_port)->required()->check(port);
  explain.add_option("DESTINATION", question->flow.destination)->required()->check(kAddress);
  explain.add_option("DESTINATION_PORT", question->flow.destination_port)->required()->check(port);
  explain.add_option("--flags", question->flags, "TCP flags of the packet [ack]")
      ->check(CLI::Validator(refuse_flags, ""))
      ->option_text("FLAGS");
  explain.add_option("--bytes", question->bytes, "Length of its IP packet [just headers]")
      ->check(CLI::Range(28, 9714, "28..9714"))
      ->option_text("N");
  explain.add_flag("--may-fragment", question->may_fragment, "Without DF");
  watchable(explain);
  explain.callback([&chosen, question] {
    chosen = [question](const Session& session) {
      return shown(session, session.client.get(path_of(*question)),
                   [&](const Json& answer) { return render_explanation(answer, session.colour); });
    };
  });
}

}  // namespace maglb::ctl
