#include "tools/maglbctl/render/field.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

const Json kObject = Json::parse(R"({
  "name": "web", "empty": "", "null": null, "number": 1234567, "negative": -1, "fraction": 0.5, "yes": true,
  "list": ["a", "b\u001b"], "object": {"inner": 1}, "backends_up": 1, "backends_total": 2, "evil": "\u001b[2J"})");

TEST(Field, MissingAndNullAndForeignTypesAreADash) {
  for (const char* name : {"missing", "null", "empty", "list", "object"}) {
    EXPECT_EQ(text(kObject, name), "-") << name;
  }
  for (const char* name : {"missing", "null", "name", "negative", "fraction", "list", "object"}) {
    EXPECT_EQ(count(kObject, name), "-") << name;
    EXPECT_EQ(bytes(kObject, name), "-") << name;
    EXPECT_EQ(exact(kObject, name), "-") << name;
  }
  for (const char* name : {"missing", "null", "name", "list"}) {
    EXPECT_EQ(duration(kObject, name), "-") << name;
    EXPECT_EQ(share(kObject, name), "-") << name;
    EXPECT_EQ(joined(kObject, "name"), "-");
    EXPECT_FALSE(is_true(kObject, name));
  }
}

TEST(Field, ReadingFromWhatIsNoObjectIsADash) {
  for (const char* document : {"null", "7", "\"text\"", "[1, 2]"}) {
    EXPECT_EQ(text(Json::parse(document), "name"), "-");
  }
}

TEST(Field, ReadsEachType) {
  EXPECT_EQ(text(kObject, "name"), "web");
  EXPECT_EQ(text(kObject, "number"), "1234567");
  EXPECT_EQ(text(kObject, "yes"), "yes");
  EXPECT_EQ(count(kObject, "number"), "1.2 M");
  EXPECT_EQ(exact(kObject, "number"), "1,234,567");
  EXPECT_EQ(share(kObject, "fraction"), "50.0 %");
  EXPECT_EQ(duration(kObject, "fraction"), "500ms");
}

TEST(Field, EscapesWhatComesFromTheDaemon) {
  EXPECT_EQ(text(kObject, "evil"), "\\x1b[2J");
  EXPECT_EQ(joined(kObject, "list"), "a, b\\x1b");
}

TEST(Field, ShowsHowManyAreUpInTheToneOfHowBadItIs) {
  EXPECT_EQ(up_of_total(kObject, "backends").text, "1/2");
  EXPECT_EQ(up_of_total(kObject, "backends").tone, Tone::kWarning);
  EXPECT_EQ(up_of_total(Json::parse(R"({"backends_up": 2, "backends_total": 2})"), "backends").tone,
            Tone::kGood);
  EXPECT_EQ(up_of_total(Json::parse(R"({"backends_up": 0, "backends_total": 2})"), "backends").tone,
            Tone::kBad);
  EXPECT_EQ(up_of_total(kObject, "servers").text, "-");
}

TEST(Field, AnAnswerWithoutItsListIsAnError) {
  EXPECT_FALSE(objects(kObject, "services"));
  EXPECT_FALSE(objects(kObject, "name"));
  EXPECT_FALSE(objects(kObject, "list"));  // of strings
  EXPECT_FALSE(objects(Json(7), "services"));
  EXPECT_TRUE(objects(Json::parse(R"({"services": []})"), "services"));
}

}  // namespace
}  // namespace maglb::ctl
