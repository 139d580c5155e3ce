#include "tools/maglbctl/keys.h"

#include <array>

namespace maglb::ctl {
namespace {

struct Sequence {
  std::string_view bytes;
  Key key;
};

// Cursor keys in both modes of a VT100 and its heirs; letters as in less and top.
constexpr std::array<Sequence, 22> kSequences = {{
    {"\x1b[A", Key::kUp},      {"\x1bOA", Key::kUp},        {"\x1b[B", Key::kDown}, {"\x1bOB", Key::kDown},
    {"\x1b[5~", Key::kPageUp}, {"\x1b[6~", Key::kPageDown}, {"\x1b[H", Key::kHome}, {"\x1bOH", Key::kHome},
    {"\x1b[1~", Key::kHome},   {"\x1b[F", Key::kEnd},       {"\x1bOF", Key::kEnd},  {"\x1b[4~", Key::kEnd},
    {"q", Key::kQuit},         {"Q", Key::kQuit},           {"s", Key::kSort},      {"k", Key::kUp},
    {"j", Key::kDown},         {"b", Key::kPageUp},         {" ", Key::kPageDown},  {"g", Key::kHome},
    {"G", Key::kEnd},          {"f", Key::kPageDown},
}};

// An unknown escape sequence as a whole, so that its last letter is not taken for a key; else one byte.
std::size_t unknown_length(std::string_view bytes) {
  if (!bytes.starts_with("\x1b[")) {
    return bytes.starts_with("\x1bO") && bytes.size() > 2 ? 3 : 1;
  }
  std::size_t length = 2;
  while (length < bytes.size() && (bytes[length] < '@' || bytes[length] > '~')) {
    ++length;
  }
  return length < bytes.size() ? length + 1 : length;
}

}  // namespace

std::vector<Key> decode_keys(std::string_view bytes) {
  std::vector<Key> keys;
  while (!bytes.empty()) {
    std::size_t length = 0;
    for (const Sequence& known : kSequences) {
      if (bytes.starts_with(known.bytes)) {
        keys.push_back(known.key);
        length = known.bytes.size();
        break;
      }
    }
    bytes.remove_prefix(length != 0 ? length : unknown_length(bytes));
  }
  return keys;
}

}  // namespace maglb::ctl
