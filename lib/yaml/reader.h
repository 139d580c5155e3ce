// Typed reading of a document: a MapReader hands out a map's fields by key and refuses what nobody
// asked for; a Field turns one value into a number, a word, a duration, ...
//
// Every reading function writes its result only when the value is good; otherwise it adds a problem
// with the value's place and leaves the result as it was. An absent field is passed over in silence.
// So a caller fills a model that has its defaults, and asks at the end whether there were problems.
//
// Borrowed: the document and the Problems outlive their readers.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/yaml/document.h"

namespace maglb::yaml {

template <typename Value>
using Word = std::pair<std::string_view, Value>;

class Field {
 public:
  // `context` goes before every message: "pool web: health: interval".
  Field(const Node* node, Mark mark, std::string context, Problems& problems)
      : node_(node), mark_(mark), context_(std::move(context)), problems_(&problems) {}
  // The context is put together when there is something to say: `map` and then `key`, which outlive it.
  Field(const Node* node, Mark mark, const std::string* map, std::string_view key, Problems& problems)
      : node_(node), mark_(mark), map_(map), key_(key), problems_(&problems) {}

  bool present() const { return node_ != nullptr; }
  // REQUIRES: present().
  const Node& node() const { return *node_; }
  // Of the value; of the map where it is absent.
  Mark mark() const { return mark_; }
  std::string context() const;
  Problems& problems() const { return *problems_; }
  void problem(std::string_view message) const;

  // True when the result was written.
  bool string(std::string& out) const;
  bool boolean(bool& out) const;  // true, false, on, off, yes, no
  bool integer(uint64_t low, uint64_t high, uint64_t& out) const;
  template <typename Integer>
  bool integer(uint64_t low, uint64_t high, Integer& out) const {
    uint64_t value = 0;
    if (!integer(low, high, value)) {
      return false;
    }
    out = static_cast<Integer>(value);
    return true;
  }
  bool duration(Duration low, Duration high, Duration& out) const;
  bool size(uint64_t low, uint64_t high, uint64_t& out) const;
  // One of some words. `later` are words of the design that this version has not got.
  template <typename Value>
  bool word(std::span<const Word<Value>> words, Value& out,
            std::span<const std::string_view> later = {}) const {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : words) {
      names.push_back(name);
    }
    const size_t index = word_index(names, later);
    if (index < words.size()) {
      out = words[index].second;
    }
    return index < words.size();
  }

  // False if absent, or if it is no scalar, which is a problem: "expected `what`, not a list".
  bool scalar(std::string_view what) const;

  // The elements of a list: none if absent, or if it is no list, which is a problem.
  std::span<const Node> list() const;

 private:
  size_t word_index(std::span<const std::string_view> names, std::span<const std::string_view> later) const;

  const Node* node_;
  Mark mark_;
  std::string context_;               // of a field that is no map's
  const std::string* map_ = nullptr;  // a map's own context
  std::string_view key_;
  Problems* problems_;
};

// Its fields are about it: it stays where it is for as long as they are used, and so do the keys' texts.
class MapReader {
 public:
  // A node that is no map is a problem, and reads as a map without fields.
  MapReader(const Node& node, std::string context, Problems& problems);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  // Every key that may be there is asked for with one of these, once.
  Field optional(std::string_view key);
  Field required(std::string_view key);  // absent: a problem at the map
  // Unknown keys become problems, with the known one that was probably meant.
  void finish();

  // Of its fields too, those handed out before included.
  void set_context(std::string context) { context_ = std::move(context); }
  const std::string& context() const { return context_; }
  Mark mark() const { return node_->mark; }

 private:
  const Node* find(std::string_view key) const;

  const Node* node_;
  std::string context_;
  Problems* problems_;
  std::vector<std::string_view> known_;
};

// "'text'", "a map", "nothing": what is there instead of what was expected.
std::string describe(const Node& node);

// "context: message", or the message alone.
std::string with_context(std::string_view context, std::string_view message);

}  // namespace maglb::yaml
