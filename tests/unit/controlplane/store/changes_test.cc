// What is written row by row: health and drains.
#include <gtest/gtest.h>

#include "controlplane/store/store.h"
#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;
using Keys = std::vector<std::pair<std::string, std::string>>;

StoredHealth health(std::string backend, bool healthy) {
  return {"web", std::move(backend), healthy, system_clock::time_point(milliseconds(7)), "why"};
}

class StoreChangesTest : public testing::Test {
 protected:
  Store open() {
    auto store = Store::open(dir_.path() / "state");
    EXPECT_TRUE(store) << store.error().message;
    return std::move(store).value();
  }
  test::TempDir dir_;
};

TEST_F(StoreChangesTest, ChangesOnlyTheRowsThatAreNamed) {
  {
    Store store = open();
    ASSERT_TRUE(
        store.save_health_changes(std::vector{health("a", true), health("b", true), health("c", true)}, {}));
    ASSERT_TRUE(store.save_health_changes(std::vector{health("b", false), health("d", true)},
                                          Keys{{"web", "c"}, {"web", "nobody"}}));
  }
  EXPECT_EQ(open().load()->health, (std::vector{health("a", true), health("b", false), health("d", true)}));
}

TEST_F(StoreChangesTest, KeepsSinceWhenBackendsAreInDrain) {
  const StoredDrain a{"web", "a", system_clock::time_point(milliseconds(1234)), false};
  StoredDrain b{"web", "b", system_clock::time_point(milliseconds(5678)), false};
  {
    Store store = open();
    ASSERT_TRUE(store.save_drain_changes(std::vector{a, b}, {}));
    b.passed = true;
    ASSERT_TRUE(store.save_drain_changes(std::vector{b}, Keys{{"web", "a"}}));
  }
  EXPECT_EQ(open().load()->drains, std::vector{b});
}

}  // namespace
}  // namespace maglb
