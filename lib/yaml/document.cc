#include "lib/yaml/document.h"

#include <fmt/format.h>
#include <yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "lib/base/check.h"
#include "lib/yaml/characters.h"
#include "lib/yaml/syntax_fault.h"
#include "lib/yaml/tree_builder.h"

namespace maglb::yaml {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

class Parser {
 public:
  explicit Parser(std::string_view text) {
    check(yaml_parser_initialize(&parser_) == 1, "memory to read a document");
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() { yaml_parser_delete(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // False: get() knows why there are no more events.
  bool next(yaml_event_t& event) { return yaml_parser_parse(&parser_, &event) == 1; }
  const yaml_parser_t& get() const { return parser_; }

 private:
  yaml_parser_t parser_;
};

// libyaml compares each %TAG line with all before it.
std::optional<Problem> find_many_directives(std::string_view text) {
  size_t directives = 0;
  uint32_t line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    if (text[at] == '%' && ++directives > kMaxDirectives) {
      return Problem{{line, 1}, fmt::format("more than {} lines begin with %", kMaxDirectives)};
    }
    const size_t end = text.find_first_of("\r\n", at);
    if (end == std::string_view::npos) {
      break;
    }
    at = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  return std::nullopt;
}

void read_events(std::string_view text, TreeBuilder& builder, Problems& problems) {
  Parser parser(text);
  for (bool more = true; more;) {
    yaml_event_t event;
    if (!parser.next(event)) {
      Problem problem = syntax_fault(parser.get(), text);
      problems.add(problem.mark, std::move(problem.message));
      return;
    }
    more = builder.take(event) && event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
}

}  // namespace

Checked<Node> parse_document(std::string_view text, const std::string& file) {
  Problems problems(file);
  if (text.size() > kMaxBytes) {
    problems.add({}, fmt::format("longer than {} MiB", kMaxBytes >> 20));
    return tl::unexpected(std::move(problems));
  }
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  auto bad = find_bad_character(text);
  if (!bad) {
    bad = find_many_directives(text);
  }
  if (bad) {
    problems.add(bad->mark, std::move(bad->message));
    return tl::unexpected(std::move(problems));
  }
  TreeBuilder builder(problems);
  read_events(text, builder, problems);
  if (!problems.empty()) {
    problems.sort();
    return tl::unexpected(std::move(problems));
  }
  Node root = builder.take_root();
  if (root.mark.line == 0) {
    root.mark = {1, 1};
  }
  return root;
}

Checked<std::string> read_file(const std::string& path) {
  Problems problems(path);
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string text;
  if (stream) {
    // A directory opens and then fails to read; /dev/zero never ends.
    text.resize(kMaxBytes + 1);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(stream.gcount()));
  }
  if (!stream && !stream.eof()) {
    problems.add({}, fmt::format("cannot be read: {}", std::strerror(errno != 0 ? errno : EIO)));
  } else if (text.size() > kMaxBytes) {
    problems.add({}, fmt::format("longer than {} MiB", kMaxBytes >> 20));
  }
  if (!problems.empty()) {
    return tl::unexpected(std::move(problems));
  }
  return text;
}

}  // namespace maglb::yaml
