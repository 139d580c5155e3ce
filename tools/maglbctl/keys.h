// What a terminal sends for the keys that maglbctl top knows. Pure function.
#pragma once

#include <string_view>
#include <vector>

namespace maglb::ctl {

enum class Key { kQuit, kSort, kUp, kDown, kPageUp, kPageDown, kHome, kEnd };

// The keys in what was read at one time; everything else in it is passed over.
std::vector<Key> decode_keys(std::string_view bytes);

}  // namespace maglb::ctl
