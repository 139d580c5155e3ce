#include "controlplane/daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>

#include "controlplane/api/api.h"
#include "controlplane/api/config_routes.h"
#include "controlplane/api/event_routes.h"
#include "controlplane/api/explain_route.h"
#include "controlplane/api/watch.h"
#include "controlplane/desired/reconciler.h"
#include "controlplane/discovery/discovery.h"
#include "controlplane/event_keeper.h"
#include "controlplane/listeners.h"
#include "controlplane/notify.h"
#include "controlplane/publish/client.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/stats.h"
#include "controlplane/publish_events.h"
#include "controlplane/store/store.h"

namespace maglb {
namespace {

constexpr int kFailed = 1;
constexpr int kInvalidConfig = 3;

class Daemon {
 public:
  Daemon(const Options& options, Store store)
      : options_(options),
        client_(io_, options.dataplane_socket, [this] { on_connection_change(); }),
        publisher_(io_, client_),
        stats_(io_, client_),
        reconciler_(io_, options.config, std::move(store), publisher_, events_, options.probe_sources,
                    ExecRule(options.exec_dir)),
        keeper_(io_, events_, reconciler_.store()),
        discovery_(
            io_, events_, [this](const FoundMembers& told) { reconciler_.set_members(told); },
            [this](const std::string& pool, const std::string& text) {
              reconciler_.set_source_condition(pool, text);
            }),
        publish_events_(events_),
        api_(reconciler_, publisher_, client_, stats_, events_),
        watch_(io_, events_),
        notify_(io_),
        stop_signals_(io_, SIGTERM, SIGINT),
        reload_signal_(io_, SIGHUP) {
    reconciler_.on_document([this] { discovery_.set_pools(reconciler_.listed()); });
    add_explain_route(api_, client_);
    add_config_routes(api_, io_, reconciler_, publisher_, client_);
    add_event_routes(api_, events_);
    publisher_.tell([this](uint64_t generation, const std::string& refusal) {
      publish_events_.on_outcome(generation, refusal);
    });
  }

  int run();

 private:
  void on_connection_change();
  void await_reload();
  void add_calls();
  std::string status() const;

  const Options& options_;
  boost::asio::io_context io_{1};
  EventLog events_;
  DataplaneClient client_;
  Publisher publisher_;
  StatsCache stats_;
  Reconciler reconciler_;
  EventKeeper keeper_;
  Discovery discovery_;
  PublishEvents publish_events_;
  Api api_;
  Watch watch_;
  Notify notify_;
  boost::asio::signal_set stop_signals_;
  boost::asio::signal_set reload_signal_;
  Listeners listeners_;  // the last: connections end before what they ask
};

std::string Daemon::status() const {
  return fmt::format("{} services, {} pools", reconciler_.config().services.size(),
                     reconciler_.config().pools.size());
}

void Daemon::on_connection_change() {
  stats_.forget();
  publish_events_.on_connection(client_.is_connected(),
                                client_.is_connected()
                                    ? fmt::format("it runs generation {}", client_.hello().generation())
                                    : std::string("its connection ended"));
  if (client_.is_connected() && client_.has_lease()) {
    reconciler_.stay_above(client_.hello().generation());
  }
  publisher_.on_connection_change();
}

void Daemon::await_reload() {
  reload_signal_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) {
      return;
    }
    notify_.reloading();
    // Whether it was taken is in the log: a signal has no other answer.
    (void)reconciler_.reload();
    listeners_.reload();
    notify_.ready(status());
    await_reload();
  });
}

void Daemon::add_calls() {
  api_.add("GET", "/v1/watch", [this](const Api::Arguments& arguments, const Respond& respond) {
    respond(watch_.open(arguments.request, arguments.target));
  });
  for (const std::string& call : api_.calls()) {
    spdlog::debug("API: serves {}", call);
  }
}

int Daemon::run() {
  const auto started = reconciler_.start();
  if (!started) {
    fmt::print(stderr, "{}\n", started.error().error.message);
    return started.error().error.kind == ErrorKind::kInvalid ? kInvalidConfig : kFailed;
  }
  add_calls();
  auto listeners = Listeners::open(io_, options_, [this](const ApiRequest& request, Respond respond) {
    api_.handle(request, std::move(respond));
  });
  if (!listeners) {
    spdlog::error("API: {}", listeners.error().message);
    return kFailed;
  }
  listeners_ = std::move(*listeners);
  stop_signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (!error) {
      spdlog::info("stopping on signal {}", number);
      notify_.stopping();
      io_.stop();
    }
  });
  await_reload();
  client_.start();
  stats_.start();
  spdlog::info("maglb-controlplane {}: API at {}", MAGLB_VERSION, options_.api_socket);
  notify_.ready(status());
  io_.run();
  return 0;
}

void set_up_log(const std::string& level) {
  // Unbuffered lines on standard error, which the journal stamps and keeps.
  spdlog::set_default_logger(spdlog::stderr_logger_st("maglb"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(level));
}

}  // namespace

int run_daemon(const Options& options) {
  set_up_log(options.log_level);
  signal(SIGPIPE, SIG_IGN);
  auto store = Store::open(options.state_dir);
  if (!store) {
    spdlog::error("state directory {}: {}", options.state_dir, store.error().message);
    return kFailed;
  }
  return std::make_unique<Daemon>(options, std::move(*store))->run();
}

int check_file(const Options& options) {
  const auto text = read_whole_file(options.config);
  if (!text) {
    fmt::print(stderr, "{}\n", text.error().message);
    return kFailed;
  }
  const auto config = read_document(*text, options.config);
  if (!config) {
    fmt::print(stderr, "{}\n", config.error().error.message);
    return kInvalidConfig;
  }
  if (const auto allowed = ExecRule(options.exec_dir).allows(*config, {}); !allowed) {
    fmt::print(stderr, "{}: {}\n", options.config, allowed.error().message);
    return kInvalidConfig;
  }
  fmt::print("{}: {} services, {} pools\n", options.config, config->services.size(), config->pools.size());
  return 0;
}

}  // namespace maglb
