// Who the API's TCP listener is and whom it believes: certificate, key and the CA of its clients. TLS 1.2 or
// newer, a client's certificate is required and verified; sessions are not resumed, so that every connection
// shows its certificate to the CA that counts now.
//
// Threads: the io_context's one.
#pragma once

#include <openssl/types.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "lib/base/error.h"

namespace maglb {

struct TlsFiles {
  std::string certificate;  // PEM, with the chain behind it
  std::string key;
  std::string client_ca;  // PEM, one or several
};

class TlsIdentity {
 public:
  // kInvalid, naming the file, when one cannot be used.
  static Result<std::unique_ptr<TlsIdentity>> load(TlsFiles files);

  // Reads the files again; connections that stand keep what they began with, and so do new ones when it
  // fails.
  Result<void> reload();
  std::shared_ptr<boost::asio::ssl::context> context() const { return context_; }

 private:
  explicit TlsIdentity(TlsFiles files) : files_(std::move(files)) {}

  TlsFiles files_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

// Of the peer's verified certificate. Empty when the subject has none, several, or one that is no plain text.
std::string common_name_of(SSL* connection);

}  // namespace maglb
