// Where snapshots and flow tables lie: hugepages of one NUMA socket, or the program's own heap when
// the machine has no hugepages for us (then DPDK's memory would be ordinary pages too, and a fixed
// amount of them).
//
// Threads: the resource takes a lock; the main core uses it, workers never do.
#pragma once

#include <memory>
#include <memory_resource>

namespace maglb {

// REQUIRES of what allocates from it: EAL is up until everything is given back.
std::unique_ptr<std::pmr::memory_resource> hugepage_memory(int socket);

}  // namespace maglb
