// Which BPF program sits on an interface, what maps it has, and taking it off or putting one there.
// Everything is found through the kernel, by interface and program name: nothing is pinned, so a later
// process, or one in another mount namespace, sees the same. Interfaces are those of the calling
// thread's network namespace.
#pragma once

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"

namespace maglb {

// A program that is loaded in the kernel, attached or not.
struct BpfProgram {
  uint32_t id = 0;
  std::string name;
  UniqueFd fd;
};

enum class XdpMode : uint8_t { kNative, kGeneric, kOffload };

std::string_view to_string(XdpMode mode);

struct XdpAttachment {
  XdpMode mode = XdpMode::kNative;
  BpfProgram program;
};

// Kind kNotFound when there is no such interface.
Result<int> interface_index(const std::string& interface);

// Kind kNotFound when it is gone.
Result<BpfProgram> open_program(uint32_t id);

// The map called `name` among the program's; kNotFound when it has none.
Result<UniqueFd> open_map(const BpfProgram& program, std::string_view name);

// The values of a per-CPU array map, summed over the CPUs.
Result<std::vector<uint64_t>> read_counters(int map_fd, uint32_t count);

// While it lives, what libbpf would print on this thread is collected instead.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  // The last lines, at most 2,000 bytes.
  std::string tail() const;

 private:
  std::string text_;
  std::string* outer_ = nullptr;  // of an enclosing log
  int (*previous_)(libbpf_print_level, const char*, va_list) = nullptr;
};

// The XDP program on the interface, if any. One that went away while it was looked at counts as none.
Result<std::optional<XdpAttachment>> find_xdp(int ifindex);

// "interface eth0 has an XDP program that is not maglb's: xdp_main (id 7)".
std::string foreign_program(std::string_view interface, std::string_view where, const BpfProgram& program);

// Attaches `program_fd` in `mode`, in place of `replaced` in one step, or only if there is none.
Result<void> attach_xdp(int ifindex, int program_fd, XdpMode mode, const XdpAttachment* replaced);

// Takes exactly this program off; kConflict when another took its place meanwhile or the kernel says
// that it is busy.
Result<void> detach_xdp(int ifindex, const XdpAttachment& attachment);

// A loaded object of ours; its programs and maps live while it does or while something uses them.
class BpfObject {
 public:
  // `name` appears in messages. Kind kSystem, with the verifier's last lines, if the kernel refuses.
  static Result<BpfObject> load(std::span<const uint8_t> elf, const char* name);
  BpfObject(BpfObject&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  BpfObject& operator=(BpfObject&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~BpfObject();

  // Borrowed descriptors. REQUIRES: the object has it.
  int program_fd(const char* name) const;
  int map_fd(const char* name) const;

 private:
  explicit BpfObject(bpf_object* object) : object_(object) {}
  bpf_object* object_ = nullptr;
};

}  // namespace maglb
