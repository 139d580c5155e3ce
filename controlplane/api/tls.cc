#include "controlplane/api/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace maglb {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

// Why a file was not taken: OpenSSL has no words for one that is not there.
tl::unexpected<Error> not_taken(const char* what, const std::string& file, const error_code& error) {
  if (access(file.c_str(), R_OK) != 0) {
    return fail_errno(fmt::format("{} {}", what, file), errno);
  }
  const auto code = static_cast<unsigned long>(error.value());
  const auto is = [code](int library, int reason) {
    return ERR_GET_LIB(code) == library && ERR_GET_REASON(code) == reason;
  };
  // The bare number is asio's own, of a chain without a first certificate.
  const bool is_empty = code == ERR_R_PEM_LIB || is(ERR_LIB_PEM, PEM_R_NO_START_LINE) ||
                        is(ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
  const char* const reason = ERR_reason_error_string(code);
  const std::string why =
      is_empty ? "none in PEM form is in it"
      : is(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH)
          ? "it is not that of the certificate"
          : fmt::format("not readable{}{}", reason == nullptr ? "" : ": ", reason == nullptr ? "" : reason);
  return fail(ErrorKind::kInvalid, fmt::format("{} {}: {}", what, file, why));
}

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
    return not_taken("certificate", files.certificate, error);
  }
  // Refuses a key that is not the certificate's.
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) {
    return not_taken("key", files.key, error);
  }
  context->load_verify_file(files.client_ca, error);
  if (error) {
    return not_taken("client CA", files.client_ca, error);
  }
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr) {
    return fail(ErrorKind::kInvalid, fmt::format("client CA {}: no certificate is in it", files.client_ca));
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
