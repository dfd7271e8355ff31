// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of gemm/: products of many formats, zero points, groups and sizes, with every kernel of this build.
#include "tests/support/golden.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

constexpr Index kM = 23, kN = 39, kK = 77;

// The same product with each kernel: it must be the same numbers, so there is one entry for all.
template <class... Kernel, class Product>
auto with_each_kernel(KernelList<Kernel...>, Product product) {
  const auto first = product.template operator()<NativeKernel>();
  const auto expect_same = [&](const auto& other) { EXPECT_TRUE(same_bits(other, first)); };
  (expect_same(product.template operator()<Kernel>()), ...);
  return first;
}

template <class LhsFormat, class RhsFormat, class RhsG>
void add_products(Recorder& recorder, Index rhs_params, Fill zeros) {
  Random random(static_cast<std::uint64_t>(1000 * LhsFormat::max + 10 * RhsFormat::max + rhs_params));
  const IntMatrix lhs = int_matrix<LhsFormat>(kM, kK, kPerRow, Fill::random, zeros, random);
  const IntMatrix rhs = int_matrix<RhsFormat>(kN, kK, rhs_params, Fill::random, zeros, random);
  Eigen::VectorXf bias(kN);
  for (Index j = 0; j < kN; ++j) bias[j] = random.normal(3.0f);
  const auto x = quantized<LhsFormat, PerChannel<0>>(lhs);
  const auto weights = quantized<RhsFormat, RhsG>(rhs);
  const std::string name = std::string(LhsFormat::name) + "." + std::string(RhsFormat::name) + "." +
                           std::to_string(rhs_params) + (zeros == Fill::zero ? ".symmetric" : ".zero_points");
  recorder.add(name + ".int32", with_each_kernel(CompiledKernels{}, [&]<class Kernel>() {
                 RowTensor<std::int32_t, 2> dst(kM, kN);
                 gemm(x, pack<Kernel>(weights), dst);
                 return dst;
               }));
  recorder.add(name + ".float", with_each_kernel(CompiledKernels{}, [&]<class Kernel>() {
                 RowTensor<float, 2> dst(kM, kN);
                 gemm(x, pack<Kernel>(weights), dst, Dequantize{}, AddBias{bias}, Relu{}, AddBias{bias});
                 return dst;
               }));
}

template <class Scheme, class F>
void add_requantized(Recorder& recorder, const std::string& name, const Quantizer<Scheme, F>& output) {
  Random random(7);
  const IntMatrix lhs = int_matrix<UInt<8>>(kM, kK, kOne, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::zero, random);
  Eigen::VectorXf bias(kN);
  for (Index j = 0; j < kN; ++j) bias[j] = random.normal(3.0f);
  const auto x = quantized<UInt<8>, PerTensor>(lhs);
  const auto packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  recorder.add("requantized." + name, gemm_requantized(x, packed, output).codes());
  recorder.add("requantized." + name + ".bias", gemm_requantized(x, packed, output, bias).codes());
  recorder.add("requantized." + name + ".double_rounding",
               gemm_requantized(x, packed, output, bias, DoubleRounding{}).codes());
}

// Every remainder of every tile: one hash over the results of all small sizes.
void add_tails(Recorder& recorder) {
  Random random(8);
  std::vector<std::int32_t> sums;
  for (Index m = 0; m <= 16; m += 5) {
    for (Index n = 0; n <= 66; n += 6) {
      for (Index k = 0; k <= 9; ++k) {
        const IntMatrix lhs = int_matrix<Int<8>>(m, k, kOne, Fill::random, Fill::random, random);
        const IntMatrix rhs = int_matrix<UInt<8>>(n, k, kOne, Fill::random, Fill::random, random);
        RowTensor<std::int32_t, 2> dst(m, n);
        gemm(quantized<Int<8>, PerTensor>(lhs), pack(quantized<UInt<8>, PerTensor>(rhs)), dst);
        sums.insert(sums.end(), dst.data(), dst.data() + dst.size());
      }
    }
  }
  recorder.add("tails", sums);
}

void add_fixed_point(Recorder& recorder) {
  Random random(9);
  std::vector<std::int64_t> values;
  for (int i = 0; i < 5000; ++i) {
    const double mantissa = 1.0 + static_cast<double>(random.bits() >> 12) * 0x1p-52;
    const double real = std::ldexp(mantissa, random.between(-40, 35));
    const FixedPoint f = FixedPoint::from_real(real);
    const auto x = static_cast<std::int32_t>(static_cast<std::uint32_t>(random.bits() >> 32));
    for (const std::int64_t v : {std::int64_t{f.multiplier}, std::int64_t{f.shift}, multiply(x, f),
                                 std::int64_t{multiply_double_rounding(x, f)}}) {
      values.push_back(v);
    }
  }
  recorder.add("fixed_point", values);
}

// Rows of bytes begin at any address: nothing is aligned that a kernel reads by fours. Of the builds with sanitizers
// one has no flags for more than the least instruction set, so that all of them are seen.
void expect_products_at_any_address() {
  for (const Index n : {1, 17, 33}) {
    for (const Index k : {13, 70}) {
      for (Index m = 1; m <= 5; ++m) {
        RowTensor<std::uint8_t, 2> a(m, k);
        RowTensor<std::int8_t, 2> b(n, k);
        for (Index i = 0; i < a.size(); ++i) a.data()[i] = static_cast<std::uint8_t>(37 * i + 11);
        for (Index i = 0; i < b.size(); ++i) b.data()[i] = static_cast<std::int8_t>(53 * i % 256 - 128);
        RowTensor<std::int32_t, 2> dst(m, n), expected(m, n);
        for (Index i = 0; i < dst.size(); ++i) {
          expected.data()[i] = 0;
          for (Index j = 0; j < k; ++j) expected.data()[i] += (a(i / n, j) - 3) * b(i % n, j);
        }
        gemm(a, ZeroPoint{3}, pack(QuantizedTensor<Int<8>, 2>(b, QuantParams<PerTensor>(1.0f))), dst);
        EXPECT_TRUE(same_bits(dst, expected)) << m << ' ' << k << ' ' << n;
      }
    }
  }
}

}  // namespace

void golden_gemm(Recorder& recorder) {
  for (const Fill zeros : {Fill::zero, Fill::random}) {
    add_products<UInt<8>, Int<8>, PerChannel<0>>(recorder, kPerRow, zeros);
    add_products<Int<8>, Int<8>, PerTensor>(recorder, kOne, zeros);
    add_products<Int<8>, Int<4>, PerGroup<16>>(recorder, 16, zeros);
    add_products<UInt<5>, UInt<8>, PerGroup<7>>(recorder, 7, zeros);
  }
  add_requantized(recorder, "int8", SymmetricQuantizer<Int<8>>(0.75f));
  add_requantized(recorder, "uint8", AsymmetricQuantizer<UInt<8>>(0.3f, 77));
  add_requantized(recorder, "int4", SymmetricQuantizer<Int<4>>(9.0f));
  add_tails(recorder);
  add_fixed_point(recorder);
  expect_products_at_any_address();
}

}  // namespace quanta::test
