// What changed between two documents, by lines, as a unified diff (POSIX diff -u, without file headers).
// Pure.
//
// By Myers (An O(ND) Difference Algorithm, 1986) on what is left without the common head and tail. Beyond
// kMaxEdits edits the middle is shown as removed and added whole: time and memory are bounded.
#pragma once

#include <string>
#include <string_view>

namespace maglb {

inline constexpr int kMaxEdits = 1500;
inline constexpr size_t kContextLines = 3;

// Empty when both are alike.
std::string text_diff(std::string_view from, std::string_view to);

}  // namespace maglb
