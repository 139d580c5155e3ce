#include "tools/maglbctl/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "lib/base/check.h"
#include "tools/maglbctl/api_error.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {

struct Client::Request {
  std::string method = "GET";
  std::string path;
  std::string_view body = {};
  const char* content_type = nullptr;  // null: no body
  std::string if_match = {};           // an entity tag; empty: whatever is there
  Take take = {};                      // empty: the body is an answer's

  bool changes() const { return method != "GET"; }
};

struct Client::Answer {
  long status = 0;
  std::string body;
  std::string etag;
  std::size_t header_bytes = 0;
  bool too_large = false;
  const Take* take = nullptr;
  CURL* handle = nullptr;
};

struct Client::Curl {
  CURL* handle = nullptr;
  std::string read_path;  // what get() read last, and its tag
  std::string read_tag;
  ~Curl() { curl_easy_cleanup(handle); }
};

namespace {

constexpr long kStreams = 200;
// Between two heartbeats of a stream there are 15 s (docs/api.md).
constexpr long kLongestSilenceSeconds = 60;

using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

template <typename Answer>
std::size_t take_body(char* data, std::size_t, std::size_t size, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  long status = 0;
  curl_easy_getinfo(answer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (answer.take != nullptr && status == kStreams) {
    return (*answer.take)({data, size}) ? size : 0;
  }
  if (answer.body.size() + size > Client::kMaxAnswer) {
    answer.too_large = true;
    return 0;
  }
  answer.body.append(data, size);
  return size;
}

// What is invalid about a question is its words; only a document has places.
Failure as_usage(Failure failure) {
  if (failure.code == ExitCode::kInvalidConfig && failure.positions.empty()) {
    failure.code = ExitCode::kUsage;
  }
  return failure;
}

// Quoted, and of visible characters only: it goes back into a head.
std::string tag_of(std::string_view header) {
  constexpr std::string_view kName = "etag:";
  const bool is_tag =
      header.size() > kName.size() && strncasecmp(header.data(), kName.data(), kName.size()) == 0;
  const std::size_t first = is_tag ? header.find('"') : std::string_view::npos;
  const std::size_t last = header.rfind('"');
  if (first == std::string_view::npos || last == first) {
    return {};
  }
  const std::string_view tag = header.substr(first, last - first + 1);
  const bool visible = std::all_of(tag.begin(), tag.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return visible ? std::string(tag) : std::string();
}

template <typename Answer>
std::size_t take_header(char* data, std::size_t, std::size_t size, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  answer.header_bytes += size;
  if (answer.header_bytes > Client::kMaxHeaders) {
    answer.too_large = true;
    return 0;
  }
  if (std::string tag = tag_of({data, size}); !tag.empty()) {
    answer.etag = std::move(tag);
  }
  return size;
}

int ask_whether_interrupted(void* asked, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(asked))() ? 1 : 0;
}

std::string how_to_start(const std::string& socket_path) {
  const std::string path = escaped(socket_path);
  return fmt::format(
      "start it with: systemctl start maglb-controlplane\n"
      "or by hand:    maglb-controlplane --config /etc/maglb/maglb.yaml --api-socket {}\n"
      "or say where it listens: maglbctl --socket PATH",
      path);
}

}  // namespace

nlohmann::json parse_object(const std::string& text) {
  bool too_deep = false;
  const auto bound_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > Client::kMaxDepth;
    return !too_deep;
  };
  nlohmann::json json = nlohmann::json::parse(text, bound_depth, false);
  return json.is_object() && !too_deep ? json : nlohmann::json();
}

Client::Client(std::string socket_path, std::chrono::milliseconds timeout)
    : socket_path_(std::move(socket_path)), timeout_(timeout), curl_(std::make_unique<Curl>()) {
  // Nothing of TLS is needed, and setting it up is most of what starting libcurl costs.
  check(curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK, "libcurl starts");
  curl_->handle = curl_easy_init();
  check(curl_->handle != nullptr, "libcurl gives a handle");
}

Client::~Client() = default;

Outcome<Client::Answer> Client::perform(const Request& request) {
  CURL* curl = curl_->handle;
  Answer answer;
  curl_easy_reset(curl);
  const std::string url = "http://localhost" + request.path;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path_.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // else http_proxy of the environment is asked
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);  // a backend may be called ".."
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_.count()));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "maglbctl/" MAGLB_VERSION);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body<Answer>);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header<Answer>);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
  answer.handle = curl;
  if (request.take) {
    answer.take = &request.take;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_.count()));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kLongestSilenceSeconds);
  }
  if (interrupted_) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &ask_whether_interrupted);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &interrupted_);
  }
  // "Expect:" without a value: a large body does not wait a second for a 100 Continue.
  const HeaderList headers(curl_slist_append(nullptr, "Expect:"), &curl_slist_free_all);
  if (!request.if_match.empty()) {
    curl_slist_append(headers.get(), fmt::format("If-Match: {}", request.if_match).c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (request.content_type != nullptr) {
    curl_slist_append(headers.get(), fmt::format("Content-Type: {}", request.content_type).c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  const CURLcode code = curl_easy_perform(curl);
  if (answer.too_large) {
    return failed(ExitCode::kFailed,
                  fmt::format("the answer at {} is larger than {} bytes: is this maglb-controlplane?",
                              escaped(socket_path_), kMaxAnswer));
  }
  if (code != CURLE_OK) {
    return tl::unexpected(unreachable(code, request));
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

Failure Client::unreachable(int curl_code, const Request& request) const {
  long os_error = 0;
  curl_easy_getinfo(curl_->handle, CURLINFO_OS_ERRNO, &os_error);
  const std::string where = escaped(socket_path_);
  const std::string unsure =
      request.changes() ? "\nthe change may have been made all the same: look before repeating it" : "";
  // An answer that has begun and breaks off comes from a peer that is there.
  long status = 0;
  curl_easy_getinfo(curl_->handle, CURLINFO_RESPONSE_CODE, &status);
  const bool ours = curl_code == CURLE_OPERATION_TIMEDOUT || curl_code == CURLE_ABORTED_BY_CALLBACK;
  const bool begun = status != 0 && !ours;
  switch (begun ? CURLE_WEIRD_SERVER_REPLY : curl_code) {
    case CURLE_COULDNT_CONNECT:
      if (os_error == EACCES || os_error == EPERM) {
        return {ExitCode::kUnreachable,
                fmt::format("may not open {}: permission denied\n"
                            "run as root, or as a member of the socket's group (ls -l {})",
                            where, where)};
      }
      return {ExitCode::kUnreachable,
              fmt::format("the control plane is not reachable at {}: {}\n{}", where,
                          os_error == 0 ? "no connection" : std::generic_category().message(os_error),
                          how_to_start(socket_path_))};
    case CURLE_OPERATION_TIMEDOUT:
      return {ExitCode::kUnreachable,
              fmt::format("the control plane at {} did not answer within {}{}\n"
                          "see what it does: systemctl status maglb-controlplane",
                          where, human_duration(static_cast<double>(timeout_.count()) / 1000), unsure)};
    case CURLE_ABORTED_BY_CALLBACK:
      return {ExitCode::kFailed, fmt::format("interrupted{}", unsure)};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return {ExitCode::kUnreachable,
              fmt::format("the control plane at {} closed the connection without an answer{}\n{}", where,
                          unsure, how_to_start(socket_path_))};
    default:
      return {ExitCode::kFailed,
              fmt::format("the answer at {} is broken: {}; is this maglb-controlplane?{}", where,
                          curl_easy_strerror(static_cast<CURLcode>(curl_code)), unsure)};
  }
}

Outcome<nlohmann::json> Client::perform_json(const Request& request) {
  auto answer = perform(request);
  if (!answer) {
    return tl::unexpected(std::move(answer.error()));
  }
  curl_->read_path = request.changes() ? "" : request.path;
  curl_->read_tag = answer->etag;
  nlohmann::json json = parse_object(answer->body);
  if (answer->status < 200 || answer->status > 299) {
    Failure failure = api_failure(answer->status, json);
    return tl::unexpected(request.changes() ? std::move(failure) : as_usage(std::move(failure)));
  }
  if (json.is_null()) {
    return failed(
        ExitCode::kFailed,
        fmt::format("what {} answers is no JSON object: is this maglb-controlplane?", escaped(socket_path_)));
  }
  return json;
}

Outcome<nlohmann::json> Client::get(const std::string& path) {
  Request request;
  request.path = path;
  return perform_json(request);
}

Outcome<std::string> Client::get_text(const std::string& path) {
  Request request;
  request.path = path;
  auto answer = perform(request);
  if (!answer) {
    return tl::unexpected(std::move(answer.error()));
  }
  if (answer->status < 200 || answer->status > 299) {
    return tl::unexpected(api_failure(answer->status, parse_object(answer->body)));
  }
  return std::move(answer->body);
}

Outcome<void> Client::stream(const std::string& path, Take take) {
  Request request;
  request.path = path;
  request.take = std::move(take);
  const auto answer = perform(request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != kStreams) {
    return tl::unexpected(api_failure(answer->status, parse_object(answer->body)));
  }
  return {};
}

Outcome<nlohmann::json> Client::change(const std::string& method, const std::string& path,
                                       const nlohmann::json& body) {
  const std::string text = body.is_null() ? "" : body.dump();
  Request request;
  request.method = method;
  request.path = path;
  request.body = text;
  request.content_type = body.is_null() ? nullptr : "application/json";
  request.if_match = path.substr(0, path.find('?')) == curl_->read_path ? curl_->read_tag : "";
  return perform_json(request);
}

Outcome<nlohmann::json> Client::send_document(const std::string& method, const std::string& path,
                                              std::string_view yaml) {
  Request request;
  request.method = method;
  request.path = path;
  request.body = yaml;
  request.content_type = "application/yaml";
  return perform_json(request);
}

}  // namespace maglb::ctl
