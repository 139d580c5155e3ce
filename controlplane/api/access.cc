#include "controlplane/api/access.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace maglb {
namespace {

Result<std::optional<gid_t>> group_of(const std::string& name) {
  if (name.empty()) {
    return std::optional<gid_t>();
  }
  std::vector<char> buffer(size_t{1} << 20);  // a group's members are in it
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fail(ErrorKind::kInvalid, fmt::format("there is no group {}", name));
  }
  return std::optional<gid_t>(found->gr_gid);
}

std::vector<gid_t> groups_of(int fd) {
  std::vector<gid_t> groups(64);
  socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  if (result != 0 && errno == ERANGE && size <= SocketAccess::kMaxGroups * sizeof(gid_t)) {
    groups.resize(size / sizeof(gid_t));
    result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  }
  groups.resize(result == 0 ? size / sizeof(gid_t) : 0);
  return groups;
}

}  // namespace

Result<SocketAccess> SocketAccess::of_groups(const std::string& admin_group, const std::string& read_group) {
  const auto admin = group_of(admin_group);
  const auto read = group_of(read_group);
  if (!admin || !read) {
    return tl::unexpected(admin ? read.error() : admin.error());
  }
  SocketAccess access;
  access.admin_group_ = *admin;
  access.read_group_ = *read;
  return access;
}

Access SocketAccess::judge(uid_t uid, gid_t gid, const std::vector<gid_t>& supplementary) const {
  if (!has_groups() || uid == 0 || uid == geteuid()) {
    return Access::kAdmin;
  }
  const auto is_in = [&](const std::optional<gid_t>& group) {
    return group && (*group == gid ||
                     std::find(supplementary.begin(), supplementary.end(), *group) != supplementary.end());
  };
  return is_in(admin_group_) ? Access::kAdmin : is_in(read_group_) ? Access::kRead : Access::kNone;
}

Peer SocketAccess::peer_of(int fd) const {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return {UINT32_MAX, UINT32_MAX, 0};
  }
  const Access access = judge(credentials.uid, credentials.gid, groups_of(fd));
  return {credentials.uid, credentials.gid, credentials.pid, {}, access};
}

}  // namespace maglb
