#include "controlplane/probe/grpc_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace maglb {
namespace {

constexpr size_t kPrefixBytes = 5;
constexpr size_t kMostTextBytes = 160;

// Protobuf's wire types; groups (3, 4) are long gone.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

// Takes one from the front; nothing when it does not end, or holds more than 64 bits.
std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t value = 0;
  for (size_t i = 0; i < in.size() && i < 10; ++i) {
    const auto octet = static_cast<uint8_t>(in[i]);
    if (i == 9 && octet > 1) {
      return std::nullopt;
    }
    value |= static_cast<uint64_t>(octet & 0x7f) << (7 * i);
    if (octet < 0x80) {
      in.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

bool skip(std::string_view& in, uint64_t size) {
  if (size > in.size()) {
    return false;
  }
  in.remove_prefix(static_cast<size_t>(size));
  return true;
}

bool skip_field(std::string_view& in, uint64_t wire_type) {
  if (wire_type == kVarint) {
    return take_varint(in).has_value();
  }
  if (wire_type == kBytes) {
    const std::optional<uint64_t> size = take_varint(in);
    return size && skip(in, *size);
  }
  return (wire_type == kFixed64 && skip(in, 8)) || (wire_type == kFixed32 && skip(in, 4));
}

Result<ServingStatus> parse_message(std::string_view message) {
  uint64_t status = 0;
  while (!message.empty()) {
    const std::optional<uint64_t> tag = take_varint(message);
    if (!tag || (*tag >> 3) == 0 || (*tag >> 3) > 0x1fffffff) {
      return fail(ErrorKind::kInvalid, "a field of the reply has no number");
    }
    if (*tag == (1 << 3 | kVarint)) {
      const std::optional<uint64_t> value = take_varint(message);
      if (!value) {
        return fail(ErrorKind::kInvalid, "the reply's status is cut off");
      }
      status = *value;
    } else if ((*tag >> 3) == 1) {
      return fail(ErrorKind::kInvalid, "the reply's status is no number");
    } else if (!skip_field(message, *tag & 7)) {
      return fail(ErrorKind::kInvalid, "a field of the reply is cut off");
    }
  }
  return static_cast<ServingStatus>(status);
}

std::optional<char> hex_octet(std::string_view digits) {
  uint8_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != 2) {
    return std::nullopt;
  }
  return static_cast<char>(value);
}

}  // namespace

std::string to_string(ServingStatus status) {
  constexpr std::array<std::string_view, 4> kNames = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  const auto number = static_cast<uint64_t>(status);
  return number < kNames.size() ? std::string(kNames[number]) : fmt::format("status {}", number);
}

std::string health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    put_varint(message, 1 << 3 | kBytes);
    put_varint(message, service.size());
    message += service;
  }
  const auto size = static_cast<uint32_t>(message.size());
  std::string body(kPrefixBytes, '\0');
  for (size_t i = 0; i < 4; ++i) {
    body[1 + i] = static_cast<char>(size >> (24 - 8 * i));
  }
  return body + message;
}

Result<ServingStatus> parse_health_reply(std::string_view body) {
  if (body.size() < kPrefixBytes) {
    return fail(ErrorKind::kInvalid, body.empty() ? "the reply has no message" : "the reply is cut off");
  }
  if (body[0] != 0) {
    return fail(ErrorKind::kInvalid, "the reply is compressed, which was not asked for");
  }
  uint64_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    size = size << 8 | static_cast<uint8_t>(body[i]);
  }
  body.remove_prefix(kPrefixBytes);
  if (size != body.size()) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the reply says {} bytes and has {} of them", size, body.size()));
  }
  return parse_message(body);
}

Result<std::string> grpc_status_name(std::string_view code) {
  constexpr std::array<std::string_view, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), number);
  if (code.empty() || error != std::errc() || end != code.data() + code.size()) {
    return fail(ErrorKind::kInvalid, "grpc-status is no number");
  }
  return number < kNames.size() ? std::string(kNames[number]) : fmt::format("code {}", number);
}

std::string grpc_message_text(std::string_view encoded) {
  std::string text;
  for (size_t i = 0; i < encoded.size() && text.size() < kMostTextBytes; ++i) {
    char c = encoded[i];
    if (c == '%') {
      if (const std::optional<char> octet = hex_octet(encoded.substr(i + 1, 2))) {
        c = *octet;
        i += 2;
      }
    }
    text.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  }
  return text;
}

}  // namespace maglb
