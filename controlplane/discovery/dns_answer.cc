#include "controlplane/discovery/dns_answer.h"

#include <ares.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <optional>

namespace maglb {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr uint16_t kAlias = 5;
constexpr uint16_t kClassInternet = 1;
constexpr uint32_t kMaxTtl = 0x7fffffff;  // RFC 2181 8: with the highest bit it counts as 0
constexpr size_t kMaxAliases = 32;

std::string lower(std::string name) {
  if (name.ends_with('.')) {
    name.pop_back();
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// Reads on from a place; what does not fit is nothing.
class Cursor {
 public:
  Cursor(std::span<const uint8_t> message, size_t place) : message_(message), place_(place) {}

  bool has(size_t size) const { return message_.size() - place_ >= size; }
  size_t place() const { return place_; }
  // REQUIRES: has(size).
  void skip(size_t size) { place_ += size; }
  // REQUIRES: has(2).
  uint16_t u16() {
    const auto value = static_cast<uint16_t>(message_[place_] << 8 | message_[place_ + 1]);
    place_ += 2;
    return value;
  }
  // REQUIRES: has(4).
  uint32_t u32() {
    const uint32_t high = u16();
    return high << 16 | u16();
  }
  std::optional<std::string> name() {
    char* text = nullptr;
    long used = 0;
    if (!has(1) || ares_expand_name(message_.data() + place_, message_.data(),
                                    static_cast<int>(message_.size()), &text, &used) != ARES_SUCCESS) {
      return std::nullopt;
    }
    const std::unique_ptr<char, void (*)(char*)> owner(text, [](char* t) { ares_free_string(t); });
    if (!has(static_cast<size_t>(used))) {
      return std::nullopt;
    }
    skip(static_cast<size_t>(used));
    return lower(text);
  }

 private:
  std::span<const uint8_t> message_;
  size_t place_;  // <= message_.size()
};

struct Record {
  std::string owner;
  uint16_t type = 0;
  uint32_t ttl = 0;
  size_t data = 0;  // where it lies
  size_t size = 0;
};

std::optional<Record> read_record(Cursor& cursor) {
  Record record;
  auto owner = cursor.name();
  if (!owner || !cursor.has(10)) {
    return std::nullopt;
  }
  record.owner = std::move(*owner);
  record.type = cursor.u16();
  const uint16_t of_class = cursor.u16();
  const uint32_t ttl = cursor.u32();
  record.ttl = ttl > kMaxTtl ? 0 : ttl;
  record.size = cursor.u16();
  if (!cursor.has(record.size)) {
    return std::nullopt;
  }
  record.data = cursor.place();
  cursor.skip(record.size);
  if (of_class != kClassInternet) {
    record.type = 0;
  }
  return record;
}

std::optional<std::vector<Record>> read_records(std::span<const uint8_t> message) {
  if (message.size() < kHeaderBytes) {
    return std::nullopt;
  }
  Cursor cursor(message, 4);
  uint16_t questions = cursor.u16();
  const size_t answers = cursor.u16();
  cursor.skip(4);
  for (; questions > 0; --questions) {
    if (!cursor.name() || !cursor.has(4)) {
      return std::nullopt;
    }
    cursor.skip(4);
  }
  std::vector<Record> records;
  while (records.size() < std::min(answers, kMaxDnsRecords)) {
    auto record = read_record(cursor);
    if (!record) {
      return std::nullopt;
    }
    records.push_back(std::move(*record));
  }
  return records;
}

// The name that has the records, with the least TTL of the aliases on the way.
std::string follow_aliases(std::span<const uint8_t> message, const std::vector<Record>& records,
                           std::string name, uint32_t& ttl) {
  std::map<std::string, const Record*> aliases;
  for (const Record& record : records) {
    if (record.type == kAlias) {
      aliases.emplace(record.owner, &record);
    }
  }
  for (size_t i = 0; i < kMaxAliases; ++i) {
    const auto alias = aliases.find(name);
    if (alias == aliases.end()) {
      return name;
    }
    auto target = Cursor(message, alias->second->data).name();
    if (!target) {
      return name;
    }
    ttl = std::min(ttl, alias->second->ttl);
    name = std::move(*target);
  }
  return name;
}

// False when the data is none of the type.
bool take_data(std::span<const uint8_t> message, const Record& record, RecordType type, DnsAnswer& answer) {
  const auto data = message.subspan(record.data, record.size);
  if (type == RecordType::kA && data.size() == 4) {
    answer.addresses.push_back(IpAddress::v4({data[0], data[1], data[2], data[3]}));
    return true;
  }
  if (type == RecordType::kAaaa && data.size() == 16) {
    std::copy(data.begin(), data.end(), answer.addresses.emplace_back().bytes.begin());
    return true;
  }
  if (type != RecordType::kSrv || data.size() < 7) {
    return false;
  }
  Cursor cursor(message, record.data);
  SrvTarget target;
  target.priority = cursor.u16();
  target.weight = cursor.u16();
  target.port = cursor.u16();
  auto name = cursor.name();
  if (!name) {
    return false;
  }
  target.name = std::move(*name);
  answer.targets.push_back(std::move(target));
  return true;
}

}  // namespace

Result<DnsAnswer> read_answer(std::span<const uint8_t> message, const std::string& name, RecordType type) {
  const auto records = read_records(message);
  if (!records) {
    return fail(ErrorKind::kInvalid, "the answer is cut or mangled");
  }
  uint32_t ttl = kMaxTtl;
  const std::string owner = follow_aliases(message, *records, lower(name), ttl);
  DnsAnswer answer;
  for (const Record& record : *records) {
    if (record.owner != owner || record.type != static_cast<uint16_t>(type)) {
      continue;
    }
    if (!take_data(message, record, type, answer)) {
      return fail(ErrorKind::kInvalid, "the answer has a record of the wrong length");
    }
    ttl = std::min(ttl, record.ttl);
  }
  answer.ttl = std::chrono::seconds(ttl);
  return answer;
}

std::vector<WeightedName> serving_targets(const std::vector<SrvTarget>& targets) {
  uint16_t priority = UINT16_MAX;
  uint32_t greatest = 0;
  for (const SrvTarget& target : targets) {
    if (!target.name.empty()) {
      priority = std::min(priority, target.priority);
    }
  }
  for (const SrvTarget& target : targets) {
    if (target.priority == priority) {
      greatest = std::max<uint32_t>(greatest, target.weight);
    }
  }
  std::vector<WeightedName> names;
  for (const SrvTarget& target : targets) {
    if (target.name.empty() || target.priority != priority) {
      continue;
    }
    uint32_t weight = target.weight;
    if (greatest > kMaxWeight) {
      weight = weight * kMaxWeight / greatest;  // 65535 * 10000 is less than 2^32
    }
    names.push_back({target.name, std::max(weight, 1u)});
  }
  return names;
}

}  // namespace maglb
