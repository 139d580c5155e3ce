#include "controlplane/desired/exec_rule.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <vector>

namespace maglb {
namespace {

constexpr const char* kNoDirectory =
    "programs are run only from the directory that the option --exec-dir of maglb-controlplane names, "
    "and it has none";

struct Free {
  void operator()(char* text) const { std::free(text); }
};

// Empty where it is not there; errno says why.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real == nullptr ? std::string() : std::string(real.get());
}

bool is_under(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() + 1 && path.starts_with(directory) && path[directory.size()] == '/';
}

template <typename Take>
void for_each_program(const ServiceConfig& config, const Take& take) {
  const auto of = [&take](const ProbeConfig& probe, const std::string& where) {
    if (probe.type == ProbeType::kExec && !probe.command.empty()) {
      take(probe.command[0], where);
    }
  };
  for (const PoolConfig& pool : config.pools) {
    of(pool.health, "pool " + pool.name);
    for (const BackendConfig& backend : pool.backends) {
      if (backend.health) {
        of(*backend.health, fmt::format("pool {}: backend {}", pool.name, backend.name));
      }
    }
  }
}

}  // namespace

ExecRule::ExecRule(std::string directory, uint32_t owner) : directory_(std::move(directory)), owner_(owner) {
  while (directory_.size() > 1 && directory_.ends_with('/')) {
    directory_.pop_back();
  }
}

std::string ExecRule::fault(const std::string& program) const {
  if (directory_.empty()) {
    return kNoDirectory;
  }
  if (!is_under(program, directory_)) {
    return fmt::format("it is not in {}, the directory of --exec-dir", directory_);
  }
  // Behind "..", links of others may come in between.
  if (std::filesystem::path(program).lexically_normal() != program) {
    return "its path is not a plain one: it has . or .. in it, or two slashes in a row";
  }
  const std::string file = real_path(program);
  if (file.empty()) {
    return std::generic_category().message(errno);
  }
  const std::string directory = real_path(directory_);
  if (directory.empty() || !is_under(file, directory)) {
    return fmt::format("its links lead to {}, which is not in {}, the directory of --exec-dir", file,
                       directory_);
  }
  return fault_under(file, directory);
}

// The file, and every directory above it up to `directory`.
std::string ExecRule::fault_under(const std::string& file, const std::string& directory) const {
  std::string fault = fault_of_file(file, true);
  std::string above = file;
  while (fault.empty() && above != directory) {
    above.resize(above.rfind('/'));
    fault = fault_of_file(above, false);
  }
  return fault;
}

std::string ExecRule::fault_of_file(const std::string& path, bool is_program) const {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return fmt::format("{}: {}", path, std::generic_category().message(errno));
  }
  if (is_program && !S_ISREG(status.st_mode)) {
    return path + " is no file";
  }
  if (status.st_uid != owner_) {
    return path + " is not root's";
  }
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? path + " may be written by others than root" : "";
}

Result<void> ExecRule::allows(const ServiceConfig& document, const ServiceConfig& running) const {
  std::set<std::string> known;
  for_each_program(running, [&](const std::string& program, const std::string&) { known.insert(program); });
  std::string refused;
  for_each_program(document, [&](const std::string& program, const std::string& where) {
    if (refused.empty() && known.insert(program).second) {
      if (const std::string why = fault(program); !why.empty()) {
        refused = fmt::format("{}: health: command {}: {}", where, program, why);
      }
    }
  });
  return refused.empty() ? Result<void>() : fail(ErrorKind::kInvalid, refused);
}

std::map<std::string, std::string> ExecRule::refuse(std::vector<ProbeUser>& users) const {
  std::map<std::string, std::string> asked;
  for (ProbeUser& user : users) {
    const ProbeConfig& probe = user.target.config;
    if (probe.type == ProbeType::kExec && !probe.command.empty()) {
      const auto [at, is_new] = asked.try_emplace(probe.command[0]);
      if (is_new) {
        at->second = fault(at->first);
      }
      user.target.fault = at->second.empty() ? "" : "not run: " + at->second;
      // What was looked at is what runs, whatever becomes of links.
      if (const std::string file = at->second.empty() ? real_path(at->first) : ""; !file.empty()) {
        user.target.config.command[0] = file;
      }
    }
  }
  std::erase_if(asked, [](const auto& entry) { return entry.second.empty(); });
  return asked;
}

}  // namespace maglb
