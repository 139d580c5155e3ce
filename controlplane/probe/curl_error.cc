#include "controlplane/probe/curl_error.h"

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include <boost/system/error_code.hpp>
#include <cctype>

#include "controlplane/probe/probe_socket.h"

namespace maglb {
namespace {

constexpr size_t kMostTextBytes = 160;

std::string certificate_fault(long verify_result) {
  switch (verify_result) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED:  // libcurl's for no result: no fault in the chain, so it refused the name
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "certificate is for other names";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "certificate is not valid yet";
    case X509_V_ERR_CERT_REVOKED:
      return "certificate is revoked";
    default:
      return fmt::format("certificate is not trusted: {}", X509_verify_cert_error_string(verify_result));
  }
}

// "OpenSSL SSL_connect: X in connection to host:443" and "error:0A00010B:SSL routines::X" say X.
std::string_view heart_of(std::string_view text) {
  for (const std::string_view before : {"SSL_connect: ", "SSL_read: ", "SSL_write: ", "::"}) {
    const size_t place = text.rfind(before);
    if (place != std::string_view::npos) {
      text.remove_prefix(place + before.size());
    }
  }
  text = text.substr(0, text.find(" in connection to "));
  return text.substr(0, text.find(", errno "));
}

std::string in_words(const CurlFailure& failure) {
  std::string text = printable(heart_of(failure.detail));
  if (text.empty()) {
    text = curl_easy_strerror(failure.code);
  }
  if (text == "SSL_ERROR_SYSCALL" || text == "SSL_ERROR_ZERO_RETURN" ||
      text == "unexpected eof while reading") {
    return "connection closed";
  }
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

AttemptResult by_system(std::string_view doing, const CurlFailure& failure) {
  const boost::system::error_code error(failure.os_error, boost::system::system_category());
  return {is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
          fmt::format("{}: {}", doing, failure.os_error != 0 ? describe(error) : in_words(failure))};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean(text.substr(0, kMostTextBytes));
  for (char& c : clean) {
    c = c >= 0x20 && c < 0x7f ? c : '?';
  }
  return clean;
}

AttemptResult explain(const CurlFailure& failure) {
  switch (failure.code) {
    case CURLE_OUT_OF_MEMORY:
      return {Outcome::kSkipped, "out of memory"};
    case CURLE_COULDNT_CONNECT:
      return by_system("connect", failure);
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Outcome::kFailure, certificate_fault(failure.verify_result)};
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return {Outcome::kFailure, "public key does not match the pin"};
    case CURLE_SSL_CONNECT_ERROR:
      return by_system("TLS handshake", failure);
    case CURLE_SEND_ERROR:
      return by_system("send", failure);
    case CURLE_RECV_ERROR:
      return by_system("receive", failure);
    case CURLE_GOT_NOTHING:
      return {Outcome::kFailure, "receive: connection closed before the end of a response's head"};
    case CURLE_PARTIAL_FILE:
      return {Outcome::kFailure, "receive: connection closed before the end of the response"};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return {Outcome::kFailure, "receive: not HTTP: " + in_words(failure)};
    default:
      return {Outcome::kFailure,
              (failure.in_handshake ? "TLS handshake: " : "receive: ") + in_words(failure)};
  }
}

}  // namespace maglb
