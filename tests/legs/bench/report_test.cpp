// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The benchmarks' report: files are read as they were written, tables hold their figures, the page is well-formed.
#include <cstdlib>

#include <gtest/gtest.h>

#include "bench/report/page.hpp"
#include "results.hpp"

namespace {

constexpr const char* kContext =
    R"("native_kernel": "K", "threads": "1", "Eigen_float": "3.4.0", "oneDNN": "2.6.3", "XNNPACK": "not measured",
       "OpenBLAS_float": "OpenBLAS 0.3.21 NO_LAPACKE MAX_THREADS=64")";

/// 2 * 512 * 4096 * 4096 operations in 40 ms, and 2 * 4096 * 4096 in 1 ms.
std::string products() {
  return made_up::one_case("K/codes/512x4096x4096/iterations:1/manual_time", 40.0, "ms",
                           R"("ops/s": 4.294967296e11, "of_dot_peak": 0.8, "x_Eigen_float": 6.25, "x_oneDNN": 1.02)") +
         "," +
         made_up::one_case("K/codes/1x4096x4096/cold/iterations:1/manual_time", 1000.0, "us",
                           R"("ops/s": 3.3554432e10, "of_read_limit": 0.934, "x_Eigen_float": 12.34)") +
         "," +
         made_up::one_case("aggregate/K/codes", 1.0, "ns", R"("figures": 2.0, "of_dot_peak": 0.8, "slower": 0.0)") +
         "," + made_up::one_case("aggregate/KLong/codes", 1.0, "ns", R"("figures": 3.0)") +
         R"(, {"name": "K/codes/8x8x8", "run_type": "iteration", "error_occurred": true, "error_message": "K is <wrong>"})";
}

report::Results gemm(const made_up::Directory& directory) {
  return report::read_results(directory.write("gemm.json", made_up::file(products(), kContext)));
}

TEST(Report, ReadsCases) {
  const made_up::Directory directory("report cases");
  const report::Results results = gemm(directory);
  EXPECT_EQ(results.program, "gemm");
  EXPECT_EQ(results.context.at("native_kernel"), "K");
  ASSERT_EQ(results.cases.size(), 5u);
  EXPECT_EQ(results.cases[0].name, "K/codes/512x4096x4096");
  EXPECT_DOUBLE_EQ(results.cases[0].seconds, 0.04);
  EXPECT_DOUBLE_EQ(results.cases[1].seconds, 0.001);
  EXPECT_DOUBLE_EQ(results.cases[0].counter("x_Eigen_float"), 6.25);
  EXPECT_EQ(results.cases[0].counters.count("real_time"), 0u);
  EXPECT_EQ(results.cases[4].error, "K is <wrong>");
}

TEST(Report, KnowsTheSizeInAName) {
  const auto size = [](const char* name) { return report::Case{name, 0.0, {}, "", ""}.size(); };
  EXPECT_EQ(size("WeightOnly/int4/64/1x4096x4096/warm"), "1x4096x4096/warm");
  EXPECT_EQ(size("observe/sketch/256Ki"), "256Ki");
  EXPECT_EQ(size("search/mse/symmetric_int8/normal"), "normal");
  EXPECT_EQ(size("alone"), "alone");
}

TEST(Report, FilesThatAreNoneAreNamed) {
  const made_up::Directory directory("report errors");
  for (const char* text : {"", "{", "{}", R"({"context": {}, "benchmarks": [{"name": "a", "real_time": 1}]})",
                           R"({"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]})"}) {
    const auto file = directory.write("bad.json", text);
    try {
      report::read_results(file);
      ADD_FAILURE() << text;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()).rfind(file.string() + ": ", 0), 0u) << error.what();
    }
  }
  EXPECT_THROW(report::read_results(directory.path() / "none.json"), std::runtime_error);
}

TEST(Report, WritesSpeedsAsMarkdown) {
  const made_up::Directory directory("report speeds");
  EXPECT_EQ(report::to_markdown(report::speed_table(gemm(directory), "K")),
            "| m x k x n | GOPS | of the limit | x Eigen float | x OpenBLAS float | x oneDNN |\n"
            "|---|--:|--:|--:|--:|--:|\n"
            "| 1 x 4096 x 4096, from memory | 34 | 93 % of read rate | 12.3 |  |  |\n"
            "| 512 x 4096 x 4096 | 429 | 80 % of dot peak | 6.25 |  | 1.02 |\n");
}

TEST(Report, MeansAreThoseOfTheKernel) {
  const made_up::Directory directory("report means");
  const report::Table means = report::means_table(gemm(directory), "K");
  ASSERT_EQ(means.rows.size(), 1u);
  EXPECT_EQ(means.rows[0], (std::vector<std::string>{"codes", "2", "0.80", "", "", "", "", "0", ""}));
}

TEST(Report, GroupsOfOtherProgramsAreAveraged) {
  report::Results layers;
  layers.program = "layers";
  layers.cases = {{"Relu/8x4096", 1e-6, {{"x_Eigen", 4.0}}, "", ""},
                  {"Tanh/8x4096", 1e-6, {{"x_Eigen", 3.0}}, "", ""},
                  {"Relu/1024x4096", 1e-6, {{"x_Eigen", 1.0}}, "", ""},
                  {"Tanh/9x4096", 0.0, {}, "", "failed"}};
  const report::Table groups = report::groups_table(layers);
  EXPECT_EQ(groups.columns, (std::vector<std::string>{"layers, geometric means", "cases", "x Eigen", "least"}));
  ASSERT_EQ(groups.rows.size(), 2u);
  EXPECT_EQ(groups.rows[0], (std::vector<std::string>{"Relu", "2", "2.00", "1.00"}));
  EXPECT_EQ(groups.rows[1], (std::vector<std::string>{"Tanh", "1", "3.00", "3.00"}));
}

TEST(Report, LimitsAndPeersFollowFromTheRatios) {
  const made_up::Directory directory("report limits");
  const report::Results results = gemm(directory);
  const auto many = report::product_of(results.cases[0]), one = report::product_of(results.cases[1]);
  ASSERT_TRUE(many && one);
  EXPECT_DOUBLE_EQ(many->limit(), 4.294967296e11 / 0.8);
  EXPECT_DOUBLE_EQ(many->rate_of(report::kPeers[0]), 4.294967296e11 / 6.25);
  EXPECT_DOUBLE_EQ(one->limit(), 3.3554432e10 / 0.934);
  // 512 x 4096 and 4096 x 4096 bytes in, 512 x 4096 out.
  EXPECT_DOUBLE_EQ(many->intensity(), 2.0 * 512 * 4096 * 4096 / (2.0 * 512 * 4096 + 4096.0 * 4096));
  EXPECT_FALSE(report::product_of(results.cases[2]));
  EXPECT_FALSE(report::product_of(results.cases[4]));
}

TEST(Report, SaysWhichPeersAreMissing) {
  const made_up::Directory directory("report peers");
  EXPECT_EQ(report::measured_peers(gemm(directory)), "Eigen float 3.4.0, OpenBLAS float 0.3.21, oneDNN 2.6.3");
  EXPECT_EQ(report::missing_peers(gemm(directory)),
            "Not measured beside ONNX Runtime, XNNPACK, gemmlowp. To have them:\n"
            "  apt-get install libxnnpack-dev libpthreadpool-dev libcpuinfo-dev libgemmlowp-dev\n"
            "  npm install --ignore-scripts --prefix build/peers onnxruntime-node\n");
}

TEST(Report, Numbers) {
  EXPECT_EQ(report::with_prefix(0.1234, ""), "0.12 ");
  EXPECT_EQ(report::with_prefix(999.4, "B/s"), "999 B/s");
  EXPECT_EQ(report::with_prefix(999.6, "B/s"), "1.00 kB/s");
  EXPECT_EQ(report::with_prefix(4.5678e11, "op/s"), "457 Gop/s");
  EXPECT_EQ(report::duration(1.5e-8), "15.0 ns");
  EXPECT_EQ(report::duration(0.002), "2.00 ms");
  EXPECT_EQ(report::percent(0.934), "93 %");
}

/// What is wrong with `xml`: a tag that is not closed, an attribute without quotes, a character that must be written
/// otherwise. Empty when all is right.
std::string fault(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < xml.size(); ++at) {
    if (xml[at] == '>') return "a '>' outside a tag: " + xml.substr(at, 60);
    if (xml[at] == '&' && xml.find(';', at) > at + 6) return "a '&' that begins no entity: " + xml.substr(at, 60);
    if (xml[at] != '<') continue;
    if (xml.compare(at, 4, "<!--") == 0) {
      at = xml.find("-->", at) + 2;
      continue;
    }
    const std::size_t start = at;
    char quote = 0;
    for (++at; at < xml.size() && (quote != 0 || xml[at] != '>'); ++at) {
      if (xml[at] == '<') return "a '<' inside a tag: " + xml.substr(start, 60);
      if (quote != 0) {
        if (xml[at] == quote) quote = 0;
      } else if (xml[at] == '"' || xml[at] == '\'') {
        if (xml[at - 1] != '=') return "a quote that follows no '=': " + xml.substr(start, 60);
        quote = xml[at];
      }
    }
    const std::string tag = xml.substr(start + 1, at - start - 1);
    if (tag.starts_with("!DOCTYPE") || tag.ends_with("/")) continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n\t"));
    if (!name.starts_with("/")) {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return "<" + name + "> closes <" + (open.empty() ? "" : open.back()) + ">";
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

TEST(Report, FaultsAreFound) {
  EXPECT_EQ(fault("<a><b c=\"d > e\"/>&amp;<!-- <f> --></a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "</a>", "<a>&</a>", "<a b=\"<\"></a>", "<a b\"c\"></a>", "<a>></a>"}) {
    EXPECT_NE(fault(bad), "") << bad;
  }
}

/// What makes a page need something else.
void expect_self_contained(const std::string& html) {
  for (const char* text : {"<script", "<link", "<img", "src=", "href=\"http", "xlink:href=\"http", "url(", "@import"}) {
    EXPECT_EQ(html.find(text), std::string::npos) << text;
  }
}

TEST(Report, ThePageIsWellFormedAndNeedsNothingElse) {
  const made_up::Directory directory("report page");
  report::Results layers;
  layers.program = "layers";
  layers.cases = {{"Relu/8x4096", 1e-6, {{"x_Eigen", 1.5}, {"bytes/s", 1e9}}, "", ""},
                  {"Softmax/8x4096", 1e-6, {{"x_Eigen", 2.5}, {"bytes/s", 1e9}}, "", ""}};
  report::Results calibrate;
  calibrate.program = "calibrate";
  calibrate.cases = {{"observe/min_max/256Ki", 1e-6, {{"GB/s", 40.0}, {"of_read_limit", 0.8}}, "", ""}};
  const std::string html =
      report::page({{"CPU", "a & b"}}, {gemm(directory), layers, calibrate}, directory.path() / "pictures");
  EXPECT_EQ(fault(html), "");
  for (const char* text :
       {"a &amp; b", "512 x 4096 x 4096", "K is &lt;wrong&gt;", "Softmax/8x4096", "apt-get install"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  expect_self_contained(html);
}

TEST(Report, ThePageOfARunIsWellFormed) {
  const char* const path = std::getenv("QUANTA_BENCH_REPORT");
  if (path == nullptr) GTEST_SKIP() << "QUANTA_BENCH_REPORT names no report.html";
  std::ifstream in(path);
  const std::string html((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_GT(html.size(), 10000u);
  EXPECT_EQ(fault(html), "");
  expect_self_contained(html);
  for (const char* text : {"compiler", "gemm", "layers", "calibrate", "roofline"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  if (std::getenv("QUANTA_BENCH_DRAWN") == nullptr) GTEST_SKIP() << "there is no gnuplot";
  EXPECT_EQ(html.find("Not drawn"), std::string::npos);
  std::size_t pictures = 0, titles = 0;
  for (std::size_t at = 0; (at = html.find("<svg", at)) != std::string::npos; ++at) ++pictures;
  for (std::size_t at = 0; (at = html.find("<h3>", at)) != std::string::npos; ++at) ++titles;
  EXPECT_GT(pictures, 5u);
  EXPECT_EQ(pictures, titles);
}

}  // namespace
