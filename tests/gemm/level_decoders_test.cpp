// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packed codes give back their stream, and every decoder gives what the format's specification says, for all lane types
// and from any step on.
#include <quanta/format/scale_formats.hpp>
#include <quanta/gemm/level_steps.hpp>

#include "tests/quant/format_cases.hpp"
#include "tests/support/lane_types.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// One bit, and levels that are not all there.
struct Signs {
  using Code = std::uint8_t;
  static constexpr int bits = 1;
  static constexpr std::string_view name = "signs";
  static constexpr std::array<float, 2> levels = {-1.0f, 1.0f};
};
struct Five {
  using Code = std::uint8_t;
  static constexpr int bits = 6;
  static constexpr std::string_view name = "five";
  static constexpr std::array<float, 5> levels = {3.0f, -1.0f, 0.25f, 7.0f, -0.0f};
};

template <class... F>
struct Formats {};
using Decoded = Formats<Signs, Int<2>, UInt<2>, UInt<3>, Int<3>, Int<4>, UInt<4>, Int<5>, UInt<6>, Int<7>, Int<8>,
                        UInt<8>, Int<16>, UInt<16>, NF4, E2M1, FP4, Five, E2M3, E3M2, E4M3, E5M2, Dynamic8, Fp16, Bf16>;

/// Bit `i` of a stream.
int bit_of(const std::vector<std::byte>& stream, Index i) {
  return std::to_integer<int>(stream[static_cast<std::size_t>(i / 8)]) >> (i % 8) & 1;
}

/// D is a decoder of F. Codes of 8 bits beyond `last_code`, but for the highest bit, do not occur.
template <class L, class F, class D>
void check_decoder(int last_code = (1 << F::bits) - 1) {
  std::vector<double> levels = levels_of<F>();
  levels.resize(std::size_t{1} << F::bits);  // 0 for codes that a codebook does not have
  if (IntegerFormat<F> && std::is_signed_v<typename F::Code>) {
    for (int code = 0; code < 1 << F::bits; ++code) {
      levels[static_cast<std::size_t>(code)] = code >= 1 << (F::bits - 1) ? code - (1 << F::bits) : code;
    }
  }
  const Index n = 3 * L::width - (L::width > 1 ? 1 : 0);
  for (const Index k : {1, 7, 32, 77}) {
    Random random(static_cast<std::uint64_t>(k + F::bits));
    std::vector<std::byte> stream(static_cast<std::size_t>(detail::packed_size(n * k, F::bits)));
    for (std::byte& byte : stream) {
      byte = static_cast<std::byte>(random.bits());
      if (std::to_integer<int>(byte & std::byte{0x7f}) > last_code) byte &= std::byte{0x80};
    }
    if (n * k * F::bits % 8 != 0) stream.back() &= static_cast<std::byte>((1 << (n * k * F::bits % 8)) - 1);
    const int beside = k % 2 == 0 ? 1 : 3;
    const detail::PackedCodes packed(n, k, F::bits, L::width, detail::kHeldFlip<F>, stream.data(), beside);
    std::vector<std::byte> again(stream.size(), std::byte{0x5a});
    packed.unpack(again.data());
    ASSERT_EQ(again, stream) << F::name << ' ' << k;

    const D decoder(detail::kHeldLevels<F>);
    const std::byte* const panels[2] = {packed.panel(2), packed.panel(0)};
    for (const auto& [first, last] : {std::array<Index, 2>{0, k}, {k / 3, k}, {k / 2, k - k / 4}}) {
      Index next[2] = {first, first};
      detail::for_each_step<L>(
          decoder, panels, packed.stride(0), first, last, [&](Index step, int p, typename L::F level) {
            ASSERT_EQ(step, next[p]++);
            float values[L::width];
            L::store(values, level);
            for (Index lane = 0; lane < L::width; ++lane) {
              const Index output = (p == 0 ? 2 * L::width : 0) + lane;
              if (output >= n) continue;
              std::size_t code = 0;
              for (int b = 0; b < F::bits; ++b) {
                code |= static_cast<std::size_t>(bit_of(stream, (output * k + step) * F::bits + b)) << b;
              }
              const float expected = static_cast<float>(levels[code]);
              if (expected == 0.0f && !FloatingFormat<F>) {
                ASSERT_EQ(values[lane], 0.0f);
              } else {
                ASSERT_TRUE(same_bits(&values[lane], &expected, 1)) << F::name << " code " << code << " step " << step;
              }
            }
          });
      ASSERT_EQ(next[0], last);
      ASSERT_EQ(next[1], last);
    }
  }
}

template <class L, class F>
void check_decoders_of() {
  using D = detail::DecoderOf<L, F>;
  check_decoder<L, F, D>();
  if constexpr (detail::HasFinite<L, D>) {
    using Finite = detail::Finite<L, D>;
    check_decoder<L, F, typename Finite::Decoder>(Finite::last);
  }
}

template <class L, class... F>
void check_decoders(Formats<F...>) {
  (check_decoders_of<L, F>(), ...);
}

template <class L>
class LevelDecoder : public testing::Test {};
TYPED_TEST_SUITE(LevelDecoder, AllLanes);

TYPED_TEST(LevelDecoder, IsTheFormat) { check_decoders<TypeParam>(Decoded{}); }

}  // namespace
}  // namespace quanta::test
