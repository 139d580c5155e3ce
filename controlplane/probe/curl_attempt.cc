#include "controlplane/probe/curl_attempt.h"

#include <openssl/ssl.h>

#include <algorithm>

#include "controlplane/probe/curl_error.h"
#include "controlplane/probe/curl_options.h"
#include "controlplane/probe/http_words.h"

namespace maglb {
namespace {

// RFC 9110 15.2 lets a server send any number of them; more than this is no use to anyone.
constexpr uint32_t kMaxInterimResponses = 8;

// The owner's cancel() comes long before: no timeout is longer than an interval, which is an hour at most.
constexpr long kNeverSeconds = 7200;

std::string in_url(const IpAddress& address) {
  return address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
}

// "example.com" of "example.com:8443", "[::1]" of "[::1]:8443".
std::string without_port(const std::string& host) {
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && (host.find(':') == colon || host[colon - 1] == ']');
  return has_port ? host.substr(0, colon) : host;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

std::string certificate_name_of(const ProbeTarget& target) {
  const ProbeConfig& config = target.config;
  if (!config.tls.server_name.empty()) {
    return config.tls.server_name;
  }
  return config.host.empty() ? in_url(target.address) : without_port(config.host);
}

CurlAttempt::CurlAttempt(std::shared_ptr<CurlEngine> engine)
    : AttemptBase(engine->io()), engine_(std::move(engine)), easy_(curl_easy_init()) {}

CurlAttempt::~CurlAttempt() {
  CurlAttempt::close();
}

void CurlAttempt::run() {
  stage_ = "connecting";
  verdict_.reset();
  error_text_[0] = '\0';
  socket_error_ = {};
  status_ = 0;
  interim_ = 0;
  head_bytes_ = 0;
  in_head_ = true;
  body_.clear();
  request_ = request();
  if (!set_up()) {
    return cannot("out of memory, or a name that libcurl does not take");
  }
  if (verdict_) {
    return;
  }
  added_ = engine_->add(easy_.get(), *this);
  if (!added_) {
    cannot("out of memory");
  }
}

void CurlAttempt::cannot(std::string reason) {
  finish_later(Outcome::kSkipped, std::move(reason));
}

void CurlAttempt::close() {
  if (std::exchange(added_, false)) {
    engine_->remove(easy_.get());
  }
}

void CurlAttempt::decide(Outcome outcome, std::string reason) {
  if (!verdict_) {
    verdict_ = AttemptResult{outcome, std::move(reason)};
  }
}

void CurlAttempt::ended(CURLcode code) {
  const std::shared_ptr<CurlAttempt> stays = shared_from_this();
  if (!verdict_ && code == CURLE_OK) {
    judge();
  }
  if (!verdict_) {
    explain_failure(code);
  }
  AttemptResult result = std::move(*verdict_);
  finish(result.outcome, std::move(result.reason));
}

void CurlAttempt::explain_failure(CURLcode code) {
  CurlFailure failure;
  failure.code = code;
  curl_easy_getinfo(easy_.get(), CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
  long os_error = socket_error_.value();
  if (os_error == 0) {
    curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
  }
  failure.os_error = static_cast<int>(os_error);
  failure.detail = error_text_.data();
  failure.in_handshake = stage_ == "in the TLS handshake";
  verdict_ = explain(failure);
}

bool CurlAttempt::set_up() {
  if (!easy_) {
    return false;
  }
  curl_easy_reset(easy_.get());
  set_limits();
  set_callbacks();
  return set_address() && set_request() && (!request_.tls || set_tls());
}

// The URL has the name of the certificate; where the connection goes is said apart.
bool CurlAttempt::set_address() {
  url_.reset(curl_url());
  const std::string name = request_.tls ? certificate_name_of(*target_) : in_url(target_->address);
  const std::string to = fmt::format("::{}:{}", in_url(target_->connect_to), target_->port);
  connect_to_.reset(curl_slist_append(nullptr, to.c_str()));
  if (!url_ || !connect_to_) {
    return false;
  }
  const bool good =
      curl_url_set(url_.get(), CURLUPART_SCHEME, request_.tls ? "https" : "http", 0) == CURLUE_OK &&
      curl_url_set(url_.get(), CURLUPART_HOST, name.c_str(), 0) == CURLUE_OK &&
      curl_url_set(url_.get(), CURLUPART_PORT, std::to_string(target_->port).c_str(), 0) == CURLUE_OK &&
      curl_url_set(url_.get(), CURLUPART_PATH, "/", 0) == CURLUE_OK;
  CurlOptions options(easy_.get());
  options.set(CURLOPT_CURLU, url_.get());
  options.set(CURLOPT_CONNECT_TO, connect_to_.get());
  return good && options.good();
}

bool CurlAttempt::set_request() {
  std::vector<std::string> lines = request_.headers;
  lines.push_back("Host: " + authority_of(*target_, request_.tls ? 443 : 80));
  headers_.reset();
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) {
      return false;
    }
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }
  CurlOptions options(easy_.get());
  options.set(CURLOPT_HTTPHEADER, headers_.get());
  options.set(CURLOPT_REQUEST_TARGET, request_.path.c_str());
  options.set(CURLOPT_USERAGENT, "maglb-probe/" MAGLB_VERSION);
  if (request_.method == "POST") {
    options.set(CURLOPT_POST, 1L);
    options.set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request_.body.size()));
    options.set(CURLOPT_POSTFIELDS, request_.body.data());
  } else if (request_.method == "HEAD") {
    options.set(CURLOPT_NOBODY, 1L);
  }
  const long over_tls = request_.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
  options.set(CURLOPT_HTTP_VERSION, request_.tls     ? over_tls
                                    : request_.http2 ? long{CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}
                                                     : long{CURL_HTTP_VERSION_1_1});
  return options.good();
}

bool CurlAttempt::set_tls() {
  const ProbeTls& tls = target_->config.tls;
  roots_.reset();
  if (tls.verify) {
    Result<std::shared_ptr<X509_STORE>> found = engine_->trust_stores().find(tls.ca_file);
    if (!found) {
      decide(Outcome::kSkipped, found.error().message);
      cannot(found.error().message);
      return true;
    }
    roots_ = std::move(*found);
  }
  CurlOptions options(easy_.get());
  // The roots come from handshake_begins(): libcurl would read its own for every connection.
  options.set(CURLOPT_CAINFO, nullptr);
  options.set(CURLOPT_CAPATH, nullptr);
  options.set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
  options.set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  options.set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  options.set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  options.set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  options.set(CURLOPT_SSL_CTX_FUNCTION, &CurlAttempt::handshake_begins);
  options.set(CURLOPT_SSL_CTX_DATA, this);
  if (!tls.pin.empty()) {
    options.set(CURLOPT_PINNEDPUBLICKEY, tls.pin.c_str());
  }
  return options.good();
}

void CurlAttempt::set_limits() {
  CurlOptions options(easy_.get());
  options.set(CURLOPT_PROTOCOLS_STR, request_.tls ? "https" : "http");
  options.set(CURLOPT_FOLLOWLOCATION, 0L);
  options.set(CURLOPT_CONNECTTIMEOUT, kNeverSeconds);
  // Addresses need no cache; looking through one would cost each transfer the time of all others.
  options.set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  check(options.good(), "libcurl knows its options");
}

void CurlAttempt::set_callbacks() {
  CurlOptions options(easy_.get());
  options.own_connection(*engine_, &CurlAttempt::open_socket, this, error_text_);
  options.set(CURLOPT_PREREQFUNCTION, &CurlAttempt::connected);
  options.set(CURLOPT_PREREQDATA, this);
  options.set(CURLOPT_HEADERFUNCTION, &CurlAttempt::head_line);
  options.set(CURLOPT_HEADERDATA, this);
  options.set(CURLOPT_WRITEFUNCTION, &CurlAttempt::body_piece);
  options.set(CURLOPT_WRITEDATA, this);
  check(options.good(), "libcurl knows its options");
}

curl_socket_t CurlAttempt::open_socket(void* self, curlsocktype, curl_sockaddr*) {
  CurlAttempt& attempt = *static_cast<CurlAttempt*>(self);
  return attempt.engine_->open_socket(*attempt.target_, attempt.socket_error_);
}

CURLcode CurlAttempt::handshake_begins(CURL*, void* context, void* self) {
  CurlAttempt& attempt = *static_cast<CurlAttempt*>(self);
  attempt.stage_ = "in the TLS handshake";
  if (attempt.roots_) {
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), attempt.roots_.get());
  }
  return CURLE_OK;
}

int CurlAttempt::connected(void* self, char*, char*, int, int) {
  static_cast<CurlAttempt*>(self)->stage_ = "waiting for the response";
  return CURL_PREREQFUNC_OK;
}

size_t CurlAttempt::head_line(char* data, size_t one, size_t size, void* self) {
  return static_cast<CurlAttempt*>(self)->on_head_line({data, one * size});
}

size_t CurlAttempt::body_piece(char* data, size_t one, size_t size, void* self) {
  return static_cast<CurlAttempt*>(self)->on_body({data, one * size});
}

// Returns another size than the line's to end the transfer.
size_t CurlAttempt::on_head_line(std::string_view line) {
  head_bytes_ += line.size();
  if (head_bytes_ > kMaxHeadBytes) {
    decide(Outcome::kFailure,
           fmt::format("receive: the response's head is longer than {} bytes", kMaxHeadBytes));
  }
  const std::string_view text = trimmed(line);
  if (text.empty() && in_head_) {
    on_blank_line();
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos && !verdict_) {
    header(text.substr(0, colon), trimmed(text.substr(colon + 1)));
  }
  return verdict_ ? 0 : line.size();
}

void CurlAttempt::on_blank_line() {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 100 && status < 200 && status != 101) {
    if (++interim_ > kMaxInterimResponses) {
      decide(Outcome::kFailure, "receive: more than 8 interim responses");
    }
    return;
  }
  long version = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  in_head_ = false;
  status_ = static_cast<uint16_t>(status);
  stage_ = "reading the response";
  if (request_.http2 && version != CURL_HTTP_VERSION_2) {
    return decide(Outcome::kFailure, "the server does not speak HTTP/2");
  }
  if (!verdict_) {
    head_ended();
  }
}

size_t CurlAttempt::on_body(std::string_view piece) {
  const size_t before = body_.size();
  body_.append(piece.substr(0, kMaxBodyBytes - before));
  body_grew(before);
  if (!verdict_ && before + piece.size() > kMaxBodyBytes) {
    judge();
  }
  return verdict_ ? 0 : piece.size();
}

}  // namespace maglb
