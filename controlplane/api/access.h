// Who may read and who may change, on the Unix socket and by certificate.
//
// Without groups the socket's mode (0660) decides alone, and whoever gets in may do everything. With groups
// everybody may connect, and root, the daemon's own user and the members of the admin group may change,
// those of the read group read; the others are answered 403. Groups are those the kernel knows of the peer's
// process (SO_PEERCRED, SO_PEERGROUPS), supplementary ones included: no directory is asked while serving.
//
// Threads: immutable once made.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controlplane/api/message.h"
#include "lib/base/error.h"

namespace maglb {

class SocketAccess {
 public:
  // More groups than a process of this machine has reason to be in; a peer with more is judged by the first.
  static constexpr size_t kMaxGroups = 65536;

  // Names of groups, empty for none. kInvalid when the machine has no such group.
  static Result<SocketAccess> of_groups(const std::string& admin_group, const std::string& read_group);

  SocketAccess() = default;  // without groups

  mode_t socket_mode() const { return has_groups() ? 0666 : 0660; }
  // Of the process at the other end of `fd`. What the kernel does not tell gives no right.
  Peer peer_of(int fd) const;
  Access judge(uid_t uid, gid_t gid, const std::vector<gid_t>& supplementary) const;

 private:
  bool has_groups() const { return admin_group_ || read_group_; }

  std::optional<gid_t> admin_group_;
  std::optional<gid_t> read_group_;
};

// By the name in a certificate that has been verified.
class NameAccess {
 public:
  explicit NameAccess(std::set<std::string> admins) : admins_(std::move(admins)) {}
  Peer peer_of(const std::string& name) const {
    return {UINT32_MAX, UINT32_MAX, 0, name, admins_.contains(name) ? Access::kAdmin : Access::kRead};
  }

 private:
  std::set<std::string> admins_;
};

}  // namespace maglb
