#include "controlplane/probe/grpc_message.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace maglb::test {
namespace {

using namespace std::string_literals;

std::string framed(const std::string& message) {
  return "\0\0\0\0"s + static_cast<char>(message.size()) + message;
}

std::string told(const std::string& body) {
  const Result<ServingStatus> status = parse_health_reply(body);
  return status ? to_string(*status) : status.error().message;
}

TEST(GrpcMessage, AsksForAServiceOrForTheServer) {
  EXPECT_EQ(health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(health_request("web"), "\0\0\0\0\5\x0a\3web"s);
  const std::string name(300, 'x');
  EXPECT_EQ(health_request(name), "\0\0\0\1\x2f\x0a\xac\2"s + name);
}

TEST(GrpcMessage, ReadsEveryStatus) {
  EXPECT_EQ(told(framed("\x08\0"s)), "UNKNOWN");
  EXPECT_EQ(told(framed("\x08\1")), "SERVING");
  EXPECT_EQ(told(framed("\x08\2")), "NOT_SERVING");
  EXPECT_EQ(told(framed("\x08\3")), "SERVICE_UNKNOWN");
  EXPECT_EQ(told(framed("\x08\4")), "status 4");
  EXPECT_EQ(told(framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1")), "status 18446744073709551615");
  EXPECT_EQ(told(framed("")), "UNKNOWN") << "a field that is not there is 0";
}

TEST(GrpcMessage, TheLastStatusCountsAndOtherFieldsAreSkipped) {
  EXPECT_EQ(told(framed("\x08\1\x08\2")), "NOT_SERVING");
  EXPECT_EQ(told(framed("\x12\2ab\x18\x85\1\x21"
                        "12345678"
                        "\x2d"
                        "1234"
                        "\x08\1")),
            "SERVING");
}

TEST(GrpcMessage, RefusesWhatIsNoReply) {
  EXPECT_EQ(told(""), "the reply has no message");
  EXPECT_EQ(told("\0\0\0\0"s), "the reply is cut off");
  EXPECT_EQ(told("\1\0\0\0\2\x08\1"s), "the reply is compressed, which was not asked for");
  EXPECT_EQ(told("\0\0\0\0\3\x08\1"s), "the reply says 3 bytes and has 2 of them");
  EXPECT_EQ(told("\0\xff\xff\xff\xff\x08\1"s), "the reply says 4294967295 bytes and has 2 of them");
  EXPECT_EQ(told(framed("\x08\1") + framed("\x08\1")), "the reply says 2 bytes and has 9 of them");
  EXPECT_EQ(told(framed("\x0a\2up")), "the reply's status is no number");
  EXPECT_EQ(told(framed("\x08")), "the reply's status is cut off");
  EXPECT_EQ(told(framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\2")), "the reply's status is cut off");
  EXPECT_EQ(told(framed("\x12\xff\xff\xff\xff\x0f"
                        "a")),
            "a field of the reply is cut off");
  EXPECT_EQ(told(framed("\x13\x14")), "a field of the reply is cut off") << "a group";
  EXPECT_EQ(told(framed("\0\0"s)), "a field of the reply has no number");
  EXPECT_EQ(told(framed("\x80")), "a field of the reply has no number");
}

TEST(GrpcMessage, SurvivesEveryReply) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view kLikely("\0\1\2\x08\x0a\x12\x1d\x21\x7f\x80\xff", 11);
  for (int round = 0; round < 20000; ++round) {
    std::string message(random() % 24, '\0');
    for (char& c : message) {
      c = random() % 4 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    }
    const std::string exact(framed(message));  // of its size, so that sanitizers see a byte too far
    parse_health_reply(exact);
    parse_health_reply(message);
    EXPECT_LE(grpc_message_text(message).size(), message.size());
  }
}

TEST(GrpcMessage, NamesTheCallsStatus) {
  EXPECT_EQ(*grpc_status_name("0"), "OK");
  EXPECT_EQ(*grpc_status_name("12"), "UNIMPLEMENTED");
  EXPECT_EQ(*grpc_status_name("16"), "UNAUTHENTICATED");
  EXPECT_EQ(*grpc_status_name("17"), "code 17");
  for (const char* text : {"", "x", "-1", "1x", " 1", "99999999999"}) {
    EXPECT_FALSE(grpc_status_name(text)) << text;
  }
}

TEST(GrpcMessage, ReadsTheCallsMessage) {
  EXPECT_EQ(grpc_message_text("50%25 of%0a it%"), "50% of? it%");
  EXPECT_EQ(grpc_message_text("%4"), "%4");
  EXPECT_EQ(grpc_message_text("%zz%-1"), "%zz%-1");
  EXPECT_EQ(grpc_message_text(std::string(5000, 'x')).size(), 160u);
}

}  // namespace
}  // namespace maglb::test
