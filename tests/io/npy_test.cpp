// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// .npy: files of NumPy's own are read, those written here are read by an independent reader, and damaged ones refused.
#if __has_include(<nlohmann/json.hpp>)
#include "tests/support/npy.hpp"

#include <quanta/io/npy.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

std::string npy_file(const std::string& dictionary, const std::string& data, int version = 1) {
  const std::size_t n = dictionary.size();
  std::string bytes = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(n >> (8 * i) & 255);
  return bytes + dictionary + data;
}
std::string npy_of(const std::string& type, const std::string& shape, const std::string& data) {
  return npy_file("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n", data);
}
quanta::Npy parse_npy(const std::string& file) {
  return quanta::Npy::from_memory(std::as_bytes(std::span(file.data(), file.size())), "test.npy");
}

TEST(Npy, ReadsWhatNumPyWrote) {
  const auto expected = read_npy<float>("golden/notebook_input.npy");
  const quanta::Npy file = quanta::Npy::open(data_path("golden/notebook_input.npy"));
  ASSERT_EQ(file.shape(), expected.shape);
  EXPECT_EQ(file.type(), "<f4");
  Index count = 1;
  for (const Index extent : file.shape()) count *= extent;
  const auto check_equal = [&](const auto& x) {
    ASSERT_EQ(x.size(), count);
    EXPECT_TRUE(same_bits(x.data(), expected.data.data(), count));
  };
  if (file.shape().size() == 1) check_equal(file.read<float, 1>());
  if (file.shape().size() == 2) check_equal(file.read<float, 2>());
  if (file.shape().size() == 3) check_equal(file.read<float, 3>());
  if (file.shape().size() == 4) check_equal(file.read<float, 4>());
}

template <class T>
void npy_round_trip(const char* type) {
  SCOPED_TRACE(type);
  RowTensor<T, 3> x(2, 3, 5);
  Random random(1);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(random.between(0, 255) - (T(-1) < T(0) ? 128 : 0));
  const Path path("quanta_array.npy");
  save_npy(*path, x);
  const auto independent = read_npy_file<T>((*path).string());
  EXPECT_EQ(independent.shape, (std::vector<Index>{2, 3, 5}));
  EXPECT_TRUE(same_bits(independent.data, x));
  const quanta::Npy file = quanta::Npy::open(*path);
  EXPECT_EQ(file.type(), type);
  EXPECT_TRUE(same_bits(file.template read<T, 3>(), x));
  EXPECT_EQ(file_contents((*path).string()).size() % 64,
            static_cast<std::size_t>(x.size()) * sizeof(T) % 64);  // NumPy aligns the data
}

TEST(Npy, WritesWhatOthersRead) {
  npy_round_trip<std::int8_t>("|i1");
  npy_round_trip<std::uint8_t>("|u1");
  npy_round_trip<std::int16_t>("<i2");
  npy_round_trip<std::uint16_t>("<u2");
  npy_round_trip<std::int32_t>("<i4");
  npy_round_trip<std::uint32_t>("<u4");
  npy_round_trip<std::int64_t>("<i8");
  npy_round_trip<std::uint64_t>("<u8");
  npy_round_trip<float>("<f4");
  npy_round_trip<double>("<f8");
}

TEST(Npy, WritesAnyEigenObjectInCOrder) {
  const RowTensor<float, 2> x = random_tensor<2>({3, 4}, 1);
  const Path path("quanta_columns.npy");
  save_npy(*path, col_major(x));
  EXPECT_TRUE(same_bits(quanta::Npy::open(*path).read<float, 2>(), x));
  save_npy(*path, Eigen::VectorXf::Constant(3, 2.0f) * 2.0f);
  const quanta::Npy file = quanta::Npy::open(*path);
  EXPECT_EQ(file.shape(), std::vector<Index>{3});
  EXPECT_EQ((file.read<float, 1>()(2)), 4.0f);
  save_npy(*path, Eigen::Tensor<float, 2>(0, 5));
  EXPECT_EQ((quanta::Npy::open(*path).read<float, 2>().dimension(1)), 5);
}

TEST(Npy, ReadsFloatsOfAllWidthsAndBothVersions) {
  EXPECT_EQ((parse_npy(npy_of("<f2", "(2,)", little_endian<std::uint16_t>({0x3c00, 0xfbff}))).read<float, 1>()(1)),
            -65504.0f);
  EXPECT_EQ((parse_npy(npy_of("<f8", "(1, 2)", little_endian({0.1, -2.0}))).read<float, 2>()(0, 0)), 0.1f);
  EXPECT_EQ((parse_npy(npy_of("<f4", "()", little_endian(2.5f))).read<float, 1>()(0)), 2.5f);
  const std::string v2 = npy_file("{\"shape\":(2),'descr':'|u1' , 'fortran_order':True}", "ab", 2);
  EXPECT_FILE_ERROR(parse_npy(v2), "the header is not");  // (2) is a number
  const std::string good = npy_file("{\"shape\":(2,),'descr':'|u1' , 'fortran_order':True}  \n", "ab", 2);
  EXPECT_EQ((parse_npy(good).read<std::uint8_t, 1>()(1)), 'b');
}

TEST(Npy, TurnsFortranOrderAround) {
  const std::string file = npy_file("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n",
                                    little_endian<std::uint16_t>({1, 4, 2, 5, 3, 6}));
  const auto x = parse_npy(file).read<std::int16_t, 2>();
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(x.data()[i], i + 1);
  const std::string line = npy_file("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 3), }\n", "abc");
  EXPECT_EQ((parse_npy(line).read<std::uint8_t, 2>()(0, 2)), 'c');
}

TEST(Npy, NamesWhatDoesNotFit) {
  const std::string file = npy_of("<i4", "(2, 1)", std::string(8, '\1'));
  EXPECT_FILE_ERROR((parse_npy(file).read<std::int32_t, 1>()), "test.npy: has 2 dimensions, expected 1");
  EXPECT_FILE_ERROR((parse_npy(file).read<std::uint32_t, 2>()), "'<i4', asked for '<u4'");
  EXPECT_FILE_ERROR((parse_npy(file).read<float, 2>()), "'<i4', asked for '<f4'");
  EXPECT_FILE_ERROR((parse_npy(file).read<double, 2>()), "'<i4', asked for '<f8'");
  EXPECT_FILE_ERROR(quanta::Npy::open("none.npy"), "none.npy: there is no such file");
}

TEST(Npy, RefusesFilesThatAreNotSound) {
  const auto refused = [](const std::string& file, const char* message) {
    SCOPED_TRACE(message);
    EXPECT_FILE_ERROR(parse_npy(file), "test.npy: ", message);
  };
  const std::string good = npy_of("|u1", "(2,)", "ab");
  refused("", "is not a .npy file");
  refused(npy_file("{}", "", 3), "version 3.0");
  refused(npy_of(">f4", "(1,)", "abcd"), "'>f4', expected little-endian");
  refused(npy_of("<c8", "(1,)", "abcdefgh"), "'<c8'");
  refused(npy_of("|b1", "(1,)", "a"), "'|b1'");
  refused(npy_of("|f1", "(1,)", "a"), "'|f1'");
  refused(npy_of("|i2", "(1,)", "ab"), "'|i2'");
  refused(npy_of("<i3", "(1,)", "abc"), "'<i3'");
  refused(npy_of("O\x1b", "(1,)", "a"), "'O?'");
  refused(npy_of("|u1", "(3,)", "ab"), "holds 2 bytes, but its shape takes 3 bytes");
  refused(npy_of("|u1", "(1,)", "ab"), "holds 2 bytes");
  refused(npy_of("|u1", "(18446744073709551616,)", ""), "the header is not");
  refused(npy_of("|u1", "(9223372036854775807,)", ""), "more elements than fit");
  refused(npy_of("<f8", "(4294967296, 4294967296)", ""), "more elements than fit");
  refused(npy_of("<f8", "(0, 4294967296, 4294967296)", ""), "more elements than fit");
  std::string many = "(";
  for (int i = 0; i < 33; ++i) many += "1, ";
  refused(npy_of("|u1", many + ")", "a"), "the header is not");
  for (const char* dictionary :
       {"", "{", "{}", "()", "{'descr': '|u1'}", "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': Fals, 'shape': (2,)}",
        "{'descr': '|u1', 'fortran_order': False 'shape': (2,)}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'x': 1}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", "{'descr: '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 2}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3}",
        "{'descr': [('a', '<f4')], 'fortran_order': False}"}) {
    SCOPED_TRACE(dictionary);
    refused(npy_file(dictionary, "ab"), "the header is not");
  }
}

TEST(Npy, RefusesAFileCutAtAnyByteAndSurvivesFlippedBits) {
  for (const std::string& whole :
       {npy_of("<i2", "(2, 3)", "abcdefghijkl"),
        npy_file("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n", "abcdefgh", 2)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FILE_ERROR(quanta::Npy::from_memory(std::as_bytes(std::span(cut)), "cut"), "cut: ");
    }
    for (std::size_t at = 0; at < 8 * whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at / 8] = static_cast<char>(static_cast<unsigned char>(damaged[at / 8]) ^ (1u << at % 8));
      try {
        const quanta::Npy file = parse_npy(damaged);
        EXPECT_LE(file.shape().size(), 32u);
      } catch (const FileError&) {
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
#endif
