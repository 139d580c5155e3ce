#include "controlplane/probe/dns_attempt.h"

#include <sys/random.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "controlplane/probe/dns_message.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using Kind = DnsVerdict::Kind;

// Without EDNS a datagram has at most 512 octets; some servers do not care.
constexpr size_t kMaxDatagram = 4096;

}  // namespace

void DnsAttempt::run() {
  check(getrandom(&id_, sizeof(id_), 0) == sizeof(id_), "the kernel has random numbers");
  auto question = dns_question(target_->config.dns, id_);
  if (!question) {
    return finish_later(Outcome::kFailure, question.error().message);
  }
  message_ = std::move(*question);
  if (target_->config.dns.over_tcp) {
    return StreamAttempt::run();
  }
  ask_by_datagram();
}

void DnsAttempt::close() {
  ErrorCode ignored;
  datagrams_.close(ignored);
  StreamAttempt::close();
}

void DnsAttempt::ask_by_datagram() {
  stage_ = "waiting for an answer";
  strays_ = 0;
  ErrorCode error = open_for(datagrams_, *target_);
  if (error) {
    return finish_later(Outcome::kSkipped, fmt::format("open: {}", describe(error)));
  }
  datagrams_.connect(endpoint_of<udp>(*target_), error);
  if (!error) {
    datagrams_.send(asio::buffer(message_), 0, error);
  }
  if (error) {
    return finish_later(is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
                        fmt::format("send: {}", describe(error)));
  }
  message_.resize(kMaxDatagram);
  await_datagram();
}

void DnsAttempt::await_datagram() {
  datagrams_.async_receive(asio::buffer(message_), then(&DnsAttempt::received_datagram));
}

void DnsAttempt::received_datagram(ErrorCode error, size_t size) {
  if (error) {
    return failed("receive", error);
  }
  DnsVerdict verdict = judge_dns(std::span(message_).first(size), target_->config.dns, id_);
  if (verdict.kind == Kind::kNotOurs && ++strays_ < kMaxStrays) {
    return await_datagram();
  }
  finish(verdict.kind == Kind::kGood ? Outcome::kSuccess : Outcome::kFailure, std::move(verdict.reason));
}

void DnsAttempt::connected() {
  stage_ = "sending the question";
  length_ = {static_cast<uint8_t>(message_.size() >> 8), static_cast<uint8_t>(message_.size())};
  message_.insert(message_.begin(), length_.begin(), length_.end());
  asio::async_write(socket_, asio::buffer(message_), then(&DnsAttempt::sent));
}

void DnsAttempt::sent(ErrorCode error) {
  if (error) {
    return failed("send", error);
  }
  stage_ = "waiting for an answer";
  asio::async_read(socket_, asio::buffer(length_), then(&DnsAttempt::received_length));
}

void DnsAttempt::received_length(ErrorCode error) {
  if (error) {
    return failed("receive", error);
  }
  message_.resize(static_cast<size_t>(length_[0]) << 8 | length_[1]);
  asio::async_read(socket_, asio::buffer(message_), then(&DnsAttempt::received_message));
}

void DnsAttempt::received_message(ErrorCode error) {
  if (error) {
    return failed("receive", error);
  }
  DnsVerdict verdict = judge_dns(message_, target_->config.dns, id_);
  finish(verdict.kind == Kind::kGood ? Outcome::kSuccess : Outcome::kFailure, std::move(verdict.reason));
}

}  // namespace maglb
