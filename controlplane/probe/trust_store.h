// The roots that certificates are checked against: each file of them is read once, and again when it changed.
//
// Reading the system's roots takes about 20 ms of CPU, a handshake one or two; so a store is shared by all
// handshakes that want it. Invariant: a store that was handed out is not changed.
//
// Threads: one.
#pragma once

#include <openssl/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"

namespace maglb {

class TrustStores {
 public:
  // The roots of `ca_file`, or the system's when it is empty. Errors: kSystem, also for a file without a
  // certificate; the file is looked at again on the next call.
  Result<std::shared_ptr<X509_STORE>> find(const std::string& ca_file);

 private:
  // When what was read last changed; a file that is not there has the earliest time.
  using Stamps = std::vector<std::filesystem::file_time_type>;
  struct Entry {
    Stamps stamps;
    std::shared_ptr<X509_STORE> store;
  };
  static Stamps stamps_of(const std::string& ca_file);

  std::map<std::string, Entry> entries_;
};

}  // namespace maglb
