// A configuration document from a file, or from standard input when it is called "-".
#pragma once

#include <string>

#include "tools/maglbctl/outcome.h"

namespace maglb::ctl {

struct Document {
  std::string name;  // for messages: the file's, or "<stdin>"
  std::string text;
};

// Fails with kFailed when it cannot be read, with kInvalidConfig when it is larger than the API takes.
Outcome<Document> read_document(const std::string& file);

}  // namespace maglb::ctl
