#include "tools/maglbctl/command.h"

#include <fmt/format.h>

#include "lib/base/name.h"
#include "lib/net/address.h"
#include "lib/yaml/text.h"
#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/yaml.h"

namespace maglb::ctl {
namespace {

std::string refuse_name(std::string& text) {
  return is_name(text) ? "" : fmt::format("'{}' is no name: {}", escaped(text), kNameRule);
}

std::string refuse_address(std::string& text) {
  return IpAddress::parse(text) ? "" : fmt::format("'{}' is no IP address", escaped(text));
}

std::string refuse_revision(std::string& text) {
  return yaml::parse_integer(text).value_or(0) > 0
             ? ""
             : fmt::format("'{}' is no revision: expected a number from 1", escaped(text));
}

// CLI11 lists the positionals as they are declared, which cannot say "POOL/NAME or POOL NAME"; and an
// option of the root is taken everywhere but shown only by the root.
class VerbFormatter : public CLI::Formatter {
 public:
  explicit VerbFormatter(std::string arguments) : arguments_(std::move(arguments)) {}

  std::string make_usage(const CLI::App*, std::string name) const override {
    return fmt::format("Usage: {} {}{}[OPTIONS]\n", name, arguments_, arguments_.empty() ? "" : " ");
  }
  std::string make_positionals(const CLI::App*) const override { return {}; }

 private:
  std::string arguments_;
};

}  // namespace

const CLI::Validator kName(refuse_name, "NAME");
const CLI::Validator kAddress(refuse_address, "ADDRESS");
const CLI::Validator kRevision(refuse_revision, "N");

CLI::App& add_noun(CLI::App& root, const std::string& name, const std::string& description) {
  CLI::App& noun = *root.add_subcommand(name, description);
  noun.require_subcommand(1);
  noun.footer(fmt::format("'maglbctl {} VERB --help' shows a command with examples.", name));
  return noun;
}

CLI::App& add_verb(CLI::App& parent, const std::string& name, const Help& help) {
  CLI::App& verb = *parent.add_subcommand(name, help.description);
  verb.formatter(std::make_shared<VerbFormatter>(help.arguments));
  std::string footer = "Examples:\n";
  for (const std::string& example : help.examples) {
    footer += fmt::format("  maglbctl {}\n", example);
  }
  verb.footer(footer + "\n--socket, --output and --timeout are taken here too: see maglbctl --help.");
  return verb;
}

std::shared_ptr<std::string> add_reason(CLI::App& verb) {
  auto reason = std::make_shared<std::string>();
  verb.add_option("--reason", *reason, "For the history: maglbctl config history")->option_text("TEXT");
  return reason;
}

std::optional<std::string> as_data(const Session& session, const Json& answer) {
  switch (session.output) {
    case Output::kJson:
      return render_json(answer);
    case Output::kYaml:
      return render_yaml(answer);
    case Output::kTable:
    case Output::kWide:
      break;
  }
  return std::nullopt;
}

BackendName take_backend_name(std::vector<std::string>& words) {
  BackendName out;
  const std::size_t slash = words.empty() ? std::string::npos : words[0].find('/');
  if (slash != std::string::npos) {
    out = {words[0].substr(0, slash), words[0].substr(slash + 1)};
    words.erase(words.begin());
  } else if (words.size() >= 2) {
    out = {words[0], words[1]};
    words.erase(words.begin(), words.begin() + 2);
  } else {
    throw CLI::ValidationError("a backend is named POOL/NAME or POOL NAME");
  }
  for (std::string* name : {&out.pool, &out.name}) {
    if (const std::string refusal = refuse_name(*name); !refusal.empty()) {
      throw CLI::ValidationError(refusal);
    }
  }
  return out;
}

}  // namespace maglb::ctl
