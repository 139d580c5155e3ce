#include "controlplane/publish/client.h"

#include <spdlog/spdlog.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <vector>

#include "lib/ipc/frame.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

constexpr size_t kReadChunk = size_t{64} << 10;
constexpr int kChunksPerTurn = 16;

}  // namespace

class DataplaneClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, std::string path, std::function<void()> on_change)
      : io_(io), path_(std::move(path)), on_change_(std::move(on_change)), socket_(io), retry_(io) {}

  void start() { connect(); }
  void stop();
  void request(ipc::Envelope envelope, std::chrono::milliseconds timeout, OnReply on_reply);
  void say_hello();

  bool connected_ = false;
  bool leased_ = false;
  ipc::HelloReply hello_;
  std::string error_ = "not connected yet";

 private:
  struct Waiting {
    OnReply on_reply;
    std::unique_ptr<asio::steady_timer> timer;
  };

  void connect();
  void retry_later(void (Impl::*what)());
  void fall_back(std::string why);
  void take_hello(const Result<ipc::Envelope>& reply);
  void await_read();
  void await_write();
  error_code send_pending();
  void write_now();
  void read();
  bool take_frames();
  void write();
  void finish(uint64_t id, Result<ipc::Envelope> reply);
  void fail_all(const std::string& why);

  // A callback for this connection only: what belongs to an earlier one is dropped.
  template <typename F>
  auto guarded(F f) {
    return [self = shared_from_this(), epoch = epoch_, f](const error_code& error) {
      if (!self->stopped_ && epoch == self->epoch_) {
        f(error);
      }
    };
  }

  asio::io_context& io_;
  std::string path_;
  std::function<void()> on_change_;
  Socket socket_;
  asio::steady_timer retry_;
  FrameReader reader_;
  FrameWriter writer_;
  std::map<uint64_t, Waiting> waiting_;
  std::vector<uint8_t> chunk_ = std::vector<uint8_t>(kReadChunk);
  uint64_t next_id_ = 1;
  uint64_t epoch_ = 0;  // of the connection
  bool open_ = false;   // the socket is connected, greeted or not
  bool writing_ = false;
  bool stopped_ = false;
};

void DataplaneClient::Impl::stop() {
  stopped_ = true;
  ++epoch_;
  error_code ignored;
  socket_.close(ignored);
  retry_.cancel();
  waiting_.clear();
}

void DataplaneClient::Impl::connect() {
  ++epoch_;
  reader_ = FrameReader();
  writer_ = FrameWriter();
  writing_ = false;
  error_code error;
  socket_.close(error);
  try {
    socket_.async_connect(asio::local::stream_protocol::endpoint(path_), guarded([this](error_code failed) {
                            if (failed) {
                              return fall_back(fmt::format("{}: {}", path_, failed.message()));
                            }
                            open_ = true;
                            error_code ignored;
                            socket_.non_blocking(true, ignored);
                            await_read();
                            say_hello();
                          }));
  } catch (const boost::system::system_error& thrown) {
    // The path is too long for a socket: no retry will help, but the program has other work.
    fall_back(fmt::format("{}: {}", path_, thrown.what()));
  }
}

void DataplaneClient::Impl::retry_later(void (Impl::*what)()) {
  retry_.expires_after(kRetryInterval);
  retry_.async_wait(guarded([this, what](error_code error) {
    if (!error) {
      (this->*what)();
    }
  }));
}

void DataplaneClient::Impl::fall_back(std::string why) {
  ++epoch_;
  open_ = false;
  const bool was_connected = connected_;
  connected_ = false;
  leased_ = false;
  if (was_connected || error_ != why) {
    spdlog::warn("dataplane: {}", why);
  }
  error_ = std::move(why);
  error_code ignored;
  socket_.close(ignored);
  fail_all(error_);
  retry_later(&Impl::connect);
  if (was_connected) {
    on_change_();
  }
}

void DataplaneClient::Impl::say_hello() {
  ipc::Envelope envelope;
  ipc::Hello& hello = *envelope.mutable_hello();
  hello.set_major(kProtocolMajor);
  hello.set_minor(kProtocolMinor);
  hello.set_program("maglb-controlplane " MAGLB_VERSION);
  hello.set_want_lease(true);
  request(std::move(envelope), kHelloTimeout,
          [this](const Result<ipc::Envelope>& reply) { take_hello(reply); });
}

void DataplaneClient::Impl::take_hello(const Result<ipc::Envelope>& reply) {
  if (!open_) {
    return;
  }
  if (!reply || !reply->has_hello_reply()) {
    return fall_back(reply ? "Hello was answered with something else" : reply.error().message);
  }
  if (reply->hello_reply().major() != kProtocolMajor) {
    return fall_back(fmt::format("the dataplane speaks protocol {}.{}, not {}.x",
                                 reply->hello_reply().major(), reply->hello_reply().minor(), kProtocolMajor));
  }
  hello_ = reply->hello_reply();
  const bool news = !connected_ || leased_ != hello_.has_lease();
  connected_ = true;
  leased_ = hello_.has_lease();
  const std::string why = leased_ ? "" : "no lease: " + hello_.lease_refused();
  if (news) {
    spdlog::info("dataplane: connected to {}, generation {}{}", hello_.program(), hello_.generation(),
                 leased_ ? "" : ", " + why);
  }
  error_ = why;
  if (!leased_) {
    retry_later(&Impl::say_hello);
  }
  if (news) {
    on_change_();
  }
}

void DataplaneClient::Impl::request(ipc::Envelope envelope, std::chrono::milliseconds timeout,
                                    OnReply on_reply) {
  const uint64_t id = next_id_++;
  envelope.set_id(id);
  Waiting& waiting = waiting_[id];
  waiting.on_reply = std::move(on_reply);
  std::string failure = open_ && (connected_ || envelope.has_hello()) ? "" : "the dataplane is not connected";
  if (failure.empty()) {
    if (auto queued = writer_.push(envelope); !queued) {
      failure = queued.error().message;
    }
  }
  if (!failure.empty()) {
    asio::post(io_, [self = shared_from_this(), id, failure] {
      self->finish(id, fail(ErrorKind::kUnavailable, failure));
    });
    return;
  }
  waiting.timer = std::make_unique<asio::steady_timer>(io_, timeout);
  waiting.timer->async_wait(guarded([this, id](error_code error) {
    if (!error) {
      finish(id, fail(ErrorKind::kUnavailable, "the dataplane did not answer in time"));
    }
  }));
  if (!writing_) {
    write_now();
  }
}

// Until all is sent or the socket takes no more, and why it does not.
error_code DataplaneClient::Impl::send_pending() {
  error_code error;
  while (!error && !writer_.pending().empty()) {
    const auto rest = writer_.pending();
    writer_.consume(socket_.write_some(asio::buffer(rest.data(), rest.size()), error));
  }
  return error;
}

// At once, as the caller may have more to do before the loop goes on. Errors are the loop's to notice.
void DataplaneClient::Impl::write_now() {
  if (send_pending()) {
    await_write();
  }
}

// The loop tells when the socket is ready and the frames' own buffers are used: nothing is copied and
// a queue may grow while a write waits.
void DataplaneClient::Impl::await_read() {
  socket_.async_wait(Socket::wait_read, guarded([this](error_code error) {
                       if (!error) {
                         read();
                       }
                     }));
}

void DataplaneClient::Impl::await_write() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, guarded([this](error_code error) {
                       if (!error) {
                         write();
                       }
                     }));
}

void DataplaneClient::Impl::read() {
  for (int i = 0; i < kChunksPerTurn; ++i) {
    error_code error;
    const size_t got = socket_.read_some(asio::buffer(chunk_), error);
    if (error == asio::error::would_block) {
      break;
    }
    if (error) {
      return fall_back(error == asio::error::eof ? "the dataplane closed the connection" : error.message());
    }
    reader_.feed(std::span(chunk_).first(got));
    if (!take_frames()) {
      return;
    }
  }
  await_read();
}

// False when the connection ended meanwhile.
bool DataplaneClient::Impl::take_frames() {
  const uint64_t epoch = epoch_;
  while (epoch == epoch_ && !stopped_) {
    const auto frame = reader_.next();
    if (frame && !*frame) {
      return true;
    }
    ipc::Envelope reply;
    if (!frame || !reply.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))) {
      fall_back("the dataplane sent something that is no message");
      return false;
    }
    const uint64_t id = reply.id();
    if (reply.has_error()) {
      finish(id, fail(ErrorKind::kConflict, reply.error().message()));
    } else {
      finish(id, std::move(reply));
    }
  }
  return false;
}

void DataplaneClient::Impl::write() {
  writing_ = false;
  const error_code error = send_pending();
  if (error == asio::error::would_block) {
    await_write();
  } else if (error) {
    fall_back(error.message());
  }
}

void DataplaneClient::Impl::finish(uint64_t id, Result<ipc::Envelope> reply) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end() || stopped_) {
    return;
  }
  const OnReply on_reply = std::move(found->second.on_reply);
  waiting_.erase(found);
  on_reply(std::move(reply));
}

void DataplaneClient::Impl::fail_all(const std::string& why) {
  std::map<uint64_t, Waiting> waiting;
  waiting.swap(waiting_);
  for (auto& [id, one] : waiting) {
    one.on_reply(fail(ErrorKind::kUnavailable, why));
  }
}

DataplaneClient::DataplaneClient(asio::io_context& io, std::string socket_path,
                                 std::function<void()> on_change)
    : impl_(std::make_shared<Impl>(io, std::move(socket_path), std::move(on_change))) {}
DataplaneClient::~DataplaneClient() {
  impl_->stop();
}

void DataplaneClient::start() {
  impl_->start();
}
bool DataplaneClient::is_connected() const {
  return impl_->connected_;
}
bool DataplaneClient::has_lease() const {
  return impl_->leased_;
}
const ipc::HelloReply& DataplaneClient::hello() const {
  return impl_->hello_;
}
const std::string& DataplaneClient::error() const {
  return impl_->error_;
}
void DataplaneClient::request(ipc::Envelope envelope, std::chrono::milliseconds timeout, OnReply on_reply) {
  impl_->request(std::move(envelope), timeout, std::move(on_reply));
}
void DataplaneClient::renew_lease() {
  impl_->say_hello();
}

}  // namespace maglb
