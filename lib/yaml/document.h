// A YAML document as a small immutable tree in which every node knows where it stands.
//
// libyaml scans and parses; the tree is built from its events (tree_builder.h). Refused, with a position:
// anchors, aliases and tags (a configuration that says one thing in two places is read wrongly), duplicate
// keys, keys that are not scalars, a second document, invalid UTF-8, the characters that characters.h
// tells, and input beyond the bounds below. Hostile text costs bounded memory and time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/yaml/problems.h"

namespace maglb::yaml {

inline constexpr size_t kMaxBytes = 16 * 1024 * 1024;
inline constexpr size_t kMaxDepth = 64;
inline constexpr size_t kMaxNodes = 1024 * 1024;
// Lines that begin with %, wherever they stand.
inline constexpr size_t kMaxDirectives = 16;

struct Node {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap };

  struct Key {
    std::string text;
    Mark mark;
  };

  Kind kind = Kind::kNull;
  bool quoted = false;      // a scalar in quotes or a block scalar: text, whatever it looks like
  Mark mark;                // an empty value stands where its key does
  std::string text;         // kScalar
  std::vector<Key> keys;    // kMap, unique
  std::vector<Node> items;  // kSequence; or kMap, items[i] belongs to keys[i]

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }
};

// The file's only document; a null node at 1:1 if it has none. `file` is for messages.
Checked<Node> parse_document(std::string_view text, const std::string& file);

// The whole file's bytes, at most kMaxBytes of them.
Checked<std::string> read_file(const std::string& path);

}  // namespace maglb::yaml
