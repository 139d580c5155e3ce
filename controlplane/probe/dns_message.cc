#include "controlplane/probe/dns_message.h"

#include <ares.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/net/address.h"

namespace maglb {
namespace {

using Kind = DnsVerdict::Kind;

constexpr size_t kHeaderBytes = 12;
constexpr int kClassInternet = 1;
constexpr std::array<std::pair<std::string_view, uint16_t>, 8> kTypes = {
    {{"A", 1}, {"NS", 2}, {"CNAME", 5}, {"SOA", 6}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}, {"SRV", 33}}};

uint16_t type_number(std::string_view name) {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& e) { return e.first == name; });
  return found == kTypes.end() ? uint16_t{0} : found->second;
}

std::string_view rcode_name(uint8_t rcode) {
  constexpr std::array<std::string_view, 6> kNames = {"NOERROR",  "FORMERR", "SERVFAIL",
                                                      "NXDOMAIN", "NOTIMP",  "REFUSED"};
  return rcode < kNames.size() ? kNames[rcode] : "an error";
}

bool same_name(std::string_view a, std::string_view b) {
  const auto bare = [](std::string_view name) {
    return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
  };
  a = bare(a);
  b = bare(b);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// Reads a message from its beginning to its end. After the first read that does not fit, nothing does.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> message) : message_(message) {}

  bool has(size_t size) const { return message_.size() - place_ >= size; }
  void skip(size_t size) { place_ = has(size) ? place_ + size : message_.size(); }
  // REQUIRES: has(2).
  uint16_t u16() {
    const auto value = static_cast<uint16_t>(message_[place_] << 8 | message_[place_ + 1]);
    place_ += 2;
    return value;
  }
  // REQUIRES: has(size).
  std::span<const uint8_t> octets(size_t size) {
    const auto bytes = message_.subspan(place_, size);
    place_ += size;
    return bytes;
  }
  // A compressed name may point anywhere before it; c-ares follows and bounds that.
  std::optional<std::string> name() {
    if (!has(1)) {
      return std::nullopt;
    }
    char* text = nullptr;
    long used = 0;
    if (ares_expand_name(message_.data() + place_, message_.data(), static_cast<int>(message_.size()), &text,
                         &used) != ARES_SUCCESS) {
      return std::nullopt;
    }
    const std::unique_ptr<char, void (*)(char*)> owner(text, [](char* t) { ares_free_string(t); });
    skip(static_cast<size_t>(used));
    return std::string(text);
  }
  size_t place() const { return place_; }
  void go_to(size_t place) { place_ = std::min(place, message_.size()); }

 private:
  std::span<const uint8_t> message_;
  size_t place_ = 0;
};

std::string txt_of(std::span<const uint8_t> data) {
  std::string text;
  while (!data.empty()) {
    const size_t size = std::min<size_t>(data[0], data.size() - 1);
    text.append(reinterpret_cast<const char*>(data.data()) + 1, size);
    data = data.subspan(size + 1);
  }
  return text;
}

bool address_is(std::span<const uint8_t> data, const std::string& expect) {
  const auto wanted = IpAddress::parse(expect);
  if (!wanted) {
    return false;
  }
  IpAddress address;
  if (data.size() == 4) {
    address = IpAddress::v4({data[0], data[1], data[2], data[3]});
  } else if (data.size() == 16) {
    std::copy(data.begin(), data.end(), address.bytes.begin());
  } else {
    return false;
  }
  return address == *wanted;
}

// How many octets of a record's data come before the name in it; none: it has no name.
std::optional<size_t> before_name(uint16_t type) {
  switch (type) {
    case 2:
    case 5:
    case 6:
      return 0;
    case 15:
      return 2;
    case 33:
      return 6;
    default:
      return std::nullopt;
  }
}

// One record at the reader, which goes behind it. Nothing: it is cut off or wrong.
std::optional<bool> next_answer_says(Reader& reader, const std::string& expect) {
  constexpr size_t kFixedBytes = 10;
  if (!reader.name() || !reader.has(kFixedBytes)) {
    return std::nullopt;
  }
  const uint16_t type = reader.u16();
  reader.skip(6);  // class and time to live
  const size_t size = reader.u16();
  if (!reader.has(size)) {
    return std::nullopt;
  }
  const size_t behind = reader.place() + size;
  bool says = false;
  if (const auto before = before_name(type)) {
    reader.skip(*before);
    const auto name = *before < size ? reader.name() : std::nullopt;
    if (!name) {
      return std::nullopt;
    }
    says = same_name(*name, expect);
  } else if (type == 16) {
    says = txt_of(reader.octets(size)) == expect;
  } else if (type == 1 || type == 28) {
    says = address_is(reader.octets(size), expect);
  }
  reader.go_to(behind);
  return says;
}

DnsVerdict judge_answers(Reader& reader, uint32_t answers, bool truncated, const std::string& expect) {
  for (uint32_t i = 0; i < std::min(answers, kMaxDnsAnswers); ++i) {
    const auto says = next_answer_says(reader, expect);
    if (!says) {
      return {Kind::kBad, truncated ? "the answer is truncated" : "the answer is malformed"};
    }
    if (*says) {
      return {Kind::kGood, "NOERROR"};
    }
  }
  return {Kind::kBad, fmt::format("none of {} answers is the expected one{}", answers,
                                  truncated ? ", and the message is truncated" : "")};
}

}  // namespace

Result<std::vector<uint8_t>> dns_question(const ProbeDns& dns, uint16_t id) {
  const uint16_t type = type_number(dns.type);
  if (type == 0) {
    return fail(ErrorKind::kInvalid, fmt::format("type {} cannot be asked for", dns.type));
  }
  unsigned char* bytes = nullptr;
  int size = 0;
  const int status = ares_create_query(dns.name.c_str(), kClassInternet, type, id, 1, &bytes, &size, 0);
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(
      bytes, [](unsigned char* b) { ares_free_string(b); });
  if (status != ARES_SUCCESS) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} cannot be asked for: {}", dns.name, ares_strerror(status)));
  }
  return std::vector<uint8_t>(bytes, bytes + size);
}

DnsVerdict judge_dns(std::span<const uint8_t> message, const ProbeDns& dns, uint16_t id) {
  Reader reader(message);
  if (!reader.has(kHeaderBytes) || reader.u16() != id) {
    return {Kind::kNotOurs, "the answer has another id"};
  }
  const uint16_t flags = reader.u16();
  const uint16_t questions = reader.u16();
  const uint16_t answers = reader.u16();
  reader.skip(4);
  const bool is_response = (flags & 0x8000) != 0;
  const auto rcode = static_cast<uint8_t>(flags & 0xf);
  // A server that did not understand may leave the question out.
  if (is_response && questions == 0 && rcode != 0) {
    return {Kind::kBad, fmt::format("rcode {} ({})", rcode, rcode_name(rcode))};
  }
  const auto name = questions == 1 ? reader.name() : std::nullopt;
  if (!is_response || !name || !reader.has(4) || !same_name(*name, dns.name) ||
      reader.u16() != type_number(dns.type) || reader.u16() != kClassInternet) {
    return {Kind::kNotOurs, "the answer is to another question"};
  }
  if (rcode != 0) {
    return {Kind::kBad, fmt::format("rcode {} ({})", rcode, rcode_name(rcode))};
  }
  if (dns.expect.empty()) {
    return {Kind::kGood, "NOERROR"};
  }
  return judge_answers(reader, answers, (flags & 0x0200) != 0, dns.expect);
}

}  // namespace maglb
