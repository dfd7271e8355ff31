// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Models in files: what is loaded gives the same bits as what was saved, layer by layer, and saves as the same file.
#if __has_include(<nlohmann/json.hpp>)
#include <quanta/io.hpp>
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

Matrix model_weight(Index n, Index k) {
  return random_tensor<2>({n, k}, static_cast<std::uint64_t>(n * 100 + k), 0.2f);
}
RowTensor<float, 1> model_bias(Index n) { return random_tensor<1>({n}, static_cast<std::uint64_t>(n)); }

/// A user's layer with a number, a tensor and a quantized tensor of its own.
struct Blend : CallableLayer<Blend> {
  static constexpr const char* kName = "Blend";
  Blend(float s, const RowTensor<float, 1>& a, QuantizedTensor<Int<4>, 1> m)
      : share(s), added(a), multiplied(std::move(m)) {}

  void save(TensorList& to) const {
    to.add("share", share);
    to.add("added", added);
    to.add("multiplied", multiplied.view());
    to.add_text("mood", "mild");
  }
  static Blend load(const LayerReader& from) {
    EXPECT_EQ(from.text("mood"), "mild");
    return Blend(from.number("share"), from.read<1>("added"), from.quantized<Int<4>, 1>("multiplied"));
  }

  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    const auto factors = multiplied.dequantize();
    for (Index r = 0; r < x.extent(0); ++r) {
      for (Index i = 0; i < x.extent(1); ++i) {
        const float v = x.data()[r * x.stride(0) + i * x.stride(1)] * share;
        y.data()[r * y.stride(0) + i] = v * factors(i % factors.size()) + added(i % added.size());
      }
    }
  }
  std::string name() const { return kName; }
  Index packed_bytes() const { return 0; }

  float share;
  RowTensor<float, 1> added;
  QuantizedTensor<Int<4>, 1> multiplied;
};
static_assert(LoadableLayer<Blend>);

/// One that cannot be saved.
struct Secret : CallableLayer<Secret> {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>&, const TensorView<float, 2>&) const {}
  std::string name() const { return "Secret"; }
  Index packed_bytes() const { return 0; }
};
static_assert(!SavableLayer<Secret>);

/// A user's format.
struct Thirds {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1, max = 1;
  static constexpr std::string_view name = "thirds";
};

/// Saves and loads; the copy gives the same bits and the same file.
template <class... Own>
Sequential expect_survives(const Sequential& model, Index features) {
  const Path path("quanta_model.safetensors"), again("quanta_model_again.safetensors");
  save(*path, model);
  const Sequential loaded = load<Own...>(*path);
  EXPECT_EQ(loaded.size(), model.size());
  const Matrix x = random_tensor<2>({5, features}, 3);
  EXPECT_TRUE(same_bits(loaded(x), model(x)));
  EXPECT_EQ(loaded.packed_bytes(), model.packed_bytes());
  save(*again, loaded);
  EXPECT_EQ(file_contents((*again).string()), file_contents((*path).string()));
  return loaded;
}

std::string saved_model(const Sequential& model) {
  const Path path("quanta_saved.safetensors");
  save(*path, model);
  return file_contents((*path).string());
}

/// The three layers of one format and granularity.
template <class F, class G>
void add_layers(Sequential& model, G granularity) {
  const Matrix weight = model_weight(21, 21);
  const auto bias = model_bias(21);
  model.push_back(DynamicLinear<F, G>(weight, bias, granularity));
  model.push_back(StaticLinear<F, G>(weight, bias, AsymmetricQuantizer<UInt<8>>::fit(Range{-3.0f, 5.0f}), granularity));
  model.push_back(StaticLinear<F, G>(weight, SymmetricQuantizer<Int<7>>::fit(Range{-3.0f, 5.0f}), granularity));
  model.push_back(WeightOnlyLinear<F, G>(weight, bias, granularity));
}

// The kinds that differ in what packing does: 8 bits and fewer, signed and unsigned.
template <class G>
void survive_at(G granularity) {
  Sequential model;
  add_layers<Int<8>>(model, granularity);
  add_layers<UInt<8>>(model, granularity);
  add_layers<Int<4>>(model, granularity);
  add_layers<UInt<5>>(model, granularity);
  const Sequential loaded = expect_survives(model, 21);
  for (Index i = 0; i < loaded.size(); ++i) EXPECT_EQ(loaded[i].name(), model[i].name());
  EXPECT_EQ(summary(loaded).text(), summary(model).text());
}

TEST(Model, SurvivesPerTensor) { survive_at(PerTensor{}); }
TEST(Model, SurvivesPerChannel) { survive_at(PerChannel<0>{}); }
TEST(Model, SurvivesPerGroup) { survive_at(PerGroup<Dynamic>{8}); }

template <class... F>
void survive_in_formats() {
  Sequential model;
  (model.push_back(WeightOnlyLinear<F>(model_weight(21, 21), model_bias(21))), ...);
  expect_survives(model, 21);
}

TEST(Model, SurvivesInEveryFormat) {
  survive_in_formats<Int<2>, Int<3>, Int<4>, Int<5>, Int<6>, Int<7>, Int<8>, Int<16>>();
  survive_in_formats<UInt<2>, UInt<3>, UInt<4>, UInt<5>, UInt<6>, UInt<7>, UInt<8>, UInt<16>>();
  const Matrix weight = model_weight(21, 21);
  expect_survives(
      Sequential{DynamicLinear<Int<2>>(weight), DynamicLinear<Int<3>>(weight), DynamicLinear<Int<7>>(weight),
                 DynamicLinear<UInt<2>>(weight), DynamicLinear<UInt<7>>(weight),
                 DynamicLinear<Int<2>, PerGroup<8>>(weight), DynamicLinear<Int<3>, PerGroup<8>>(weight)},
      21);
}

TEST(Model, SurvivesWithOutliers) {
  expect_survives(Sequential{Int8OutlierLinear<>(model_weight(9, 21), model_bias(9), 1.5f)}, 21);
}

TEST(Model, ComesBackWithTheTypesThatAreNamed) {
  const Sequential model{DynamicLinear<Int<4>, PerGroup<16>>(model_weight(9, 33)), DynamicLinear<>(model_weight(33, 9)),
                         StaticLinear<>(model_weight(33, 33), AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 2.0f})),
                         WeightOnlyLinear<Int<4>>(model_weight(9, 33))};
  expect_survives(model, 33);
  // Codes are packed from where they lie, at any address.
  const std::string bytes = saved_model(model);
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string moved = std::string(shift, ' ') + bytes;
    const auto in_memory = std::as_bytes(std::span(moved)).subspan(shift);
    const Matrix x = random_tensor<2>({5, 33}, 3);
    const Sequential typed =
        load<DynamicLinear<>, StaticLinear<>, WeightOnlyLinear<Int<4>>>(Safetensors::from_memory(in_memory));
    EXPECT_TRUE(same_bits(typed(x), model(x))) << shift;
  }
  const Sequential loaded =
      expect_survives<DynamicLinear<>, StaticLinear<>, WeightOnlyLinear<Int<4>>, DynamicLinear<Int<4>, PerGroup<16>>>(
          model, 33);
  EXPECT_NE((loaded[0].target<DynamicLinear<Int<4>, PerGroup<16>>>()), nullptr);
  EXPECT_NE(loaded[1].target<DynamicLinear<>>(), nullptr);
  ASSERT_NE(loaded[2].target<StaticLinear<>>(), nullptr);
  EXPECT_NE(loaded[3].target<WeightOnlyLinear<Int<4>>>(), nullptr);
  const Sequential dynamic = expect_survives<DynamicLinear<Int<4>, PerGroup<Dynamic>>>(model, 33);
  ASSERT_NE((dynamic[0].target<DynamicLinear<Int<4>, PerGroup<Dynamic>>>()), nullptr);
  EXPECT_EQ((dynamic[0].target<DynamicLinear<Int<4>, PerGroup<Dynamic>>>()->weights().granularity().size()), 16);
}

TEST(Model, SurvivesOtherGranularitiesOfWeightOnlyLayers) {
  const Matrix weight = model_weight(21, 21);
  const Sequential model{WeightOnlyLinear<Int<8>, PerChannel<1>>(weight, model_bias(21)),
                         WeightOnlyLinear<Int<4>, PerGroup<8, 0>>(weight, model_bias(21)),
                         WeightOnlyLinear<Int<4>, PerChannel<-1>>(weight),
                         WeightOnlyLinear<UInt<5>, PerGroup<64, 1>>(weight)};
  expect_survives(model, 21);
}

TEST(Model, SurvivesFormatsThatAreNotIntegers) {
  const Matrix weight = model_weight(21, 21);
  const auto bias = model_bias(21);
  const Sequential model{WeightOnlyLinear<NF4>(weight, bias),  WeightOnlyLinear<FP4, PerTensor>(weight),
                         WeightOnlyLinear<E2M1>(weight, bias), WeightOnlyLinear<E2M3>(weight),
                         WeightOnlyLinear<E3M2>(weight),       WeightOnlyLinear<E4M3, PerGroup<8>>(weight),
                         WeightOnlyLinear<E5M2>(weight, bias), WeightOnlyLinear<Fp16>(weight, bias),
                         WeightOnlyLinear<Bf16>(weight)};
  const Sequential loaded = expect_survives<WeightOnlyLinear<Fp16>>(model, 21);
  EXPECT_EQ(summary(loaded).text(), summary(model).text());
  EXPECT_NE(loaded[7].target<WeightOnlyLinear<Fp16>>(), nullptr);
}

TEST(Model, SurvivesScalesThatAreCodes) {
  const Matrix weight = model_weight(40, 40);
  const Sequential model{
      WeightOnlyLinear<MXFP4>(weight, model_bias(40)),
      WeightOnlyLinear<NF4, DoubleQuantized<PerGroup<8>>>(weight),
      WeightOnlyLinear<NF4, WithScales<PerGroup<8>, E4M3, kAllScales>>(weight),
      WeightOnlyLinear<Int<4>, WithScales<PerGroup<Dynamic>, Fp16>>(weight, WithScales<PerGroup<Dynamic>, Fp16>(16)),
      WeightOnlyLinear<UInt<4>, WithScales<PerChannel<0>, Bf16, 7>>(weight),
      WeightOnlyLinear<Int<8>, WithScales<PerTensor, E5M2>>(weight),
      DynamicLinear<Int<4>, WithScales<PerGroup<8>, Fp16>>(weight),
      DynamicLinear<MXINT8, MxBlocks>(weight, model_bias(40)),
      StaticLinear<UInt<4>, WithScales<PerGroup<16>, Bf16>>(weight, model_bias(40),
                                                            AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 2.0f}))};
  const Sequential loaded = expect_survives<WeightOnlyLinear<NF4, DoubleQuantized<PerGroup<8>>>>(model, 40);
  EXPECT_EQ(summary(loaded).text(), summary(model).text());
  EXPECT_NE((loaded[1].target<WeightOnlyLinear<NF4, DoubleQuantized<PerGroup<8>>>>()), nullptr);
}

TEST(Model, SurvivesWithSmoothActivationsAndNorms) {
  const Sequential model{
      Flatten{}, LayerNorm(model_bias(12), model_bias(12), 1e-3f), Sigmoid{}, Tanh{}, Gelu{}, GeluTanh{}, Softmax{}};
  const Sequential loaded = expect_survives(model, 12);
  EXPECT_EQ(loaded[1].target<LayerNorm>()->epsilon(), 1e-3f);
  EXPECT_NE(loaded[6].target<Softmax>(), nullptr);
}

TEST(Model, SurvivesWithFloatLayersActivationsAndNesting) {
  const Sequential inner{Linear(model_weight(12, 20), model_bias(12)), Relu6{}};
  const Sequential model{Linear(model_weight(20, 30), model_bias(20)), Relu{},
                         Sequential{inner, Sequential{}, DynamicLinear<>(model_weight(7, 12))},
                         Clamp(-0.1f, std::numeric_limits<float>::infinity()), Sequential{}};
  const Sequential loaded = expect_survives(model, 30);
  EXPECT_EQ(loaded[3].target<Clamp>()->low, -0.1f);
  EXPECT_EQ(loaded[2].target<Sequential>()->size(), 3);
  expect_survives(Sequential{}, 3);
}

TEST(Model, SurvivesQuantization) {
  const Sequential model{Linear(model_weight(20, 30), model_bias(20)), Relu{}, Linear(model_weight(4, 20))};
  const std::vector<Matrix> batches = {random_tensor<2>({9, 30}, 5), random_tensor<2>({8, 30}, 6)};
  expect_survives(quantize_dynamic(model), 30);
  expect_survives(quantize_static(model, batches, MinMaxCalibrator<>{}), 30);
  const Sequential full =
      quantize_static<Int<4>, PerGroup<16>, SymmetricQuantizer<Int<8>>>(model, batches, MinMaxCalibrator<>{});
  const Sequential loaded = expect_survives<StaticLinear<Int<4>, PerGroup<16>>>(full, 30);
  const auto* layer = loaded[0].target<StaticLinear<Int<4>, PerGroup<16>>>();
  ASSERT_NE(layer, nullptr);
  const ActivationParams &got = layer->activation(),
                         &expected = full[0].target<StaticLinear<Int<4>, PerGroup<16>>>()->activation();
  EXPECT_EQ(got.format, "int8");
  EXPECT_EQ(got.scale, expected.scale);
  EXPECT_EQ(got.min_code, -127);
  EXPECT_EQ(got.max_code, 127);
}

TEST(Model, KeepsEveryCodeTheMostNegativeToo) {
  RowTensor<std::int8_t, 2> codes(3, 7);
  for (Index i = 0; i < 21; ++i) codes.data()[i] = static_cast<std::int8_t>(i % 3 == 0 ? -128 : i * 5);
  const QuantizedTensor<Int<8>, 2, PerTensor> weight(codes, QuantParams<PerTensor>(0.5f, -7));
  const Path path("quanta_codes.safetensors");
  save(*path, Sequential{DynamicLinear<Int<8>, PerTensor>(weight)});
  const auto back = Safetensors::open(*path).quantized<Int<8>, 2>("0.weight");
  EXPECT_TRUE(same_bits(back.codes(), codes));
  EXPECT_EQ(back.params().zero_point(0), -7);
}

TEST(Model, IsReadByOthers) {
  const Matrix w1 = model_weight(4, 6);
  const Path path("quanta_plain.safetensors");
  save(*path, Sequential{Linear(w1, model_bias(4)), Relu{}, Sequential{WeightOnlyLinear<Int<4>>(model_weight(5, 4))}});
  const PlainFile plain = read_plain((*path).string());
  EXPECT_EQ(plain.texts.at("layers"), "3");
  EXPECT_EQ(plain.texts.at("0.layer"), "Linear");
  EXPECT_EQ(plain.texts.at("1.layer"), "Relu");
  EXPECT_EQ(plain.texts.at("2.layer"), "Sequential");
  EXPECT_EQ(plain.texts.at("2.0.layer"), "WeightOnlyLinear");
  EXPECT_EQ(plain.texts.at("2.0.weight.format"), "int4");
  const PlainTensor& weight = plain.tensors.at("0.weight");
  EXPECT_EQ(weight.dtype, "F32");
  EXPECT_EQ(weight.shape, (std::vector<std::int64_t>{4, 6}));
  EXPECT_TRUE(same_bits(weight.values<float>(), w1));
  EXPECT_EQ(plain.tensors.at("0.bias").values<float>().size(), 4u);
  EXPECT_EQ(plain.tensors.at("2.0.weight").bytes.size(), 10u);
}

TEST(Model, HoldsLayersOfTheUsers) {
  const auto factors = SymmetricQuantizer<Int<4>>::fit_quantize(random_tensor<1>({5}, 1));
  const Sequential model{Linear(model_weight(20, 30)), Sequential{Blend(0.3f, model_bias(7), factors)}};
  expect_survives<Blend>(model, 30);
  const Path path("quanta_own.safetensors");
  save(*path, model);
  EXPECT_FILE_ERROR(load(*path), "quanta_own.safetensors: layer 1.0 is a \"Blend\"", "none of the library's layers");
}

TEST(Model, HoldsWeightsInFormatsOfTheUsers) {
  const Sequential model{DynamicLinear<Thirds, PerTensor>(model_weight(4, 6)),
                         WeightOnlyLinear<Thirds>(model_weight(5, 4))};
  expect_survives<Thirds>(model, 6);
  expect_survives<Thirds, Blend>(model, 6);
  const Path path("quanta_thirds.safetensors");
  save(*path, model);
  EXPECT_FILE_ERROR(load(*path), "tensor \"0.weight\" has the format \"thirds\"");
}

TEST(Model, WithALayerThatCannotBeSavedIsRefusedBeforeAnythingIsWritten) {
  const Path path("quanta_secret.safetensors");
  path.write("before");
  const Sequential model{Relu{}, Sequential{Relu{}, Secret{}}};
  EXPECT_ERROR(save(*path, model), "save: layer 1.1 (Secret) cannot be saved", "save(quanta::TensorList&) const");
  TensorList list;
  EXPECT_ERROR(model.save(list), "a layer Secret has no save");
  Sequential deep;
  for (int i = 0; i < 100; ++i) deep = Sequential{AnyLayer(deep), Relu{}};
  EXPECT_ERROR(save(*path, deep), "nested more than 32 deep");
  EXPECT_EQ(file_contents((*path).string()), "before");
}

// As the README shows it.
TEST(Snippets, Files) {
  const Sequential model{Linear(model_weight(20, 30), model_bias(20)), Relu{}, Linear(model_weight(4, 20))};
  const std::vector<Matrix> batches = {random_tensor<2>({50, 30}, 6)};
  const auto fixed = quantize_static(model, batches, EntropyCalibrator<>{});
  const Path directory("quanta_snippet");
  std::filesystem::create_directory(*directory);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(*directory);
  // clang-format off
  quanta::save("mlp.safetensors", fixed);                              // all of it, or what was there before
  auto again = quanta::load("mlp.safetensors");                        // same outputs, bit for bit
  // clang-format on
  std::filesystem::current_path(before);

  const Matrix x = random_tensor<2>({7, 30}, 5);
  EXPECT_TRUE(same_bits(again(x), fixed(x)));
}

// ---- Files that are not sound ---------------------------------------------------------------------------------------

/// The header's JSON changed by hand.
std::string changed_header(const std::string& whole, const std::string& from, const std::string& to) {
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), 8);
  std::string json = whole.substr(8, length);
  const std::size_t at = json.find(from);
  EXPECT_NE(at, json.npos) << from;
  json.replace(at, from.size(), to);
  return file_of(json, whole.substr(8 + length));
}

const Sequential& small_model() {
  static const Sequential model{
      StaticLinear<>(model_weight(3, 5), model_bias(3), AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 2.0f})),
      Sequential{Clamp(0.0f, 1.0f)}, DynamicLinear<UInt<4>, PerGroup<2>>(model_weight(2, 3))};
  return model;
}

TEST(Model, RefusesAFileCutAtAnyByte) {
  const std::string whole = saved_model(small_model());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FILE_ERROR(load(Safetensors::from_memory(std::as_bytes(std::span(cut)), "cut")), "cut: ");
  }
}

TEST(Model, RefusesTextsAndTensorsThatDoNotFit) {
  const std::string whole = saved_model(small_model());
  EXPECT_EQ(load(parse(whole)).size(), 3);
  const auto change = [&](const char* from, const char* to, const char* message) {
    SCOPED_TRACE(to);
    EXPECT_FILE_ERROR(load(parse(changed_header(whole, from, to))), "test.safetensors", message);
  };
  change("\"quanta\":\"1\"", "\"quanta\":\"9\"", "layout \"9\"");
  change("\"quanta\":\"1\"", "\"quantum\":\"1\"", "not written by this library");
  change("\"layers\":\"3\"", "\"layerz\":\"3\"", "has no entry \"layers\"");
  change("\"layers\":\"3\"", "\"layers\":\"2\"", "has 2 layers, but there is a layer 2");
  change("\"1.layers\":\"1\"", "\"1.layers\":\"0\"", "layer 1 has 0 layers, but there is a layer 1.0");
  change("\"layers\":\"3\"", "\"layers\":\"4\"", "layer 3 has no entry \"layer\"");
  change("\"layers\":\"3\"", "\"layers\":\"9223372036854775807\"", "layer 3 has no entry \"layer\"");
  change("\"layers\":\"3\"", "\"layers\":\"-3\"", "has \"-3\" layers, expected a whole number");
  change("\"0.layer\":\"StaticLinear\"", "\"0.layer\":\"StaticNoise\"", "layer 0 is a \"StaticNoise\"");
  change("\"1.layers\":\"1\"", "\"1.layers\":\"2\"", "layer 1.1 has no entry \"layer\"");
  change("\"0.layer\":\"StaticLinear\"", "\"0.layer\":\"Linear\"", "\"0.weight\" is of type \"I8\"");
  change("\"0.layer\":\"StaticLinear\"", "\"0.layer\":\"Clamp\"", "no tensor \"0.low\"");
  change("\"2.weight.format\":\"uint4\"", "\"2.weight.format\":\"uint16\"", "of uint16, expected 12");
  change("\"2.weight.format\":\"uint4\"", "\"2.weight.format\":\"int9\"", "the format \"int9\"");
  change("\"2.weight.axis\":\"1\"", "\"2.weight.axis\":\"0\"", "4 scales for a tensor of shape (2, 3) that has 3");
  change("\"2.weight.group_size\":\"2\"", "\"2.weight.group_size\":\"3\"",
         "4 scales for a tensor of shape (2, 3) that has 2");
  change("\"0.bias\"", "\"0.bios\"", "no tensor \"0.bias\"");
  change("\"0.activation.format\"", "\"0.activation.formal\"", "no entry \"activation.format\"");
  change("\"0.activation.scale\":{\"dtype\":\"F32\"", "\"0.activation.scale\":{\"dtype\":\"I32\"",
         "\"activation.scale\" is a tensor of 0 dimensions of \"I32\", expected one number, F32");
  // What a layer leaves is another layer's.
  change("\"0.layer\":\"StaticLinear\"", "\"0.layer\":\"Tanh\"",
         "layer 0 is a \"Tanh\", which has no tensor \"activation.max_code\"");
  change("\"0.layer\":\"StaticLinear\"", "\"0.layer\":\"DynamicLinear\"",
         "layer 0 is a \"DynamicLinear\", which has no tensor \"activation.max_code\"");
  change("\"0.weight.scales\"",
         "\"0.weigh\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"0.weight.scales\"",
         "which has no tensor \"weigh\"");
  change("\"1.0.layer\"", "\"1.0.height\":\"2\",\"1.0.layer\"",
         "layer 1.0 is a \"Clamp\", which has no entry \"height\"");
  change("\"2.weight\":{\"dtype\":\"U8\"", "\"2.weight\":{\"dtype\":\"F8_E4M3\"",
         "tensor \"2.weight\" is \"F8_E4M3\", expected codes: I8, U8, I16 or U16");
}

// A layer's own size can be sound, and the next one's too.
TEST(Model, RefusesLayersThatDoNotFitEachOther) {
  const auto with = [](const AnyLayer& second, const AnyLayer& nested) {
    TensorList list;
    list.add_text("layers", "3");
    const auto add = [&](const char* prefix, const AnyLayer& layer) {
      TensorList part;
      layer.save(part);
      part.add_text("layer", layer.name());
      list.add_all(prefix, std::move(part));
    };
    const AnyLayer first = Linear(model_weight(4, 7));
    add("0.", first);
    add("1.", second);
    list.add_text("2.layer", "Sequential");
    list.add_text("2.layers", "2");
    add("2.0.", Relu{});
    add("2.1.", nested);
    const Path path("quanta_misfits.safetensors");
    save(*path, list);
    return load(*path);
  };
  const DynamicLinear<> fits(model_weight(3, 4)), follows(model_weight(2, 3));
  const WeightOnlyLinear<Int<4>> wide(model_weight(3, 5));
  EXPECT_EQ(with(fits, follows).out_features(), 2);
  EXPECT_FILE_ERROR(with(wide, follows),
                    "quanta_misfits.safetensors: layer 1 (WeightOnlyLinear): x has 4 features, "
                    "expected 5; layer 0 (Linear) gives 4");
  EXPECT_FILE_ERROR(with(fits, wide),
                    "quanta_misfits.safetensors: layer 2 (Sequential): layer 1 (WeightOnlyLinear): x "
                    "has 3 features, expected 5; layer 1 (DynamicLinear) gives 3");
}

TEST(Model, IsNotTakenForATensor) {
  const Path path("quanta_no_tensor.safetensors");
  save(*path, small_model());
  EXPECT_FILE_ERROR(load_tensor(*path), "quanta_no_tensor.safetensors: holds a model", "read it with quanta::load");
  TensorList list;
  list.add("a", model_bias(3));
  save(*path, list);
  EXPECT_FILE_ERROR(load_tensor(*path), "has no tensor \"tensor\"", "quanta::Safetensors");
  EXPECT_FILE_ERROR(load(*path), "holds no model", "no entry \"layers\"", "quanta::Safetensors");
}

TEST(Model, RefusesWeightsThatALayerCannotHave) {
  const Matrix weight = model_weight(3, 4);
  const auto refused = [](const auto& layer, const char* description) {
    SCOPED_TRACE(description);
    const std::string whole = saved_model(Sequential{layer});
    for (const char* name : {"\"DynamicLinear\"", "\"StaticLinear\""}) {
      EXPECT_FILE_ERROR(load(parse(changed_header(whole, "\"WeightOnlyLinear\"", name))), description,
                        "which it cannot have as its weight");
    }
  };
  refused(WeightOnlyLinear<Int<16>>(weight), "int16 (3, 4) per_channel(axis 0)");
  refused(WeightOnlyLinear<Int<8>, PerChannel<1>>(weight), "int8 (3, 4) per_channel(axis 1)");
  refused(WeightOnlyLinear<Int<4>, PerGroup<2, 0>>(weight), "int4 (3, 4) per_group(2, axis 0)");
  refused(WeightOnlyLinear<Int<8>, WithScales<PerTensor, Fp16>>(weight), "per_tensor, fp16 scales");
  refused(WeightOnlyLinear<Int<8>, WithScales<PerChannel<0>, Fp16>>(weight), "per_channel(axis 0), fp16 scales");
  refused(WeightOnlyLinear<Int<4>, WithScales<PerGroup<2>, Fp16, kAllScales>>(weight), "fp16 scales with one scale");
  refused(WeightOnlyLinear<Int<4>, WithScales<PerGroup<2>, E2M3>>(weight), "per_group(2, axis 1), e2m3 scales");
  const auto cube = SymmetricQuantizer<Int<8>>::fit_quantize(random_tensor<3>({1, 2, 3}, 1));
  TensorList list;
  list.add("0.weight", cube.view());
  list.add("0.bias", model_bias(1));
  list.add_text("layers", "1");
  list.add_text("0.layer", "WeightOnlyLinear");
  const Path path("quanta_cube.safetensors");
  save(*path, list);
  EXPECT_FILE_ERROR(load(*path), "int8 (1, 2, 3) per_tensor", "cannot have");
}

TEST(Model, RefusesIntegersWithoutScales) {
  TensorList list;
  list.add("0.weight", "I8", {1, 2}, [](std::byte* to) { std::memcpy(to, "\1\2", 2); });
  list.add("0.weight.scales", RowTensor<float, 1>(0));
  list.add("0.bias", model_bias(1));
  list.add_text("0.weight.format", "int8");
  list.add_text("0.weight.shape", "1,2");
  list.add_text("0.weight.granularity", "unscaled");
  list.add_text("layers", "1");
  list.add_text("0.layer", "DynamicLinear");
  const Path path("quanta_unscaled.safetensors");
  save(*path, list);
  EXPECT_FILE_ERROR(load(*path), "layer 0", "int8 (1, 2) unscaled", "which it cannot have as its weight");
}

// Sizes computed of such a shape before it is looked at would leave Index, which the sanitizers see.
TEST(Model, RefusesShapesBeyondAnyMemory) {
  using Layer = WeightOnlyLinear<Int<4>, WithScales<PerChannel<0>, Fp16>>;
  const std::string whole = saved_model(Sequential{Layer(model_weight(9, 21))});
  for (const char* const shape :
       {"\"9223372036854775807\"", "\"9223372036854775807,21\"", "\"0,9223372036854775807\""}) {
    EXPECT_FILE_ERROR(load(parse(changed_header(whole, "\"9,21\"", shape))), "test.safetensors", "too large");
  }
}

TEST(Model, RefusesNumbersThatAreNone) {
  const Path path("quanta_numbers.safetensors");
  save(*path, small_model());
  const PlainFile plain = read_plain((*path).string());
  const std::string whole = file_contents((*path).string());
  const auto change = [&](const char* name, const std::string& word, const char* message) {
    SCOPED_TRACE(name);
    std::string bytes = whole;
    bytes.replace(plain.tensors.at(name).offset, 4, word);
    EXPECT_FILE_ERROR(load(parse(bytes)), "test.safetensors: ", message);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  change("0.activation.scale", little_endian(0.0f), "layer 0: StaticLinear: activation: scale 0 is 0");
  change("0.activation.scale", little_endian(nan), "activation: scale 0 is ");
  change("0.activation.zero_point", little_endian<std::uint32_t>(256), "zero point 256, expected a code, 0 to 255");
  change("0.activation.max_code", little_endian<std::uint32_t>(256), "codes from 0 to 256");
  change("0.activation.min_code", little_endian<std::uint32_t>(0x80000000u), "codes from -2147483648 to 255");
  change("0.activation.min_code", little_endian<std::uint32_t>(256), "codes from 256 to 255");
  change("1.0.low", little_endian(2.0f), "layer 1.0: Clamp: bounds 2 and 1");
  change("1.0.high", little_endian(nan), "layer 1.0: Clamp");
  change("2.weight.scales", little_endian(-1.0f), "scale 0 is -1");
}

TEST(Model, RefusesNestingWithoutEnd) {
  std::string json = R"({"__metadata__":{"quanta":"1","layers":"1")", prefix;
  for (int i = 0; i < 1000; ++i) {
    prefix += "0.";
    json += ",\"" + prefix + "layer\":\"Sequential\",\"" + prefix + "layers\":\"1\"";
  }
  EXPECT_FILE_ERROR(load(parse(file_of(json + "}}"))), "nested more than 32 deep");
}

// No tensor of so many rows is in the file, so that nothing may be allocated for them.
TEST(Model, RefusesRowsWithoutABias) {
  const std::string json =
      R"({"__metadata__":{"quanta":"1","layers":"1","0.layer":"DynamicLinear","0.weight.format":"uint8",)"
      R"("0.weight.shape":"1099511627776,0","0.weight.granularity":"per_tensor"},)"
      R"("0.weight.scales":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
      R"("0.weight":{"dtype":"U8","shape":[0],"data_offsets":[12,12]}})";
  EXPECT_FILE_ERROR(load(parse(file_of(json, little_endian({1.0f, 0.0f, 0.0f})))),
                    "layer 0: DynamicLinear: bias has 2 elements, expected one per output, 1099511627776");
}

TEST(Model, SurvivesEveryFlippedBitOfTheHeader) {
  const std::string whole = saved_model(Sequential{Clamp(0.0f, 1.0f), WeightOnlyLinear<Int<4>>(model_weight(1, 2))});
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1u << bit));
      try {
        const Sequential model = load(parse(damaged));
        EXPECT_LE(model.size(), 2);
      } catch (const FileError&) {
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
#endif
