// What shall be served, from its four sources: the operator's file, changes through the API on top of
// it, the members that are found for pools with a source, and the probes. Every change is validated,
// committed to the store, compiled and handed to the publisher, in this order; a change that fails at a step
// changes nothing behind it.
//
// Invariants:
//   1. What a function here has acknowledged survives kill -9.
//   2. The file wins when its content changed since it was last applied; otherwise the running
//      document, runtime changes included, goes on.
//   3. The store keeps the health that the last tables were built with: of a pool whose table is stale
//      nothing is written, so that a restart builds the table that stays.
//   4. Every document that ran is a revision in the store, with its author. While one is unconfirmed
//      (confirmation.h) nothing else changes, and what is kept of backends that it dropped stays: their
//      health, and since when they are in drain.
//   5. A generation is given to a state that differs from the one before, never to the same twice.
//   6. A transition costs what it changes: the pools it is about, and those whose fallback they are, are
//      judged, planned and compiled; of the others only pointers are copied. Likewise the rows that are
//      written.
//   7. Of a hold (network_guard.h) nothing is written: a restart in the middle starts with the health from
//      before.
//   8. What runs, config(), is with_members(listed(), members found last) (members.h). Documents and edits
//      are about listed(): what is found is written into no document. The last members outlive a restart.
//
// Threads: the io_context's one. Many pools are compiled on all cores while it waits.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/desired/confirmation.h"
#include "controlplane/desired/document.h"
#include "controlplane/desired/drain_deadlines.h"
#include "controlplane/desired/edit.h"
#include "controlplane/desired/exec_rule.h"
#include "controlplane/desired/members.h"
#include "controlplane/desired/network_guard.h"
#include "controlplane/desired/pool_plan.h"
#include "controlplane/desired/save_queue.h"
#include "controlplane/desired/slow_start.h"
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
  uint64_t revision = 0;
};

using ConfirmWithin = std::optional<std::chrono::seconds>;

// "root (maglbctl)".
std::string described(const Who& who);
// What this process does by itself, and what it does because of the file.
Author by_itself(std::string why);
Author by_file(std::string why);

// What is known of a backend, for people.
struct BackendStatus {
  ProbeOpinion health = ProbeOpinion::kUnchecked;
  BackendState effective = BackendState::kUp;
  std::string reason;
  WallTime since{};  // of the present health; the epoch when unknown
  uint32_t slots = 0;
  uint32_t table_size = 0;
  uint32_t effective_weight = 0;  // less than the configured one while it ramps
  bool ramping = false;
  bool panic = false;                      // its probe says otherwise, and it is treated as healthy
  bool held = false;                       // as it was before all probes failed together
  std::optional<WallTime> drain_began;     // nothing: not in drain
  std::optional<WallTime> drain_deadline;  // nothing: it has none
  bool drain_passed = false;               // the deadline
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
  // Between looks at the network (network_guard.h).
  static constexpr std::chrono::milliseconds kLookInterval{50};
  // Members for which there was no room are tried again: the dataplane may be another by then.
  static constexpr std::chrono::seconds kMembersRetry{5};
  // Health is stored once its tables run, and at the latest then.
  static constexpr std::chrono::milliseconds kLongestSaveWait{20};
  // A wall clock that was set is noticed within this, where a drain's deadline is waited for.
  static constexpr std::chrono::seconds kLongestWait{10};

  // `sources`: what probes through tunnels come from. `exec`: what probes may run.
  Reconciler(boost::asio::io_context& io, std::string config_file, Store store, Publisher& publisher,
             EventLog& events, ProbeSources sources = {}, ExecRule exec = ExecRule());
  ~Reconciler();

  // Decides between file and stored document, restores health, compiles and starts the probes. Fails
  // when there is neither a good file nor a stored document.
  Accepted<void> start();

  // Reads the file again. An unchanged file changes nothing, and keeps runtime changes.
  Accepted<Applied> reload(const Author& author = by_file("the file changed"));
  // Makes `text` the running document. With `confirm_within` it goes back to the one before unless it is
  // confirmed in time.
  Accepted<Applied> put_document(std::string_view text, const Author& author = {},
                                 ConfirmWithin confirm_within = {});
  // What is changed is the author's reason, or stands behind it.
  Accepted<Applied> add_backend(std::string_view pool, BackendConfig backend, const Author& author = {});
  Accepted<Applied> remove_backend(std::string_view pool, std::string_view backend,
                                   const Author& author = {});
  Accepted<Applied> patch_backend(std::string_view pool, std::string_view backend, const BackendPatch& patch,
                                  const Author& author = {});
  // Makes the document of an earlier revision the running one, as a new revision. The file still wins when it
  // changed since it was last applied. Ends the wait for a confirmation: to the running one it confirms that.
  Accepted<Applied> roll_back(uint64_t revision, Author author);
  // The members that sources found, of the pools whose list was told anew; passed over for a pool without a
  // source. A list that the dataplane has no room for is not taken, and keeps no other from being; it is
  // tried again when there may be room.
  void set_members(const FoundMembers& told);
  // What is wrong with a pool's source, for warnings(); empty: nothing.
  void set_source_condition(const std::string& pool, const std::string& text);
  // `changed` is called when another document runs, the first included: its pools may have other sources.
  void on_document(std::function<void()> changed) { document_changed_ = std::move(changed); }
  // That were found last.
  const FoundMembers& found() const { return members_; }

  // kConflict when nothing waits.
  Accepted<Applied> confirm(const Author& author);
  const std::optional<Unconfirmed>& unconfirmed() const { return confirmation_.pending(); }

  // For whoever reads the history, or keeps something of their own beside it.
  Store& store() { return store_; }
  // As the last tables were built, what is not there yet taken for well; a copy, for any thread.
  HealthOf health_now() const;
  // Whether the probes of a document may run their programs.
  Result<void> allows_programs(const ServiceConfig& document) const {
    return exec_.allows(document, listed_);
  }

  // The dataplane runs this generation, perhaps from a control plane with another store: ours go on
  // above it.
  void stay_above(uint64_t generation);

  const ServiceConfig& config() const { return config_; }
  // As the document has it: without the members that were found.
  const ServiceConfig& listed() const { return listed_; }
  const StoredDocument& document() const { return document_; }
  const std::string& config_file() const { return config_file_; }
  uint64_t generation() const { return state_.generation; }
  // REQUIRES: the pool is in config().
  const PoolTable& table(const std::string& pool) const { return tables_.at(pool); }
  // REQUIRES: the backend is in config().
  BackendStatus status(const PoolConfig& pool, const BackendConfig& backend) const;
  ProbeCounters probe_counters() const { return prober_.counters(); }
  // REQUIRES: type is not kNone.
  ProbeTypeCounters probe_counters(ProbeType type) const { return prober_.counters(type); }
  // Null when the pool is not probed. Valid until the next change.
  const ProbeLatency* probe_latency(std::string_view pool) const { return prober_.latency(pool); }
  // Transitions of health by probes since the start.
  uint64_t transitions() const { return transitions_; }
  const BuildCounters& build_counters() const { return builds_; }
  // All probes failed together, and what they say is not acted upon yet.
  bool holding() const { return guard_.holding(); }
  std::vector<std::string> warnings() const;

 private:
  friend class ReconcilerTestAccess;  // configurations that are no document's
  using HealthRows = std::map<BackendKey, StoredHealth>;
  using Names = std::set<std::string, std::less<>>;
  // A list for which there was no room.
  struct RefusedMembers {
    std::string pool;
    std::vector<BackendConfig> members;
    std::string why;
  };

  // Documents: reconciler.cc.
  Accepted<void> choose_document(const StoredState& stored);
  Accepted<Applied> apply_document(std::string text, DocumentSource source, const std::string& file_hash,
                                   const std::string& name, const Author& author,
                                   ConfirmWithin confirm_within = {});
  Accepted<Applied> apply_edit(const Result<ServiceConfig>& edited, Author author, const std::string& what);
  // Looking back: reconcile_memory.cc.
  Accepted<Applied> unchanged() const;
  bool revert_unconfirmed();
  Result<void> settle();
  void on_confirmation_deadline();
  void tell_config(const std::string& text);
  void tell_refused(const Author& author, const Refusal& why);
  Result<void> room_for(const ServiceConfig& config) const;
  void adopt(ServiceConfig config, const HealthRows& known);
  // Members from outside: reconcile_members.cc.
  void adopt_document(ServiceConfig listed, const HealthRows& known);
  Result<void> load_members();
  void forget_members();
  std::vector<RefusedMembers> take_members(const FoundMembers& changed);
  void adopt_members(FoundMembers next);
  void try_refused_members();
  void try_refused_members_later();
  void save_members(const FoundMembers& changed);
  void tell_left_out(const std::vector<LeftOut>& left_out);
  void plan(const HealthRows& known);

  // Tables: reconcile.cc.
  void index_pools();
  bool drop_gone_pools();
  void on_transition(const std::string& pool, const std::string& backend, const ProbeStatus& status);
  void touch(const std::string& pool);
  void reconcile_soon();
  void reconcile(Names pools, bool changed = false, bool everyone = false);
  void begin_ramps(const PoolConfig& pool, const std::vector<std::string>& recovered);
  struct Replanned {
    PoolTable table;  // without the slots' counts where they are as before
    double seconds = 0;
  };
  bool replan(const Names& names);
  Replanned compiled(const PoolConfig& pool) const;
  bool take_table(const PoolConfig& pool, Replanned made);
  void tell_rails(const PoolConfig& pool, const PoolTable& before, const PoolTable& now);
  uint64_t next_generation();
  ProbeOpinion opinion(const std::string& pool, const std::string& backend) const;
  const PoolConfig* pool_named(std::string_view name) const;

  // Time and the network: reconcile_clock.cc.
  void look_at_network();
  void look_again();
  std::vector<ProbedBackend> everyone_probed() const;
  Names pools_held_against_probes(const std::set<BackendKey>& held) const;
  void follow_drains();
  void pass_deadlines();
  void arm_clock();
  void on_clock();

  // What is kept: reconcile_store.cc.
  void give_addresses(const StoredDocument& of);
  void save_when_published();
  void save_health(const Names& pools, bool forget_gone);
  void save_drains(const std::vector<BackendKey>& changed, const std::vector<BackendKey>& gone);
  void take_saved(const Result<void>& saved);
  HealthRows health_of_absent() const;

  std::string config_file_;
  Store store_;
  SaveQueue saves_;  // to the store
  Publisher& publisher_;
  EventLog& events_;
  boost::asio::steady_timer merge_timer_;
  boost::asio::steady_timer look_timer_;
  boost::asio::steady_timer clock_timer_;
  boost::asio::steady_timer members_timer_;
  TunnelMarks tunnels_;
  const ExecRule exec_;
  std::map<std::string, std::string> not_run_;  // why, by program
  Confirmation confirmation_;
  Prober prober_;
  ServiceConfig config_;
  ServiceConfig listed_;
  FoundMembers members_;                                   // that were found last
  std::map<std::string, RefusedMembers> refused_members_;  // by pool
  std::set<LeftOut> left_out_;
  std::map<std::string, std::string> source_conditions_;  // by pool
  std::function<void()> document_changed_;
  StoredDocument document_;
  std::map<std::string, const PoolConfig*, std::less<>> pools_by_name_;       // of config_
  std::map<std::string, std::vector<std::string>, std::less<>> fallback_of_;  // who leans on a pool
  std::map<BackendKey, uint32_t> falls_;                                      // of those that are probed
  Verdicts verdicts_;
  SlowStart slow_start_;
  DrainDeadlines drains_;
  NetworkGuard guard_;
  Names touched_;  // pools to be judged when the merge time is over
  Names unsaved_;  // pools that were judged, whose health is to be stored
  std::shared_ptr<const int> lives_ = std::make_shared<const int>();  // for who may call back later than that
  NumberedState state_;
  PoolTables tables_;
  HealthRows saved_health_;  // as the store has it, or is going to
  uint64_t next_generation_ = 0;
  uint64_t reserved_until_ = 0;  // the first generation that is not reserved
  uint64_t transitions_ = 0;
  BuildCounters builds_;
  bool merging_ = false;
  std::string file_warning_;   // why the file is not what runs
  std::string store_warning_;  // why the last write failed
};

}  // namespace maglb
