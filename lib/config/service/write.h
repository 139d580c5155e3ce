// ServiceConfig -> maglb.yaml: the document that the control plane keeps and shows. Stable: the same
// config gives the same text, in the order of its pools, backends and services.
#pragma once

#include <string>
#include <string_view>

#include "lib/config/service/model.h"

namespace maglb {

// parse_service_config() of it gives the config back. Values that are the defaults are left out, but
// for those that an operator looks for. REQUIRES: the promises of model.h.
std::string write_service_config(const ServiceConfig& config);

// The words of the file, for whoever shows them.
std::string_view to_string(AdminState state);
std::string_view to_string(OnFailure on_failure);
std::string_view to_string(ProbeType type);
std::string_view to_string(ProbeVia via);
std::string_view to_string(DrainEnd end);
std::string_view to_string(SourceType type);
std::string_view to_string(DnsRecords records);
std::string_view to_string(NetworkFailure failure);
std::string to_string(const Quorum& quorum);  // "3", "50%"

}  // namespace maglb
