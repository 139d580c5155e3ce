#include <gtest/gtest.h>

#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

constexpr bool kNoColour = false;

std::string shown(const Rendered& rendered) {
  return rendered ? *rendered : "ERROR " + rendered.error().message;
}

Json revisions() {
  return Json::parse(R"({"revisions": [
    {"revision": 3, "at": 1790000000.123, "source": "runtime", "why": "more", "size": 100, "running": true,
     "who": {"user": "root", "program": "maglbctl", "uid": 0, "gid": 0, "pid": 7}, "confirm_by": 1790000300},
    {"revision": 2, "at": 1789999000, "source": "runtime", "why": "", "size": 100, "running": true,
     "who": {"user": "alice", "program": "", "uid": null, "gid": null, "pid": null}, "confirm_by": null},
    {"revision": 1, "at": -1, "source": "file", "why": "the file changed", "size": 100, "running": false,
     "who": {"user": "file", "program": "", "uid": null, "gid": null, "pid": null}, "confirm_by": null}]})");
}

TEST(RenderRevisions, SaysWhoWhenAndWhy) {
  EXPECT_EQ(shown(render_revisions(revisions(), kNoColour)),
            "REVISION               WHEN                  WHO              SOURCE   WHY\n"
            "       3  unconfirmed  2026-09-21T14:13:20Z  root (maglbctl)  runtime  more\n"
            "       2  runs         2026-09-21T13:56:40Z  alice            runtime  -\n"
            "       1               -                     file             file     the file changed\n");
}

Json difference() {
  return Json::parse(R"({"from": "file", "to": "running", "changes": [
    {"path": "pools.old", "before": "2 backends", "after": null},
    {"path": "pools.web.backends.web1.weight", "before": "100", "after": "50"},
    {"path": "services.dns", "before": null, "after": "udp"}],
    "pools": [{"pool": "web", "moved": 1234, "slots": 65537, "share": 0.0188}]})");
}

TEST(RenderChanges, HasALineForEachAndTheShareOfSlots) {
  EXPECT_EQ(shown(render_changes(difference(), kNoColour)),
            "from file to running:\n"
            "- pools.old: 2 backends\n"
            "~ pools.web.backends.web1.weight: 100 -> 50\n"
            "+ services.dns: udp\n"
            "pool web: 1.9 % of its slots move (1,234 of 65,537)\n");
}

TEST(RenderChanges, SaysWhenThereAreNone) {
  const Json alike = Json::parse(R"({"from": "1", "to": "2", "changes": [], "pools": []})");
  EXPECT_EQ(shown(render_changes(alike, kNoColour)), "from 1 to 2: alike\n");
}

TEST(RenderChanges, ColoursWhatComesAndWhatGoes) {
  const std::string text = shown(render_changes(difference(), true));
  EXPECT_NE(text.find("\x1b[31m- pools.old"), std::string::npos);
  EXPECT_NE(text.find("\x1b[32m+ services.dns"), std::string::npos);
}

TEST(RenderEvents, HasALineForEach) {
  const Json events = Json::parse(R"({"last": 3, "events": [
    {"number": 1, "time": 1790000000.5, "kind": "health", "pool": "web", "backend": "web1", "text": "unhealthy: \u001b[2J"},
    {"number": 2, "time": 1790000001, "kind": "panic", "pool": "web", "backend": null, "text": "began"},
    {"number": 3, "time": 1790000002, "kind": "config", "pool": null, "backend": null, "text": "revision 2 applied"}]})");
  EXPECT_EQ(shown(render_event_lines(events, kNoColour)),
            "2026-09-21T14:13:20Z  health     web/web1: unhealthy: \\x1b[2J\n"
            "2026-09-21T14:13:21Z  panic      web: began\n"
            "2026-09-21T14:13:22Z  config     revision 2 applied\n");
  const std::string objects = shown(render_event_objects(events));
  EXPECT_EQ(std::count(objects.begin(), objects.end(), '\n'), 3);
  EXPECT_EQ(objects.find('\x1b'), std::string::npos);
}

TEST(RenderHistory, RefusesAnswersThatAreSomethingElse) {
  for (const char* document :
       {"{}", "[]", "null", "7", R"({"revisions": 7, "changes": [7], "events": {}})"}) {
    const Json json = Json::parse(document);
    EXPECT_FALSE(render_revisions(json, kNoColour)) << document;
    EXPECT_FALSE(render_changes(json, kNoColour)) << document;
    EXPECT_FALSE(render_event_lines(json, kNoColour)) << document;
    EXPECT_FALSE(render_event_objects(json)) << document;
  }
}

TEST(RenderHistory, ToleratesMembersOfForeignTypes) {
  const Json json = Json::parse(
      R"({"revisions": [{"at": "x", "who": 7}], "changes": [{"path": 7}], "pools": [{}], "events": [{"time": []}]})");
  EXPECT_TRUE(render_revisions(json, kNoColour));
  EXPECT_TRUE(render_changes(json, kNoColour));
  EXPECT_TRUE(render_event_lines(json, kNoColour));
}

}  // namespace
}  // namespace maglb::ctl
