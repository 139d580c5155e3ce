#include "controlplane/api/author.h"

#include <fmt/format.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "controlplane/api/query.h"

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
  // The kernel gives no pid of a peer in another PID namespace, but its uid.
  if (peer.uid == UINT32_MAX) {
    return {0, 0, 0, peer.name.empty() ? "a certificate without a name" : peer.name, "TLS"};
  }
  return {peer.uid, peer.gid, peer.pid, user_name(peer.uid), program_name(peer.pid)};
}

Result<Author> author_of(const Peer& peer, const std::string& reason) {
  if (reason.size() > kMaxReason) {
    return fail(ErrorKind::kInvalid, fmt::format("reason: at most {} bytes", kMaxReason));
  }
  if (std::any_of(reason.begin(), reason.end(),
                  [](char c) { return std::iscntrl(static_cast<unsigned char>(c)); })) {
    return fail(ErrorKind::kInvalid, "reason: one line of text, without control characters");
  }
  return Author{who_is(peer), reason};
}

Result<Author> author_of(const Peer& peer, const Target& target) {
  return author_of(peer, text_parameter(target, "reason"));
}

}  // namespace maglb
