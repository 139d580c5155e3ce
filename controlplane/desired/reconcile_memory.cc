// The half of the Reconciler that looks back: revisions, rollback, confirmation.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "controlplane/desired/reconciler.h"

namespace maglb {

std::string described(const Who& who) {
  return who.program.empty() ? who.user : fmt::format("{} ({})", who.user, who.program);
}

Author by_itself(std::string why) {
  return {{0, 0, 0, "maglb", ""}, std::move(why)};
}

Author by_file(std::string why) {
  return {{0, 0, 0, "file", ""}, std::move(why)};
}

Accepted<Applied> Reconciler::unchanged() const {
  return Applied{generation(), false, document_.source, document_.revision};
}

Accepted<Applied> Reconciler::roll_back(uint64_t revision, Author author) {
  if (revision == document_.revision) {
    return confirmation_.pending() ? confirm(author) : unchanged();
  }
  const auto text = store_.revision_text(revision);
  if (!text) {
    return refuse(text.error());
  }
  author.why =
      fmt::format("rollback to revision {}{}{}", revision, author.why.empty() ? "" : ": ", author.why);
  auto applied = apply_document(*text, DocumentSource::kRuntime, document_.file_hash,
                                fmt::format("revision {}", revision), author);
  // Where both documents are alike nothing was stored, and the wait goes on.
  return applied && confirmation_.pending() ? confirm(author) : applied;
}

// Whatever waited to be confirmed stays.
Result<void> Reconciler::settle() {
  if (auto done = store_.confirm(); !done) {
    return done;
  }
  confirmation_.watch(std::nullopt);
  follow_drains();
  save_health({}, true);
  return {};
}

Accepted<Applied> Reconciler::confirm(const Author& author) {
  const auto pending = confirmation_.pending();
  if (!pending) {
    return refuse({ErrorKind::kConflict, "no change waits to be confirmed"});
  }
  if (const auto done = settle(); !done) {
    return refuse(done.error());
  }
  tell_config(fmt::format("revision {} confirmed by {}", pending->revision, described(author.who)));
  return unchanged();
}

// False: it could not, and is to be tried again.
bool Reconciler::revert_unconfirmed() {
  const Unconfirmed change = *confirmation_.pending();
  const auto text = store_.revision_text(change.back_to);
  Refusal why;
  if (!text) {
    why.error = text.error();
  } else {
    const Author author = by_itself(fmt::format("back to revision {}: revision {} was not confirmed in time",
                                                change.back_to, change.revision));
    const auto applied = apply_document(*text, DocumentSource::kRuntime, document_.file_hash,
                                        fmt::format("revision {}", change.back_to), author);
    if (applied) {
      // Also where both documents are alike, and nothing was to be stored.
      if (confirmation_.pending()) {
        (void)settle();
      }
      return !confirmation_.pending();
    }
    why = applied.error();
  }
  spdlog::error("revision {} was not confirmed and cannot be reverted, tried again: {}", change.revision,
                why.error.message);
  return false;
}

void Reconciler::on_confirmation_deadline() {
  if (!revert_unconfirmed()) {
    confirmation_.retry();
  }
}

void Reconciler::tell_config(const std::string& text) {
  spdlog::info("configuration: {}", text);
  events_.record(EventKind::kConfig, "", "", text);
}

void Reconciler::tell_refused(const Author& author, const Refusal& why) {
  spdlog::error("configuration refused, the running state stays: {}", why.error.message);
  events_.record(EventKind::kConfig, "", "",
                 fmt::format("refused, from {}: {}", described(author.who), why.error.message));
}

}  // namespace maglb
