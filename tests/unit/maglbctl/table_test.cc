#include "tools/maglbctl/render/table.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

TEST(Table, AlignsColumnsByTheirWidestCell) {
  Table table({{"NAME"}, {"N", Align::kRight}, {"NOTE"}});
  table.add({"web", "12345", "short"});
  table.add({"a-longer-name", "7", ""});
  EXPECT_EQ(table.to_string(false),
            "NAME               N  NOTE\n"
            "web            12345  short\n"
            "a-longer-name      7\n");
}

TEST(Table, WithoutRowsShowsItsHeading) {
  const Table table({{"NAME"}, {"N", Align::kRight}});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.to_string(false), "NAME  N\n");
}

TEST(Table, ColourChangesNoWidth) {
  Table table({{"HEALTH"}, {"N", Align::kRight}});
  table.add({{"healthy", Tone::kGood}, {"5", Tone::kBad}});
  EXPECT_EQ(table.to_string(false), "HEALTH   N\nhealthy  5\n");
  EXPECT_EQ(table.to_string(true), "HEALTH   N\n\x1b[32mhealthy\x1b[0m  \x1b[31m5\x1b[0m\n");
}

TEST(Table, CountsLettersAndNotBytes) {
  Table table({{"A"}, {"B"}});
  table.add({"K\xc3\xb6ln", "x"});
  table.add({"Rome", "y"});
  EXPECT_EQ(table.to_string(false), "A     B\nK\xc3\xb6ln  x\nRome  y\n");
}

TEST(Facts, AlignTheirValues) {
  Facts facts;
  facts.add("pool", "web");
  facts.add("next hop", "-");
  EXPECT_EQ(facts.to_string(false), "pool      web\nnext hop  -\n");
}

}  // namespace
}  // namespace maglb::ctl
