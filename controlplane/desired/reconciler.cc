#include "controlplane/desired/reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "controlplane/desired/probe_plan.h"

namespace maglb {
namespace {

// Reserved at a time: a flapping backend does not wait for the disk at every turn.
constexpr uint64_t kGenerationBlock = 64;

std::string_view to_string(DocumentSource source) {
  return source == DocumentSource::kFile ? "file" : "runtime";
}

}  // namespace

Reconciler::Reconciler(boost::asio::io_context& io, std::string config_file, Store store,
                       Publisher& publisher, EventLog& events)
    : config_file_(std::move(config_file)),
      store_(std::move(store)),
      publisher_(publisher),
      events_(events),
      merge_timer_(io),
      confirmation_(io, [this] { on_confirmation_deadline(); }),
      prober_(io, [this](const std::string& pool, const std::string& backend, const ProbeStatus& status) {
        on_transition(pool, backend, status);
      }) {}

Accepted<void> Reconciler::start() {
  const auto stored = store_.load();
  if (!stored) {
    return refuse(stored.error());
  }
  next_generation_ = reserved_until_ = stored->generation + 1;
  for (const StoredHealth& row : stored->health) {
    saved_health_[{row.pool, row.backend}] = row;
  }
  return choose_document(*stored);
}

// A file that cannot be used is no reason to stop serving what was stored.
Accepted<void> Reconciler::choose_document(const StoredState& stored) {
  const auto text = read_whole_file(config_file_);
  Refusal why;
  if (!text) {
    why.error = text.error();
  } else if (!stored.document || content_hash(*text) != stored.document->file_hash) {
    auto applied = apply_document(*text, DocumentSource::kFile, content_hash(*text), config_file_,
                                  by_file(stored.document ? "the file changed" : "the first start"));
    if (applied) {
      return {};
    }
    why = std::move(applied.error());
  }
  if (!stored.document) {
    return tl::unexpected(std::move(why));
  }
  auto config = read_document(stored.document->text, "the stored document");
  if (!config) {
    return tl::unexpected(std::move(config.error()));
  }
  document_ = *stored.document;
  file_warning_ = why.error.message;
  if (!file_warning_.empty()) {
    spdlog::error("running the stored document, because: {}", file_warning_);
  }
  confirmation_.watch(stored.unconfirmed);
  if (stored.unconfirmed && stored.unconfirmed->deadline <= std::chrono::system_clock::now()) {
    if (revert_unconfirmed()) {
      return {};
    }
    confirmation_.retry();
  }
  adopt(std::move(*config), saved_health_);
  return {};
}

Accepted<Applied> Reconciler::reload(const Author& author) {
  const auto text = read_whole_file(config_file_);
  if (!text) {
    file_warning_ = text.error().message;
    spdlog::error("configuration refused, the running state stays: {}", text.error().message);
    return refuse(text.error());
  }
  const std::string hash = content_hash(*text);
  if (hash == document_.file_hash) {
    spdlog::info("configuration {} is unchanged since it was applied", config_file_);
    file_warning_.clear();
    return unchanged();
  }
  if (auto allowed = confirmation_.allow_change(); !allowed) {
    file_warning_ = allowed.error().message;
    return refuse(std::move(allowed.error()));
  }
  auto applied = apply_document(*text, DocumentSource::kFile, hash, config_file_, author);
  file_warning_ = applied ? "" : applied.error().error.message;
  return applied;
}

// A document that is the file's content counts as the file: applying it by hand is reading it.
Accepted<Applied> Reconciler::put_document(std::string_view text, const Author& author,
                                           ConfirmWithin confirm_within) {
  if (auto allowed = confirmation_.allow_change(); !allowed) {
    return refuse(std::move(allowed.error()));
  }
  const auto file = read_whole_file(config_file_);
  if (file && *file == text) {
    file_warning_.clear();
    return apply_document(std::string(text), DocumentSource::kFile, content_hash(text), "document", author,
                          confirm_within);
  }
  return apply_document(std::string(text), DocumentSource::kRuntime, document_.file_hash, "document", author,
                        confirm_within);
}

Accepted<Applied> Reconciler::add_backend(std::string_view pool, BackendConfig backend,
                                          const Author& author) {
  const std::string what = fmt::format("backend {} of pool {}: added", backend.name, pool);
  return apply_edit(with_backend_added(config_, pool, std::move(backend)), author, what);
}

Accepted<Applied> Reconciler::remove_backend(std::string_view pool, std::string_view backend,
                                             const Author& author) {
  return apply_edit(with_backend_removed(config_, pool, backend), author,
                    fmt::format("backend {} of pool {}: removed", backend, pool));
}

Accepted<Applied> Reconciler::patch_backend(std::string_view pool, std::string_view backend,
                                            const BackendPatch& patch, const Author& author) {
  return apply_edit(with_backend_patched(config_, pool, backend, patch), author,
                    describe_patch(config_, pool, backend, patch));
}

Accepted<Applied> Reconciler::apply_edit(const Result<ServiceConfig>& edited, Author author,
                                         const std::string& what) {
  if (!edited) {
    return refuse(edited.error());
  }
  if (*edited == config_) {
    return unchanged();
  }
  if (auto allowed = confirmation_.allow_change(); !allowed) {
    return refuse(std::move(allowed.error()));
  }
  author.why = author.why.empty() ? what : fmt::format("{} ({})", author.why, what);
  auto applied = apply_document(write_document(*edited), DocumentSource::kRuntime, document_.file_hash,
                                "change", author);
  if (!applied) {
    // Lines of a document that nobody wrote help nobody.
    applied.error().positions.clear();
  }
  return applied;
}

Accepted<Applied> Reconciler::apply_document(std::string text, DocumentSource source,
                                             const std::string& file_hash, const std::string& name,
                                             const Author& author, ConfirmWithin confirm_within) {
  auto config = read_document(text, name);
  if (!config) {
    tell_refused(author, config.error());
    return tl::unexpected(std::move(config.error()));
  }
  if (auto room = room_for(*config); !room) {
    tell_refused(author, {room.error(), {}});
    return refuse(std::move(room.error()));
  }
  const bool changed = document_.revision == 0 || !(*config == config_);
  if (!changed && document_.text == text && document_.source == source && document_.file_hash == file_hash) {
    return unchanged();
  }
  std::optional<std::chrono::system_clock::time_point> confirm_by;
  // The first document has none before it to go back to.
  if (confirm_within && document_.revision != 0) {
    confirm_by = std::chrono::system_clock::now() + *confirm_within;
  }
  const auto revision = store_.save_document(text, source, file_hash, author, confirm_by);
  if (!revision) {
    spdlog::error("a change was not committed, the running state stays: {}", revision.error().message);
    return refuse(revision.error());
  }
  std::optional<Unconfirmed> unconfirmed;
  if (confirm_by) {
    unconfirmed = Unconfirmed{*revision, document_.revision, *confirm_by};
  }
  confirmation_.watch(unconfirmed);
  document_ = {std::move(text), source, file_hash, *revision, std::chrono::system_clock::now()};
  adopt(std::move(*config), generation() == 0 ? saved_health_ : HealthRows{});
  spdlog::info("configuration applied from {}: {} services, {} pools, generation {}", to_string(source),
               config_.services.size(), config_.pools.size(), generation());
  tell_config(fmt::format(
      "revision {} by {}: {}{}", *revision, described(author.who), author.why,
      confirm_within ? fmt::format("; to be confirmed within {} s", confirm_within->count()) : ""));
  return Applied{generation(), changed, source, *revision};
}

bool Reconciler::is_healthy(std::string_view pool, std::string_view backend) const {
  const PoolConfig* in = find_pool(config_, pool);
  // What is not there yet is taken for well.
  return in == nullptr || find_backend(*in, backend) == nullptr || verdicts_.is_healthy(pool, backend);
}

// Asked before anything is committed: a document that the dataplane cannot take would keep every later
// change from it, of health too.
Result<void> Reconciler::room_for(const ServiceConfig& config) const {
  size_t backends = 0;
  for (const PoolConfig& pool : config.pools) {
    backends += pool.backends.size();
  }
  return publisher_.has_room_for(config.services.size(), config.pools.size(), backends);
}

// `known` is of an earlier process: at the start.
void Reconciler::adopt(ServiceConfig config, const HealthRows& known) {
  config_ = std::move(config);
  std::vector<ProbeUser> users = plan_probes(config_);
  for (ProbeUser& user : users) {
    if (const auto row = known.find({user.pool, user.backend}); row != known.end()) {
      user.known = KnownHealth{row->second.healthy, row->second.since, row->second.reason};
      verdicts_.remember(row->first, user.target.address, row->second.healthy);
    }
  }
  prober_.set_users(std::move(users));
  reconcile();
}

void Reconciler::on_transition(const std::string& pool, const std::string& backend,
                               const ProbeStatus& status) {
  ++transitions_;
  spdlog::log(status.health == Health::kHealthy ? spdlog::level::info : spdlog::level::warn,
              "pool {}: backend {} is {}: {}", pool, backend, to_string(status.health), status.reason);
  events_.record(EventKind::kHealth, pool, backend,
                 fmt::format("{}: {}", to_string(status.health), status.reason));
  if (merging_) {
    return;
  }
  merging_ = true;
  merge_timer_.expires_after(kMergeTime);
  merge_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      merging_ = false;
      reconcile();
    }
  });
}

void Reconciler::reconcile() {
  verdicts_.judge(config_, [this](const std::string& pool, const std::string& backend) {
    return opinion(pool, backend);
  });
  const HealthOf is_healthy = [this](std::string_view pool, std::string_view backend) {
    return verdicts_.is_healthy(pool, backend);
  };
  Compiled next = compile(config_, is_healthy, generation() == 0 ? nullptr : &state_.compiled);
  for (const CompiledPool& pool : next.pools) {
    const auto before = tables_.find(pool.spec->name);
    if (pool.stale && (before == tables_.end() || !before->second.stale)) {
      spdlog::error("pool {}: every backend fails its probe, the last table stays", pool.spec->name);
    }
  }
  const bool alike = generation() != 0 && forwards_alike(state_.compiled, next);
  state_ = {alike ? generation() : next_generation(), std::move(next)};
  tables_ = count_slots(state_.compiled, std::move(tables_));
  if (!alike) {
    publisher_.want(std::make_shared<const NumberedState>(state_));
  }
  save_health();
}

// Behind publishing: a dead backend leaves the table before the disk is waited for.
void Reconciler::save_health() {
  HealthRows present;
  bool changed = false;
  for (const PoolConfig& pool : config_.pools) {
    const bool stale = tables_.at(pool.name).stale;
    for (const BackendConfig& backend : pool.backends) {
      const BackendKey key{pool.name, backend.name};
      const auto saved = saved_health_.find(key);
      const auto status = prober_.status(pool.name, backend.name);
      if (stale || !status || status->health == Health::kUnknown) {
        if (saved != saved_health_.end()) {
          present.insert(*saved);
        }
        continue;
      }
      const bool healthy = status->health == Health::kHealthy;
      if (saved != saved_health_.end() && saved->second.healthy == healthy) {
        present.insert(*saved);
        continue;
      }
      changed = true;
      present[key] = {pool.name, backend.name, healthy, status->since, status->reason};
    }
  }
  if (!changed && present.size() == saved_health_.size()) {
    return;
  }
  std::vector<StoredHealth> rows;
  for (const auto& [key, row] : present) {
    rows.push_back(row);
  }
  const auto saved = store_.save_health(rows);
  if (saved) {
    saved_health_ = std::move(present);
    store_warning_.clear();
  } else {
    store_warning_ = saved.error().message;
    spdlog::error("health was not stored: {}", store_warning_);
  }
}

uint64_t Reconciler::next_generation() {
  if (next_generation_ >= reserved_until_) {
    // A store that cannot write does not keep a dead backend in the table: numbers go on in memory.
    const uint64_t count = next_generation_ - reserved_until_ + kGenerationBlock;
    const auto first = store_.reserve_generations(count);
    if (first) {
      next_generation_ = std::max(next_generation_, *first);
      reserved_until_ = *first + count;
    } else {
      store_warning_ = first.error().message;
      spdlog::error("generations were not reserved: {}", store_warning_);
    }
  }
  return next_generation_++;
}

void Reconciler::stay_above(uint64_t generation) {
  if (generation > state_.generation) {
    next_generation_ = std::max(next_generation_, generation + 1);
    state_.generation = next_generation();
    publisher_.want(std::make_shared<const NumberedState>(state_));
  }
}

ProbeOpinion Reconciler::opinion(const std::string& pool, const std::string& backend) const {
  const auto status = prober_.status(pool, backend);
  if (!status) {
    return ProbeOpinion::kUnchecked;
  }
  switch (status->health) {
    case Health::kHealthy:
      return ProbeOpinion::kHealthy;
    case Health::kUnhealthy:
      return ProbeOpinion::kUnhealthy;
    case Health::kUnknown:
      return ProbeOpinion::kUnknown;
  }
  return ProbeOpinion::kUnknown;
}

BackendStatus Reconciler::status(const PoolConfig& pool, const BackendConfig& backend) const {
  BackendStatus status;
  status.health = opinion(pool.name, backend.name);
  if (const auto probe = prober_.status(pool.name, backend.name)) {
    status.reason = probe->reason;
    status.since = probe->since;
  }
  if (backend.state == AdminState::kDown) {
    status.effective = BackendState::kDown;
  } else if (!verdicts_.is_healthy(pool.name, backend.name)) {
    status.effective = BackendState::kUnhealthy;
  } else if (backend.state == AdminState::kDrain) {
    status.effective = BackendState::kDrain;
  }
  const PoolTable& table = tables_.at(pool.name);
  const auto slots = table.slots.find(backend.name);
  status.slots = slots == table.slots.end() ? 0 : slots->second;
  status.table_size = static_cast<uint32_t>(table.spec->slots.size());
  return status;
}

std::vector<std::string> Reconciler::warnings() const {
  std::vector<std::string> warnings;
  for (const auto& [name, table] : tables_) {
    if (table.stale) {
      warnings.push_back(fmt::format("pool {}: every backend fails its probe, the last table stays", name));
    }
  }
  if (const auto& change = confirmation_.pending()) {
    warnings.push_back(fmt::format("revision {} is not confirmed: it goes back to revision {} by itself",
                                   change->revision, change->back_to));
  }
  if (!file_warning_.empty()) {
    warnings.push_back("the file was refused: " + file_warning_);
  }
  if (!store_warning_.empty()) {
    warnings.push_back("the state directory cannot be written: " + store_warning_);
  }
  return warnings;
}

}  // namespace maglb
