// Members from DNS: the addresses of a name, or of the targets of its SRV records.
//
// A round is one question or two, for SRV one more or two for each target. When it is over, the next begins
// as soon as the least TTL of what was used ends, though not before kMinRefresh and not after `refresh`;
// after an error in kErrorWait, or `refresh` if that is less.
//
//   SRV: of the targets only those of the lowest priority number serve, with their weights (dns_answer.h).
//   Their ports are ignored: maglb sends to the port of the service.
//
// Invariants:
//   1. That a name has no records, or does not exist, is an error: DNS never empties a pool.
//   2. A round in which a server failed, or said nothing, is an error as a whole: what is not known is not
//      taken for gone. A target of an SRV that does not exist is left out, with a complaint.
//   3. At most kMaxOpen questions are open at a time, of at most kMaxSrvTargets targets.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "controlplane/discovery/dns_answer.h"
#include "controlplane/discovery/member_list.h"
#include "controlplane/discovery/member_source.h"
#include "controlplane/discovery/resolver.h"

namespace maglb {

class DnsSource final : public MemberSource, public std::enable_shared_from_this<DnsSource> {
 public:
  static constexpr std::chrono::seconds kMinRefresh{1};
  static constexpr std::chrono::seconds kErrorWait{5};
  static constexpr size_t kMaxOpen = 32;

  DnsSource(boost::asio::io_context& io, const BackendSource& config, Listener listener);

  void start() override;
  void stop() override;

 private:
  struct Question {
    std::string name;
    RecordType type = RecordType::kA;
    uint32_t weight = 0;  // of the addresses
  };
  struct Round {
    std::shared_ptr<Resolver> resolver;
    std::deque<Question> waiting;
    size_t open = 0;
    MemberList members;
    std::chrono::seconds ttl{0};
    std::string failure;          // the first
    std::set<std::string> asked;  // targets of SRV
    std::set<std::string> found;  // names with an address
  };

  void wait(std::chrono::steady_clock::duration delay);
  void begin_round();
  void ask_for(const std::string& name, uint32_t weight);
  void ask_more();
  void answered(const Question& question, const Result<std::vector<uint8_t>>& message);
  void take(const Question& question, const DnsAnswer& answer);
  void take_targets(const DnsAnswer& answer);
  void end_round();

  boost::asio::io_context& io_;
  const BackendSource config_;
  const Listener listener_;
  boost::asio::steady_timer timer_;
  Round round_;
  bool stopped_ = true;
};

}  // namespace maglb
