// Broken files: each is refused with its line, its column and its reason.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "lib/config/service/parse.h"

namespace maglb {
namespace {

struct Refusal {
  const char* name;
  const char* text;
  const char* message;  // the first problem
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << refusal.name;
}

// Line 1 and 2 of the cases on pools, backends and services.
#define POOL "version: 1\npools: {p: {backends: [{name: a, address: 10.0.0.1}]}}\n"

// With a pool of some fields, and a service of it with some.
#define BACKEND "backends: [{name: a, address: 10.0.0.1}]"
#define SERVICE "services:\n  - {name: s, address: 198.51.100.1, protocol: tcp, port: 80, pool: p"
// One pool with a probe of these fields.
#define PROBE(fields) "version: 1\npools:\n  p: {health: {" fields "}, " BACKEND "}\n"
#define FIELDS(fields) "version: 1\npools:\n  p: {" fields ", " BACKEND "}\n"

constexpr Refusal kRefusals[] = {
#include "tests/unit/config/service/option_refusals.inc"
#include "tests/unit/config/service/pool_refusals.inc"
#include "tests/unit/config/service/probe_refusals.inc"
#include "tests/unit/config/service/refusals.inc"
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithPlaceAndReason) {
  const auto config = parse_service_config(GetParam().text, "m.yaml");
  ASSERT_FALSE(config);
  ASSERT_FALSE(config.error().list().empty());
  EXPECT_EQ(config.error().describe(config.error().list().front()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(ServiceConfig, Refused, testing::ValuesIn(kRefusals),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace maglb
