// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantized tensors whose scales are codes, in files: what an independent reader finds, what comes back, at run time,
// with its type and in place, and what of damaged files is refused.
#if __has_include(<nlohmann/json.hpp>)
#include <quanta/io/save.hpp>
#include <quanta/quant/block_formats.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class Scheme, class F, class G>
QuantizedTensor<F, 2, G> narrow_sample(G granularity = G{}) {
  return Quantizer<Scheme, F, G>::fit_quantize(random_tensor<2>({6, 40}, 9), granularity);
}

template <class F, class G>
PlainFile survives(const QuantizedTensor<F, 2, G>& tensor) {
  const Path path("quanta_narrow.safetensors"), again("quanta_narrow_again.safetensors");
  save(*path, tensor);
  const AnyQuantizedTensor any = load_tensor(*path);
  EXPECT_TRUE((any.holds<F, 2, G>()));
  EXPECT_EQ(any.bytes(), tensor.bytes());
  EXPECT_EQ(any.description(), AnyQuantizedTensor(tensor).description());
  EXPECT_TRUE(same_bits(any.dequantize<2>(), tensor.dequantize()));
  const Safetensors file = Safetensors::open(*path);
  const auto copy = file.quantized<F, 2, G>("tensor");
  EXPECT_TRUE(same_bits(copy.dequantize(), tensor.dequantize()));
  EXPECT_EQ(copy.bytes(), tensor.bytes());
  const auto view = file.view<F, 2, G>("tensor");
  EXPECT_EQ(view.data(), file.bytes("tensor").data());
  EXPECT_TRUE(same_bits(view.dequantize(), tensor.dequantize()));
  save(*again, view);
  EXPECT_EQ(file_contents((*again).string()), file_contents((*path).string()));
  PlainFile plain = read_plain((*path).string());
  EXPECT_EQ(plain.payload, static_cast<std::size_t>(tensor.bytes()));  // N8
  return plain;
}

TEST(NarrowScales, OfOneLevelAreTheirCodes) {
  const auto tensor = narrow_sample<Symmetric, MXFP4, MxBlocks>();
  const PlainFile plain = survives(tensor);
  EXPECT_EQ(plain.texts.at("tensor.scale_format"), "e8m0");
  EXPECT_FALSE(plain.texts.contains("tensor.scale_block"));
  const auto codes = plain.tensors.at("tensor.scales").values<std::uint8_t>();
  ASSERT_EQ(codes.size(), 12u);  // 6 rows of two blocks
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(std::ldexp(1.0f, codes[i] - 127), tensor.params().scale(static_cast<Index>(i)));
  }
}

TEST(NarrowScales, OfTwoLevelsHaveOuterScales) {
  const auto tensor = narrow_sample<Symmetric, NVFP4, NVFP4::DefaultGranularity>();
  const PlainFile plain = survives(tensor);
  EXPECT_EQ(plain.texts.at("tensor.scale_format"), "e4m3");
  EXPECT_EQ(plain.texts.at("tensor.scale_block"), "all");
  EXPECT_EQ(plain.tensors.at("tensor.scales").dtype, "U8");
  EXPECT_EQ(plain.tensors.at("tensor.outer_scales").values<float>().size(), 1u);
  EXPECT_FALSE(plain.tensors.contains("tensor.scale_mean"));
}

TEST(NarrowScales, ThatAreCenteredHaveAMean) {
  using G = WithScales<PerGroup<4>, Dynamic8, 16, true>;
  const PlainFile plain = survives(narrow_sample<Symmetric, NF4, G>());
  EXPECT_EQ(plain.texts.at("tensor.scale_block"), "16");
  EXPECT_EQ(plain.tensors.at("tensor.outer_scales").values<float>().size(), 4u);  // 60 scales in blocks of 16
  EXPECT_EQ(plain.tensors.at("tensor.scale_mean").values<float>().size(), 1u);
}

TEST(NarrowScales, OfDamagedMeansAreRefused) {
  const Path path("quanta_narrow_mean.safetensors");
  using G = WithScales<PerGroup<4>, Dynamic8, 16, true>;
  save(*path, narrow_sample<Symmetric, NF4, G>());
  const PlainFile plain = read_plain((*path).string());
  const std::string whole = file_contents((*path).string());
  const auto change = [&](const std::string& from, const std::string& to, const char* message) {
    std::string bytes = whole;
    ASSERT_NE(bytes.find(from), bytes.npos) << from;
    bytes.replace(bytes.find(from), from.size(), to);
    EXPECT_FILE_ERROR(parse(bytes).quantized("tensor"), message);
    EXPECT_FILE_ERROR((parse(bytes).view<NF4, 2, G>("tensor")), message);
  };
  change(R"("tensor.scale_mean":{"dtype":"F32")", R"("tensor.scale_mean":{"dtype":"I32")",
         "scale_mean is \"I32\" of 0 dimensions, expected one number, F32");
  // Without outer scales a mean is nobody's.
  change(R"("tensor.outer_scales")", R"("tensor.other_scales")", "has no tensor \"tensor.outer_scales\"");
  std::string bytes = whole;
  bytes.replace(plain.tensors.at("tensor.scale_mean").offset, 4, little_endian(std::numeric_limits<float>::infinity()));
  EXPECT_FILE_ERROR(parse(bytes).quantized("tensor"), "scale_mean is inf");
}

TEST(NarrowScales, OfTwoBytesAndWithZeroPoints) {
  using G = WithScales<PerGroup<Dynamic>, Fp16>;
  const PlainFile plain = survives(narrow_sample<Asymmetric, UInt<4>>(G(8)));
  EXPECT_EQ(plain.tensors.at("tensor.scales").dtype, "U16");
  EXPECT_EQ(plain.tensors.at("tensor.zero_points").values<std::int32_t>().size(), 30u);
}

TEST(NarrowScales, OfDamagedFilesAreRefused) {
  const Path path("quanta_narrow_damaged.safetensors");
  using G = WithScales<PerGroup<8>, E4M3, 4>;
  save(*path, narrow_sample<Asymmetric, UInt<4>, G>());
  const std::string whole = file_contents((*path).string());
  const auto refused = [](const std::string& bytes, const char* message) {
    SCOPED_TRACE(message);
    EXPECT_FILE_ERROR(parse(bytes).quantized("tensor"), "test.safetensors", message);
    EXPECT_FILE_ERROR((parse(bytes).view<UInt<4>, 2, G>("tensor")), "test.safetensors");
  };
  const auto change = [&](const std::string& from, const std::string& to, const char* message) {
    std::uint64_t length = 0;
    std::memcpy(&length, whole.data(), 8);
    std::string json = whole.substr(8, length);
    ASSERT_NE(json.find(from), json.npos) << from;
    json.replace(json.find(from), from.size(), to);
    refused(file_of(json, whole.substr(8 + length)), message);
  };
  change("\"e4m3\"", "\"e9m9\"", "scale_format is \"e9m9\"");
  change("\"e4m3\"", "\"int8\"", "scale_format is \"int8\"");
  change("\"e4m3\"", "\"e2m1\"", "30 bytes of scales, expected 15 for 30 of e2m1");
  change("\"e4m3\"", "\"fp16\"", "expected U16 of 1");
  change("\"tensor.scale_block\":\"4\"", "\"tensor.scale_block\":\"0\"", "scale_block is 0");
  change("\"tensor.scale_block\":\"4\"", "\"tensor.scale_block\":\"x\"", "scale_block is \"x\"");
  change("\"tensor.scale_block\":\"4\"", "\"tensor.scale_block\":\"5\"", "8 outer scales, expected 6");
  change("\"tensor.scale_block\":\"4\"", "\"tensor.scale_block\":\"all\"", "8 outer scales, expected 1");
  change("\"tensor.scale_block\"", "\"tensor.scale_lock\"", "has no scale_block");
  change("\"tensor.outer_scales\"", "\"tensor.inner_scales\"", "no tensor \"tensor.outer_scales\"");
  const PlainFile plain = read_plain((*path).string());
  const auto overwrite = [&](const char* name, const std::string& with, const char* message) {
    std::string bytes = whole;
    bytes.replace(plain.tensors.at(name).offset, with.size(), with);
    refused(bytes, message);
  };
  overwrite("tensor.outer_scales", little_endian(std::numeric_limits<float>::quiet_NaN()), "outer scale 0 is nan");
  overwrite("tensor.outer_scales", little_endian(-1.0f), "scale 0 is -");
  overwrite("tensor.scales", std::string(1, '\0'), "scale 0 is 0");
  overwrite("tensor.zero_points", little_endian<std::uint32_t>(16), "zero point 0 is 16");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FILE_ERROR(Safetensors::from_memory(std::as_bytes(std::span(cut)), "cut").quantized("tensor"), "cut");
  }
}

}  // namespace
}  // namespace quanta::test
#endif
