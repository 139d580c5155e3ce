#include "lib/config/service/own_probes.h"

#include <fmt/format.h>

namespace maglb {

size_t bytes_of(const ProbeConfig& probe) {
  size_t bytes = probe.status.size() * sizeof(StatusRange) + probe.command.size() * sizeof(std::string);
  for (const std::string& word : probe.command) {
    bytes += word.size();
  }
  for (const std::string* text :
       {&probe.path, &probe.host, &probe.method, &probe.body, &probe.tls.server_name, &probe.tls.ca_file,
        &probe.tls.pin, &probe.grpc_service, &probe.dns.name, &probe.dns.type, &probe.dns.expect, &probe.send,
        &probe.expect}) {
    bytes += text->size();
  }
  return bytes;
}

std::string OwnProbes::add(const ProbeConfig& probe) {
  const bool was_full = full();
  bytes_ += bytes_of(probe);
  if (was_full || !full()) {
    return {};
  }
  return fmt::format("with this one the probes of backends hold {} bytes together, at most {} are possible",
                     bytes_, kMaxOwnProbeBytes);
}

}  // namespace maglb
