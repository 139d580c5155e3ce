// The operator's document (maglb.yaml) between text and model, with every complaint's place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

struct Position {
  uint32_t line = 0;  // from 1; 0: the document as a whole
  uint32_t column = 0;
  std::string message;
};

// Why a request or a document is not taken. `positions` is empty when it is not about a place.
struct Refusal {
  Error error;  // for a document: one "FILE:LINE:COLUMN: message" a line
  std::vector<Position> positions;
};

template <typename T>
using Accepted = tl::expected<T, Refusal>;

inline tl::unexpected<Refusal> refuse(Error error) {
  return tl::unexpected<Refusal>(Refusal{std::move(error), {}});
}

// `name` stands for the file in messages.
Accepted<ServiceConfig> read_document(std::string_view text, const std::string& name);

// A document that reads back as `config`.
std::string write_document(const ServiceConfig& config);

// A file's content.
Result<std::string> read_whole_file(const std::string& path);

}  // namespace maglb
