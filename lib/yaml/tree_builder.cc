#include "lib/yaml/tree_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lib/yaml/text.h"

namespace maglb::yaml {
namespace {

// Keys of a map that are compared one by one: nearly all maps have fewer.
constexpr size_t kFewKeys = 16;

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// Whether the map has the key; from now on it has.
bool is_known(const Node& map, std::unique_ptr<std::unordered_set<std::string>>& seen,
              const std::string& key) {
  if (map.keys.size() < kFewKeys) {
    return std::any_of(map.keys.begin(), map.keys.end(),
                       [&key](const Node::Key& known) { return known.text == key; });
  }
  if (seen == nullptr) {
    seen = std::make_unique<std::unordered_set<std::string>>();
    for (const Node::Key& known : map.keys) {
      seen->insert(known.text);
    }
  }
  return !seen->insert(key).second;
}

}  // namespace

Mark mark_of(const yaml_mark_t& mark) {
  return {static_cast<uint32_t>(mark.line) + 1, static_cast<uint32_t>(mark.column) + 1};
}

bool TreeBuilder::take(const yaml_event_t& event) {
  Node node;
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT:
      return begin_document(mark_of(event.start_mark));
    case YAML_ALIAS_EVENT:
      problems_.add(mark_of(event.start_mark), "aliases are not supported: write the value out");
      if (!make(Node::Kind::kNull, event, false, false, node)) {
        return false;
      }
      attach(std::move(node));
      return true;
    case YAML_SCALAR_EVENT:
      return take_scalar(event);
    case YAML_SEQUENCE_START_EVENT:
      return make(Node::Kind::kSequence, event, event.data.sequence_start.anchor != nullptr,
                  event.data.sequence_start.tag != nullptr, node) &&
             open(std::move(node));
    case YAML_MAPPING_START_EVENT:
      return make(Node::Kind::kMap, event, event.data.mapping_start.anchor != nullptr,
                  event.data.mapping_start.tag != nullptr, node) &&
             open(std::move(node));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      close();
      return true;
    default:
      return true;  // the ends of the stream and of documents
  }
}

bool TreeBuilder::begin_document(Mark mark) {
  if (documents_++ > 0) {
    problems_.add(mark, "expected the end of the file: one document a file");
    return false;
  }
  return true;
}

bool TreeBuilder::take_scalar(const yaml_event_t& event) {
  const auto& scalar = event.data.scalar;
  const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
  const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
  Node node;
  if (!make(plain && is_null_word(text) ? Node::Kind::kNull : Node::Kind::kScalar, event,
            scalar.anchor != nullptr, scalar.tag != nullptr, node)) {
    return false;
  }
  if (node.is_scalar()) {
    node.quoted = !plain;
    node.text = text;
  }
  attach(std::move(node));
  return true;
}

bool TreeBuilder::make(Node::Kind kind, const yaml_event_t& event, bool has_anchor, bool has_tag,
                       Node& node) {
  node.kind = kind;
  node.mark = mark_of(event.start_mark);
  if (++nodes_ > kMaxNodes) {
    problems_.add(node.mark, fmt::format("more than {} values", kMaxNodes));
    return false;
  }
  if (has_anchor) {
    problems_.add(node.mark, "anchors are not supported: write the value out");
  }
  if (has_tag) {
    problems_.add(node.mark, "tags are not supported");
  }
  return true;
}

bool TreeBuilder::open(Node node) {
  if (frames_.size() >= kMaxDepth) {
    problems_.add(node.mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    return false;
  }
  frames_.push_back(Frame{std::move(node), {}, false, false});
  return true;
}

void TreeBuilder::close() {
  Node node = std::move(frames_.back().node);
  frames_.pop_back();
  attach(std::move(node));
}

void TreeBuilder::attach(Node node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return;
  }
  Frame& frame = frames_.back();
  if (frame.node.is_sequence()) {
    frame.node.items.push_back(std::move(node));
  } else if (!frame.has_key) {
    take_key(frame, std::move(node));
  } else {
    if (node.is_null()) {
      node.mark = frame.key.mark;
    }
    if (!frame.drop_value) {
      frame.node.keys.push_back(std::move(frame.key));
      frame.node.items.push_back(std::move(node));
    }
    frame.has_key = false;
  }
}

void TreeBuilder::take_key(Frame& frame, Node node) {
  frame.key = Node::Key{std::move(node.text), node.mark};
  frame.has_key = true;
  frame.drop_value = true;
  if (!node.is_scalar()) {
    problems_.add(node.mark, "expected a key");
  } else if (is_known(frame.node, frame.seen, frame.key.text)) {
    problems_.add(node.mark, fmt::format("duplicate key {}", quote(frame.key.text)));
  } else {
    frame.drop_value = false;
  }
}

}  // namespace maglb::yaml
