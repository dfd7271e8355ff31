// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of quant/: parameters, codes, reals and metrics of all formats, granularities, schemes and roundings.
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

constexpr QuantizeOptions kAway{.rounding = Rounding::half_away};
constexpr QuantizeOptions kStochastic{.rounding = Rounding::stochastic, .seed = 42};

void add_metrics(Recorder& recorder, const std::string& name, const ErrorMetrics& m) {
  const double values[] = {m.max_error, m.mean_error, m.mse, m.snr_db, m.cosine, m.relative_error};
  recorder.add(name, values, 6);
}

template <class Q>
void add_params(Recorder& recorder, const std::string& name, const Q& quantizer) {
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
  for (Index i = 0; i < quantizer.params().size(); ++i) {
    scales.push_back(quantizer.params().scale(i));
    zero_points.push_back(quantizer.params().zero_point(i));
  }
  recorder.add(name + ".scale", scales);
  recorder.add(name + ".zero_point", zero_points);
}

// Everything that one quantizer makes of x.
template <class Q, int rank>
void add_quantizer(Recorder& recorder, const std::string& name, const RowTensor<float, rank>& x,
                   typename Q::FitOptions options = {}, typename Q::GranularityType granularity = {}) {
  const Q quantizer = Q::fit(x, granularity, options);
  add_params(recorder, name, quantizer);
  const auto quantized = quantizer.quantize(x);
  recorder.add(name + ".packed", reinterpret_cast<const std::uint8_t*>(quantized.data()),
               detail::packed_size(x.size(), Q::FormatType::bits));
  recorder.add(name + ".codes", quantized.codes());
  recorder.add(name + ".away", quantizer.quantize(x, kAway).codes());
  recorder.add(name + ".stochastic", quantizer.quantize(x, kStochastic).codes());
  const auto reals = quantized.dequantize();
  recorder.add(name + ".dequantize", reals);
  recorder.add(name + ".fake_quantize", quantizer.fake_quantize(x));
  add_metrics(recorder, name + ".metrics", error_metrics(x, reals));
}

template <int b>
void add_width(Recorder& recorder, const RowTensor<float, 2>& x) {
  const std::string bits = std::to_string(b);
  add_quantizer<SymmetricQuantizer<Int<b>>>(recorder, "sym.int" + bits, x);
  add_quantizer<AsymmetricQuantizer<UInt<b>>>(recorder, "asym.uint" + bits, x);
}

template <class G, int rank>
void add_granularity(Recorder& recorder, const std::string& name, const RowTensor<float, rank>& x, G granularity = {}) {
  const std::string full = name + ".rank" + std::to_string(rank);
  add_quantizer<SymmetricQuantizer<Int<4>, G>>(recorder, "sym.int4." + full, x, {}, granularity);
  add_quantizer<AsymmetricQuantizer<UInt<8>, G>>(recorder, "asym.uint8." + full, x, {}, granularity);
}

// Column-major input and output, as matrices.
void add_storage_orders(Recorder& recorder, const RowTensor<float, 2>& x) {
  using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::MatrixXf m = Eigen::Map<const RowMatrix>(x.data(), x.dimension(0), x.dimension(1));
  const auto quantizer = AsymmetricQuantizer<UInt<8>, PerChannel<1>>::fit(m);
  add_params(recorder, "colmajor", quantizer);
  const auto quantized = quantizer.quantize(m);
  recorder.add("colmajor.codes", quantized.codes());
  recorder.add("colmajor.dequantize", quantized.dequantize<Eigen::ColMajor>());
  Eigen::MatrixXf back(m.rows(), m.cols());
  quantized.dequantize_into(back);
  recorder.add("colmajor.dequantize_into", back);
  add_metrics(recorder, "colmajor.metrics", error_metrics(m, back));
  add_metrics(recorder, "block.metrics", error_metrics(m.block(1, 2, 30, 60), back.block(1, 2, 30, 60)));
}

void add_lengths(Recorder& recorder) {
  std::vector<std::int8_t> codes;
  std::vector<float> reals, scales;
  std::vector<double> snr;
  for (Index n = 0; n <= 70; ++n) {
    const RowTensor<float, 1> x = random_tensor<1>({n}, static_cast<std::uint64_t>(n), 3.0f);
    const auto quantizer = AsymmetricQuantizer<Int<5>>::fit(x);
    const auto quantized = quantizer.quantize(x);
    const auto some = quantized.codes();
    const auto approx = quantized.dequantize();
    codes.insert(codes.end(), some.data(), some.data() + n);
    reals.insert(reals.end(), approx.data(), approx.data() + n);
    scales.push_back(quantizer.params().scale(0));
    snr.push_back(error_metrics(x, approx).snr_db);
  }
  recorder.add("lengths.codes", codes);
  recorder.add("lengths.dequantize", reals);
  recorder.add("lengths.scale", scales);
  recorder.add("lengths.snr_db", snr);
}

// Not every number is good-natured: any bit pattern, quantized with given parameters; and ranges of any size.
void add_extremes(Recorder& recorder) {
  Random random(9);
  RowTensor<float, 1> any(3001);
  for (Index i = 0; i < any.size(); ++i) any(i) = random.any_float();
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
  for (int i = 0; i < 100; ++i) {
    float a = random.any_finite_float(), b = random.any_finite_float();
    if (a > b) std::swap(a, b);
    const auto uint8 = AsymmetricQuantizer<UInt<8>>::fit(Range{a, b});
    const auto int16 = SymmetricQuantizer<Int<16>>::fit(Range{a, b}, {.full_range = true});
    scales.push_back(uint8.params().scale(0));
    scales.push_back(int16.params().scale(0));
    zero_points.push_back(uint8.params().zero_point(0));
    if (i % 10 != 0) continue;
    const std::string name = "extremes" + std::to_string(i);
    recorder.add(name + ".codes", uint8.quantize(any).codes());
    recorder.add(name + ".stochastic", int16.quantize(any, kStochastic).codes());
    recorder.add(name + ".fake_quantize", int16.fake_quantize(any));
    add_metrics(recorder, name + ".metrics", error_metrics(any, uint8.fake_quantize(any)));
  }
  recorder.add("extremes.scale", scales);
  recorder.add("extremes.zero_point", zero_points);
}

}  // namespace

void golden_quant(Recorder& recorder) {
  RowTensor<float, 2> x = random_tensor<2>({37, 131}, 1, 2.5f);  // more than one block of sums; no extent is even
  for (Index i = 0; i < x.size(); i += 3) x.data()[i] *= 0.125f;
  recorder.add("inputs", x);
  add_width<2>(recorder, x);
  add_width<3>(recorder, x);
  add_width<4>(recorder, x);
  add_width<5>(recorder, x);
  add_width<6>(recorder, x);
  add_width<7>(recorder, x);
  add_width<8>(recorder, x);
  add_width<16>(recorder, x);
  add_quantizer<SymmetricQuantizer<Int<8>>>(recorder, "sym.int8.full", x, {.full_range = true});
  add_quantizer<SymmetricQuantizer<Int<4>>>(recorder, "sym.int4.full", x, {.full_range = true});
  add_quantizer<AsymmetricQuantizer<Int<8>>>(recorder, "asym.int8", x);
  add_granularity<PerChannel<0>>(recorder, "channel0", x);
  add_granularity<PerChannel<1>>(recorder, "channel1", x);
  add_granularity<PerGroup<32>>(recorder, "group32", x);
  add_granularity<PerGroup<5, 0>>(recorder, "group5axis0", x);
  add_granularity<PerGroup<Dynamic>>(recorder, "group17", x, PerGroup<Dynamic>{17});
  add_granularity<PerChannel<1>>(recorder, "channel1", random_tensor<3>({3, 5, 77}, 2));
  add_granularity<PerGroup<8, 2>>(recorder, "group8axis2", random_tensor<5>({2, 3, 11, 2, 5}, 3));
  add_storage_orders(recorder, x);
  add_lengths(recorder);
  add_extremes(recorder);
}

}  // namespace quanta::test
