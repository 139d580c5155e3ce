#include "controlplane/api/etag.h"

#include <algorithm>

#include "controlplane/desired/document.h"
#include "controlplane/store/store.h"

namespace maglb {
namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool names(std::string_view list, std::string_view tag, bool takes_weak) {
  if (trim(list) == "*") {
    return true;
  }
  // Our tags hold no comma and no quote within: pieces between commas are tags, or no tags of ours.
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view piece = trim(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (takes_weak && piece.starts_with("W/")) {
      piece.remove_prefix(2);
    }
    if (piece == tag) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string document_tag(std::string_view text) {
  return '"' + content_hash(text) + '"';
}

std::string pool_tag(const PoolConfig& pool) {
  ServiceConfig alone;
  alone.pools = {pool};
  return document_tag(write_document(alone));
}

std::string backend_tag(const BackendConfig& backend) {
  PoolConfig around;
  around.name = "backend";
  around.backends = {backend};
  return pool_tag(around);
}

bool names_strongly(std::string_view list, std::string_view tag) {
  return names(list, tag, false);
}

bool names_weakly(std::string_view list, std::string_view tag) {
  return names(list, tag, true);
}

}  // namespace maglb
