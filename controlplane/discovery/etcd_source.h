// Members from etcd (v3, by its JSON gateway): the keys that begin with `prefix`, watched.
//
//   look the endpoint up -> range -> members -> watch from the range's revision + 1 -> members ...
//        ^------------ the next endpoint, kPause later, when anything ends or fails
//
// A watch that ends for whatever reason (the server is restarted, its history was compacted) is followed by a
// new range. Each watch is ended after kWatchTime: a server that is cut off from the others goes on watching
// and says nothing, while a range needs their agreement.
//
// Invariants:
//   1. An error is told when every endpoint failed since the last good range; from then on the turns are
//      kErrorWait apart.
//   2. A value that is no member leaves its key out, with a complaint; the others go on.
//   3. A line of a watch, and the answer to a range, have at most kMaxSourceBytes; the keys are at most
//      kMaxPoolBackends with values of at most kMaxSourceBytes together, or it is an error.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/discovery/etcd_call.h"
#include "controlplane/discovery/etcd_message.h"
#include "controlplane/discovery/member_source.h"
#include "controlplane/discovery/resolver.h"

namespace maglb {

class EtcdSource final : public MemberSource, public std::enable_shared_from_this<EtcdSource> {
 public:
  static constexpr std::chrono::milliseconds kPause{200};
  static constexpr std::chrono::seconds kErrorWait{3};
  static constexpr std::chrono::seconds kRangeTime{10};
  static constexpr std::chrono::minutes kWatchTime{2};

  EtcdSource(boost::asio::io_context& io, const BackendSource& config, Listener listener);

  void start() override;
  void stop() override;

 private:
  void in(std::chrono::milliseconds delay, void (EtcdSource::*step)());
  void look_up();
  void looked_up(Result<std::vector<IpAddress>> addresses);
  void call(const std::string& path, std::string body, std::chrono::milliseconds timeout,
            EtcdCall::Piece piece, void (EtcdSource::*ended)(Result<void>));
  void range();
  void range_ended(Result<void> result);
  void watch();
  bool watch_piece(std::string_view piece);
  void read_lines();
  bool take_line(std::string_view line);
  void watch_ended(Result<void> result);
  void failed(Error error);
  bool too_much() const;
  void tell();
  const std::string& endpoint() const { return config_.endpoints[turn_ % config_.endpoints.size()]; }

  boost::asio::io_context& io_;
  const BackendSource config_;
  const Listener listener_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<CurlEngine> engine_;
  std::shared_ptr<Resolver> resolver_;
  std::unique_ptr<EtcdCall> call_;
  size_t turn_ = 0;      // which endpoint, and which of its addresses
  size_t failures_ = 0;  // since the last good range
  EtcdEndpoint at_;
  std::string received_;  // of a range; of a watch, what is not read yet
  bool reading_ = false;
  bool changed_ = false;  // by the lines that were read last  // read_lines() is on its way
  etcd::Pairs pairs_;
  int64_t revision_ = 0;
  bool stopped_ = true;
};

}  // namespace maglb
