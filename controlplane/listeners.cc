#include "controlplane/listeners.h"

#include <spdlog/spdlog.h>

namespace maglb {
namespace {

// A scraper shows no certificate: it gets what tells nothing of clients and changes nothing.
HttpServer::Handle only_metrics(HttpServer::Handle handle) {
  return [handle = std::move(handle)](const ApiRequest& request, Respond respond) {
    const std::string path = request.target.substr(0, request.target.find('?'));
    if (path != "/metrics" && path != "/livez" && path != "/readyz") {
      return respond(error_response(404, "not_found", "here are /metrics, /livez and /readyz only"));
    }
    handle(request, std::move(respond));
  };
}

template <typename T>
tl::unexpected<Error> about(const char* option, Result<T>& result) {
  return tl::unexpected(std::move(result.error()).within(option));
}

}  // namespace

Result<Listeners> Listeners::open(boost::asio::io_context& io, const Options& options,
                                  HttpServer::Handle handle) {
  Listeners listeners;
  auto access = SocketAccess::of_groups(options.api_admin_group, options.api_read_group);
  if (!access) {
    return about("--api-admin-group, --api-read-group", access);
  }
  auto local = HttpServer::on_unix(io, options.api_socket, *access, handle);
  if (!local) {
    return about("--api-socket", local);
  }
  listeners.servers_.push_back(std::move(*local));
  if (!options.api_listen.empty()) {
    auto at = TcpAddress::parse(options.api_listen);
    auto identity = TlsIdentity::load({options.api_cert, options.api_key, options.api_client_ca});
    if (!at || !identity) {
      return at ? about("--api-listen", identity) : about("--api-listen", at);
    }
    listeners.identity_ = std::move(*identity);
    const NameAccess names({options.api_admin_names.begin(), options.api_admin_names.end()});
    auto server = HttpServer::on_tls(io, *at, *listeners.identity_, names, handle);
    if (!server) {
      return about("--api-listen", server);
    }
    listeners.servers_.push_back(std::move(*server));
    spdlog::info("API with mutual TLS at {}", at->to_string());
  }
  if (!options.metrics_listen.empty()) {
    auto at = TcpAddress::parse(options.metrics_listen);
    if (!at) {
      return about("--metrics-listen", at);
    }
    auto server = HttpServer::on_plain(io, *at, only_metrics(std::move(handle)));
    if (!server) {
      return about("--metrics-listen", server);
    }
    listeners.servers_.push_back(std::move(*server));
    spdlog::info("metrics at {}", at->to_string());
  }
  return listeners;
}

void Listeners::reload() {
  if (identity_ == nullptr) {
    return;
  }
  if (auto reloaded = identity_->reload(); !reloaded) {
    spdlog::error("API: {}; what was read before stays", reloaded.error().message);
  }
}

}  // namespace maglb
