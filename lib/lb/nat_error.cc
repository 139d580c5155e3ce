#include "lib/lb/decide.h"
#include "lib/lb/nat.h"
#include "lib/lb/nat_icmp.h"
#include "lib/lb/nat_passage.h"
#include "lib/net/icmp_quote.h"

namespace maglb {
namespace {

using nat_detail::Arrival;
using nat_detail::Passage;

struct ErrorArrival {
  Arrival arrival;
  NatQuote quote;
};

// The error with what it quotes; nothing, and dropped: it is damaged, or not all at hand.
std::optional<ErrorArrival> error_of(const Passage& p) {
  const auto arrival = nat_detail::arrival_of(p);
  if (!arrival) {
    return std::nullopt;
  }
  const auto quote = parse_quote(arrival->packet);
  if (!quote) {
    drop(p.batch, p.i, p.worker, DropReason::kBadL4Header);
    return std::nullopt;
  }
  return ErrorArrival{*arrival, *quote};
}

// An error about an error is not sent: one that is too big is dropped.
bool fits(const Passage& p, const Egress& egress) {
  if (p.parsed().l3_length <= p.worker.ports[egress.link].mtu) {
    return true;
  }
  drop(p.batch, p.i, p.worker, DropReason::kTooBig);
  return false;
}

template <typename Translate>
void send_error(const Passage& p, const NatSession& session, const std::optional<Egress>& egress,
                Translate translate) {
  if (!egress || !fits(p, *egress)) {
    return;
  }
  auto error = error_of(p);
  if (!error) {
    return;
  }
  const NatResult result = translate(error->arrival.packet, error->quote, session);
  nat_detail::finish(p, result, error->arrival, *egress);
  if (p.batch.verdicts[p.i] == Verdict::kSend) {
    p.worker.counters.count(Event::kIcmpErrorsForwarded);
  }
}

// From the backend's side. That it is intact is known only here: a signal is no less than a packet.
struct ToClient {
  NatTable& nat;
  NatSession& session;

  NatResult operator()(NatPacket& packet, const NatQuote& quote, const NatSession& known) const {
    if (is_unreachable(packet.ip[quote.icmp], packet.ip[quote.icmp + 1], packet.is_v6)) {
      nat.refuse(session);
    }
    return error_to_client(packet, quote, known);
  }
};

}  // namespace

// The parsed key is that of the quoted packet reversed: of what the backend sends.
bool take_nat_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const Passage p{batch, i, snapshot, worker, now};
  if (worker.nat == nullptr) {
    return false;
  }
  const auto owner = worker.nat->ports().owner_of(p.key().destination, p.key().destination_port.host());
  if (!owner) {
    return false;
  }
  if (hand_over(batch, i, worker, *owner)) {
    return true;
  }
  const auto [session, service] = nat_detail::session_of_reply(p, p.key());
  if (session == nullptr) {
    drop(batch, i, worker, DropReason::kNoSession);
  } else {
    send_error(p, *session, nat_detail::client_egress(p, *session, *service),
               ToClient{*worker.nat, *session});
  }
  return true;
}

void nat_error_to_backend(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const Passage p{batch, i, snapshot, worker, now};
  Batch::Notes& notes = p.notes();
  if (hand_over(batch, i, worker, nat_worker_of(notes.digest, worker.workers))) {
    return;
  }
  const NatSession* const session =
      worker.nat == nullptr ? nullptr : worker.nat->find(p.key(), notes.service->id, notes.digest, now);
  if (session == nullptr) {
    return drop(batch, i, worker, DropReason::kNoSession);
  }
  notes.backend = nat_detail::backend_of(*session, *notes.pool);
  if (notes.backend == nullptr) {
    return drop(batch, i, worker, DropReason::kNoBackend);
  }
  send_error(p, *session, nat_detail::backend_egress(p), error_to_backend);
}

}  // namespace maglb
