#include "lib/yaml/syntax_fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lib/yaml/tree_builder.h"

namespace maglb::yaml {
namespace {

struct Saying {
  std::string_view theirs;
  std::string_view ours;
  bool at_context = false;  // the place is where it began, not where it was noticed
};

constexpr Saying kSayings[] = {
    {"did not find expected ',' or ']'", "expected , or ] in the list", false},
    {"did not find expected ',' or '}'", "expected , or } in the map", false},
    {"did not find expected key", "expected another key, or the end of the map", false},
    {"did not find expected '-' indicator", "expected another - of the list, or its end", false},
    {"did not find expected node content", "expected a value", false},
    {"did not find expected <document start>", "expected the end of the file", false},
    {"mapping values are not allowed in this context",
     "a ': ' is not possible here: text that has one is put in quotes", false},
    {"block sequence entries are not allowed in this context", "a list is not possible here", false},
    {"could not find expected ':'", "expected a : behind the key, on its line", true},
    {"found character that cannot start any token",
     "a value does not begin with this character: put it in quotes", false},
    {"found unexpected end of stream", "expected a closing quote", true},
    {"found unexpected document indicator", "expected a closing quote", true},
    {"found unknown escape character", "there is no such escape", false},
};

// The line as it stands in the text; empty beyond the end.
std::string_view line_of(std::string_view text, uint32_t number) {
  for (uint32_t line = 1; line < number; ++line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return {};
    }
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// Where the list or map begins that the fault is in: the end of a long one says little.
std::string beginning(const yaml_parser_t& parser, Mark at) {
  const Mark begin = mark_of(parser.context_mark);
  const bool is_told =
      parser.context != nullptr && begin.line != at.line && parser.error == YAML_PARSER_ERROR;
  return is_told ? fmt::format(" (it begins at {}:{})", begin.line, begin.column) : "";
}

}  // namespace

Problem syntax_fault(const yaml_parser_t& parser, std::string_view text) {
  if (parser.error == YAML_MEMORY_ERROR || parser.problem == nullptr) {
    return {{}, "not readable as YAML: there is no memory"};
  }
  if (parser.error == YAML_READER_ERROR) {
    return {{}, fmt::format("not readable as YAML: {}", parser.problem)};
  }
  const Mark mark = mark_of(parser.problem_mark);
  const std::string_view line = line_of(text, mark.line);
  const size_t indent = line.find_first_not_of(' ');
  if (indent != std::string_view::npos && line[indent] == '\t' && indent < mark.column) {
    return {{mark.line, static_cast<uint32_t>(indent) + 1}, "expected spaces: a tab does not indent"};
  }
  const std::string_view problem = parser.problem;
  const bool has_value_ahead = problem == "did not find expected node content" &&
                               line.size() >= mark.column && line[mark.column - 1] == ':';
  if (has_value_ahead) {
    return {mark, "expected a value: in [ ] and { } text that begins with : is put in quotes"};
  }
  const auto saying = std::find_if(std::begin(kSayings), std::end(kSayings),
                                   [problem](const Saying& one) { return one.theirs == problem; });
  if (saying == std::end(kSayings)) {
    return {mark, std::string(problem)};
  }
  if (saying->at_context) {
    return {mark_of(parser.context_mark), std::string(saying->ours)};
  }
  return {mark, fmt::format("{}{}", saying->ours, beginning(parser, mark))};
}

}  // namespace maglb::yaml
