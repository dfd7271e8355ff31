// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which changes between two builds count, on figures made up by hand.
#include "bench/report/compare.hpp"

#include <gtest/gtest.h>

#include "results.hpp"

namespace {

using report::Change;
using report::Rounds;

TEST(Compare, TakesMediansAndTheSpreadOfTheFasterRounds) {
  // Before: 100 to 104 and two disturbed rounds. After: 120 to 122 and two.
  const auto changes =
      report::compare({{"a", {102, 160, 100, 101, 103, 104, 150}, {120, 120, 121, 200, 121, 122, 130}}});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_DOUBLE_EQ(changes[0].before, 103.0);
  EXPECT_DOUBLE_EQ(changes[0].after, 121.0);
  EXPECT_NEAR(changes[0].noise, 1.0816, 1e-9);  // 1.04 * 1.04
  EXPECT_TRUE(changes[0].slower());
  EXPECT_FALSE(changes[0].faster());
}

TEST(Compare, NamesGains) {
  const auto changes = report::compare({{"a", {120, 123, 121}, {102, 103, 100}}});
  EXPECT_TRUE(changes[0].faster());
  EXPECT_FALSE(changes[0].slower());
}

TEST(Compare, ChangesWithinTheSpreadOfEitherBuildAreNoise) {
  // 1.05 * 1.05 is 1.1025, whichever build it is whose rounds lie so far apart.
  const std::vector<double> apart = {100, 105, 100, 105, 105, 105, 105};
  EXPECT_FALSE(report::compare({{"a", apart, std::vector<double>(7, 115.7)}})[0].slower());
  EXPECT_TRUE(report::compare({{"a", apart, std::vector<double>(7, 115.8)}})[0].slower());
  EXPECT_FALSE(report::compare({{"a", std::vector<double>(7, 95.3), apart}})[0].slower());
  EXPECT_TRUE(report::compare({{"a", std::vector<double>(7, 95.2), apart}})[0].slower());
}

TEST(Compare, RoundsThatAgreeByChanceAreNoQuieterThanTheOthers) {
  // The spreads of the others are 4 %: 8 % of noise. The agreement of "a" proves nothing about a change of 5 %.
  const Rounds others = {"b", {100, 104, 104}, {100, 104, 104}};
  const Rounds agreeing = {"a", {100, 100, 100}, {105, 105, 105}};
  EXPECT_FALSE(report::compare({agreeing, others, others})[0].slower());
  EXPECT_TRUE(report::compare({agreeing})[0].slower());
}

TEST(Compare, TheSameBuildTwiceIsFlaggedRarely) {
  // 20,000 cases whose times are sums of 12 uniform figures, about normal, with deviations of 0.2 % to 4 %; one of 20
  // rounds is disturbed by up to a half. Not more than 1 of 10,000 may be flagged on either side.
  std::uint64_t state = 1;
  const auto uniform = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) / 9007199254740992.0;
  };
  std::vector<Rounds> cases;
  for (int i = 0; i < 20000; ++i) {
    Rounds one = {std::to_string(i), {}, {}};
    const double deviation = 0.002 * (1 + i % 20);
    for (int round = 0; round < 14; ++round) {
      double normal = -6.0;
      for (int j = 0; j < 12; ++j) normal += uniform();
      const double disturbed = uniform() < 0.05 ? 0.5 * uniform() : 0.0;
      (round % 2 == 0 ? one.before : one.after).push_back(1e-3 * (1.0 + deviation * normal + disturbed));
    }
    cases.push_back(one);
  }
  int flagged = 0;
  for (const Change& change : report::compare(cases)) flagged += change.slower() || change.faster() ? 1 : 0;
  EXPECT_LE(flagged, 4);
}

TEST(Compare, TooFewRoundsAreAnError) {
  try {
    report::compare({{"gemm: a", {1, 1, 1}, {1, 1}}});
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "gemm: a: expected at least 3 rounds of each build, got 3 and 2");
  }
}

/// Rounds of two cases with a little noise; the second is slower by `factor` in the build after.
void write_rounds(const made_up::Directory& directory, double factor) {
  const double noise[] = {1.0, 1.004, 0.998, 1.01, 1.002, 0.995, 1.001};
  for (int round = 1; round <= 7; ++round) {
    for (const bool after : {false, true}) {
      const double wobble = noise[(round + (after ? 3 : 0)) % 7];
      const std::string build = std::to_string(round) + (after ? "/after/" : "/before/");
      directory.write(build + "gemm.json",
                      made_up::file(made_up::one_case("k/int32/1x2x3/iterations:1/manual_time", 50.0 * wobble, "us") +
                                    "," + made_up::one_case("aggregate/k", 1.0 + (after ? 9.0 : 0.0), "ns")));
      directory.write(build + "layers.json",
                      made_up::file(made_up::one_case("Relu/8x4096", 2.0 * wobble * (after ? factor : 1.0), "ms") +
                                    (after ? "," + made_up::one_case("New/1", 1.0, "ms") : "")));
    }
  }
}

TEST(Compare, ReadsRoundsOfBothBuilds) {
  const made_up::Directory directory("compare rounds");
  write_rounds(directory, 1.0);
  const report::Measured measured = report::read_rounds(directory.path());
  ASSERT_EQ(measured.cases.size(), 2u);
  EXPECT_EQ(measured.cases[0].name, "gemm: k/int32/1x2x3");
  EXPECT_EQ(measured.cases[1].name, "layers: Relu/8x4096");
  EXPECT_EQ(measured.cases[1].before.size(), 7u);
  EXPECT_NEAR(measured.cases[1].before[0], 2.008e-3, 1e-9);
  EXPECT_EQ(measured.left_out, std::vector<std::string>{"layers: New/1 (0 rounds before, 7 after)"});
  for (const Change& change : report::compare(measured.cases)) {
    EXPECT_FALSE(change.slower() || change.faster()) << change.name;
  }
}

TEST(Compare, NamesCasesThatFailNow) {
  const made_up::Directory directory("compare failed");
  write_rounds(directory, 1.0);
  directory.write("7/after/layers.json", made_up::file(R"({"name": "Relu/8x4096", "error_message": "is wrong"})"));
  const report::Measured measured = report::read_rounds(directory.path());
  EXPECT_EQ(measured.failed, std::vector<std::string>{"layers: Relu/8x4096: is wrong"});
  EXPECT_EQ(measured.left_out.at(0), "layers: Relu/8x4096 (7 rounds before, 6 after)");
}

TEST(Compare, FindsTheCaseThatWasSlowed) {
  const made_up::Directory directory("compare slowed");
  write_rounds(directory, 1.1);
  const auto changes = report::compare(report::read_rounds(directory.path()).cases);
  EXPECT_FALSE(changes[0].slower());
  EXPECT_TRUE(changes[1].slower());
  const report::Table table = report::changes_table(changes, [](const Change& one) { return one.slower(); });
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0][0], "layers: Relu/8x4096");
  EXPECT_EQ(table.rows[0][3], "+10.0 %");
}

}  // namespace
