// A TLS server that says what it is told to, whatever it is asked, and closes: for answers that no real
// server gives.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>

#include "tests/unit/controlplane/probe/real_servers.h"

namespace maglb::test {

class TlsServer {
 public:
  // `alpn`: the protocol it chooses, behind its length; empty: it knows nothing of ALPN.
  TlsServer(boost::asio::io_context& io, const Certificates& certificates, std::string answer,
            std::string alpn = "")
      : acceptor_(io, {boost::asio::ip::address_v4::loopback(), 0}),
        answer_(std::make_shared<std::string>(std::move(answer))),
        alpn_(std::move(alpn)) {
    context_.use_certificate_chain_file(certificates.certificate("good"));
    context_.use_private_key_file(certificates.key("good"), boost::asio::ssl::context::pem);
    SSL_CTX_set_alpn_select_cb(context_.native_handle(), &TlsServer::choose, &alpn_);
    accept();
  }
  uint16_t port() const { return port_; }

 private:
  using Tcp = boost::asio::ip::tcp;
  using Stream = boost::asio::ssl::stream<Tcp::socket>;

  static int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned,
                    void* alpn) {
    const std::string& chosen = *static_cast<const std::string*>(alpn);
    if (chosen.empty()) {
      return SSL_TLSEXT_ERR_NOACK;
    }
    *size = static_cast<unsigned char>(chosen[0]);
    *out = static_cast<const unsigned char*>(static_cast<const void*>(chosen.data() + 1));
    return SSL_TLSEXT_ERR_OK;
  }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, Tcp::socket socket) {
      if (error) {
        return;
      }
      const auto stream = std::make_shared<Stream>(std::move(socket), context_);
      stream->async_handshake(Stream::server, [stream, answer = answer_](boost::system::error_code failed) {
        if (!failed) {
          boost::asio::async_write(*stream, boost::asio::buffer(*answer),
                                   [stream, answer](boost::system::error_code, size_t) {
                                     stream->async_shutdown([stream](boost::system::error_code) {});
                                   });
        }
      });
      accept();
    });
  }

  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_server};
  Tcp::acceptor acceptor_;
  const uint16_t port_ = acceptor_.local_endpoint().port();
  const std::shared_ptr<std::string> answer_;
  std::string alpn_;
};

}  // namespace maglb::test
