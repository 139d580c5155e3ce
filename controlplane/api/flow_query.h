// The parameters of calls that ask about a flow: protocol, source, source_port, destination,
// destination_port.
#pragma once

#include "controlplane/api/target.h"
#include "lib/base/error.h"
#include "lib/ipc/convert.h"

namespace maglb {

Result<FlowQuery> flow_query(const Target& target);
// And flags ("syn+ack"), bytes, may_fragment.
Result<ExplainQuery> explain_query(const Target& target);

}  // namespace maglb
