// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized tensor in a file whose codes are looked at where they lie.
#include <quanta/io.hpp>

#include "tests/io/safetensors_files.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

QuantizedTensor<UInt<4>, 2, PerGroup<8>> some_groups() {
  RowTensor<std::uint8_t, 2> codes(3, 16);
  for (Index i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<std::uint8_t>(i * 7 % 16);
  const std::vector<float> scales = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
  const std::vector<std::int32_t> zero_points = {0, 1, 2, 3, 14, 15};
  return {codes, QuantParams<PerGroup<8>>(scales, zero_points)};
}

TEST(AnyQuantizedView, IsWhatTheFileHasWithItsCodesInPlace) {
  const Path path("view.safetensors");
  const auto tensor = some_groups();
  save(*path, tensor);
  const Safetensors file = Safetensors::open(*path);
  const AnyQuantizedView view = file.quantized_view("tensor");
  EXPECT_EQ(view.data(), file.bytes("tensor").data());
  EXPECT_EQ(view.format(), "uint4");
  EXPECT_EQ(view.bits(), 4);
  EXPECT_EQ(view.shape(), (std::vector<Index>{3, 16}));
  EXPECT_EQ(view.description(), AnyQuantizedTensor(tensor).description());
  for (Index i = 0; i < 6; ++i) {
    EXPECT_EQ(view.params().scale(i), tensor.params().scale(i));
    EXPECT_EQ(view.params().zero_point(i), tensor.params().zero_point(i));
  }
}

TEST(AnyQuantizedView, GivesItsTypeBack) {
  const Path path("typed_view.safetensors");
  const auto tensor = some_groups();
  save(*path, tensor);
  const Safetensors file = Safetensors::open(*path);
  const auto held = file.quantized_view<UInt<4>, 2, PerGroup<8>>("tensor");
  const auto view = held.view<UInt<4>, 2, PerGroup<8>>();
  EXPECT_EQ(view.data(), file.bytes("tensor").data());
  EXPECT_TRUE(same_bits(view.dequantize(), tensor.dequantize()));
  EXPECT_TRUE(same_bits(held.view<UInt<4>, 2, PerGroup<Dynamic>>().dequantize(), tensor.dequantize()));
  const char* const is = "uint4 (3, 16) per_group(8, axis 1)";
  EXPECT_FILE_ERROR((file.quantized_view<Int<4>, 2, PerGroup<8>>("tensor")), is,
                    "asked for int4 of rank 2, per_group(8, axis 1)");
  EXPECT_ERROR((held.view<Int<4>, 2, PerGroup<8>>()), is, "asked for int4 of rank 2, per_group(8, axis 1)");
  EXPECT_ERROR((held.view<UInt<4>, 3, PerGroup<8>>()), is, "asked for uint4 of rank 3");
  EXPECT_ERROR((held.view<UInt<4>, 2, PerTensor>()), is, "asked for uint4 of rank 2, per_tensor");
  EXPECT_ERROR((held.view<UInt<4>, 1, PerGroup<Dynamic>>()), is, "asked for uint4 of rank 1, groups of any size");
}

}  // namespace
}  // namespace quanta::test
