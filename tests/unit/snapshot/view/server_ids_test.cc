#include "lib/snapshot/view/server_ids.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace maglb {
namespace {

ServerId id_of(const std::string& octets) {
  ServerId id;
  id.length = static_cast<uint8_t>(octets.size());
  std::copy(octets.begin(), octets.end(), id.bytes.begin());
  return id;
}

TEST(ServerIds, FindWhatAMapFinds) {
  for (const size_t size : {0u, 1u, 2u, 3u, 100u, 5000u}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(std::to_string(size) + " ids, seed " + std::to_string(seed));
      std::mt19937_64 random(seed);
      const auto random_octets = [&] {
        std::string octets(1 + random() % kLongestServerId, '\0');
        for (char& octet : octets) {
          octet = static_cast<char>(random() % 3);  // so that many begin alike, or end with zeros
        }
        return octets;
      };
      std::map<std::string, uint16_t> model;
      while (model.size() < size) {
        model.emplace(random_octets(), static_cast<uint16_t>(random()));
      }
      const std::vector<std::pair<std::string, uint16_t>> list(model.begin(), model.end());
      const ServerIds ids(list, std::pmr::get_default_resource());
      EXPECT_EQ(ids.empty(), model.empty());
      for (const auto& [octets, place] : model) {
        ASSERT_EQ(ids.find(id_of(octets)), place);
      }
      for (int i = 0; i < 2000; ++i) {
        const std::string octets = random_octets();
        const auto at = model.find(octets);
        ASSERT_EQ(ids.find(id_of(octets)), at == model.end() ? std::nullopt : std::optional(at->second));
      }
    }
  }
}

TEST(ServerIds, AnIdIsNotALongerOneThatBeginsAlike) {
  const std::pair<std::string, uint16_t> list[] = {{std::string("\0", 1), 1}, {std::string("\0\0\0", 3), 3}};
  const ServerIds ids(list, std::pmr::get_default_resource());
  EXPECT_EQ(ids.find(id_of(std::string(1, '\0'))), 1);
  EXPECT_EQ(ids.find(id_of(std::string(2, '\0'))), std::nullopt);
  EXPECT_EQ(ids.find(id_of(std::string(3, '\0'))), 3);
  EXPECT_EQ(ids.find(ServerId{}), std::nullopt);
}

}  // namespace
}  // namespace maglb
