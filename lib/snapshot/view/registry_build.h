// What the workers read, from the Registry's records. Main core only.
#pragma once

#include <memory>
#include <memory_resource>
#include <vector>

#include "lib/snapshot/view/registry_change.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

// Views for the records that have none yet, and for those whose services changed their mind on what a
// failed backend's flows do.
void build_views(Records& pools, const Services& services,
                 const std::vector<std::pmr::memory_resource*>& sockets);

std::shared_ptr<const ServiceIndex> index_of(const Services& services, const Records& pools,
                                             std::pmr::memory_resource* memory);

std::unique_ptr<const Snapshot> snapshot_of(uint64_t generation, std::shared_ptr<const ServiceIndex> index,
                                            const Records& records, size_t socket,
                                            std::pmr::memory_resource* memory);

}  // namespace maglb
