#include "controlplane/discovery/etcd_call.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "controlplane/probe/curl_options.h"

namespace maglb {
namespace {

constexpr long kConnectTimeoutMs = 3000;
constexpr long kKeepaliveSeconds = 10;

void set_file(CurlOptions& options, CURLoption option, const std::string& path) {
  if (!path.empty()) {
    options.set(option, path.c_str());
  }
}

}  // namespace

Result<std::string> host_of(const std::string& endpoint) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), [](CURLU* u) { curl_url_cleanup(u); });
  char* host = nullptr;
  if (!url || curl_url_set(url.get(), CURLUPART_URL, endpoint.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return fail(ErrorKind::kInvalid, endpoint + ": no URL");
  }
  const std::unique_ptr<char, void (*)(char*)> owner(host, [](char* text) { curl_free(text); });
  std::string text = host;
  return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

EtcdCall::EtcdCall(std::shared_ptr<CurlEngine> engine)
    : engine_(std::move(engine)), easy_(curl_easy_init()) {}

EtcdCall::~EtcdCall() {
  if (added_) {
    engine_->remove(easy_.get());
  }
}

Result<void> EtcdCall::start(const EtcdEndpoint& endpoint, const std::string& path, std::string body,
                             std::chrono::milliseconds timeout, Piece piece, Ended ended) {
  body_ = std::move(body);
  piece_ = std::move(piece);
  ended_ = std::move(ended);
  added_ = easy_ && set_up(endpoint, path, timeout) && set_callbacks() && engine_->add(easy_.get(), *this);
  if (!added_) {
    return fail(ErrorKind::kSystem, "libcurl has no memory, or does not take the endpoint");
  }
  return {};
}

bool EtcdCall::set_up(const EtcdEndpoint& endpoint, const std::string& path,
                      std::chrono::milliseconds timeout) {
  const std::string address = endpoint.address.to_string();
  const std::string to = fmt::format(fmt::runtime(endpoint.address.is_v4() ? "::{}:" : "::[{}]:"), address);
  connect_to_.reset(curl_slist_append(nullptr, to.c_str()));
  headers_.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
  CurlOptions options(easy_.get());
  options.set(CURLOPT_URL, (endpoint.url + path).c_str());
  options.set(CURLOPT_CONNECT_TO, connect_to_.get());
  options.set(CURLOPT_PROTOCOLS_STR, "http,https");
  options.set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  options.set(CURLOPT_HTTPHEADER, headers_.get());
  options.set(CURLOPT_USERAGENT, "maglb/" MAGLB_VERSION);
  options.set(CURLOPT_POST, 1L);
  options.set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
  options.set(CURLOPT_POSTFIELDS, body_.data());
  options.set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  options.set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  options.set(CURLOPT_TCP_KEEPALIVE, 1L);
  options.set(CURLOPT_TCP_KEEPIDLE, kKeepaliveSeconds);
  options.set(CURLOPT_TCP_KEEPINTVL, kKeepaliveSeconds);
  options.set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set_file(options, CURLOPT_CAINFO, endpoint.ca_file);
  set_file(options, CURLOPT_SSLCERT, endpoint.cert_file);
  set_file(options, CURLOPT_SSLKEY, endpoint.key_file);
  return connect_to_ && headers_ && options.good();
}

bool EtcdCall::set_callbacks() {
  CurlOptions options(easy_.get());
  options.own_connection(*engine_, &EtcdCall::open_socket, this, error_text_);
  options.set(CURLOPT_WRITEFUNCTION, &EtcdCall::on_piece);
  options.set(CURLOPT_WRITEDATA, this);
  return options.good();
}

curl_socket_t EtcdCall::open_socket(void* data, curlsocktype, curl_sockaddr* address) {
  EtcdCall& self = *static_cast<EtcdCall*>(data);
  ProbeTarget target;
  if (address->family == AF_INET) {
    target.connect_to = IpAddress::v4(std::array<uint8_t, 4>{});
  }
  boost::system::error_code error;
  return self.engine_->open_socket(target, error);
}

size_t EtcdCall::on_piece(char* data, size_t one, size_t size, void* self) {
  return static_cast<EtcdCall*>(self)->piece_({data, one * size}) ? one * size : 0;
}

void EtcdCall::ended(CURLcode code) {
  engine_->remove(easy_.get());
  added_ = false;
  const Ended ended = std::move(ended_);  // which may drop this call
  if (code == CURLE_OK) {
    return ended({});
  }
  ended(
      fail(ErrorKind::kUnavailable, error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code)));
}

}  // namespace maglb
