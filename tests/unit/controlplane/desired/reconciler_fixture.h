// A real Reconciler with its prober and its store, on configurations that need no file: their backends may
// be on the loopback, where a document's may not. Nobody takes what it publishes.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/desired/reconciler.h"
#include "tests/support/temp_dir.h"

namespace maglb {

class ReconcilerTestAccess {
 public:
  static void adopt(Reconciler& reconciler, ServiceConfig config) {
    reconciler.adopt(std::move(config), {});
    reconciler.look_again();
  }
  static void transition(Reconciler& reconciler, const std::string& pool) { reconciler.reconcile({pool}); }
};

class ReconcilerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto store = Store::open(dir_.path() / "state");
    ASSERT_TRUE(store) << store.error().message;
    reconciler_ = std::make_unique<Reconciler>(io_, "no file", std::move(*store), publisher_, events_);
  }

  void adopt(ServiceConfig config) { ReconcilerTestAccess::adopt(*reconciler_, std::move(config)); }

  // A generous deadline, for busy machines.
  bool run_until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
  }

  size_t count_events(EventKind kind, std::string_view part) const {
    size_t count = 0;
    for (const Event& event : events_.since(0)) {
      count += event.kind == kind && event.text.find(part) != std::string::npos ? 1 : 0;
    }
    return count;
  }

  BackendStatus status(const std::string& pool, const std::string& backend) const {
    const PoolConfig* config = find_pool(reconciler_->config(), pool);
    return reconciler_->status(*config, *find_backend(*config, backend));
  }
  const PoolTable& table(const std::string& pool) const { return reconciler_->table(pool); }
  uint32_t slots(const std::string& pool, const std::string& backend) const {
    return table(pool).slots.at(backend);
  }

  test::TempDir dir_;
  boost::asio::io_context io_;
  EventLog events_;
  DataplaneClient client_{io_, "no socket", [] {}};
  Publisher publisher_{io_, client_};
  std::unique_ptr<Reconciler> reconciler_;
};

}  // namespace maglb
