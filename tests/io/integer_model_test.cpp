// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Networks of integers in files: the same network comes back, and files that hold none are refused.
#if __has_include(<nlohmann/json.hpp>)
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

/// A model of one layer in a file, its entries changed before they are written.
template <class Change>
void expect_refused(Change change, const std::string& reason) {
  SCOPED_TRACE(reason);
  IntegerNetwork network(1);
  IntegerNetwork::Linear linear{Buffer<std::int8_t>(1, std::int8_t{5}),
                                Buffer<std::int32_t>(1, 7),
                                Buffer<std::int32_t>(1, 1 << 30),
                                Buffer<std::int32_t>(1, 0),
                                0,
                                -128,
                                127,
                                false};
  const QuantParams<PerTensor> params(1.0f);
  network.add_linear(std::move(linear));
  TensorList list;
  Sequential{IntegerModel(network.network(), {params, params})}.save(list);
  TensorList changed;
  for (const auto& entry : list.tensors()) {
    std::string bytes(usize(entry.bytes), '\0');
    entry.read([&](const std::byte* from) { std::memcpy(bytes.data(), from, bytes.size()); });
    std::vector<Index> shape = entry.shape;
    const char* dtype = entry.dtype;
    change(entry.name, dtype, shape, bytes);
    changed.add(entry.name, dtype, shape, [bytes](std::byte* to) { std::memcpy(to, bytes.data(), bytes.size()); });
  }
  for (const auto& [name, value] : list.texts())
    changed.add_text(name, name == "0.0.kind" && reason == "kind" ? "odd" : value);
  const Path path("quanta_spoiled_integers.safetensors");
  save(*path, changed);
  EXPECT_FILE_ERROR(load(*path), "layer 0", reason);
}

TEST(IntegerModelFile, IsRefusedWhenItIsNotSound) {
  const auto set = [](const char* name, std::uint32_t value) {
    return [=](const std::string& entry, const char*&, std::vector<Index>&, std::string& bytes) {
      if (entry == std::string("0.") + name) bytes = little_endian(value);
    };
  };
  expect_refused(set("0.shift", 31), "shift 31");
  expect_refused(set("0.multiplier", 3), "multiplier 3");
  expect_refused(set("0.bias", 0x7fffffff), "int32");
  expect_refused(set("0.low", 128), "128 to 127");
  expect_refused(set("0.zero_point", 200), "zero point 200");
  expect_refused(set("input.zero_point", 200), "zero point 200");
  expect_refused(set("input.scale", 0), "scale");
  expect_refused(set("0.scale", 0), "scale");
  expect_refused(set("inputs", 0xffffffff), "-1 features");
  expect_refused(set("inputs", 2), "weight has 1 elements, expected 2");
  expect_refused(set("layers", 2), "1.kind");
  expect_refused(set("layers", 0xffffffff), "-1 layers");
  expect_refused(set("none", 0), "kind");
  expect_refused(
      [](const std::string& entry, const char*& dtype, std::vector<Index>&, std::string&) {
        if (entry == "0.0.weight") dtype = "U8";
      },
      "expected 2 of I8");
  expect_refused(
      [](const std::string& entry, const char*&, std::vector<Index>& shape, std::string&) {
        if (entry == "0.0.weight") shape = {1};
      },
      "expected 2 of I8");
}

}  // namespace
}  // namespace quanta::test
#endif
