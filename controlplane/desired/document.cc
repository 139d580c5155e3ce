#include "controlplane/desired/document.h"

#include "lib/config/service/parse.h"
#include "lib/config/service/write.h"
#include "lib/yaml/document.h"

namespace maglb {
namespace {

Refusal refusal_of(const yaml::Problems& problems) {
  Refusal refusal{problems.to_error(), {}};
  for (const yaml::Problem& problem : problems.list()) {
    refusal.positions.push_back({problem.mark.line, problem.mark.column, problem.message});
  }
  return refusal;
}

}  // namespace

Accepted<ServiceConfig> read_document(std::string_view text, const std::string& name) {
  auto config = parse_service_config(text, name);
  if (!config) {
    return tl::unexpected(refusal_of(config.error()));
  }
  return std::move(*config);
}

std::string write_document(const ServiceConfig& config) {
  return write_service_config(config);
}

Result<std::string> read_whole_file(const std::string& path) {
  auto text = yaml::read_file(path);
  if (!text) {
    return fail(ErrorKind::kSystem, text.error().to_string());
  }
  return std::move(*text);
}

}  // namespace maglb
