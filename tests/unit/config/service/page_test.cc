// docs/configuration.md and the parser: the page's examples are read, its keys and words are those of the
// sources, and no key or word of the sources is missing there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "lib/config/service/parse.h"

namespace maglb {
namespace {

const std::filesystem::path kRoot = MAGLB_SOURCE_ROOT;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the page says of maglb.yaml.
std::string page() {
  const std::string text = read(kRoot / "docs/configuration.md");
  const size_t end = text.find("\n## dataplane.yaml");
  EXPECT_NE(end, std::string::npos);
  return text.substr(0, end);
}

std::vector<std::string> examples() {
  std::vector<std::string> found;
  const std::string text = page();
  const std::string start = "\n```yaml\n";
  for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const size_t begin = at + start.size();
    found.push_back(text.substr(begin, text.find("\n```\n", begin) + 1 - begin));
  }
  return found;
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), regex); at != std::sregex_iterator(); ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

std::string sources() {
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "lib/config/service")) {
    if (entry.path().extension() == ".cc") {
      text += read(entry.path());
    }
  }
  return text;
}

// "tls.pin" is a key and one within it.
std::set<std::string> keys_of_the_parser() {
  const std::string text = sources();
  std::set<std::string> keys = matches(text, "key_of<[^>]*>\\(\\s*\"([a-z0-9_]+)\"");
  for (const std::string& path :
       matches(text, "(?:optional|required|take|take_as)\\((?:map, )?\"([a-z0-9_.]+)\"")) {
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '.');) {
      keys.insert(part);
    }
  }
  return keys;
}

TEST(ConfigurationPage, ItsExamplesAreAccepted) {
  EXPECT_GE(examples().size(), 5u);
  for (const std::string& example : examples()) {
    EXPECT_EQ(example.rfind("version: 1\n", 0), 0u) << example;
    const auto config = parse_service_config(example, "example");
    EXPECT_TRUE(config) << config.error().to_string() << "\n" << example;
  }
}

TEST(ConfigurationPage, HasEveryKeyOfTheParser) {
  const std::string text = page();
  EXPECT_GT(keys_of_the_parser().size(), 75u);
  for (const std::string& key : keys_of_the_parser()) {
    EXPECT_TRUE(text.find('`' + key + '`') != std::string::npos) << key;
  }
}

TEST(ConfigurationPage, HasEveryWordOfTheParser) {
  const std::string text = page();
  const std::set<std::string> words = matches(sources(), "\\{\"([a-z0-9-]+)\",\\s*\\w+::k\\w+\\}");
  EXPECT_GT(words.size(), 30u);
  for (const std::string& word : words) {
    EXPECT_TRUE(text.find('`' + word + '`') != std::string::npos) << word;
  }
}

// By the first cells of the rows below "| key |".
TEST(ConfigurationPage, HasNoKeyThatTheParserRefuses) {
  const std::set<std::string> known = keys_of_the_parser();
  std::istringstream lines(page());
  bool in_keys = false;
  size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('|')) {
      in_keys = false;
    } else if (line.starts_with("| key")) {
      in_keys = true;
    } else if (in_keys && !line.starts_with("| ---")) {
      ++rows;
      for (const std::string& key : matches(line.substr(0, line.find(" |", 1)), "`([a-z0-9_]+)`")) {
        EXPECT_TRUE(known.contains(key)) << key;
      }
    }
  }
  EXPECT_GT(rows, 40u);
}

}  // namespace
}  // namespace maglb
