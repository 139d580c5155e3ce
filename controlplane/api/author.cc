#include "controlplane/api/author.h"

#include <fmt/format.h>
#include <pwd.h>

#include <array>
#include <fstream>

namespace maglb {
namespace {

std::string user_name(uint32_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> space{};
  if (getpwuid_r(uid, &entry, space.data(), space.size(), &found) != 0 || found == nullptr) {
    return fmt::format("uid {}", uid);
  }
  return found->pw_name;
}

// At most 15 bytes, and whatever the process wants it to be.
std::string program_name(int32_t pid) {
  std::string name;
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::getline(file, name);
  return name;
}

}  // namespace

Who who_is(const Peer& peer) {
  return {peer.uid, peer.gid, peer.pid, user_name(peer.uid), peer.pid > 0 ? program_name(peer.pid) : ""};
}

Result<Author> author_of(const Peer& peer, const std::string& reason) {
  if (reason.size() > kMaxReason) {
    return fail(ErrorKind::kInvalid, fmt::format("reason: at most {} bytes", kMaxReason));
  }
  return Author{who_is(peer), reason};
}

Result<Author> author_of(const Peer& peer, const Target& target) {
  const auto reason = target.query.find("reason");
  return author_of(peer, reason == target.query.end() ? std::string() : reason->second);
}

}  // namespace maglb
