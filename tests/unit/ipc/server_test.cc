#include "lib/ipc/server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "tests/support/ipc_client.h"

namespace maglb {
namespace {

using namespace std::chrono_literals;
using test::hello;
using test::IpcClient;

class Recorder : public IpcHandler {
 public:
  void fill_hello(ipc::HelloReply& reply) override { reply.set_generation(generation); }
  std::optional<ipc::ApplyReply> apply(Change change, Ticket ticket) override {
    applied.push_back(change.generation);
    generation = change.generation;
    tickets.push_back(ticket);
    if (answers_later) {
      return std::nullopt;
    }
    ipc::ApplyReply reply;
    reply.set_generation(generation);
    return reply;
  }
  void fill_stats(const ipc::StatsRequest&, ipc::Stats& reply) override {
    reply.set_generation(generation);
    if (stats_size != 0) {
      reply.add_services()->set_name(std::string(stats_size, 'x'));
    }
  }
  void explain(const ExplainQuery& query, ipc::ExplainReply& reply) override { reply.set_bytes(query.bytes); }
  void look_up(const FlowQuery&, ipc::FlowLookupReply& reply) override { reply.set_service("web"); }
  void summarize(ipc::FlowSummary& reply) override { reply.set_flows(3); }
  void on_event(const std::string& message) override { events.push_back(message); }

  uint64_t generation = 0;
  bool answers_later = false;
  size_t stats_size = 0;
  std::vector<uint64_t> applied;
  std::vector<Ticket> tickets;
  std::vector<std::string> events;
};

ipc::Envelope apply(uint64_t generation) {
  ipc::Envelope request;
  request.set_id(100 + generation);
  request.mutable_apply()->set_generation(generation);
  request.mutable_apply()->mutable_services();
  return request;
}

ipc::Envelope stats_request() {
  ipc::Envelope request;
  request.set_id(9);
  request.mutable_stats_request();
  return request;
}

class IpcServerTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 ("maglb-ipc-" + std::to_string(getpid()) + "-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directory(directory_);
    path_ = directory_ / "dataplane.sock";
    listen();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void listen() {
    auto server = IpcServer::listen(path_, handler_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::make_unique<IpcServer>(std::move(*server));
  }
  void pump() { server_->poll_once(now_, 0ms); }
  std::unique_ptr<IpcClient> client() {
    auto one = std::make_unique<IpcClient>(path_, [this] { pump(); });
    EXPECT_TRUE(one->is_connected());
    return one;
  }
  std::unique_ptr<IpcClient> greeted(bool want_lease) {
    auto one = client();
    const auto reply = one->ask(hello(want_lease));
    EXPECT_TRUE(reply && reply->has_hello_reply());
    return one;
  }

  std::filesystem::path directory_;
  std::string path_;
  Recorder handler_;
  std::unique_ptr<IpcServer> server_;
  Time now_ = 1h;
};

TEST_F(IpcServerTest, AnswersEachRequest) {
  handler_.generation = 5;
  auto peer = client();
  const auto reply = peer->ask(hello(true));
  ASSERT_TRUE(reply && reply->has_hello_reply());
  EXPECT_EQ(reply->id(), 1u);
  EXPECT_TRUE(reply->hello_reply().has_lease());
  EXPECT_EQ(reply->hello_reply().generation(), 5u);
  EXPECT_EQ(reply->hello_reply().major(), kProtocolMajor);
  const auto applied = peer->ask(apply(6));
  ASSERT_TRUE(applied && applied->has_apply_reply());
  EXPECT_EQ(applied->apply_reply().generation(), 6u);
  EXPECT_EQ(peer->ask(stats_request())->stats().generation(), 6u);
  ipc::Envelope request;
  request.mutable_flow_summary_request();
  EXPECT_EQ(peer->ask(request)->flow_summary().flows(), 3u);
  to_message(FlowQuery{Protocol::kTcp, *IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2"), 1, 2},
             *request.mutable_flow_lookup());
  EXPECT_EQ(peer->ask(request)->flow_lookup_reply().service(), "web");
}

TEST_F(IpcServerTest, MakesTheSocketPrivateAndRemovesIt) {
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  server_.reset();
  EXPECT_NE(stat(path_.c_str(), &status), 0);
}

TEST_F(IpcServerTest, DoesNotTakeASocketInUse) {
  Recorder other;
  const auto second = IpcServer::listen(path_, other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(client()->is_connected());
}

TEST_F(IpcServerTest, TakesTheSocketOfAProgramThatDied) {
  const std::string left = directory_ / "left.sock";
  {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, left.c_str(), left.size());
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_TRUE(IpcServer::listen(left, handler_));
}

TEST_F(IpcServerTest, LeavesAFileThatIsNoSocketAlone) {
  const std::string file = directory_ / "notes";
  std::ofstream(file) << "mine";
  EXPECT_FALSE(IpcServer::listen(file, handler_));
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(IpcServerTest, EndsAConnectionThatDoesNotSayHelloFirst) {
  auto peer = client();
  const auto reply = peer->ask(stats_request());
  ASSERT_TRUE(reply && reply->has_error());
  EXPECT_EQ(reply->id(), 9u);
  EXPECT_TRUE(peer->is_ended_by_peer());
}

TEST_F(IpcServerTest, RefusesAnotherMajorVersionWithAMessage) {
  auto peer = client();
  const auto reply = peer->ask(hello(true, kProtocolMajor + 1));
  ASSERT_TRUE(reply && reply->has_error());
  EXPECT_NE(reply->error().message().find("not supported"), std::string::npos);
  EXPECT_TRUE(peer->is_ended_by_peer());
}

TEST_F(IpcServerTest, AcceptsAnotherMinorVersion) {
  auto request = hello(true);
  request.mutable_hello()->set_minor(kProtocolMinor + 7);
  EXPECT_TRUE(client()->ask(request)->has_hello_reply());
}

TEST_F(IpcServerTest, SurvivesGarbage) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    auto peer = client();
    std::vector<uint8_t> garbage(1 + random() % 2000);
    std::generate(garbage.begin(), garbage.end(), [&] { return static_cast<uint8_t>(random()); });
    if (round % 2 == 0) {
      // A believable length, so that the content is looked at.
      const Be32 length(static_cast<uint32_t>(garbage.size()));
      garbage.insert(garbage.begin(), length.bytes, length.bytes + 4);
    }
    peer->send_bytes(garbage);
    pump();
  }
  EXPECT_TRUE(greeted(true));
  EXPECT_TRUE(handler_.applied.empty());
}

TEST_F(IpcServerTest, EndsAConnectionThatAnnouncesAHugeFrame) {
  auto peer = client();
  peer->send_bytes(std::vector<uint8_t>{0x0f, 0xff, 0xff, 0xff, 1});
  EXPECT_TRUE(peer->receive()->has_error());
  EXPECT_TRUE(peer->is_ended_by_peer());
  auto reader = greeted(false);
  reader->send_bytes(std::vector<uint8_t>{0x0f, 0xff, 0xff, 0xff, 1});
  EXPECT_TRUE(reader->receive()->has_error());
}

TEST_F(IpcServerTest, DropsAPeerThatDoesNotFinishItsHello) {
  auto peer = client();
  peer->send_bytes(std::vector<uint8_t>{0, 0, 0, 9, 1});
  now_ += 6s;
  EXPECT_TRUE(peer->is_ended_by_peer());
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(IpcServerTest, TellsWhyAChangeIsRefusedAndTakesTheNext) {
  auto peer = greeted(true);
  auto bad = apply(1);
  bad.mutable_apply()->add_pools()->set_name("web");
  const auto refused = peer->ask(bad);
  ASSERT_TRUE(refused && refused->has_apply_reply());
  EXPECT_NE(refused->apply_reply().error().find("pool web"), std::string::npos);
  EXPECT_TRUE(handler_.applied.empty());
  EXPECT_EQ(peer->ask(apply(1))->apply_reply().error(), "");
}

TEST_F(IpcServerTest, GivesTheLeaseToOneConnectionOnly) {
  auto first = greeted(true);
  auto second = client();
  const auto reply = second->ask(hello(true));
  EXPECT_FALSE(reply->hello_reply().has_lease());
  EXPECT_NE(reply->hello_reply().lease_refused(), "");
  EXPECT_TRUE(second->ask(apply(1))->has_error());
  EXPECT_TRUE(handler_.applied.empty());
  EXPECT_TRUE(second->ask(stats_request())->has_stats());
  EXPECT_TRUE(first->ask(apply(1))->has_apply_reply());
}

TEST_F(IpcServerTest, EndsTheLeaseWithItsConnection) {
  auto first = greeted(true);
  first->close();
  auto second = client();
  pump();
  EXPECT_TRUE(second->ask(hello(true))->hello_reply().has_lease());
}

TEST_F(IpcServerTest, GivesASilentHoldersLeaseToAnotherThatAsks) {
  auto first = greeted(true);
  now_ += 4s;
  EXPECT_TRUE(first->ask(stats_request())->has_stats());
  now_ += 4s;
  auto second = client();
  EXPECT_FALSE(second->ask(hello(true))->hello_reply().has_lease());
  now_ += 2s;
  EXPECT_TRUE(second->ask(hello(true))->hello_reply().has_lease());
  EXPECT_TRUE(first->ask(apply(1))->has_error());
  EXPECT_TRUE(second->ask(apply(2))->has_apply_reply());
  EXPECT_EQ(handler_.applied, std::vector<uint64_t>{2});
}

TEST_F(IpcServerTest, LeavesTheLeaseWithASilentHolderIfNobodyAsks) {
  auto peer = greeted(true);
  now_ += 1h;
  EXPECT_TRUE(peer->ask(apply(1))->has_apply_reply());
}

TEST_F(IpcServerTest, AnswersInOrderWhenAChangeTakesTime) {
  handler_.answers_later = true;
  auto peer = greeted(true);
  peer->send_message(apply(1));
  peer->send_message(stats_request());
  EXPECT_FALSE(peer->receive(50ms));
  ASSERT_EQ(handler_.tickets.size(), 1u);
  auto other = greeted(false);
  EXPECT_TRUE(other->ask(stats_request())->has_stats());
  ipc::ApplyReply reply;
  reply.set_generation(1);
  server_->answer(handler_.tickets[0], reply);
  EXPECT_TRUE(peer->receive()->has_apply_reply());
  EXPECT_TRUE(peer->receive()->has_stats());
}

TEST_F(IpcServerTest, ForgetsTheAnswerOfAPeerThatIsGone) {
  handler_.answers_later = true;
  auto peer = greeted(true);
  peer->send_message(apply(1));
  pump();
  peer->close();
  pump();
  EXPECT_EQ(server_->connections(), 0);
  server_->answer(handler_.tickets.at(0), ipc::ApplyReply());
}

TEST_F(IpcServerTest, DropsAPeerThatDoesNotReadItsReplies) {
  handler_.stats_size = size_t{4} << 20;
  auto peer = greeted(false);
  auto other = greeted(false);
  for (int i = 0; i < 30; ++i) {
    peer->send_message(stats_request());
  }
  pump();
  EXPECT_EQ(server_->connections(), 1);
  handler_.stats_size = 0;
  EXPECT_TRUE(other->ask(stats_request())->has_stats());
}

TEST_F(IpcServerTest, ServesNoMoreThanItsBoundAndTheOthersLater) {
  std::vector<std::unique_ptr<IpcClient>> peers;
  for (int i = 0; i < IpcServer::kMaxConnections; ++i) {
    peers.push_back(greeted(false));
  }
  auto late = client();
  late->send_message(hello(false));
  EXPECT_FALSE(late->receive(50ms));
  EXPECT_EQ(server_->connections(), IpcServer::kMaxConnections);
  peers.pop_back();
  EXPECT_TRUE(late->receive()->has_hello_reply());
}

TEST_F(IpcServerTest, TakesAWholeStateOfThirtyMegabytes) {
  auto peer = greeted(true);
  auto request = apply(1);
  for (int i = 0; i < 240; ++i) {
    ipc::Pool& pool = *request.mutable_apply()->add_pools();
    pool.set_name("pool" + std::to_string(i));
    pool.set_slots(std::string(2 * 65537, '\xff'));
  }
  const auto reply = peer->ask(request);
  ASSERT_TRUE(reply && reply->has_apply_reply());
  EXPECT_EQ(reply->apply_reply().error(), "");
}

}  // namespace
}  // namespace maglb
