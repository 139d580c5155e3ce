// What shall be served, from its three sources: the operator's file, changes through the API on top of
// it, and the probes. Every change is validated, committed to the store, compiled and handed to the
// publisher, in this order; a change that fails at a step changes nothing behind it.
//
// Invariants:
//   1. What a function here has acknowledged survives kill -9.
//   2. The file wins when its content changed since it was last applied; otherwise the running
//      document, runtime changes included, goes on.
//   3. The store keeps the health that the last tables were built with: of a pool whose table is stale
//      nothing is written, so that a restart builds the table that stays.
//   4. A generation is given to a state that differs from the one before, never to the same twice.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/desired/document.h"
#include "controlplane/desired/edit.h"
#include "controlplane/desired/tables.h"
#include "controlplane/desired/verdicts.h"
#include "controlplane/events/event_log.h"
#include "controlplane/probe/prober.h"
#include "controlplane/probe/tunnel_marks.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/store.h"
#include "lib/config/service/model.h"

namespace maglb {

struct Applied {
  uint64_t generation = 0;  // that carries it
  bool changed = false;
  DocumentSource source = DocumentSource::kFile;
};

// What is known of a backend, for people.
struct BackendStatus {
  ProbeOpinion health = ProbeOpinion::kUnchecked;
  BackendState effective = BackendState::kUp;
  std::string reason;
  WallTime since{};  // of the present health; the epoch when unknown
  uint32_t slots = 0;
  uint32_t table_size = 0;
};

// Work on tables since the start.
struct BuildCounters {
  uint64_t tables = 0;  // that differ from what there was
  double seconds = 0;   // of compiling states
};

class Reconciler {
 public:
  // Changes of health within this time become one state.
  static constexpr std::chrono::milliseconds kMergeTime{3};

  // `sources`: what probes through tunnels come from.
  Reconciler(boost::asio::io_context& io, std::string config_file, Store store, Publisher& publisher,
             EventLog& events, ProbeSources sources = {});

  // Decides between file and stored document, restores health, compiles and starts the probes. Fails
  // when there is neither a good file nor a stored document.
  Accepted<void> start();

  // Reads the file again. An unchanged file changes nothing, and keeps runtime changes.
  Accepted<Applied> reload();
  // Makes `text` the running document.
  Accepted<Applied> put_document(std::string_view text);
  Accepted<Applied> add_backend(std::string_view pool, BackendConfig backend);
  Accepted<Applied> remove_backend(std::string_view pool, std::string_view backend);
  Accepted<Applied> patch_backend(std::string_view pool, std::string_view backend, const BackendPatch& patch);

  // The dataplane runs this generation, perhaps from a control plane with another store: ours go on
  // above it.
  void stay_above(uint64_t generation);

  const ServiceConfig& config() const { return config_; }
  const StoredDocument& document() const { return document_; }
  const std::string& config_file() const { return config_file_; }
  uint64_t generation() const { return state_.generation; }
  // REQUIRES: the pool is in config().
  const PoolTable& table(const std::string& pool) const { return tables_.at(pool); }
  // REQUIRES: the backend is in config().
  BackendStatus status(const PoolConfig& pool, const BackendConfig& backend) const;
  ProbeCounters probe_counters() const { return prober_.counters(); }
  // Transitions of health by probes since the start.
  uint64_t transitions() const { return transitions_; }
  const BuildCounters& build_counters() const { return builds_; }
  std::vector<std::string> warnings() const;

 private:
  using HealthRows = std::map<BackendKey, StoredHealth>;

  Accepted<void> choose_document(const StoredState& stored);
  Accepted<Applied> apply_document(std::string text, DocumentSource source, const std::string& file_hash,
                                   const std::string& name);
  Accepted<Applied> apply_edit(const Result<ServiceConfig>& edited);
  Result<void> room_for(const ServiceConfig& config) const;
  void adopt(ServiceConfig config, const HealthRows& known);
  void plan(const HealthRows& known);
  void reconcile();
  Compiled build();
  void save_health();
  uint64_t next_generation();
  ProbeOpinion opinion(const std::string& pool, const std::string& backend) const;
  void on_transition(const std::string& pool, const std::string& backend, const ProbeStatus& status);

  std::string config_file_;
  Store store_;
  Publisher& publisher_;
  EventLog& events_;
  boost::asio::steady_timer merge_timer_;
  TunnelMarks tunnels_;
  Prober prober_;
  ServiceConfig config_;
  StoredDocument document_;
  Verdicts verdicts_;
  NumberedState state_;
  PoolTables tables_;
  HealthRows saved_health_;
  uint64_t next_generation_ = 0;
  uint64_t reserved_until_ = 0;  // the first generation that is not reserved
  uint64_t transitions_ = 0;
  BuildCounters builds_;
  bool merging_ = false;
  std::string file_warning_;   // why the file is not what runs
  std::string store_warning_;  // why the last write failed
};

}  // namespace maglb
