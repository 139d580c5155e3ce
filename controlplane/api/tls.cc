#include "controlplane/api/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>

namespace maglb {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Result<std::shared_ptr<ssl::context>> make_context(const TlsFiles& files) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  error_code error;
  if (SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1) {
    return fail(ErrorKind::kSystem, "TLS 1.2 is not to be had");
  }
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  context->use_certificate_chain_file(files.certificate, error);
  if (error) {
    return fail(ErrorKind::kInvalid, fmt::format("certificate {}: {}", files.certificate, error.message()));
  }
  // Refuses a key that is not the certificate's.
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) {
    return fail(ErrorKind::kInvalid, fmt::format("key {}: {}", files.key, error.message()));
  }
  context->load_verify_file(files.client_ca, error);
  STACK_OF(X509_NAME)* names = error ? nullptr : SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr) {
    return fail(ErrorKind::kInvalid, fmt::format("client CA {}: {}", files.client_ca,
                                                 error ? error.message() : "no certificate in it"));
  }
  SSL_CTX_set_client_CA_list(native, names);  // owns them
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::load(TlsFiles files) {
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity(std::move(files)));
  if (auto loaded = identity->reload(); !loaded) {
    return tl::unexpected(std::move(loaded.error()));
  }
  return identity;
}

Result<void> TlsIdentity::reload() {
  auto context = make_context(files_);
  if (!context) {
    return tl::unexpected(std::move(context.error()));
  }
  context_ = std::move(*context);
  return {};
}

std::string common_name_of(SSL* connection) {
  const X509* certificate = SSL_get0_peer_certificate(connection);
  const X509_NAME* subject = certificate == nullptr ? nullptr : X509_get_subject_name(certificate);
  const int at = subject == nullptr ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
    return {};
  }
  unsigned char* text = nullptr;
  const int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(std::max(length, 0)));
  OPENSSL_free(text);
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= ' ' && c != 0x7f; });
  return plain ? name : std::string();
}

}  // namespace maglb
