#include "controlplane/probe/curl_error.h"

#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <cerrno>

namespace maglb::test {
namespace {

TEST(CurlError, OurOwnFaultsAreSkipped) {
  for (const int ours : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL}) {
    EXPECT_EQ(explain({CURLE_COULDNT_CONNECT, 0, ours, "", false}).outcome, Outcome::kSkipped) << ours;
  }
  EXPECT_EQ(explain({CURLE_OUT_OF_MEMORY, 0, 0, "", false}).outcome, Outcome::kSkipped);
  const AttemptResult refused = explain({CURLE_COULDNT_CONNECT, 0, ECONNREFUSED, "", false});
  EXPECT_EQ(refused.outcome, Outcome::kFailure);
  EXPECT_EQ(refused.reason, "connect: connection refused");
}

TEST(CurlError, SaysWhatIsWrongWithACertificate) {
  const auto said = [](long result) {
    return explain({CURLE_PEER_FAILED_VERIFICATION, result, 0, "", true}).reason;
  };
  EXPECT_EQ(said(X509_V_ERR_CERT_HAS_EXPIRED), "certificate has expired");
  EXPECT_EQ(said(X509_V_ERR_CERT_NOT_YET_VALID), "certificate is not valid yet");
  EXPECT_EQ(said(X509_V_OK), "certificate is for other names");
  EXPECT_EQ(said(X509_V_ERR_UNSPECIFIED), "certificate is for other names");
  EXPECT_EQ(said(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT),
            "certificate is not trusted: self-signed certificate");
}

TEST(CurlError, TellsTheHeartOfLibcurlsWords) {
  const auto said = [](CURLcode code, std::string_view words) {
    return explain({code, 0, 0, words, true}).reason;
  };
  EXPECT_EQ(said(CURLE_SSL_CONNECT_ERROR, "error:0A00010B:SSL routines::wrong version number"),
            "TLS handshake: wrong version number");
  EXPECT_EQ(said(CURLE_SSL_CONNECT_ERROR,
                 "OpenSSL SSL_connect: Connection reset by peer in connection to a.example:443"),
            "TLS handshake: connection reset by peer");
  EXPECT_EQ(said(CURLE_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a:443"),
            "TLS handshake: connection closed");
  EXPECT_EQ(said(CURLE_RECV_ERROR, "a\n\x1b[31m\xff"), "receive: a??[31m?");
  EXPECT_EQ(said(CURLE_RECV_ERROR, std::string(5000, 'x')).size(), 160u + 9u);
}

}  // namespace
}  // namespace maglb::test
