// Every list and object in every output, against files: golden/NAME/answer.json is what the API answers,
// golden/NAME/{table,wide,yaml,json} what is printed. With MAGLB_GOLDEN_REWRITE set they are written anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tools/maglbctl/render/render.h"
#include "tools/maglbctl/render/yaml.h"

namespace maglb::ctl {
namespace {

using Render = Rendered (*)(const Json&, Columns);

constexpr bool kNoColour = false;

Rendered lookup(const Json& answer, Columns) {
  return render_flow_lookup({"tcp", "192.0.2.11", "40000", "2001:db8::1", "80"}, answer, kNoColour);
}

Rendered stats(const Json& answer, Columns columns) {
  const bool wide = columns == Columns::kWide;
  return render_stats(answer, {wide, wide}, kNoColour);
}

struct Case {
  std::string name;
  Render render;
};

const Case kCases[] = {
    {"status", [](const Json& answer, Columns) { return render_status(answer, kNoColour); }},
    {"services", [](const Json& answer, Columns wide) { return render_services(answer, kNoColour, wide); }},
    {"service", [](const Json& answer, Columns) { return render_service(answer, kNoColour); }},
    {"pools", [](const Json& answer, Columns wide) { return render_pools(answer, kNoColour, wide); }},
    {"pool", [](const Json& answer, Columns wide) { return render_pool(answer, kNoColour, wide); }},
    {"backends", [](const Json& answer, Columns wide) { return render_backends(answer, kNoColour, wide); }},
    {"backend", [](const Json& answer, Columns) { return render_backend(answer, kNoColour); }},
    {"flow-lookup", lookup},
    {"flow-summary",
     [](const Json& answer, Columns wide) { return render_flow_summary(answer, kNoColour, wide); }},
    {"stats", stats},
    {"hostile-status", [](const Json& answer, Columns) { return render_status(answer, kNoColour); }},
    {"hostile-services",
     [](const Json& answer, Columns wide) { return render_services(answer, kNoColour, wide); }},
    {"hostile-pool", [](const Json& answer, Columns wide) { return render_pool(answer, kNoColour, wide); }},
    {"hostile-backends",
     [](const Json& answer, Columns wide) { return render_backends(answer, kNoColour, wide); }},
    {"hostile-stats", stats},
    {"dataplane-away-stats", stats},
};

std::string path_of(const Case& one, const std::string& file) {
  return std::string(MAGLB_GOLDEN_DIR) + "/" + one.name + "/" + file;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void compare(const Case& one, const std::string& format, const std::string& text) {
  const std::string path = path_of(one, format);
  if (std::getenv("MAGLB_GOLDEN_REWRITE") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
  }
  EXPECT_EQ(text, read(path)) << path;
}

std::string shown(const Rendered& rendered) {
  return rendered ? *rendered : "ERROR " + rendered.error().message;
}

class Golden : public testing::TestWithParam<Case> {};

TEST_P(Golden, IsWhatTheFileSays) {
  const Json answer = Json::parse(read(path_of(GetParam(), "answer.json")));
  compare(GetParam(), "table", shown(GetParam().render(answer, Columns::kUsual)));
  compare(GetParam(), "wide", shown(GetParam().render(answer, Columns::kWide)));
  compare(GetParam(), "yaml", render_yaml(answer));
  compare(GetParam(), "json", render_json(answer));
}

// Whatever the files say: nothing steers a terminal, and no line ends with spaces.
TEST_P(Golden, IsSafeForATerminal) {
  for (const char* format : {"table", "wide", "yaml", "json"}) {
    const std::string text = read(path_of(GetParam(), format));
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find(" \n"), std::string::npos);
    for (const std::string_view code : {"\x1b", "\x07", "\r", "\t", "\x7f", "\xc2\x9b", "\xe2\x80\xae"}) {
      EXPECT_EQ(text.find(code), std::string::npos) << path_of(GetParam(), format);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Outputs, Golden, testing::ValuesIn(kCases), [](const auto& outputs) {
  std::string name = outputs.param.name;
  for (char& c : name) {
    c = c == '-' ? '_' : c;
  }
  return name;
});

}  // namespace
}  // namespace maglb::ctl
