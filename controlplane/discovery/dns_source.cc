#include "controlplane/discovery/dns_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace maglb {
namespace {

std::string_view to_string(RecordType type) {
  return type == RecordType::kA ? "A" : type == RecordType::kAaaa ? "AAAA" : "SRV";
}

}  // namespace

DnsSource::DnsSource(boost::asio::io_context& io, const BackendSource& config, Listener listener)
    : io_(io), config_(config), listener_(std::move(listener)), timer_(io) {}

void DnsSource::start() {
  stopped_ = false;
  wait({});
}

void DnsSource::stop() {
  stopped_ = true;
  timer_.cancel();
  round_ = {};
}

void DnsSource::wait(std::chrono::steady_clock::duration delay) {
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && !self->stopped_) {
      self->begin_round();
    }
  });
}

void DnsSource::begin_round() {
  round_ = {};
  round_.ttl = std::chrono::ceil<std::chrono::seconds>(config_.refresh);
  auto resolver = Resolver::make(io_, config_.servers);
  if (!resolver) {
    round_.failure = resolver.error().message;
    return end_round();
  }
  round_.resolver = std::move(*resolver);
  if (config_.records == DnsRecords::kSrv) {
    round_.waiting.push_back({config_.name, RecordType::kSrv, 0});
  } else {
    ask_for(config_.name, config_.weight);
  }
  ask_more();
}

// SRV targets have whatever addresses they have.
void DnsSource::ask_for(const std::string& name, uint32_t weight) {
  if (config_.records != DnsRecords::kAaaa) {
    round_.waiting.push_back({name, RecordType::kA, weight});
  }
  if (config_.records != DnsRecords::kA) {
    round_.waiting.push_back({name, RecordType::kAaaa, weight});
  }
}

void DnsSource::ask_more() {
  while (round_.open < kMaxOpen && !round_.waiting.empty()) {
    const Question question = std::move(round_.waiting.front());
    round_.waiting.pop_front();
    ++round_.open;
    // A stopped source has another resolver or none: what comes late is not of this round.
    round_.resolver->ask(question.name, question.type,
                         [weak = weak_from_this(), of = std::weak_ptr(round_.resolver),
                          question](Result<std::vector<uint8_t>> message) {
                           const auto self = weak.lock();
                           const auto resolver = of.lock();
                           if (self && resolver && resolver == self->round_.resolver) {
                             self->answered(question, message);
                           }
                         });
  }
}

void DnsSource::answered(const Question& question, const Result<std::vector<uint8_t>>& message) {
  --round_.open;
  const auto answer = message.and_then(
      [&](const std::vector<uint8_t>& bytes) { return read_answer(bytes, question.name, question.type); });
  if (answer) {
    take(question, *answer);
  } else if (answer.error().kind != ErrorKind::kNotFound && round_.failure.empty()) {
    round_.failure =
        fmt::format("{} {}: {}", to_string(question.type), question.name, answer.error().message);
  }
  ask_more();
  if (round_.open == 0) {
    end_round();
  }
}

void DnsSource::take(const Question& question, const DnsAnswer& answer) {
  if (!answer.addresses.empty() || !answer.targets.empty()) {
    round_.ttl = std::min(round_.ttl, answer.ttl);
  }
  for (const IpAddress& address : answer.addresses) {
    round_.members.add(address, question.weight);
    round_.found.insert(question.name);
  }
  take_targets(answer);
}

void DnsSource::take_targets(const DnsAnswer& answer) {
  const auto targets = serving_targets(answer.targets);
  if (targets.size() > kMaxSrvTargets) {
    round_.failure = fmt::format("SRV {}: {} targets, at most {} are possible", config_.name, targets.size(),
                                 kMaxSrvTargets);
    return;
  }
  for (const WeightedName& target : targets) {
    round_.asked.insert(target.name);
    ask_for(target.name, target.weight);
  }
}

void DnsSource::end_round() {
  Round round = std::exchange(round_, {});
  const bool knows = round.failure.empty() && !round.members.empty();
  Result<Members> members = round.members.take();
  if (knows && members) {
    wait(std::clamp<Duration>(round.ttl, kMinRefresh, std::max<Duration>(config_.refresh, kMinRefresh)));
    std::vector<std::string> absent;
    std::set_difference(round.asked.begin(), round.asked.end(), round.found.begin(), round.found.end(),
                        std::back_inserter(absent));
    const std::string complaint =
        absent.empty() ? "" : fmt::format("SRV {}: no address of {}", config_.name, fmt::join(absent, ", "));
    return listener_(Found{std::move(*members), complaint});
  }
  wait(std::min<Duration>(kErrorWait, config_.refresh));
  if (!round.failure.empty()) {
    return listener_(fail(ErrorKind::kUnavailable, round.failure));
  }
  if (!members) {
    return listener_(tl::unexpected<Error>(std::move(members).error()));
  }
  listener_(fail(ErrorKind::kNotFound, config_.name + ": there is no such record"));
}

}  // namespace maglb
