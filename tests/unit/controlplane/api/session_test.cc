// Streams over a real socket. Requests, limits and TLS are tested at the daemon (tests/controlplane).
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "controlplane/api/http_server.h"
#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

using namespace std::chrono_literals;

class StreamTest : public testing::Test {
 protected:
  // A server whose answers are streams by `stream`, and a connection that has asked for one.
  void ask(std::function<void(std::shared_ptr<BodyWriter>)> stream) {
    const std::string path = directory_.path() / "socket";
    auto server = HttpServer::on_unix(io_, path, {}, [stream](const ApiRequest&, const Respond& respond) {
      respond({200, "text/plain", "", "", "", stream});
    });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    client_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(connect(client_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_EQ(send(client_.get(), kRequest.data(), kRequest.size(), 0),
              static_cast<ssize_t>(kRequest.size()));
  }

  template <typename Condition>
  bool runs_until(Condition condition) {
    for (int i = 0; i < 20000 && !condition(); ++i) {
      io_.run_for(1ms);
    }
    return condition();
  }

  // What comes until the server closes.
  std::string read_all() {
    std::string said;
    bool closed = false;
    const auto read_some = [&] {
      char piece[65536];
      for (ssize_t n = 1; n > 0;) {
        n = recv(client_.get(), piece, sizeof piece, MSG_DONTWAIT);
        said.append(piece, static_cast<size_t>(std::max<ssize_t>(n, 0)));
        closed = n == 0;
      }
      return closed;
    };
    EXPECT_TRUE(runs_until(read_some));
    return said;
  }

  test::TempDir directory_;
  boost::asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  UniqueFd client_;
};

TEST_F(StreamTest, AReaderThatDoesNotReadGetsItsBoundAndTheLastWord) {
  const std::string piece(65536, 'x');
  size_t taken = 0;
  bool ended = false;
  ask([&](const std::shared_ptr<BodyWriter>& body) {
    while (body->write(piece)) {
      ++taken;
    }
    body->end("the end\n");
    EXPECT_FALSE(body->write("more"));
    ended = true;
  });
  ASSERT_TRUE(runs_until([&] { return ended; }));
  EXPECT_EQ(taken * piece.size(), BodyWriter::kMaxQueued);
  const std::string said = read_all();
  EXPECT_TRUE(said.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(said.ends_with("xthe end\n"));
  EXPECT_EQ(said.size() - said.find("\r\n\r\n") - 4, BodyWriter::kMaxQueued + 8);
}

TEST_F(StreamTest, AReaderThatGoesIsNoticed) {
  std::shared_ptr<BodyWriter> writer;
  bool closed = false;
  ask([&](std::shared_ptr<BodyWriter> body) {
    body->on_closed([&] { closed = true; });
    body->write("hello");
    writer = std::move(body);
  });
  ASSERT_TRUE(runs_until([&] { return writer != nullptr; }));
  EXPECT_FALSE(closed);
  client_ = UniqueFd();
  EXPECT_TRUE(runs_until([&] { return closed; }));
  EXPECT_FALSE(writer->write("more"));
}

TEST_F(StreamTest, TheServersEndIsThatOfItsStreams) {
  bool began = false;
  bool closed = false;
  ask([&](const std::shared_ptr<BodyWriter>& body) {
    body->on_closed([&] { closed = true; });
    began = true;
  });
  ASSERT_TRUE(runs_until([&] { return began; }));
  server_.reset();
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace maglb
