// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Damaged and hostile files: nothing but FileError comes of them, and nothing large is allocated.
#if __has_include(<nlohmann/json.hpp>)
#include <quanta/io/safetensors_header.hpp>

#include "tests/io/safetensors_files.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

// ---- Damaged files --------------------------------------------------------------------------------------------------

TEST(SafetensorsHeader, RefusesAFileCutAtAnyByte) {
  const std::string whole = sound_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that the address sanitizer sees a read past the end.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FILE_ERROR(Safetensors::from_memory(std::as_bytes(std::span(cut)), "cut"), "cut: ");
  }
  EXPECT_FILE_ERROR(parse(whole + "x"), "1 bytes follow the last tensor");
}

TEST(SafetensorsHeader, RefusesAFileOnDiskCutAtAnyByte) {
  const Path path("quanta_cut.safetensors");
  const std::string whole = sound_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    path.write(whole.substr(0, size));
    EXPECT_FILE_ERROR(Safetensors::open(*path), "quanta_cut.safetensors");
  }
}

TEST(SafetensorsHeader, SurvivesEveryFlippedBit) {
  const std::string whole = sound_file();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1u << bit));
      try {
        const Safetensors file = parse(damaged);
        read_everything(file);
      } catch (const FileError&) {
      }
    }
  }
}

TEST(SafetensorsHeader, SurvivesRandomDamage) {
  const std::string whole = sound_file();
  Random random(2);
  const std::string alphabet = "{}[]\",:0123456789-.eE \\untf\xc3\xff";
  for (int i = 0; i < scaled(20'000); ++i) {
    std::string damaged = whole;
    for (int change = random.between(1, 4); change-- > 0;) {
      const auto at = static_cast<std::size_t>(random.between(8, static_cast<int>(damaged.size()) - 1));
      const char piece = alphabet[static_cast<std::size_t>(random.between(0, static_cast<int>(alphabet.size()) - 1))];
      switch (random.between(0, 2)) {
        case 0:
          damaged[at] = piece;
          break;
        case 1:
          damaged.insert(at, 1, piece);
          break;
        default:
          damaged.erase(at, 1);
          break;
      }
      if (damaged.size() < 16) break;
    }
    try {
      const Safetensors file = parse(damaged);
      read_everything(file);
    } catch (const FileError&) {
    }
  }
}

// ---- Hostile files --------------------------------------------------------------------------------------------------

TEST(SafetensorsHeader, RefusesHeaderLengthsBeyondTheFileBeforeAllocating) {
  for (const std::uint64_t length : {~std::uint64_t{0}, ~std::uint64_t{0} - 7, std::uint64_t{1} << 63,
                                     std::uint64_t{1} << 32, std::uint64_t{100'000'001}}) {
    const std::string bytes = little_endian(length) + "{}";
    const std::int64_t before = allocations().live_bytes;
    EXPECT_FILE_ERROR(parse(bytes), std::to_string(length), "at most 100000000");
    EXPECT_EQ(allocations().live_bytes, before);
  }
  EXPECT_FILE_ERROR(parse(little_endian(std::uint64_t{100'000'000}) + "{}"), "only 2 follow");
  EXPECT_FILE_ERROR(parse(little_endian(std::uint64_t{3}) + "{}"), "only 2 follow");
  EXPECT_FILE_ERROR(parse(""), "0 bytes are too few");
  EXPECT_FILE_ERROR(parse(std::string(8, '\0')), "begin with {");
}

TEST(SafetensorsHeader, RefusesOtherJson) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "begin with {"},
      {"[]", "begin with {"},
      {" {}", "begin with {"},
      {"null", "begin with {"},
      {"{", "not valid JSON"},
      {"{} {}", "not valid JSON"},
      {"{}x", "not valid JSON"},
      {"{'t':1}", "not valid JSON"},
      {R"({"t":)", "not valid JSON"},
      {R"({"t":{}})", "lacks its dtype"},
      {R"({"t":[]})", "\"t\" is an array, expected an object"},
      {R"({"t":"F32"})", "\"t\" is a string, expected an object"},
      {R"({"t":null})", "\"t\" is null"},
      {R"({"t":1})", "\"t\" is a number"},
      {R"({"t":{"dtype":"U8","shape":[0]}})", "lacks its data_offsets"},
      {R"({"t":{"dtype":"U8","data_offsets":[0,0]}})", "lacks its shape"},
      {R"({"t":{"dtype":8,"shape":[0],"data_offsets":[0,0]}})", "dtype is a number, expected a string"},
      {R"({"t":{"dtype":["U8"],"shape":[0],"data_offsets":[0,0]}})", "dtype is an array"},
      {R"({"t":{"dtype":"U8","shape":0,"data_offsets":[0,0]}})", "shape is a number, expected an array"},
      {R"({"t":{"dtype":"U8","shape":{},"data_offsets":[0,0]}})", "shape is an object"},
      {R"({"t":{"dtype":"U8","shape":[[0]],"data_offsets":[0,0]}})", "shape holds an array"},
      {R"({"t":{"dtype":"U8","shape":[true],"data_offsets":[0,0]}})", "shape holds true or false"},
      {R"({"t":{"dtype":"U8","shape":["0"],"data_offsets":[0,0]}})", "shape holds a string"},
      {R"({"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}})", "shape holds a negative number"},
      {R"({"t":{"dtype":"U8","shape":[0.5],"data_offsets":[0,0]}})", "shape holds a fraction"},
      {R"({"t":{"dtype":"U8","shape":[1e400],"data_offsets":[0,0]}})", "not valid JSON"},
      {R"({"t":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}})", "beyond 64 bits"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[]}})", "0 data_offsets, expected 2"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0]}})", "1 data_offsets, expected 2"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}})", "3 data_offsets, expected 2"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,-0]}})", "data_offsets holds a negative number"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0.0]}})", "data_offsets holds a fraction"},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}})", "has \"more\""},
      {R"({"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", "two entries \"dtype\""},
      {R"({"t":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})", "two entries \"shape\""},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"t":{}})", "two entries are named \"t\""},
      {R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0074":{}})", "two entries are named \"t\""},
      {R"({"__metadata__":{},"__metadata__":{}})", "two entries are named \"__metadata__\""},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "two entries \"a\""},
      {R"({"__metadata__":{"a":1}})", "\"a\" is a number, expected a string"},
      {R"({"__metadata__":{"a":null}})", "\"a\" is null"},
      {R"({"__metadata__":{"a":{}}})", "\"a\" is an object"},
      {R"({"__metadata__":[]})", "\"__metadata__\" is an array, expected an object"},
      {R"({"__metadata__":"x"})", "\"__metadata__\" is a string"},
      {"{\"t\xff\":{}}", "not valid JSON"},
      {"{\"\xc0\xaf\":{}}", "not valid JSON"},
      {"{\"\xed\xa0\x80\":{}}", "not valid JSON"},
      {R"({"\ud800":{}})", "not valid JSON"},
      {"{\"a\nb\":{}}", "not valid JSON"},
      {"\xef\xbb\xbf{}", "begin with {"},
      {"{} // a remark", "not valid JSON"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.first);
    EXPECT_FILE_ERROR(parse(file_of(one.first)), "test.safetensors: ", one.second);
  }
  EXPECT_FILE_ERROR(parse(file_of(std::string("{}\0", 3))), "zero byte");
  EXPECT_FILE_ERROR(parse(file_of(R"({"a\nb\u0007":1})")), "\"a?b?\"");  // nothing for the terminal to obey
  EXPECT_FILE_ERROR(parse(file_of("{\"" + std::string(1000, 'n') + "\":1}")), "nnn...\" is a number");
}

TEST(SafetensorsHeader, RefusesShapesAndOffsetsThatDoNotFit) {
  const auto entry = [](const char* dtype, const char* shape, const char* offsets) {
    return std::string("{\"dtype\":\"") + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  const auto one = [&](const char* dtype, const char* shape, const char* offsets, const char* message) {
    SCOPED_TRACE(std::string(shape) + " " + offsets);
    const std::string bytes = file_of("{\"t\":" + entry(dtype, shape, offsets) + "}", std::string(16, 'x'));
    EXPECT_FILE_ERROR(parse(bytes), "test.safetensors: tensor \"t\"", message);
  };
  one("U8", "[16]", "[16,0]", "begin <= end");
  one("U8", "[16]", "[0,17]", "holds only 16");
  one("U8", "[16]", "[0,18446744073709551615]", "holds only 16");
  one("U8", "[16]", "[18446744073709551608,8]", "begin <= end");
  one("U8", "[16]", "[18446744073709551600,18446744073709551615]", "holds only 16");
  one("U8", "[15]", "[0,16]", "its shape takes 15 bytes");
  one("F32", "[5]", "[0,16]", "its shape takes 20 bytes of F32");
  one("F32", "[16]", "[0,16]", "its shape takes 64 bytes of F32");
  one("F32", "[]", "[0,16]", "its shape takes 4 bytes");
  one("F32", "[0]", "[0,16]", "its shape takes 0 bytes");
  one("U8", "[8]", "[8,16]", "with a gap before it; expected 0");
  // Products that overflow: to a negative number, to 0, and to just what the offsets say.
  one("U8", "[9223372036854775807]", "[0,16]", "more elements than fit");
  one("U8", "[18446744073709551615]", "[0,16]", "beyond any memory");
  one("U8", "[4294967296,4294967296]", "[0,16]", "more elements than fit");
  one("F32", "[4294967296,1073741825]", "[0,16]", "more elements than fit");
  one("F32", "[4611686018427387908]", "[0,16]", "more elements than fit");
  one("F64", "[288230376151711746,2]", "[0,16]", "more elements than fit");
  one("Q3_K", "[4294967296,4294967296]", "[0,16]", "more elements than fit");
  // An empty tensor whose strides would overflow.
  one("U8", "[0,4294967296,4294967296]", "[0,0]", "more elements than fit");
  one("U8", "[4294967296,4294967296,0]", "[0,0]", "more elements than fit");
  one("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]", "more than 32 dimensions");

  const auto two = [&](const char* first, const char* second, const char* message) {
    const std::string json = "{\"a\":" + entry("I5", "[]", first) + ",\"b\":" + entry("I5", "[]", second) + "}";
    EXPECT_FILE_ERROR(parse(file_of(json, std::string(16, 'x'))), message);
  };
  two("[0,9]", "[8,16]", "tensor \"b\" begins at byte 8 of the data, inside another tensor; expected 9");
  two("[0,16]", "[0,16]", "inside another tensor");
  two("[0,16]", "[4,8]", "inside another tensor");
  two("[9,16]", "[0,8]", "tensor \"a\" begins at byte 9 of the data, with a gap before it; expected 8");
  two("[0,8]", "[8,15]", "1 bytes follow the last tensor");
}

TEST(SafetensorsHeader, RefusesDepthAndWidthWithoutPayingForThem) {
  for (const std::string& open : {std::string("["), std::string("{\"a\":")}) {
    std::string nested = "{\"t\":";
    for (int i = 0; i < 100'000; ++i) nested += open;
    EXPECT_FILE_ERROR(parse(file_of(nested)), "test.safetensors");
    EXPECT_FILE_ERROR(parse(file_of("{\"__metadata__\":" + nested + "}")), "test.safetensors");
    EXPECT_FILE_ERROR(parse(file_of("{\"t\":{\"shape\":" + nested + "}}")), "test.safetensors");
  }
  std::string wide = R"({"t":{"data_offsets":[0)";
  for (int i = 0; i < 100'000; ++i) wide += ",0";
  EXPECT_FILE_ERROR(parse(file_of(wide + "]}}")), "100001 data_offsets");
}

TEST(SafetensorsHeader, RefusesAHugeEmptyFileBeforeAllocating) {
  const Path path("quanta_sparse.safetensors");
  path.write(little_endian(std::uint64_t{2}) + "{}");
  std::error_code error;
  std::filesystem::resize_file(*path, std::uintmax_t{1} << 36, error);  // takes no room on the disk
  if (error) GTEST_SKIP() << "no sparse files here";
  EXPECT_FILE_ERROR(Safetensors::open(*path), "68719476726 bytes follow the last tensor");
}

}  // namespace
}  // namespace quanta::test
#endif
