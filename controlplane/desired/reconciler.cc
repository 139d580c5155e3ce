#include "controlplane/desired/reconciler.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "controlplane/desired/probe_plan.h"

namespace maglb {
namespace {

std::string_view to_string(DocumentSource source) {
  return source == DocumentSource::kFile ? "file" : "runtime";
}

// REQUIRES: it is there. Backends of a spec are sorted by name.
const BackendSpec& spec_of(const PoolTable& table, const std::string& name) {
  return *std::lower_bound(table.spec->backends.begin(), table.spec->backends.end(), name,
                           [](const BackendSpec& spec, const std::string& n) { return spec.name < n; });
}

}  // namespace

Reconciler::Reconciler(boost::asio::io_context& io, std::string config_file, Store store,
                       Publisher& publisher, EventLog& events, ProbeSources sources, ExecRule exec)
    : config_file_(std::move(config_file)),
      store_(std::move(store)),
      saves_(io, store_, [this](const Result<void>& saved) { take_saved(saved); }),
      publisher_(publisher),
      events_(events),
      merge_timer_(io),
      look_timer_(io),
      clock_timer_(io),
      members_timer_(io),
      tunnels_(io, std::move(sources), [this] { plan({}); }),
      exec_(std::move(exec)),
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
  for (const StoredDrain& row : stored->drains) {
    drains_.remember(row);
  }
  if (auto loaded = load_members(); !loaded) {
    return refuse(std::move(loaded.error()));
  }
  if (stored->document) {
    give_addresses(*stored->document);
  }
  auto chosen = choose_document(*stored);
  if (chosen) {
    // A change that waits for its confirmation may go back to a document that has them.
    if (!confirmation_.pending()) {
      forget_members();
    }
    look_again();
  }
  return chosen;
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
  adopt_document(std::move(*config), saved_health_);
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
    if (!not_run_.empty()) {
      plan({});  // the programs may be there by now
    }
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
  return apply_edit(with_backend_added(listed_, pool, std::move(backend)), author, what);
}

Accepted<Applied> Reconciler::remove_backend(std::string_view pool, std::string_view backend,
                                             const Author& author) {
  if (is_found(config_, listed_, pool, backend)) {
    return refuse(
        {ErrorKind::kConflict,
         fmt::format("backend {} of pool {} comes from the pool's source: take it out there, or drain it",
                     backend, pool)});
  }
  return apply_edit(with_backend_removed(listed_, pool, backend), author,
                    fmt::format("backend {} of pool {}: removed", backend, pool));
}

Accepted<Applied> Reconciler::patch_backend(std::string_view pool, std::string_view backend,
                                            const BackendPatch& patch, const Author& author) {
  const ServiceConfig& on_top_of = is_found(config_, listed_, pool, backend)
                                       ? with_backend_listed(listed_, config_, pool, backend)
                                       : listed_;
  return apply_edit(with_backend_patched(on_top_of, pool, backend, patch), author,
                    describe_patch(config_, pool, backend, patch));
}

Accepted<Applied> Reconciler::apply_edit(const Result<ServiceConfig>& edited, Author author,
                                         const std::string& what) {
  if (!edited) {
    return refuse(edited.error());
  }
  if (*edited == listed_) {
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
  // What comes back has run before; what of it may not any more gets a fault.
  if (auto allowed = allows_programs(*config); !allowed && !confirmation_.pending()) {
    tell_refused(author, {allowed.error(), {}});
    return refuse(std::move(allowed.error()));
  }
  if (auto room = members_.empty() ? room_for(*config) : room_for(with_members(*config, members_)); !room) {
    tell_refused(author, {room.error(), {}});
    return refuse(std::move(room.error()));
  }
  const bool changed = document_.revision == 0 || !(*config == listed_);
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
  const bool undoes = confirmation_.pending().has_value();
  confirmation_.watch(unconfirmed);
  document_ = {std::move(text), source, file_hash, *revision, std::chrono::system_clock::now()};
  adopt_document(std::move(*config), generation() == 0 ? saved_health_
                                     : undoes          ? health_of_absent()
                                                       : HealthRows{});
  spdlog::info("configuration applied from {}: {} services, {} pools, generation {}", to_string(source),
               config_.services.size(), config_.pools.size(), generation());
  tell_config(fmt::format(
      "revision {} by {}: {}{}", *revision, described(author.who),
      author.why.empty() ? "no reason given" : author.why,
      confirm_within ? fmt::format("; to be confirmed within {} s", confirm_within->count()) : ""));
  return Applied{generation(), changed, source, *revision};
}

HealthOf Reconciler::health_now() const {
  std::set<BackendKey> sick;
  for (const PoolConfig& pool : config_.pools) {
    for (const BackendConfig& backend : pool.backends) {
      if (!verdicts_.is_healthy(pool.name, backend.name)) {
        sick.emplace(pool.name, backend.name);
      }
    }
  }
  return [sick = std::move(sick)](std::string_view pool, std::string_view backend) {
    return sick.empty() || !sick.contains(BackendKey(pool, backend));
  };
}

// Asked before anything is committed: a document that the dataplane cannot take would keep every later
// change from it, of health too.
Result<void> Reconciler::room_for(const ServiceConfig& config) const {
  size_t backends = 0;
  for (const PoolConfig& pool : config.pools) {
    const PoolConfig* fallback = pool.fallback.empty() ? nullptr : find_pool(config, pool.fallback);
    const size_t both = pool.backends.size() + (fallback == nullptr ? 0 : fallback->backends.size());
    if (both > kMaxPoolBackends) {
      return fail(ErrorKind::kConflict,
                  fmt::format("pool {}: {} backends with those of its fallback, at most {} are possible",
                              pool.name, both, kMaxPoolBackends));
    }
    backends += both;
  }
  return publisher_.has_room_for(config.services.size(), config.pools.size(), backends);
}

// `known` is of an earlier process: at the start.
void Reconciler::adopt(ServiceConfig config, const HealthRows& known) {
  config_ = std::move(config);
  index_pools();
  plan(known);
}

void Reconciler::plan(const HealthRows& known) {
  std::vector<ProbeUser> users = plan_probes(config_);
  falls_.clear();
  for (ProbeUser& user : users) {
    const BackendKey key{user.pool, user.backend};
    falls_[key] = user.target.config.fall;
    const auto row = known.find(key);
    if (row != known.end() && row->second.address == user.target.address) {
      user.known = KnownHealth{row->second.healthy, row->second.since, row->second.reason};
      verdicts_.remember(row->first, user.target.address, row->second.healthy);
    }
  }
  tunnels_.give(users);
  not_run_ = exec_.refuse(users);
  prober_.set_users(std::move(users));
  follow_drains();
  look_at_network();
  Names everyone;
  for (const auto& [name, pool] : pools_by_name_) {
    everyone.insert(everyone.end(), name);
  }
  auto services = compile_services(config_, state_.compiled.services);
  const bool others = services != state_.compiled.services;
  state_.compiled.services = std::move(services);
  const bool fewer = drop_gone_pools();
  reconcile(std::move(everyone), others || fewer, true);
}

BackendStatus Reconciler::status(const PoolConfig& pool, const BackendConfig& backend) const {
  BackendStatus status;
  status.health = opinion(pool.name, backend.name);
  if (const auto probe = prober_.status(pool.name, backend.name)) {
    status.reason = probe->reason;
    status.since = probe->since;
  }
  const PoolTable& table = tables_.at(pool.name);
  const BackendSpec& spec = spec_of(table, backend.name);
  const BackendKey key{pool.name, backend.name};
  status.effective = spec.state;
  status.effective_weight = spec.weight;
  status.ramping = slow_start_.is_ramping(key);
  status.panic = table.panic && is_wanted(backend) && !verdicts_.is_healthy(pool.name, backend.name);
  status.held = guard_.holds(key);
  if (const DrainDeadlines::Drain* drain = drains_.find(key); drain != nullptr) {
    status.drain_began = drain->began;
    status.drain_deadline = drain->deadline;
    status.drain_passed = drain->passed;
  }
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
    if (table.panic) {
      warnings.push_back(
          fmt::format("pool {}: panic: {} of {} backends are healthy, min_healthy asks for {}: "
                      "all are treated as healthy",
                      name, table.count.healthy, table.count.wanted, table.needed));
    }
    if (table.on_fallback) {
      warnings.push_back(fmt::format("pool {}: nobody is healthy, its fallback serves", name));
    }
  }
  if (holding()) {
    warnings.push_back("the probes of all backends failed together: held, nothing is taken out");
  }
  for (const auto& [pool, text] : source_conditions_) {
    warnings.push_back(fmt::format("pool {}: {}", pool, text));
  }
  for (const auto& [pool, refused] : refused_members_) {
    warnings.push_back(
        fmt::format("pool {}: {} members are not taken: {}", pool, refused.members.size(), refused.why));
  }
  const std::vector<std::string> unprobed = tunnels_.warnings();
  warnings.insert(warnings.end(), unprobed.begin(), unprobed.end());
  for (const auto& [program, why] : not_run_) {
    warnings.push_back(fmt::format("probes by {} are not made: {}", program, why));
  }
  if (const auto& change = confirmation_.pending()) {
    const std::time_t deadline = std::chrono::system_clock::to_time_t(change->deadline);
    warnings.push_back(
        fmt::format("revision {} is not confirmed: it goes back to revision {} by itself at {:%FT%TZ}",
                    change->revision, change->back_to, fmt::gmtime(deadline)));
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
