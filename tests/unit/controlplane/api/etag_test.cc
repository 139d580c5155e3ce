#include "controlplane/api/etag.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

PoolConfig pool_of(uint32_t weight) {
  PoolConfig pool;
  pool.name = "web";
  BackendConfig backend{"web1", *IpAddress::parse("10.0.1.11")};
  backend.weight = weight;
  pool.backends = {backend};
  return pool;
}

TEST(Etag, FollowsTheConfigurationAndNothingElse) {
  EXPECT_EQ(pool_tag(pool_of(1)), pool_tag(pool_of(1)));
  EXPECT_NE(pool_tag(pool_of(1)), pool_tag(pool_of(2)));
  EXPECT_NE(backend_tag(pool_of(1).backends[0]), backend_tag(pool_of(2).backends[0]));
  PoolConfig probed = pool_of(1);
  probed.health.rise = 7;
  EXPECT_NE(pool_tag(probed), pool_tag(pool_of(1)));
  EXPECT_EQ(backend_tag(probed.backends[0]), backend_tag(pool_of(1).backends[0]));
}

TEST(Etag, IsQuotedWithoutCommaOrQuoteWithin) {
  const std::string tag = document_tag("a, \"b\"");
  EXPECT_TRUE(tag.starts_with('"') && tag.ends_with('"'));
  EXPECT_EQ(tag.find_first_of(",\"", 1), tag.size() - 1);
}

TEST(Etag, ListsNameTagsStronglyOrWeakly) {
  for (const char* list : {"\"a\"", " \"a\" ", "\"b\",\"a\"", "\"b\" ,\t\"a\",", "*", " * "}) {
    EXPECT_TRUE(names_strongly(list, "\"a\"")) << list;
    EXPECT_TRUE(names_weakly(list, "\"a\"")) << list;
  }
  EXPECT_FALSE(names_strongly("W/\"a\"", "\"a\""));
  EXPECT_TRUE(names_weakly("\"b\", W/\"a\"", "\"a\""));
  for (const char* list : {"", ",", "a", "\"b\"", "\"a", "w/\"a\"", "W/W/\"a\"", "*, \"b\"", "\"a\" \"b\""}) {
    EXPECT_FALSE(names_strongly(list, "\"a\"")) << list;
    EXPECT_FALSE(names_weakly(list, "\"a\"")) << list;
  }
}

}  // namespace
}  // namespace maglb
