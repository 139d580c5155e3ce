// A document that was refused: the places that are wrong in front of what that means.
#pragma once

#include <string>

#include "tools/maglbctl/outcome.h"

namespace maglb::ctl {

// `failure` as one of `document`. What is no refusal of a document stays as it is. `meaning` may be empty.
Failure refused(Failure failure, const std::string& document, const std::string& meaning);

// The same of a document that the daemon knows and named itself, "FILE:LINE:COLUMN: ..." in its message.
Failure refused_by_name(Failure failure);

}  // namespace maglb::ctl
