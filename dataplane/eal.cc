#include "dataplane/eal.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <stdio.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lib/base/check.h"

namespace maglb {
namespace {

ssize_t to_our_log(void*, const char* text, size_t size) {
  std::string_view line(text, size);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) {
    line.remove_suffix(1);
  }
  const auto level = static_cast<uint32_t>(rte_log_cur_msg_loglevel());
  spdlog::log(level <= RTE_LOG_ERR       ? spdlog::level::err
              : level <= RTE_LOG_WARNING ? spdlog::level::warn
                                         : spdlog::level::debug,
              "dpdk: {}", line);
  return static_cast<ssize_t>(size);
}

// Whole lines arrive as they are written: nothing is buffered.
FILE* open_log() {
  FILE* stream =
      fopencookie(nullptr, "w", {.read = nullptr, .write = to_our_log, .seek = nullptr, .close = nullptr});
  if (stream != nullptr) {
    setvbuf(stream, nullptr, _IOLBF, BUFSIZ);
  }
  return stream;
}

Result<void> check_core(uint32_t core, const cpu_set_t& ours, std::string_view what) {
  if (core < CPU_SETSIZE && CPU_ISSET(core, &ours)) {
    return {};
  }
  std::string have;
  for (uint32_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &ours)) {
      have += fmt::format("{}{}", have.empty() ? "" : ", ", i);
    }
  }
  return fail(
      ErrorKind::kInvalid,
      fmt::format("cores: {} {} is not there or not allowed; this process may use {}", what, core, have));
}

Result<void> check_cores(const EalOptions& options) {
  cpu_set_t ours;
  CPU_ZERO(&ours);
  if (sched_getaffinity(0, sizeof ours, &ours) != 0) {
    return fail_errno("sched_getaffinity", errno);
  }
  if (auto there = check_core(options.main_core, ours, "main core"); !there) {
    return there;
  }
  for (const uint32_t core : options.worker_cores) {
    if (auto there = check_core(core, ours, "worker core"); !there) {
      return there;
    }
  }
  return {};
}

int run_work(void* work) {
  (*static_cast<std::function<void()>*>(work))();
  return 0;
}

}  // namespace

std::vector<std::string> eal_arguments(const EalOptions& options) {
  // lcore 0 is the main core's, lcore i + 1 worker i's: two lcores may share a core of a small machine.
  std::string lcores = fmt::format("0@{}", options.main_core);
  for (size_t i = 0; i < options.worker_cores.size(); ++i) {
    lcores += fmt::format(",{}@{}", i + 1, options.worker_cores[i]);
  }
  std::vector<std::string> arguments = {
      "maglb-dataplane",       "--lcores",           lcores, "--main-lcore", "0", "--no-telemetry",
      "--log-level=*:warning", "--file-prefix=maglb"};
  // Either way no files are shared, so that instances need not know of each other.
  if (options.hugepages) {
    // A file for each list of pages, not for each page: the limit of open files would bound the memory.
    arguments.insert(arguments.end(), {"--in-memory", "--single-file-segments"});
  } else {
    const uint64_t megabytes = (options.memory_bytes + (1 << 20) - 1) >> 20;
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(megabytes)});
  }
  if (options.pci_devices.empty()) {
    arguments.emplace_back("--no-pci");
  }
  for (const std::string& device : options.pci_devices) {
    arguments.insert(arguments.end(), {"-a", device});
  }
  return arguments;
}

Result<Eal> Eal::start(const EalOptions& options) {
  if (auto there = check_cores(options); !there) {
    return tl::unexpected(std::move(there.error()));
  }
  if (FILE* log = open_log(); log != nullptr) {
    rte_openlog_stream(log);
  }
  std::vector<std::string> arguments = eal_arguments(options);
  std::vector<char*> argv;
  std::transform(arguments.begin(), arguments.end(), std::back_inserter(argv),
                 [](std::string& argument) { return argument.data(); });
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return fail(
        ErrorKind::kSystem,
        fmt::format("DPDK does not start: {} ({})", rte_strerror(rte_errno),
                    options.hugepages ? "are enough hugepages free? memory: {hugepages: off} needs none"
                                      : "its own messages above say more"));
  }
  return Eal();
}

Eal::Eal(Eal&& other) noexcept : owns_(std::exchange(other.owns_, false)) {}

Eal::~Eal() {
  if (owns_) {
    rte_eal_cleanup();
  }
}

int Eal::socket_of(uint32_t lcore) {
  return static_cast<int>(rte_lcore_to_socket_id(lcore));
}

uint64_t Eal::tsc_hz() {
  return rte_get_tsc_hz();
}

void Eal::launch(uint32_t lcore, std::function<void()>& work) {
  check(rte_eal_remote_launch(run_work, &work, lcore) == 0, "an lcore is free for its worker");
}

void Eal::join_workers() {
  rte_eal_mp_wait_lcore();
}

}  // namespace maglb
