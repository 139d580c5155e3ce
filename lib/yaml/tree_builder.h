// libyaml's events -> the tree of document.h, with the refusals and the bounds told there.
//
// Problems that leave the tree well-formed are collected; take() returns false for those that end the
// reading. A depth of kMaxDepth and kMaxNodes values bound what a text can cost.
//
// Threads: one.
#pragma once

#include <yaml.h>

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "lib/yaml/document.h"

namespace maglb::yaml {

Mark mark_of(const yaml_mark_t& mark);

class TreeBuilder {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}

  // False: a problem was added, and nothing behind it is to be read.
  bool take(const yaml_event_t& event);
  // The document, once the stream has ended; null at 0:0 where there was none.
  Node take_root() { return std::move(root_); }

 private:
  // A list or map that is not closed yet.
  struct Frame {
    Node node;
    Node::Key key;  // has_key: read, and waiting for its value
    bool has_key = false;
    bool drop_value = false;  // the key was refused
    // The keys' texts, once there are more than are quickly gone through.
    std::unique_ptr<std::unordered_set<std::string>> seen = {};
  };

  bool begin_document(Mark mark);
  bool take_scalar(const yaml_event_t& event);
  bool make(Node::Kind kind, const yaml_event_t& event, bool has_anchor, bool has_tag, Node& node);
  bool open(Node node);
  void close();
  void attach(Node node);
  void take_key(Frame& frame, Node node);

  Problems& problems_;
  Node root_;
  std::vector<Frame> frames_;
  size_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace maglb::yaml
