// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The same input gives the same bits on every CPU, with every compiler and at every optimisation level: hashes of
// results against tests/data/golden/bits.txt, a name and a hash on each line. With the environment variable
// QUANTA_GOLDEN_WRITE=path a new file is written there instead; a changed line means changed results for every user.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/data.hpp"
#include "tests/support/golden.hpp"

namespace quanta::test {
namespace {

struct Section {
  const char* name;
  void (*record)(Recorder&);

  friend void PrintTo(const Section& section, std::ostream* out) { *out << section.name; }  // NOLINT: GoogleTest's name
};

// Append a section here, and its declaration in tests/support/golden.hpp.
constexpr Section kSections[] = {
    {"core", &golden_core},       {"quant", &golden_quant},     {"gemm", &golden_gemm},
    {"layers", &golden_layers},   {"static", &golden_static},   {"calibration", &golden_calibration},
    {"formats", &golden_formats}, {"integer", &golden_integer}, {"train", &golden_train},
};

Recorder recorded(const Section& section) {
  Recorder recorder(section.name);
  section.record(recorder);
  return recorder;
}

std::string hex(std::uint64_t hash) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, hash);
  return digits;
}

std::map<std::string, std::string> file_entries() {
  std::ifstream file(data_path("golden/bits.txt"));
  std::map<std::string, std::string> entries;
  std::string name, hash;
  while (file >> name >> hash) entries[name] = hash;
  return entries;
}

const char* write_path() { return std::getenv("QUANTA_GOLDEN_WRITE"); }

class GoldenBits : public testing::TestWithParam<Section> {};

TEST_P(GoldenBits, AreTheRecordedOnes) {
  if (write_path() != nullptr) GTEST_SKIP() << "writing a new file";
  std::map<std::string, std::string> expected;
  const std::string prefix = std::string(GetParam().name) + "/";
  for (const auto& [name, hash] : file_entries()) {
    if (name.compare(0, prefix.size(), prefix) == 0) expected[name] = hash;
  }
  std::map<std::string, std::string> got;
  const Recorder recorder = recorded(GetParam());
  for (const auto& [name, hash] : recorder.entries()) {
    EXPECT_TRUE(got.emplace(name, hex(hash)).second) << name << " is recorded twice";
  }
  for (const auto& [name, hash] : expected) EXPECT_TRUE(got.count(name) == 1) << name << " is in the file alone";
  for (const auto& [name, hash] : got) {
    const auto found = expected.find(name);
    ASSERT_TRUE(found != expected.end()) << name << " is not in the file";
    EXPECT_EQ(hash, found->second) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Sections, GoldenBits, testing::ValuesIn(kSections),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(GoldenBitsFile, HoldsNoSectionThatIsNotTested) {
  for (const auto& [name, hash] : file_entries()) {
    bool known = false;
    for (const Section& section : kSections) known = known || name.substr(0, name.find('/')) == section.name;
    EXPECT_TRUE(known) << name;
    EXPECT_EQ(hash.size(), 16u) << name;
  }
}

TEST(GoldenBitsFile, IsWrittenOnRequest) {
  if (write_path() == nullptr) GTEST_SKIP() << "set QUANTA_GOLDEN_WRITE to a path to write a new file";
  std::ofstream file(write_path());
  for (const Section& section : kSections) {
    const Recorder recorder = recorded(section);
    for (const auto& [name, hash] : recorder.entries()) file << name << ' ' << hex(hash) << '\n';
  }
  ASSERT_TRUE(file.good()) << write_path();
}

// The published test vectors of FNV-1a.
TEST(GoldenRecorder, HashesAsPublished) {
  Recorder recorder("x");
  recorder.add("empty", "", 0);
  recorder.add("a", "a", 1);
  recorder.add("foobar", "foobar", 6);
  EXPECT_EQ(recorder.entries()[0].second, 0xcbf29ce484222325u);
  EXPECT_EQ(recorder.entries()[1].second, 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(recorder.entries()[2].second, 0x85944171f73967e8u);
  EXPECT_EQ(recorder.entries()[2].first, "x/foobar");
  recorder.add("nan", std::numeric_limits<double>::quiet_NaN());
  recorder.add("minus nan", -std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(recorder.entries()[3].second, recorder.entries()[4].second);
}

}  // namespace
}  // namespace quanta::test
