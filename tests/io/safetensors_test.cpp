// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reading safetensors: what a sound file gives, and what is said of names and paths that are none.
#if __has_include(<nlohmann/json.hpp>)
#include <cmath>
#include <limits>

#include <quanta/io/safetensors.hpp>

#include "tests/io/safetensors_files.hpp"
#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

TEST(Safetensors, SaysWhatAFileHolds) {
  const std::string bytes = sound_file();
  const Safetensors file = parse(bytes);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"b", "none", "w"}));
  EXPECT_EQ(file.names("no"), (std::vector<std::string>{"none"}));
  EXPECT_TRUE(file.names("x").empty());
  EXPECT_TRUE(file.contains("w"));
  EXPECT_FALSE(file.contains("__metadata__"));
  EXPECT_EQ(file.metadata().at("made by"), "hand");
  EXPECT_EQ(file.metadata().size(), 1u);
  EXPECT_EQ(file.shape("w"), (std::vector<Index>{2, 3}));
  EXPECT_EQ(file.dtype("none"), "I8");
  EXPECT_EQ(file.bytes("none").size(), 0u);
  EXPECT_EQ(file.bytes("b").size(), 4u);
  EXPECT_EQ(file.bytes("b")[1], std::byte{0x3f});

  const auto w = file.read<2>("w");
  EXPECT_EQ(w.dimension(0), 2);
  EXPECT_EQ(w.dimension(1), 3);
  EXPECT_EQ(w(0, 2), 3.0f);
  EXPECT_EQ(w(1, 0), 4.0f);
  EXPECT_EQ(file.read<1>("b")(1), -2.0f);
}

TEST(Safetensors, IsTheSameFromDiskAndInCopies) {
  const Path path("quanta_sound.safetensors");
  path.write(sound_file());
  const auto open = [&] { return Safetensors::open(*path); };
  Safetensors copy = open();  // the first object is gone
  copy = Safetensors(copy);
  EXPECT_EQ(copy.read<2>("w")(1, 2), 6.0f);
  read_everything(copy);
}

TEST(Safetensors, TakesAFileWithoutTensors) {
  EXPECT_TRUE(parse(file_of("{}")).names().empty());
  EXPECT_TRUE(parse(file_of(R"({"__metadata__":{}} )")).metadata().empty());
}

TEST(Safetensors, ReadsF32BitForBit) {
  Random random(1);
  std::string data;
  std::vector<float> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back(random.any_float());
    data += little_endian(expected.back());
  }
  const auto file = file_of_one("F32", "[10,4,25]", data);
  const auto x = parse(file).read<3>("t");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(x.data()[i]),
              std::bit_cast<std::uint32_t>(expected[static_cast<std::size_t>(i)]));
  }
}

TEST(Safetensors, RoundsF64Once) {
  const double third = 1.0 / 3.0, tie = 1.0 + 0x1p-24, above = 1.0 + 0x1p-24 + 0x1p-50;
  const auto file = file_of_one("F64", "[4]", little_endian({third, tie, above, -0x1p-149}));
  const auto x = parse(file).read<1>("t");
  EXPECT_EQ(x(0), static_cast<float>(third));
  EXPECT_EQ(x(1), 1.0f);
  EXPECT_EQ(x(2), 1.0f + 0x1p-23f);
  EXPECT_EQ(x(3), -0x1p-149f);
}

TEST(Safetensors, ReadsEveryF16Exactly) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float got = detail::half_to_float(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double fraction = bits & 1023;
    ASSERT_EQ(std::signbit(got), bits >= 32768) << bits;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(got), fraction != 0) << bits;
      ASSERT_EQ(std::isinf(got), fraction == 0) << bits;
    } else {
      const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
      ASSERT_EQ(std::fabs(got), static_cast<float>(magnitude)) << bits;
    }
  }
  const auto file = file_of_one("F16", "[3]", little_endian<std::uint16_t>({0x3c00, 0xfbff, 0x0001}));
  const auto x = parse(file).read<1>("t");
  EXPECT_EQ(x(0), 1.0f);
  EXPECT_EQ(x(1), -65504.0f);
  EXPECT_EQ(x(2), 0x1p-24f);
}

TEST(Safetensors, ReadsBf16AsTheUpperHalfOfAFloat) {
  const auto file = file_of_one("BF16", "[2,2]", little_endian<std::uint16_t>({0x3f80, 0xff80, 0x0001, 0x7fc0}));
  const auto x = parse(file).read<2>("t");
  EXPECT_EQ(x(0, 0), 1.0f);
  EXPECT_EQ(x(0, 1), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(x(1, 0), 0x1p-133f);
  EXPECT_TRUE(std::isnan(x(1, 1)));
}

TEST(Safetensors, ReadsAScalarAsRank1) {
  const auto file = file_of_one("F32", "[]", little_endian(2.5f));
  EXPECT_TRUE(parse(file).shape("t").empty());
  EXPECT_EQ(parse(file).read<1>("t").size(), 1);
  EXPECT_EQ(parse(file).read<1>("t")(0), 2.5f);
  EXPECT_FILE_ERROR(parse(file).read<2>("t"), "0 dimensions, expected 2");
}

TEST(Safetensors, HandsOutOtherTypesAsBytes) {
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"}) {
    const std::string bytes = file_of_one(dtype, "[3]", "abc");
    EXPECT_EQ(parse(bytes).bytes("t")[2], std::byte{'c'});
    EXPECT_FILE_ERROR(parse(bytes).read<1>("t"), "test.safetensors", "\"t\"", dtype, "expected F32");
  }
  for (const char* dtype : {"U16", "I16", "U32", "I32", "U64", "I64", "C64"}) {
    EXPECT_FILE_ERROR(parse(file_of_one(dtype, "[3]", "abc")), dtype, "3 bytes");
  }
  EXPECT_EQ(parse(file_of_one("F4", "[3,2]", "abc")).bytes("t").size(), 3u);
  EXPECT_EQ(parse(file_of_one("F6_E2M3", "[4]", "abc")).bytes("t").size(), 3u);
  EXPECT_FILE_ERROR(parse(file_of_one("F4", "[3]", "ab")), "not whole bytes");
  // A type yet to be invented takes any number of bytes; what it means is for others to say.
  const std::string future = file_of_one("Q3_K", "[256]", "abcde");
  EXPECT_EQ(parse(future).bytes("t").size(), 5u);
  EXPECT_FILE_ERROR(parse(future).read<1>("t"), "Q3_K", "expected F32");
}

TEST(Safetensors, NamesWhatIsNotThere) {
  const std::string bytes = sound_file();
  const Safetensors file = parse(bytes);
  EXPECT_FILE_ERROR(file.read<2>("fc9.weight"), "test.safetensors", "no tensor \"fc9.weight\"");
  EXPECT_FILE_ERROR(file.shape(""), "no tensor \"\"");
  EXPECT_FILE_ERROR(file.dtype("x"), "no tensor");
  EXPECT_FILE_ERROR(file.bytes("__metadata__"), "no tensor");
  EXPECT_FILE_ERROR(file.read<1>("w"), "\"w\"", "2 dimensions, expected 1");
}

TEST(Safetensors, NamesAPathThatIsNoFile) {
  const Path path("quanta_path_test");
  EXPECT_FILE_ERROR(Safetensors::open(*path), "quanta_path_test: there is no such file");
  EXPECT_FILE_ERROR(Safetensors::open(*path / "below"), "there is no such file");
  EXPECT_FILE_ERROR(Safetensors::open(""), "there is no such file");
  std::filesystem::create_directory(*path);
  EXPECT_FILE_ERROR(Safetensors::open(*path), "quanta_path_test: is not a regular file");
}

TEST(Safetensors, NamesAnEmptyFile) {
  const Path path("quanta_empty.safetensors");
  path.write("");
  EXPECT_FILE_ERROR(Safetensors::open(*path), "quanta_empty.safetensors: 0 bytes are too few");
}

}  // namespace
}  // namespace quanta::test
#endif
