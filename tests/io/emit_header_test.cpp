// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What emit_header refuses, and what it writes as text. That emitted headers compute the model's bits is the leg
// "emitted" (tests/legs/emitted.sh), which compiles them.
#include <clocale>
#include <limits>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/io/emit_header.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

IntegerModel smallest_model() {
  IntegerNetwork network(2);
  const auto array = [](std::initializer_list<std::int32_t> values) {
    Buffer<std::int32_t> buffer(static_cast<Index>(values.size()));
    std::copy(values.begin(), values.end(), buffer.data());
    return buffer;
  };
  Buffer<std::int8_t> weight(2);
  weight[0] = -128;
  weight[1] = 127;
  network.add_linear({std::move(weight), array({-7}), array({1 << 30}), array({-3}), 5, -100, 100, false});
  return {network.network(), {QuantParams<PerTensor>(0.1f, 3), QuantParams<PerTensor>(0.5f, 5)}};
}

std::string emitted(const IntegerModel& model, const EmitOptions& options = {}) {
  std::ostringstream stream;
  emit_header(model, stream, options);
  return stream.str();
}

TEST(EmitHeader, WritesTheNetworkIntoItsNamespace) {
  const std::string text = emitted(smallest_model(), {.name = "two_to_one"});
  for (const char* part :
       {"namespace two_to_one {", "kInputs = 2, kOutputs = 1;", "kInputZeroPoint = 3, kOutputZeroPoint = 5;",
        "kInputScale = 0x1.99999ap-4f", "kOutputScale = 0x1p-1f", "std::int8_t kWeight0[65] = {\n  -128,127};",
        "std::int32_t kBias0[1] = {\n  -7};", "kLinear0, x, y);", "}  // namespace two_to_one\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(text.find("quanta::"), std::string::npos);
  EXPECT_EQ(text.find("Eigen"), std::string::npos);
}

/// A model of one layer with one output.
std::string emitted_row(Index inputs) {
  Random random(3);
  const IntegerNetwork network = random_network(inputs, "l", {1}, random);
  return emitted(IntegerModel(network.network(), activations_of(network.network())));
}

TEST(EmitHeader, PadsRowsOfWeightsToWholeBlocksWhereThatTakesLittle) {
  EXPECT_NE(emitted_row(784).find("kLinear0 = {784, 1, 832, kWeight0,"), std::string::npos);
  EXPECT_NE(emitted_row(784).find("alignas(64) inline constexpr std::int8_t kWeight0[832] = {"), std::string::npos);
  EXPECT_NE(emitted_row(128).find("kWeight0[128] = {"), std::string::npos);
  EXPECT_NE(emitted_row(57).find("kWeight0[64] = {"), std::string::npos);
  EXPECT_NE(emitted_row(56).find("kLinear0 = {56, 1, 56, kWeight0,"), std::string::npos);  // 64 are over an eighth more
  EXPECT_NE(emitted_row(56).find("kWeight0[119] = {"), std::string::npos);  // a block may be read from the last byte on
}

/// The numbers between the braces that open behind `name`.
std::vector<std::int64_t> numbers_behind(const std::string& text, const std::string& name) {
  const std::size_t first = text.find(name);
  if (first == text.npos) return {};
  std::istringstream array(text.substr(text.find('{', first) + 1));
  std::vector<std::int64_t> numbers;
  std::int64_t number = 0;
  while (array >> number) {
    numbers.push_back(number);
    array.ignore(1, ',');
  }
  return numbers;
}

TEST(EmitHeader, WritesTablesAndExponentialsInTheirOrder) {
  Buffer<std::int8_t> table(256);
  Buffer<std::int32_t> exponentials(256);
  std::vector<std::int64_t> expected_table, expected_exponentials;
  for (Index i = 0; i < 256; ++i) {
    expected_table.push_back(127 - i);
    expected_exponentials.push_back((256 - i) * 1000);
    table[i] = static_cast<std::int8_t>(127 - i);
    exponentials[i] = static_cast<std::int32_t>((256 - i) * 1000);
  }
  IntegerNetwork network(7);
  network.add_table(std::move(table));
  network.add_softmax(std::move(exponentials));
  const std::string text = emitted(IntegerModel(network.network(), activations_of(network.network())));
  EXPECT_EQ(numbers_behind(text, "std::int8_t kTable0[256]"), expected_table);
  EXPECT_EQ(numbers_behind(text, "std::int32_t kExponentials1[256]"), expected_exponentials);
  EXPECT_NE(text.find("run_table(detail::kTable0, 7, x, scratch);"), text.npos);
  EXPECT_NE(text.find("run_softmax(detail::kExponentials1, 7, scratch, y);"), text.npos);
}

// With a comma, as many locales have it, a number is two.
TEST(EmitHeader, WritesNumbersAsTheCLocaleDoes) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  bool found = false;
  for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C"}) {
    if (std::setlocale(LC_NUMERIC, locale) == nullptr) continue;
    found = true;
    EXPECT_NE(emitted(smallest_model()).find("kInputScale = 0x1.99999ap-4f"), std::string::npos) << locale;
  }
  std::setlocale(LC_NUMERIC, before.c_str());
  EXPECT_TRUE(found);
}

TEST(EmitHeader, KeepsLinesShort) {
  std::istringstream text(emitted(smallest_model()));
  for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(EmitHeader, WritesTheLeastInt32AsALiteral) {
  const std::int32_t least[] = {std::numeric_limits<std::int32_t>::min(), 1};
  EXPECT_EQ(detail::emitted_array("a", least, 2), "inline constexpr std::int32_t a[2] = {\n  INT32_MIN,1};\n");
}

void expect_name_refused(std::initializer_list<const char*> names, const char* reason) {
  for (const char* name : names) {
    std::ostringstream stream;
    EXPECT_ERROR(emit_header(smallest_model(), stream, {.name = name}), "emit_header: the name is \"",
                 std::string(name) + "\", which is ", reason);
    EXPECT_TRUE(stream.str().empty());
  }
}

TEST(EmitHeader, RefusesNamesThatAreNoIdentifiers) {
  expect_name_refused({"", "1st", "a b", "a::b", "_net", "_Net", "__x", "net-1", "n\xc3\xa4me", "net\n", " net"},
                      "no identifier");
  expect_name_refused({"my__net", "a__", "X__"}, "two underscores");
}

TEST(EmitHeader, RefusesNamesThatACompilerKnows) {
  expect_name_refused({"class", "int", "xor", "and_eq", "co_yield", "char8_t", "alignas", "while", "import", "module"},
                      "a keyword");
  expect_name_refused({"NULL", "INT32_MIN", "EOF", "I", "A", "A1_B", "Z_"}, "as macros are named");
  expect_name_refused({"linux", "unix",   "i386", "errno",  "stdin", "stdout", "assert", "std",    "std2", "posix",
                       "main",  "int8_t", "my_t", "size_t", "abs",   "exit",   "select", "random", "uint", "vector"},
                      "taken by compilers or C's headers");
}

TEST(EmitHeader, TakesNamesThatAreNearThose) {
  const std::string longest(1000, 'n');
  for (const std::string& name :
       {std::string("a"), std::string("n_"), std::string("N_e_T_9"), std::string("Linux"), std::string("linux_"),
        std::string("standard"), std::string("std2a"), std::string("classes"), std::string("cla"), std::string("t"),
        std::string("detail"), std::string("run"), std::string("kInputs"), std::string("x"), longest}) {
    EXPECT_NE(emitted(smallest_model(), {.name = name}).find("namespace " + name + " {"), std::string::npos) << name;
  }
}

TEST(EmitHeader, TakesAModelThatIsOneIntegerModel) {
  std::ostringstream stream;
  emit_header(Sequential{smallest_model()}, stream);
  EXPECT_EQ(stream.str(), emitted(smallest_model()));
  EXPECT_ERROR(emit_header(Sequential{}, stream), "0 layers", "expected one IntegerModel");
  EXPECT_ERROR(emit_header(Sequential{smallest_model(), Relu{}}, stream), "2 layers, the first IntegerModel");
  const RowTensor<float, 2> weight = random_tensor<2>({3, 2}, 1);
  const StaticLinear<> with_floats(weight, AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 1.0f}));
  EXPECT_ERROR(emit_header(Sequential{with_floats}, stream),
               "emit_header: the model has 1 layers, the first StaticLinear",
               "expected one IntegerModel, which quantize_static(..., IntegerOnly{}) makes");
}

struct FullDisk : std::streambuf {};  // refuses every character

TEST(EmitHeader, SaysThatTheStreamFailed) {
  FullDisk disk;
  std::ostream stream(&disk);
  EXPECT_ERROR(emit_header(smallest_model(), stream), "the stream failed");
}

}  // namespace
}  // namespace quanta::test
