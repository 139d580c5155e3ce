#include "lib/yaml/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "lib/yaml/text.h"

namespace maglb::yaml {

namespace {

// Builds the tree from yaml-cpp's events. Problems that leave the tree well-formed are collected;
// the others end the parse by yaml-cpp's own exception, which parse_document() catches.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}

  Node take_root() { return std::move(root_); }
  Mark last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      throw YAML::ParserException(mark, "expected the end of the file: one document a file");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(make(Node::Kind::kNull, mark, anchor, ""));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(to_mark(mark), "aliases are not supported: write the value out");
    attach(make(Node::Kind::kNull, mark, 0, ""));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(Node::Kind::kScalar, mark, anchor, tag);
    node.quoted = tag == "!";
    if (node.quoted) {
      last_quoted_ = node.mark;
    }
    node.text = value;
    attach(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(Node::Kind::kSequence, mark, anchor, tag));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(Node::Kind::kMap, mark, anchor, tag));
  }
  void OnMapEnd() override { close(); }

  static Mark to_mark(const YAML::Mark& mark) {
    if (mark.line < 0 || mark.column < 0) {
      return {};
    }
    return {static_cast<uint32_t>(mark.line) + 1, static_cast<uint32_t>(mark.column) + 1};
  }

 private:
  static YAML::Mark from_mark(Mark mark) {
    YAML::Mark back;
    back.line = static_cast<int>(mark.line) - 1;
    back.column = static_cast<int>(mark.column) - 1;
    return back;
  }

  struct Frame {
    Node node;
    std::optional<Node::Key> key;  // read, and waiting for its value
    bool drop_value = false;       // the key was refused
    std::unordered_set<std::string> seen;
  };

  Node make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    if (++nodes_ > kMaxNodes) {
      throw YAML::ParserException(mark, fmt::format("more than {} values", kMaxNodes));
    }
    Node node;
    node.kind = kind;
    node.mark = to_mark(mark);
    if (anchor != 0) {
      problems_.add(node.mark, "anchors are not supported: write the value out");
    }
    // yaml-cpp says "?" for no tag, and "!" for none on a quoted scalar.
    if (!tag.empty() && tag != "?" && tag != "!") {
      problems_.add(node.mark, "tags are not supported");
    }
    return node;
  }

  void open(Node node) {
    if (frames_.size() >= kMaxDepth) {
      throw YAML::ParserException(from_mark(node.mark),
                                  fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    frames_.push_back(Frame{std::move(node), {}, false, {}});
  }

  void close() {
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    attach(std::move(node));
  }

  void attach(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.is_sequence()) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      take_key(frame, std::move(node));
    } else {
      if (node.is_null()) {
        node.mark = frame.key->mark;
      }
      if (!frame.drop_value) {
        frame.node.keys.push_back(std::move(*frame.key));
        frame.node.items.push_back(std::move(node));
      }
      frame.key.reset();
    }
  }

  void take_key(Frame& frame, Node node) {
    frame.key = Node::Key{std::move(node.text), node.mark};
    frame.drop_value = true;
    if (!node.is_scalar()) {
      problems_.add(node.mark, "expected a key");
    } else if (!frame.seen.insert(frame.key->text).second) {
      problems_.add(node.mark, fmt::format("duplicate key {}", quote(frame.key->text)));
    } else {
      frame.drop_value = false;
    }
  }

  Problems& problems_;
  Node root_;
  Mark last_quoted_;
  std::vector<Frame> frames_;
  size_t nodes_ = 0;
  int documents_ = 0;
};

// The first byte that no text of ours has: not UTF-8, or a control character.
std::optional<Problem> find_bad_byte(std::string_view text) {
  Mark mark{1, 1};
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      return Problem{mark, "expected UTF-8 text"};
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f) {
      return Problem{mark, fmt::format("control character 0x{:02x} is not allowed", byte)};
    }
    if (byte == '\n') {
      mark = {mark.line + 1, 1};
    } else {
      mark.column += static_cast<uint32_t>(length);
    }
    i += length;
  }
  return std::nullopt;
}

bool has_too_many_indicators(std::string_view text) {
  const auto count =
      std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{' || c == ','; });
  return static_cast<size_t>(count) > kMaxFlowIndicators;
}

// From the place on; empty beyond the end.
std::string_view text_at(std::string_view text, Mark mark) {
  for (uint32_t line = 1; line < mark.line; ++line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return {};
    }
    text.remove_prefix(end + 1);
  }
  return text.substr(std::min<size_t>(text.size(), mark.column - 1));
}

// yaml-cpp takes the end of the file for the end of a quoted scalar. Only the last one can be open.
bool is_closed(std::string_view scalar) {
  if (scalar.empty() || (scalar[0] != '"' && scalar[0] != '\'')) {
    return true;  // a block scalar
  }
  const char mark = scalar[0];
  for (size_t i = 1; i < scalar.size(); ++i) {
    const bool is_pair = i + 1 < scalar.size() && mark == '\'' && scalar.substr(i, 2) == "''";
    if (is_pair || (mark == '"' && scalar[i] == '\\')) {
      ++i;
    } else if (scalar[i] == mark) {
      return true;
    }
  }
  return false;
}

Problem from_exception(const YAML::ParserException& exception, std::string_view text) {
  const Mark mark = TreeBuilder::to_mark(exception.mark);
  if (mark.line == 0) {
    return {{1, 1}, exception.msg};
  }
  if (exception.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
    return {mark, "expected a closing quote"};
  }
  const std::string_view line = text_at(text, {mark.line, 1});
  const size_t indent = line.find_first_not_of(' ');
  if (indent != std::string_view::npos && line[indent] == '\t') {
    return {{mark.line, static_cast<uint32_t>(indent) + 1}, "expected spaces: a tab does not indent"};
  }
  return {mark, exception.msg};
}

}  // namespace

Checked<Node> parse_document(std::string_view text, const std::string& file) {
  Problems problems(file);
  if (text.size() > kMaxBytes) {
    problems.add({}, fmt::format("longer than {} MiB", kMaxBytes >> 20));
    return tl::unexpected(std::move(problems));
  }
  if (auto bad = find_bad_byte(text)) {
    problems.add(bad->mark, std::move(bad->message));
    return tl::unexpected(std::move(problems));
  }
  if (has_too_many_indicators(text)) {
    problems.add({}, fmt::format("more than {} of the characters [ {{ and ,", kMaxFlowIndicators));
    return tl::unexpected(std::move(problems));
  }

  TreeBuilder builder(problems);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    if (builder.last_quoted().line != 0 && !is_closed(text_at(text, builder.last_quoted()))) {
      problems.add(builder.last_quoted(), "expected a closing quote");
    }
  } catch (const YAML::ParserException& exception) {
    Problem problem = from_exception(exception, text);
    problems.add(problem.mark, std::move(problem.message));
  } catch (const std::exception& exception) {
    problems.add({}, fmt::format("not readable as YAML: {}", exception.what()));
  }
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
