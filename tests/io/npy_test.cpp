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

/// All numbers of 16 bits, as those of type T that have these bits.
template <class T>
RowTensor<T, 1> all_words() {
  RowTensor<T, 1> x(65536);
  for (Index i = 0; i < x.size(); ++i) x(i) = Eigen::numext::bit_cast<T>(static_cast<std::uint16_t>(i));
  return x;
}

// NumPy's half; and bfloat16, which is what ml_dtypes saves as two bytes of no type.
template <class T>
void words_survive(const char* type) {
  SCOPED_TRACE(type);
  const RowTensor<T, 1> x = all_words<T>();
  const Path path("quanta_words.npy");
  save_npy(*path, x);
  std::string words;
  for (int i = 0; i < 65536; ++i) words += little_endian(static_cast<std::uint16_t>(i));
  const std::string bytes = file_contents((*path).string());
  EXPECT_EQ(bytes.size(), 128 + words.size());
  EXPECT_EQ(bytes.substr(128), words);
  const std::string_view head = "\x93NUMPY\x01";
  EXPECT_EQ(bytes.substr(0, head.size()), head);
  EXPECT_EQ(bytes.substr(10, 61),
            "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (65536,), }");
  const quanta::Npy file = quanta::Npy::open(*path);
  EXPECT_EQ(file.type(), type);
  EXPECT_TRUE(same_bits(file.template read<T, 1>(), x));
  const std::string turned = npy_file("{'descr': '" + std::string(type) + "', 'fortran_order': True, 'shape': (2, 2)}",
                                      little_endian<std::uint16_t>({1, 2, 3, 4}));
  EXPECT_EQ(Eigen::numext::bit_cast<std::uint16_t>(parse_npy(turned).template read<T, 2>()(0, 1)), 3);
}

TEST(Npy, HoldsHalves) {
  words_survive<Eigen::half>("<f2");
  const Path path("quanta_halves.npy");
  save_npy(*path, all_words<Eigen::half>());
  const auto floats = quanta::Npy::open(*path).read<float, 1>();
  for (Index i = 0; i < floats.size(); ++i) {
    const float expected = static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(static_cast<std::uint16_t>(i)));
    if (!std::isnan(expected)) {
      ASSERT_EQ(floats(i), expected) << i;
    }
  }
  EXPECT_FILE_ERROR((quanta::Npy::open(*path).read<Eigen::bfloat16, 1>()), "'<f2', asked for '<V2'");
  save_npy(*path, (Eigen::ArrayXf::Constant(3, 0.5f) + 1.0f).cast<Eigen::half>());
  EXPECT_EQ(file_contents((*path).string()).substr(128), little_endian<std::uint16_t>({0x3e00, 0x3e00, 0x3e00}));
}

TEST(Npy, HoldsBfloat16AsBytesOfNoType) {
  words_survive<Eigen::bfloat16>("<V2");
  const std::string file = npy_of("|V2", "(2,)", little_endian<std::uint16_t>({0x3f80, 0xc000}));
  EXPECT_EQ(static_cast<float>(parse_npy(file).read<Eigen::bfloat16, 1>()(1)), -2.0f);
  EXPECT_FILE_ERROR((parse_npy(file).read<float, 1>()), "'|V2', asked for '<f4'; bfloat16 is saved so");
  EXPECT_FILE_ERROR((parse_npy(file).read<std::uint16_t, 1>()), "'|V2', asked for '<u2'");
  EXPECT_FILE_ERROR((parse_npy(file).read<Eigen::half, 1>()), "'|V2', asked for '<f2'");
}

TEST(Npy, HoldsTheCodesOfEveryFormat) {
  const RowTensor<float, 2> x = random_tensor<2>({3, 8}, 2);
  const auto survive = [](const auto& tensor, const char* type) {
    SCOPED_TRACE(type);
    using T = ScalarOf<decltype(tensor.codes())>;
    const Path path("quanta_codes.npy");
    save_npy(*path, tensor.codes());
    const auto independent = read_npy_file<T>((*path).string());
    EXPECT_TRUE(same_bits(independent.data, tensor.codes()));
    EXPECT_EQ(quanta::Npy::open(*path).type(), type);
    EXPECT_TRUE(same_bits(quanta::Npy::open(*path).template read<T, 2>(), tensor.codes()));
  };
  survive(SymmetricQuantizer<Int<4>>::fit_quantize(x), "|i1");
  survive(AsymmetricQuantizer<UInt<8>>::fit_quantize(x), "|u1");
  survive(SymmetricQuantizer<Int<16>>::fit_quantize(x), "<i2");
  survive(AsymmetricQuantizer<UInt<16>>::fit_quantize(x), "<u2");
  survive(SymmetricQuantizer<NF4>::fit_quantize(x), "|u1");
  survive(SymmetricQuantizer<Fp16>::fit_quantize(x), "<u2");
}

TEST(Npy, WritesVersion2WhenAskedTo) {
  const RowTensor<std::int16_t, 2> x = RowTensor<std::int16_t, 2>(1, 2).setConstant(-2);
  const Path path("quanta_version.npy");
  for (const int version : {1, 2}) {
    save_npy(*path, x, {.version = version});
    // 128 bytes of head, as NumPy makes them.
    const std::size_t length = version == 1 ? 118 : 116;
    std::string dictionary = "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2), }";
    dictionary.resize(length - 1, ' ');
    EXPECT_EQ(file_contents((*path).string()), npy_file(dictionary + "\n", "\xfe\xff\xfe\xff", version));
    EXPECT_TRUE(same_bits(quanta::Npy::open(*path).read<std::int16_t, 2>(), x));
  }
  path.write("before");
  EXPECT_ERROR(save_npy(*path, x, {.version = 3}), "save_npy: version 3, expected 1 or 2");
  EXPECT_EQ(file_contents((*path).string()), "before");
}

TEST(Npy, HasHeadersOfAnyLengthInVersion2) {
  const std::vector<Index> shape(40000, 1);
  EXPECT_ERROR(detail::npy_head("|i1", shape, 1), "the header takes 120", "expected at most 65535 in version 1");
  const std::string head = detail::npy_head("|i1", shape, 2);
  EXPECT_EQ(head.size() % 64, 0u);
  EXPECT_EQ(head.substr(8, 4), little_endian(static_cast<std::uint32_t>(head.size() - 12)));
  EXPECT_EQ(detail::npy_head("|i1", {}, 1).substr(10, 56), "{'descr': '|i1', 'fortran_order': False, 'shape': (), } ");
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
  refused(npy_of("<V4", "(1,)", "abcd"), "'<V4', expected little-endian");
  refused(npy_of(">V2", "(1,)", "ab"), "'>V2'");
  refused(npy_of("<V2", "(1,)", "a"), "takes 2 bytes of <V2");
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
