// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantized tensors in files: written by the library and read by an independent parser, and back; in place too.
#if __has_include(<nlohmann/json.hpp>)
#include <quanta/io/save.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// -1, 0 and 1 in two bits: a format of a user's, whose fourth pattern is no code.
struct Trits {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1, max = 1;
  static constexpr std::string_view name = "trits";
};

/// The same as a codebook, whose fourth pattern is no code either.
struct Signs {
  using Code = std::uint8_t;
  static constexpr int bits = 2;
  static constexpr std::string_view name = "signs";
  static constexpr std::array<float, 3> levels = {-1.0f, 0.0f, 1.0f};
};

template <class F, class G>
QuantizedTensor<F, 2, G> quantized_sample(G granularity = G{}) {
  using Scheme = std::conditional_t<(F::min < 0), Symmetric, Asymmetric>;
  return Quantizer<Scheme, F, G>::fit_quantize(random_tensor<2>({6, 21}, 7), granularity);
}

/// Code i of a stream, bit by bit.
template <class F>
std::int64_t code_at(const std::string& bytes, std::size_t i) {
  std::int64_t code = 0;
  for (std::size_t bit = 0; bit < F::bits; ++bit) {
    const std::size_t at = i * F::bits + bit;
    code |= std::int64_t{static_cast<unsigned char>(bytes[at / 8]) >> (at % 8) & 1} << bit;
  }
  return F::min < 0 && code >> (F::bits - 1) != 0 ? code - (std::int64_t{1} << F::bits) : code;
}

template <class F, class G>
void round_trip(G granularity, const char* dtype) {
  SCOPED_TRACE(std::string(F::name));
  const auto tensor = quantized_sample<F>(granularity);
  const Path path("quanta_one.safetensors");
  save(*path, tensor);

  // An independent reader finds what was saved ...
  const PlainFile plain = read_plain((*path).string());
  EXPECT_EQ(plain.payload, static_cast<std::size_t>(tensor.bytes()));  // N8
  const PlainTensor& codes = plain.tensors.at("tensor");
  EXPECT_EQ(codes.dtype, dtype);
  const auto expected = tensor.codes();
  for (Index i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(code_at<F>(codes.bytes, static_cast<std::size_t>(i)), expected.data()[i]) << i;
  }
  const auto scales = plain.tensors.at("tensor.scales").values<float>();
  ASSERT_EQ(static_cast<Index>(scales.size()), tensor.params().size());
  for (Index i = 0; i < tensor.params().size(); ++i) {
    ASSERT_EQ(scales[static_cast<std::size_t>(i)], tensor.params().scale(i));
  }
  EXPECT_EQ(plain.tensors.contains("tensor.zero_points"), F::min == 0);
  EXPECT_EQ(plain.texts.at("tensor.format"), F::name);
  EXPECT_EQ(plain.texts.at("tensor.shape"), "6,21");
  EXPECT_EQ(plain.texts.at("quanta"), "1");

  // ... and so does the library: at run time, with its type, and in place.
  const AnyQuantizedTensor any = load_tensor(*path);
  EXPECT_TRUE((any.template holds<F, 2, G>()));
  EXPECT_EQ(any.bytes(), tensor.bytes());
  EXPECT_TRUE(same_bits(any.template dequantize<2>(), tensor.dequantize()));
  const Safetensors file = Safetensors::open(*path);
  const auto copy = file.quantized<F, 2, G>("tensor");
  EXPECT_TRUE(same_bits(copy.codes(), tensor.codes()));
  EXPECT_EQ(copy.bytes(), tensor.bytes());
  const QuantizedView<F, 2, G> view = file.view<F, 2, G>("tensor");
  EXPECT_EQ(view.data(), file.bytes("tensor").data());
  EXPECT_TRUE(same_bits(view.dequantize(), tensor.dequantize()));
  EXPECT_EQ(file.quantized_info("tensor").description(), any.description());

  // The same tensor gives the same bytes, from AnyQuantizedTensor and from a view too.
  const Path again("quanta_again.safetensors");
  save(*again, any);
  EXPECT_EQ(file_contents((*again).string()), file_contents((*path).string()));
  save(*again, view);
  EXPECT_EQ(file_contents((*again).string()), file_contents((*path).string()));
}

TEST(SaveTensor, RoundTripsEveryKindOfFormat) {
  round_trip<Int<8>>(PerChannel<0>{}, "I8");
  round_trip<UInt<8>>(PerTensor{}, "U8");
  round_trip<Int<16>>(PerTensor{}, "I16");
  round_trip<UInt<16>>(PerChannel<1>{}, "U16");
  round_trip<Int<4>>(PerGroup<8>{}, "U8");
  round_trip<UInt<3>>(PerGroup<Dynamic, 0>{4}, "U8");
  round_trip<Int<5>>(PerChannel<-1>{}, "U8");
}

TEST(SaveTensor, HoldsTensorsOfOtherRanks) {
  const Path path("quanta_rank.safetensors");
  const auto cube =
      SymmetricQuantizer<Int<3>, PerChannel<1>>::fit_quantize(random_tensor<5>({2, 3, 1, 2, 5}, 1), PerChannel<1>{});
  save(*path, cube);
  EXPECT_TRUE(same_bits(load_tensor(*path).dequantize<5>(), cube.dequantize()));
  const QuantizedTensor<Int<8>, 2, PerChannel<0>> empty(Eigen::Tensor<std::int8_t, 2>(0, 7),
                                                        QuantParams<PerChannel<0>>(std::vector<float>{}));
  save(*path, empty);
  EXPECT_EQ(load_tensor(*path).size(), 0);
  EXPECT_EQ(read_plain((*path).string()).payload, 0u);
}

TEST(SaveTensor, TakesAFormatOfTheUsers) {
  const Path path("quanta_trits.safetensors");
  const auto tensor = quantized_sample<Trits>(PerChannel<0>{});
  save(*path, tensor);
  EXPECT_TRUE(same_bits(load_tensor<Trits>(*path).dequantize<2>(), tensor.dequantize()));
  EXPECT_FILE_ERROR(load_tensor(*path), "quanta_trits.safetensors: tensor \"tensor\" has the format \"trits\"",
                    "none of the library's");
  std::string bytes = file_contents((*path).string());
  bytes.back() = '\x02';  // -2, which two bits can hold and Trits has not
  path.write(bytes);
  EXPECT_FILE_ERROR(load_tensor<Trits>(*path), "code 124 is none of trits");
  EXPECT_FILE_ERROR((Safetensors::open(*path).quantized<Trits, 2, PerChannel<0>>("tensor")), "code 124");
  EXPECT_FILE_ERROR((Safetensors::open(*path).view<Trits, 2, PerChannel<0>>("tensor")), "code 124");
}

TEST(SaveTensor, TakesACodebookOfTheUsers) {
  const Path path("quanta_signs.safetensors");
  const auto tensor = SymmetricQuantizer<Signs>::fit_quantize(random_tensor<2>({6, 21}, 7));
  save(*path, tensor);
  EXPECT_TRUE(same_bits(load_tensor<Signs>(*path).dequantize<2>(), tensor.dequantize()));
  std::string bytes = file_contents((*path).string());
  bytes.back() = '\x0c';
  path.write(bytes);
  EXPECT_FILE_ERROR(load_tensor<Signs>(*path), "code 125 is none of signs");
}

TEST(SaveTensor, PutsManyIntoOneFile) {
  const auto weight = quantized_sample<Int<4>>(PerChannel<0>{});
  const RowTensor<float, 2> floats = random_tensor<2>({3, 4}, 2);
  TensorList list;
  list.add("w", weight.view());
  list.add("by \"value\"", quantized_sample<Int<8>>(PerTensor{}));
  list.add("floats", floats);
  list.add("columns", col_major(floats));
  list.add("doubles", Eigen::VectorXd::Constant(3, 0.1));
  list.add("seven", 7);
  list.add("half", 0.5f);
  list.add("made", "U16", {2}, [](std::byte* to) { std::memcpy(to, "\1\2\3\4", 4); });
  list.add_text("note", "grüße\n\x01");
  const Path path("quanta_many.safetensors");
  save(*path, list);

  const PlainFile plain = read_plain((*path).string());
  EXPECT_EQ(plain.tensors.size(), 10u);
  EXPECT_EQ(plain.texts.at("note"), "grüße\n\x01");
  EXPECT_EQ(plain.tensors.at("seven").dtype, "I32");
  EXPECT_EQ(plain.tensors.at("seven").values<std::int32_t>(), std::vector<std::int32_t>{7});
  EXPECT_TRUE(plain.tensors.at("seven").shape.empty());
  EXPECT_EQ(plain.tensors.at("made").values<std::uint16_t>(), (std::vector<std::uint16_t>{0x201, 0x403}));
  EXPECT_EQ(plain.tensors.at("columns").bytes, plain.tensors.at("floats").bytes);

  const Safetensors file = Safetensors::open(*path);
  EXPECT_TRUE(same_bits(file.read<2>("floats"), floats));
  EXPECT_EQ(file.read<1>("doubles")(2), 0.1f);
  EXPECT_EQ(file.read<1>("half")(0), 0.5f);
  EXPECT_TRUE(file.is_quantized("w"));
  EXPECT_FALSE(file.is_quantized("floats"));
  EXPECT_FALSE(file.is_quantized("none"));
  EXPECT_EQ(file.quantized("by \"value\"").description(), "int8 (6, 21) per_tensor");
}

TEST(SaveTensor, RefusesNamesThatClashBeforeItWrites) {
  const Path path("quanta_clash.safetensors");
  path.write("before");
  TensorList tensors;
  tensors.add("a", 1);
  tensors.add("a", 2.0f);
  EXPECT_ERROR(save(*path, tensors), "save: two tensors are named \"a\"");
  TensorList parts;
  parts.add("w", quantized_sample<Int<8>>(PerTensor{}));
  parts.add("w.scales", 2.0f);
  EXPECT_ERROR(save(*path, parts), "two tensors are named \"w.scales\"");
  TensorList texts;
  texts.add_text("quanta", "2");
  EXPECT_ERROR(save(*path, texts), "two texts are named \"quanta\"");
  TensorList metadata;
  metadata.add("__metadata__", 1);
  EXPECT_ERROR(save(*path, metadata), "\"__metadata__\"");
  TensorList bytes;
  bytes.add_text("note", "\xff");
  EXPECT_ERROR(save(*path, bytes), "not UTF-8");
  EXPECT_EQ(file_contents((*path).string()), "before");
}

TEST(SaveTensor, SaysWhatAFileHoldsInstead) {
  const Path path("quanta_other.safetensors");
  save(*path, quantized_sample<Int<4>>(PerGroup<8>{}));
  const Safetensors file = Safetensors::open(*path);
  EXPECT_FILE_ERROR((file.view<Int<8>, 2, PerGroup<8>>("tensor")), "int4 (6, 21) per_group(8, axis 1)", "int8");
  EXPECT_FILE_ERROR((file.view<Int<4>, 2, PerGroup<16>>("tensor")), "per_group(8, axis 1)");
  EXPECT_FILE_ERROR((file.quantized<Int<4>, 3, PerGroup<8>>("tensor")), "rank 3");
  EXPECT_FILE_ERROR(file.quantized("tensor.scales"), "\"tensor.scales\" has no format");
  EXPECT_FILE_ERROR(file.quantized("x"), "has no tensor \"x\"");
  save(*path, quantized_sample<Int<4>, PerTensor>());
  EXPECT_FILE_ERROR(Safetensors::open(*path).read<2>("tensor"), "expected F32", "holds codes: read it by quantized");
}

// Whatever the texts and tensors of a quantized tensor say, what comes of it is a sound tensor or FileError.
TEST(SaveTensor, RefusesTextsThatDoNotFit) {
  const Path path("quanta_texts.safetensors");
  save(*path, quantized_sample<UInt<4>>(PerGroup<8>{}));
  const std::string whole = file_contents((*path).string());
  const auto change = [&](const std::string& from, const std::string& to, const char* message) {
    SCOPED_TRACE(to);
    std::string bytes = whole;
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, bytes.npos);
    bytes.replace(at, from.size(), to);
    std::size_t length = static_cast<unsigned char>(bytes[8 - 8]) + 256u * static_cast<unsigned char>(bytes[1]);
    length += to.size() - from.size();
    bytes[0] = static_cast<char>(length & 255);
    bytes[1] = static_cast<char>(length >> 8);
    EXPECT_FILE_ERROR(parse(bytes).quantized("tensor"), "test.safetensors", message);
  };
  change("\"uint4\"", "\"uint5\"", "63 bytes of codes for shape (6, 21) of uint5, expected 79");
  change("\"uint4\"", "\"nint4\"", "\"nint4\"");
  change("\"6,21\"", "\"6,22\"", "expected 66");
  change("\"6,21\"", "\"126\"", "axis is 1, expected one of 1");
  change("\"6,21\"", "\"6,21,\"", "expected 1 to 5 extents");
  change("\"6,21\"", "\"\"", "shape is \"\"");
  change("\"6,21\"", "\"6,-21\"", "shape is");
  change("\"6,21\"", "\"1,1,1,1,6,21\"", "shape is");
  change("\"6,21\"", "\"9223372036854775807,9223372036854775807\"", "too large");
  change("\"6,21\"", "\"0,9223372036854775807\"", "too large");
  change("\"6,21\"", "\"9223372036854775808,1\"", "shape is");
  change("\"per_group\"", "\"per_grope\"", "granularity is \"per_grope\"");
  change("\"per_group\"", "\"per_tensor\"", "18 scales for a tensor of shape (6, 21) that has 1");
  change("\"tensor.axis\":\"1\"", "\"tensor.axis\":\"2\"", "axis is 2");
  change("\"tensor.axis\":\"1\"", "\"tensor.axis\":\"x\"", "axis is \"x\", expected a whole number");
  change("\"tensor.axis\"", "\"tensor.exis\"", "has no axis");
  change("\"tensor.group_size\":\"8\"", "\"tensor.group_size\":\"0\"", "group size 0");
  change("\"tensor.group_size\":\"8\"", "\"tensor.group_size\":\"9223372036854775807\"", "18 scales");
  change("\"tensor.group_size\":\"8\"", "\"tensor.group_size\":\"6\"", "18 scales");
  change("\"tensor.scales\"", "\"tensor.scalez\"", "no tensor \"tensor.scales\"");
  change("\"tensor.scales\":{\"dtype\":\"F32\"", "\"tensor.scales\":{\"dtype\":\"I32\"", "expected F32 of 1");
  change("\"quanta\":\"1\"", "\"quanta\":\"2\"", "layout \"2\"");
  change("\"shape\":[18]", "\"shape\":[3,6]", "of 2 dimensions");
}

TEST(SaveTensor, RefusesScalesAndZeroPointsThatAreNone) {
  const Path path("quanta_params.safetensors");
  const auto tensor = quantized_sample<UInt<4>>(PerChannel<0>{});
  save(*path, tensor);
  const PlainFile plain = read_plain((*path).string());
  const std::string whole = file_contents((*path).string());
  const auto change = [&](const char* name, const std::string& word, const char* message) {
    std::string bytes = whole;
    bytes.replace(plain.tensors.at(name).offset + 4, 4, word);
    EXPECT_FILE_ERROR(parse(bytes).quantized("tensor"), message);
    EXPECT_FILE_ERROR((parse(bytes).quantized<UInt<4>, 2, PerChannel<0>>("tensor")), message);
  };
  for (const float scale :
       {0.0f, -1.0f, 0x1p-127f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    change("tensor.scales", little_endian(scale), "scale 1 is ");
  }
  change("tensor.zero_points", little_endian<std::uint32_t>(16), "zero point 1 is 16");
  change("tensor.zero_points", little_endian<std::uint32_t>(0xffffffffu), "zero point 1 is -1");
}

TEST(SaveTensor, RefusesMoreZeroPointsThanScales) {
  const std::string json = R"({"__metadata__":{"w.format":"uint8","w.shape":"1","w.granularity":"per_tensor"},)"
                           R"("w.scales":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                           R"("w.zero_points":{"dtype":"I32","shape":[2],"data_offsets":[4,12]},)"
                           R"("w":{"dtype":"U8","shape":[1],"data_offsets":[12,13]}})";
  const std::string file = file_of(json, little_endian({1.0f, 0.0f, 0.0f}) + "x");
  EXPECT_FILE_ERROR(parse(file).quantized("w"), "tensor \"w\" has 2 zero points for 1 scales");
}

TEST(SaveTensor, ALackOfMemoryIsTheFilesError) {
  EXPECT_FILE_ERROR(detail::as_file_error("big", []() -> int { throw std::bad_alloc(); }), "big: there is no memory");
}

// Zero points that are all 0 take nothing, whoever wrote them.
TEST(SaveTensor, ForgetsZeroPointsThatAreAllZero) {
  const std::string json = R"({"__metadata__":{"w.format":"uint8","w.shape":"1","w.granularity":"per_tensor"},)"
                           R"("w.scales":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                           R"("w.zero_points":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},)"
                           R"("w":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})";
  const std::string file = file_of(json, little_endian({1.0f, 0.0f}) + "x");
  EXPECT_EQ(parse(file).quantized("w").bytes(), 5);
}

// Files of others may have their data at any address, and zero points that are all 0.
TEST(SaveTensor, ReadsUnalignedFilesByCopyAndNotInPlace) {
  const Path path("quanta_unaligned.safetensors");
  const auto tensor = quantized_sample<Int<4>>(PerChannel<0>{});
  save(*path, tensor);
  const std::string whole = file_contents((*path).string());
  for (std::size_t shift = 1; shift < 4; ++shift) {
    const std::string moved = std::string(64 - reinterpret_cast<std::uintptr_t>(whole.data()) % 4 + shift, 'x') + whole;
    const std::size_t at = moved.size() - whole.size();
    const auto bytes = std::as_bytes(std::span(moved.data(), moved.size())).subspan(at);
    const Safetensors file = Safetensors::from_memory(bytes, "moved");
    EXPECT_TRUE(same_bits(file.quantized("tensor").dequantize<2>(), tensor.dequantize()));
    if (reinterpret_cast<std::uintptr_t>(file.bytes("tensor.scales").data()) % 4 != 0) {
      EXPECT_FILE_ERROR((file.view<Int<4>, 2, PerChannel<0>>("tensor")), "not aligned");
    }
  }
}

TEST(SaveTensor, RefusesAFileCutAtAnyByte) {
  const Path path("quanta_whole.safetensors");
  save(*path, quantized_sample<UInt<3>>(PerGroup<8>{}));
  const std::string whole = file_contents((*path).string());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FILE_ERROR(Safetensors::from_memory(std::as_bytes(std::span(cut)), "cut"), "cut: ");
    path.write(whole.substr(0, size));
    EXPECT_FILE_ERROR(load_tensor(*path), "quanta_whole.safetensors");
  }
}

}  // namespace
}  // namespace quanta::test
#endif
