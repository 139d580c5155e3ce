#include "controlplane/probe/attempt_factory.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "controlplane/probe/curl_http_attempt.h"
#include "controlplane/probe/dns_attempt.h"
#include "controlplane/probe/exec_attempt.h"
#include "controlplane/probe/grpc_attempt.h"
#include "controlplane/probe/http_attempt.h"
#include "controlplane/probe/icmp_attempt.h"
#include "controlplane/probe/tcp_attempt.h"
#include "controlplane/probe/udp_attempt.h"
#include "lib/config/service/write.h"

namespace maglb {
namespace {

class UnknownAttempt final : public AttemptBase<UnknownAttempt> {
 public:
  using AttemptBase::AttemptBase;

 private:
  void run() override {
    stage_ = "nothing";
    finish_later(Outcome::kFailure,
                 fmt::format("this program cannot probe by {}", to_string(target_->config.type)));
  }
  void close() override {}
};

template <typename Made>
AttemptFactory::Maker maker_of(boost::asio::io_context& io) {
  return [&io] { return std::make_shared<Made>(io); };
}

}  // namespace

AttemptFactory::AttemptFactory(boost::asio::io_context& io) : io_(io) {
  add(ProbeType::kTcp, maker_of<TcpAttempt>(io));
  add(ProbeType::kHttp, maker_of<HttpAttempt>(io));
  const auto engine = std::make_shared<CurlEngine>(io);
  const Maker http = [engine] { return std::make_shared<CurlHttpAttempt>(engine); };
  add(ProbeType::kHttps, http);
  add(ProbeType::kHttp2, http);
  add(ProbeType::kGrpc, [engine] { return std::make_shared<GrpcAttempt>(engine); });
  add(ProbeType::kDns, maker_of<DnsAttempt>(io));
  add(ProbeType::kUdp, maker_of<UdpAttempt>(io));
  add(ProbeType::kIcmp, maker_of<IcmpAttempt>(io));
  add(ProbeType::kExec, [&io, children = std::make_shared<ExecChildren>()] {
    return std::make_shared<ExecAttempt>(io, children);
  });
}

void AttemptFactory::add(ProbeType type, Maker maker) {
  makers_[static_cast<size_t>(type)] = std::move(maker);
}

std::shared_ptr<Attempt> AttemptFactory::make(ProbeType type) const {
  check(type != ProbeType::kNone, "an attempt probes something");
  const Maker& maker = makers_[static_cast<size_t>(type)];
  if (!maker) {
    spdlog::error("this program cannot probe by {}", to_string(type));
    return std::make_shared<UnknownAttempt>(io_);
  }
  return maker();
}

}  // namespace maglb
