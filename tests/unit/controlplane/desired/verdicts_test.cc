#include "controlplane/desired/verdicts.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

const IpAddress kAddress = *IpAddress::parse("10.0.1.1");

ServiceConfig config_of(std::initializer_list<const char*> backends) {
  ServiceConfig config;
  config.pools.emplace_back();
  config.pools[0].name = "web";
  for (const char* name : backends) {
    config.pools[0].backends.push_back({name, kAddress});
  }
  return config;
}

Verdicts::Opinion opinions(std::map<std::string, ProbeOpinion> known) {
  return [known](const std::string&, const std::string& backend) {
    const auto found = known.find(backend);
    return found == known.end() ? ProbeOpinion::kUnknown : found->second;
  };
}

TEST(Verdicts, FollowWhatTheProbeKnows) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a", "b", "c"}), opinions({{"a", ProbeOpinion::kHealthy},
                                                       {"b", ProbeOpinion::kUnhealthy},
                                                       {"c", ProbeOpinion::kUnchecked}}));
  EXPECT_TRUE(verdicts.is_healthy("web", "a"));
  EXPECT_FALSE(verdicts.is_healthy("web", "b"));
  EXPECT_TRUE(verdicts.is_healthy("web", "c"));
}

TEST(Verdicts, ANewPoolServesBeforeItsFirstProbe) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a", "b"}), opinions({}));
  EXPECT_TRUE(verdicts.is_healthy("web", "a"));
  verdicts.judge(config_of({"a", "b"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  EXPECT_TRUE(verdicts.is_healthy("web", "b")) << "one that is still unknown does not leave for that";
}

TEST(Verdicts, ANewBackendOfAKnownPoolWaitsForItsProbe) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  verdicts.judge(config_of({"a", "b"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  EXPECT_FALSE(verdicts.is_healthy("web", "b"));
}

TEST(Verdicts, ABackendWithAnotherAddressIsANewOne) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a", "b"}), opinions({}));
  ServiceConfig moved = config_of({"a", "b"});
  moved.pools[0].backends[1].address = *IpAddress::parse("10.0.1.2");
  verdicts.judge(moved, opinions({{"a", ProbeOpinion::kHealthy}}));
  EXPECT_FALSE(verdicts.is_healthy("web", "b"));
}

TEST(Verdicts, TheUnknownServeWhenNobodyElseDoes) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  verdicts.judge(config_of({"a", "b"}), opinions({{"a", ProbeOpinion::kUnhealthy}}));
  EXPECT_FALSE(verdicts.is_healthy("web", "a"));
  EXPECT_TRUE(verdicts.is_healthy("web", "b"));
}

TEST(Verdicts, WhoIsOnTrialIsNotJudgedAndWaitsWhenOneIsHealthy) {
  Verdicts verdicts;
  verdicts.judge(config_of({"a"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  verdicts.judge(config_of({"a", "b"}), opinions({{"a", ProbeOpinion::kUnhealthy}}));
  EXPECT_TRUE(verdicts.is_judged("web", "a"));
  EXPECT_FALSE(verdicts.is_judged("web", "b"));
  verdicts.judge(config_of({"a", "b"}), opinions({{"a", ProbeOpinion::kHealthy}}));
  EXPECT_FALSE(verdicts.is_healthy("web", "b"));
  verdicts.judge(config_of({"a", "b"}), opinions({{"b", ProbeOpinion::kHealthy}}));
  EXPECT_TRUE(verdicts.is_judged("web", "b"));
  EXPECT_TRUE(verdicts.is_healthy("web", "b"));
}

TEST(Verdicts, WhatAnEarlierProcessKnewCountsUntilTheProbeHasAnOutcome) {
  Verdicts verdicts;
  verdicts.remember({"web", "a"}, kAddress, true);
  verdicts.remember({"web", "b"}, kAddress, false);
  verdicts.judge(config_of({"a", "b"}), opinions({}));
  EXPECT_TRUE(verdicts.is_healthy("web", "a"));
  EXPECT_FALSE(verdicts.is_healthy("web", "b"));
}

}  // namespace
}  // namespace maglb
