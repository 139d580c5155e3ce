#include "lib/bpf/attachment.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "lib/base/check.h"
#include "lib/bpf/libbpf_options.h"

namespace maglb {
namespace {

uint32_t mode_flag(XdpMode mode) {
  switch (mode) {
    case XdpMode::kNative:
      return XDP_FLAGS_DRV_MODE;
    case XdpMode::kGeneric:
      return XDP_FLAGS_SKB_MODE;
    case XdpMode::kOffload:
      return XDP_FLAGS_HW_MODE;
  }
  return 0;
}

Result<bpf_map_info> map_info(int fd) {
  bpf_map_info info{};
  uint32_t size = sizeof info;
  if (const int rc = bpf_obj_get_info_by_fd(fd, &info, &size); rc < 0) {
    return fail_errno("reading about a BPF map", -rc);
  }
  return info;
}

thread_local std::string* collected = nullptr;

int collect(libbpf_print_level level, const char* format, va_list arguments) {
  if (collected == nullptr || level == LIBBPF_DEBUG) {
    return 0;
  }
  std::array<char, 512> line{};
  const int length = vsnprintf(line.data(), line.size(), format, arguments);
  collected->append(line.data(), std::strlen(line.data()));
  return length;
}

}  // namespace

std::string_view to_string(XdpMode mode) {
  switch (mode) {
    case XdpMode::kNative:
      return "native";
    case XdpMode::kGeneric:
      return "generic";
    case XdpMode::kOffload:
      return "offload";
  }
  return "?";
}

Result<int> interface_index(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) {
    return fail(ErrorKind::kNotFound, fmt::format("there is no interface {}", interface));
  }
  return static_cast<int>(index);
}

Result<BpfProgram> open_program(uint32_t id) {
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd == -ENOENT) {
    return fail(ErrorKind::kNotFound, fmt::format("BPF program {} is gone", id));
  }
  if (fd < 0) {
    return fail_errno(fmt::format("opening BPF program {}", id), -fd);
  }
  BpfProgram program{id, {}, UniqueFd(fd)};
  bpf_prog_info info{};
  uint32_t size = sizeof info;
  if (const int rc = bpf_obj_get_info_by_fd(fd, &info, &size); rc < 0) {
    return fail_errno(fmt::format("reading about BPF program {}", id), -rc);
  }
  program.name.assign(info.name, strnlen(info.name, sizeof info.name));
  return program;
}

Result<UniqueFd> open_map(const BpfProgram& program, std::string_view name) {
  std::array<uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<uint64_t>(ids.data());
  uint32_t size = sizeof info;
  if (const int rc = bpf_obj_get_info_by_fd(program.fd.get(), &info, &size); rc < 0) {
    return fail_errno(fmt::format("reading the maps of BPF program {}", program.id), -rc);
  }
  for (size_t i = 0; i < std::min<size_t>(info.nr_map_ids, ids.size()); ++i) {
    UniqueFd fd(bpf_map_get_fd_by_id(ids[i]));
    if (!fd) {
      continue;
    }
    const auto about = map_info(fd.get());
    if (about && std::string_view(about->name, strnlen(about->name, sizeof about->name)) == name) {
      return fd;
    }
  }
  return fail(ErrorKind::kNotFound,
              fmt::format("BPF program {} (id {}) has no map {}", program.name, program.id, name));
}

Result<std::vector<uint64_t>> read_counters(int map_fd, uint32_t count) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) {
    return fail_errno("counting the possible CPUs", -cpus);
  }
  std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
  std::vector<uint64_t> sums(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (const int rc = bpf_map_lookup_elem(map_fd, &i, per_cpu.data()); rc < 0) {
      return fail_errno("reading BPF counters", -rc);
    }
    sums[i] = std::accumulate(per_cpu.begin(), per_cpu.end(), uint64_t{0});
  }
  return sums;
}

LibbpfLog::LibbpfLog() : outer_(std::exchange(collected, &text_)), previous_(libbpf_set_print(collect)) {}

LibbpfLog::~LibbpfLog() {
  collected = outer_;
  libbpf_set_print(previous_);
}

std::string LibbpfLog::tail() const {
  return text_.substr(text_.size() - std::min<size_t>(text_.size(), 2000));
}

Result<std::optional<XdpAttachment>> find_xdp(int ifindex) {
  bpf_xdp_query_opts query;
  init_options(query);
  if (const int rc = bpf_xdp_query(ifindex, 0, &query); rc < 0) {
    return fail_errno("asking for the interface's XDP program", -rc);
  }
  XdpAttachment found;
  uint32_t id = 0;
  if (query.drv_prog_id != 0) {
    found.mode = XdpMode::kNative;
    id = query.drv_prog_id;
  } else if (query.skb_prog_id != 0) {
    found.mode = XdpMode::kGeneric;
    id = query.skb_prog_id;
  } else if (query.hw_prog_id != 0) {
    found.mode = XdpMode::kOffload;
    id = query.hw_prog_id;
  } else {
    return std::nullopt;
  }
  auto program = open_program(id);
  if (!program) {
    if (program.error().kind == ErrorKind::kNotFound) {
      return std::nullopt;
    }
    return tl::unexpected<Error>(std::move(program.error()));
  }
  found.program = std::move(*program);
  return found;
}

std::string foreign_program(std::string_view interface, std::string_view where, const BpfProgram& program) {
  return fmt::format("interface {} has {} program that is not maglb's: {} (id {})", interface, where,
                     program.name.empty() ? "without a name" : program.name, program.id);
}

Result<void> attach_xdp(int ifindex, int program_fd, XdpMode mode, const XdpAttachment* replaced) {
  const LibbpfLog quiet;
  bpf_xdp_attach_opts options;
  init_options(options);
  uint32_t flags = mode_flag(mode);
  if (replaced != nullptr) {
    options.old_prog_fd = replaced->program.fd.get();
    flags |= XDP_FLAGS_REPLACE;
  } else {
    flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
  }
  if (const int rc = bpf_xdp_attach(ifindex, program_fd, flags, &options); rc < 0) {
    return fail_errno(fmt::format("attaching an XDP program ({})", to_string(mode)), -rc);
  }
  return {};
}

Result<void> detach_xdp(int ifindex, const XdpAttachment& attachment) {
  const LibbpfLog quiet;
  bpf_xdp_attach_opts options;
  init_options(options);
  options.old_prog_fd = attachment.program.fd.get();
  const uint32_t flags = mode_flag(attachment.mode) | XDP_FLAGS_REPLACE;
  const int rc = bpf_xdp_detach(ifindex, flags, &options);
  if (rc == -EBUSY || rc == -EEXIST) {
    return fail(ErrorKind::kConflict, fmt::format("XDP program {} (id {}) is busy", attachment.program.name,
                                                  attachment.program.id));
  }
  if (rc < 0) {
    return fail_errno("detaching an XDP program", -rc);
  }
  return {};
}

Result<BpfObject> BpfObject::load(std::span<const uint8_t> elf, const char* name) {
  bpf_object_open_opts options;
  init_options(options);
  options.object_name = name;
  const LibbpfLog log;
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), &options);
  const int rc = object != nullptr ? bpf_object__load(object) : -errno;
  if (rc < 0) {
    bpf_object__close(object);
    return fail_errno(fmt::format("loading BPF object {}: {}", name, log.tail()), -rc);
  }
  return BpfObject(object);
}

BpfObject::~BpfObject() {
  bpf_object__close(object_);
}

int BpfObject::program_fd(const char* name) const {
  const bpf_program* program = bpf_object__find_program_by_name(object_, name);
  check(program != nullptr, "a BPF program of ours is in its object");
  return bpf_program__fd(program);
}

int BpfObject::map_fd(const char* name) const {
  const int fd = bpf_object__find_map_fd_by_name(object_, name);
  check(fd >= 0, "a BPF map of ours is in its object");
  return fd;
}

}  // namespace maglb
