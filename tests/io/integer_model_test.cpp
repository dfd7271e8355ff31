// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Networks of integers in files: the same network comes back, and files that hold none are refused.
#if __has_include(<nlohmann/json.hpp>)
#include <map>

#include <quanta/io.hpp>
#include <quanta/layers/integer_only.hpp>
#include <quanta/quanta.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

IntegerModel model_of_integers(IntegerOnly options) {
  const RowTensor<float, 2> data = random_tensor<2>({30, 12}, 1);
  const Sequential model{Linear(random_tensor<2>({9, 12}, 2)), Relu6{}, Gelu{},
                         Linear(random_tensor<2>({5, 9}, 3), random_tensor<1>({5}, 4)), Softmax{}};
  return quantize_static(model, std::vector<RowTensor<float, 2>>{data}, MinMaxCalibrator<>{}, options);
}

TEST(IntegerModelFile, HoldsTheSameNetwork) {
  const RowTensor<float, 2> x = random_tensor<2>({6, 12}, 5, 2.0f);
  const Path path("quanta_integers.safetensors"), again("quanta_integers_again.safetensors");
  for (const bool twice : {false, true}) {
    const IntegerModel model = model_of_integers({.double_rounding = twice});
    save(*path, model);
    const Sequential loaded = load(*path);
    ASSERT_EQ(loaded.size(), 1);
    const IntegerModel* same = loaded[0].target<IntegerModel>();
    ASSERT_NE(same, nullptr);
    EXPECT_TRUE(same_bits(loaded(x), model(x)));
    EXPECT_EQ(same->packed_bytes(), model.packed_bytes());
    EXPECT_EQ(same->input_params().zero_point(0), model.input_params().zero_point(0));
    EXPECT_EQ(same->input_params().scale(0), model.input_params().scale(0));
    save(*again, loaded);
    EXPECT_EQ(file_contents((*again).string()), file_contents((*path).string()));
  }
}

TEST(IntegerModelFile, IsOneLayerAmongOthers) {
  const IntegerModel model = model_of_integers({});
  const Sequential mixed{Linear(random_tensor<2>({12, 3}, 6)), model,
                         LayerNorm(random_tensor<1>({5}, 7), random_tensor<1>({5}, 8))};
  const Path path("quanta_mixed_integers.safetensors");
  save(*path, mixed);
  const RowTensor<float, 2> x = random_tensor<2>({6, 3}, 9);
  EXPECT_TRUE(same_bits(load(*path)(x), mixed(x)));
}

TEST(IntegerModelFile, CanBeReadByAnyReader) {
  const Path path("quanta_plain_integers.safetensors");
  save(*path, model_of_integers({}));
  const Safetensors file = Safetensors::open(*path);
  EXPECT_EQ(file.dtype("0.0.weight"), "I8");
  EXPECT_EQ(file.shape("0.0.weight"), (std::vector<Index>{9, 12}));
  EXPECT_EQ(file.dtype("0.0.bias"), "I32");
  EXPECT_EQ(file.shape("0.1.table"), (std::vector<Index>{256}));
  EXPECT_EQ(file.shape("0.3.exponentials"), (std::vector<Index>{256}));
  EXPECT_EQ(file.metadata().at("0.layer"), "IntegerModel");
  EXPECT_EQ(file.quantized_info("0.0.weight").description(), "int8 (9, 12) per_channel(axis 0)");
  EXPECT_EQ(file.quantized_info("0.2.weight").description(), "int8 (5, 9) per_channel(axis 0)");
}

// The model holds multipliers alone; what the weights are worth is found from them, to the bit.
TEST(IntegerModelFile, HoldsTheScalesThatItsWeightsWereMadeWith) {
  const RowTensor<float, 2> weight = random_tensor<2>({40, 12}, 11);
  const auto quantized = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit_quantize(weight);
  const AsymmetricQuantizer<Int<8>> x(0.013f, -5), y(0.071f, 3);
  IntegerBuilder builder(12, x);
  builder.linear(quantized, RowTensor<float, 1>(random_tensor<1>({40}, 12)), y);
  const Path path("quanta_scales_of_integers.safetensors");
  save(*path, builder.model());
  const auto stored = Safetensors::open(*path).quantized<Int<8>, 2, PerChannel<0>>("0.0.weight");
  EXPECT_TRUE(same_bits(stored.dequantize(), quantized.dequantize()));
  for (Index n = 0; n < 40; ++n) EXPECT_EQ(stored.params().scale(n), quantized.params().scale(n));
}

// Multipliers of 0 and beyond what any scale could make.
TEST(IntegerModelFile, HoldsMultipliersOfEverySize) {
  for (const auto& [multiplier, shift] : {std::pair{0, 0}, {1 << 30, -31}, {0x7fffffff, 30}}) {
    IntegerNetwork network(1);
    network.add_linear({Buffer<std::int8_t>(1, std::int8_t{1}), Buffer<std::int32_t>(1, 0),
                        Buffer<std::int32_t>(1, multiplier), Buffer<std::int32_t>(1, shift), 0, -128, 127, false});
    for (const auto& [scale_x, scale_y] : {std::pair{1.0f, 1.0f}, {0x1p-126f, 0x1p127f}, {0x1p127f, 0x1p-126f}}) {
      const IntegerModel model(network.network(), {QuantParams<PerTensor>(scale_x), QuantParams<PerTensor>(scale_y)});
      const Path path("quanta_multipliers.safetensors");
      save(*path, model);
      const Sequential loaded = load(*path);
      const IntegerNetwork same = loaded[0].target<IntegerModel>()->network();
      const integer::Layer& layer = same.network().layers[0];
      EXPECT_EQ(layer.multiplier[0], multiplier);
      EXPECT_EQ(layer.shift[0], shift);
    }
  }
}

TEST(IntegerModelFile, IsRefusedWhenItIsCutAtAnyByte) {
  const Path path("quanta_cut_integers.safetensors");
  Random random(7);
  const IntegerNetwork network = random_network(3, "ltds", {2, 4}, random);
  save(*path, IntegerModel(network.network(), activations_of(network.network())));
  const std::string whole = file_contents((*path).string());
  EXPECT_EQ(load(parse(whole)).size(), 1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FILE_ERROR(load(Safetensors::from_memory(std::as_bytes(std::span(cut)), "cut")), "cut: ");
  }
}

using Texts = std::map<std::string, std::string>;
struct Entry {
  const char* dtype;
  std::vector<Index> shape;
  std::string bytes;
};
using Entries = std::map<std::string, Entry>;

/// A file with a model of four layers, its entries and texts changed before they are written, is refused.
template <class Change>
void expect_refused(Change change, std::initializer_list<std::string> reasons) {
  SCOPED_TRACE(*reasons.begin());
  Random random(8);
  const IntegerNetwork network = random_network(2, "lltds", {3, 3, 2}, random);
  TensorList list;
  Sequential{IntegerModel(network.network(), activations_of(network.network()))}.save(list);
  Entries entries;
  for (const auto& entry : list.tensors()) {
    std::string bytes(usize(entry.bytes), '\0');
    entry.read([&](const std::byte* from) { std::memcpy(bytes.data(), from, bytes.size()); });
    entries[entry.name] = {entry.dtype, entry.shape, bytes};
  }
  Texts texts(list.texts().begin(), list.texts().end());
  change(entries, texts);
  TensorList changed;
  for (const auto& [name, entry] : entries) {
    changed.add(name, entry.dtype, entry.shape,
                [bytes = entry.bytes](std::byte* to) { std::memcpy(to, bytes.data(), bytes.size()); });
  }
  for (const auto& [name, value] : texts) changed.add_text(name, value);
  const Path path("quanta_spoiled_integers.safetensors");
  save(*path, changed);
  for (const std::string& reason : reasons) EXPECT_FILE_ERROR(load(*path), "integers.safetensors: ", reason);
}

/// The same with one number changed.
void expect_number_refused(const std::string& name, std::uint32_t value, std::initializer_list<std::string> reasons) {
  SCOPED_TRACE(name);
  expect_refused([&](Entries& entries, Texts&) { entries.at("0." + name).bytes.replace(0, 4, little_endian(value)); },
                 reasons);
}

TEST(IntegerModelFile, IsRefusedWhenItsNumbersAreNotSound) {
  expect_refused([](Entries&, Texts& texts) { texts["0.0.kind"] = "odd"; }, {"layer 0: is of the unknown kind odd"});
  expect_number_refused("1.shift", 31, {"layer 1", "shift 31"});
  expect_number_refused("1.multiplier", 3, {"layer 1", "multiplier 3"});
  expect_number_refused("0.bias", 0x7fffffff, {"layer 0", "int32"});
  expect_number_refused("1.low", 128, {"layer 1", "128 to "});
  expect_number_refused("1.zero_point", 200, {"zero point 200"});
  expect_number_refused("input.zero_point", 200, {"zero point 200"});
  expect_number_refused("input.scale", 0, {"scale"});
  expect_number_refused("1.scale", 0, {"layer 1", "scale"});
  expect_number_refused("1.double_rounding", 2, {"layer 1: double_rounding is 2, expected 0 or 1"});
  expect_number_refused("4.exponentials", 0, {"layer 4", "exponential 0"});
  expect_number_refused("4.scale", 0x3f800000, {"layer 4 (softmax)", "scale 1 ", "expected 1/256"});
  expect_number_refused("4.zero_point", 0, {"layer 4 (softmax)", "zero point 0", "-128"});
  expect_number_refused("inputs", 0xffffffff, {"-1 features"});
  expect_number_refused("layers", 0xffffffff, {"-1 layers"});
  expect_number_refused("layers", 6, {"5.kind"});
  expect_number_refused("layers", 4, {"4 layers, but there is a layer 4"});
}

TEST(IntegerModelFile, IsRefusedWhenItsTensorsHaveOtherShapes) {
  const auto reshaped = [](const char* name, std::vector<Index> shape, std::initializer_list<std::string> reasons) {
    expect_refused([&](Entries& entries, Texts&) { entries.at(std::string("0.") + name).shape = shape; }, reasons);
  };
  reshaped("0.bias", {3, 1}, {"\"0.bias\" is a tensor (3, 1) of \"I32\", expected (3) of I32"});
  reshaped("3.multiplier", {1, 2}, {"\"3.multiplier\" is a tensor (1, 2)"});
  reshaped("3.shift", {2, 1, 1}, {"\"3.shift\" is a tensor (2, 1, 1)"});
  reshaped("2.table", {16, 16}, {"\"2.table\" is a tensor (16, 16) of \"I8\", expected (256) of I8"});
  reshaped("4.exponentials", {64, 4}, {"expected (256) of I32"});
  reshaped("4.scale", {1}, {"\"4.scale\" is a tensor of 1 dimensions"});
  // As many codes, in another order.
  expect_refused([](Entries&, Texts& texts) { texts["0.0.weight.shape"] = "2,3"; },
                 {"\"0.0.weight\"", "3 scales for a tensor of shape (2, 3) that has 2"});
  expect_refused(
      [](Entries& entries, Texts& texts) {
        texts["0.0.weight.shape"] = "2,3";
        entries["0.0.weight.scales"] = {"F32", {2}, little_endian({1.0f, 1.0f})};
      },
      {"IntegerModel: layer 0: weight has shape (2, 3), expected (2, 2) behind 2 features"});
  expect_number_refused("inputs", 3, {"layer 0: weight has shape (3, 2), expected (3, 3) behind 3 features"});
  // Layers that have changed places.
  expect_refused(
      [](Entries& entries, Texts& texts) {
        for (const char* part : {"weight", "weight.scales", "bias", "multiplier", "shift"}) {
          std::swap(entries["0.0." + std::string(part)], entries["0.1." + std::string(part)]);
        }
        std::swap(texts["0.0.weight.shape"], texts["0.1.weight.shape"]);
      },
      {"layer 0: weight has shape (3, 3), expected (3, 2)"});
}

TEST(IntegerModelFile, IsRefusedWhenItsWeightsAreOfAnotherType) {
  const auto retold = [](const char* name, const char* value, std::initializer_list<std::string> reasons) {
    expect_refused([&](Entries&, Texts& texts) { texts[std::string("0.1.weight.") + name] = value; }, reasons);
  };
  retold("format", "uint8", {"\"0.1.weight\"", "uint8", "asked for int8 of rank 2"});
  retold("granularity", "per_tensor", {"per_tensor", "asked for int8"});
  retold("axis", "1", {"axis 1", "asked for int8"});
  retold("axis", "2", {"axis is 2"});
  expect_refused([](Entries&, Texts& texts) { texts.erase("0.1.weight.format"); }, {"has no format"});
  expect_refused([](Entries& entries, Texts&) { entries.erase("0.1.weight.scales"); }, {"no tensor \"0.1.weight.sc"});
  expect_refused(
      [](Entries& entries, Texts&) {
        entries["0.1.weight.zero_points"] = {"I32", {3}, little_endian<std::uint32_t>({0, 1, 0})};
      },
      {"layer 1: weight has zero points"});
  expect_refused(
      [](Entries& entries, Texts&) { entries.at("0.1.weight.scales").bytes.replace(4, 4, little_endian(0.125f)); },
      {"layer 1: weight has the scale 0.125 for output 1, its multiplier says "});
}

// Nothing that a changed header says makes another model of the file.
TEST(IntegerModelFile, IsRefusedOrTheSameWhenABitOfItsHeaderIsFlipped) {
  Random random(9);
  const IntegerNetwork network = random_network(2, "l", {2}, random);
  const IntegerModel model(network.network(), activations_of(network.network()));
  const Path path("quanta_flipped_integers.safetensors");
  save(*path, model);
  const std::string whole = file_contents((*path).string());
  const std::size_t header = whole.find("}}") + 2;
  const Codes x = random_codes(2, random);
  const auto y = model.run(Eigen::Map<const Eigen::Matrix<std::int8_t, 2, 1>>(x.data()));
  for (std::size_t bit = 0; bit < header * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1u << bit % 8));
    try {
      const Sequential loaded = load(parse(damaged));
      ASSERT_EQ(loaded.size(), 1) << bit;
      const IntegerModel* same = loaded[0].target<IntegerModel>();
      ASSERT_NE(same, nullptr) << bit;
      const auto again = same->run(Eigen::Map<const Eigen::Matrix<std::int8_t, 2, 1>>(x.data()));
      EXPECT_TRUE(same_bits(again, y)) << "bit " << bit << " at " << damaged.substr(bit / 8, 20);
    } catch (const FileError&) {
    }
  }
}

}  // namespace
}  // namespace quanta::test
#endif
