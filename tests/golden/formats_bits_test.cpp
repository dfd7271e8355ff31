// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of the formats that are not plain integers: scales as they are held, codes and reals, and weight-only layers.
#include <quanta/layers/weight_only_linear.hpp>
#include <quanta/quant/block_formats.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class F, class G = DefaultGranularity<F, PerChannel<0>>>
void add_format(Recorder& recorder, const std::string& name, const RowTensor<float, 2>& x,
                typename SymmetricQuantizer<F, G>::FitOptions options = {}) {
  const auto quantizer = SymmetricQuantizer<F, G>::fit(x, options);
  const auto quantized = quantizer.quantize(x);
  std::vector<float> scales;
  for (Index i = 0; i < quantizer.params().size(); ++i) scales.push_back(quantizer.params().scale(i));
  recorder.add(name + ".scales", scales);
  recorder.add(name + ".packed", reinterpret_cast<const std::uint8_t*>(quantized.data()),
               detail::packed_size(x.size(), F::bits));
  recorder.add(name + ".dequantize", quantized.dequantize());
  recorder.add(name + ".fake_quantize", quantizer.fake_quantize(x));
}

template <class F>
void add_any_floats(Recorder& recorder, const std::string& name, const RowTensor<float, 1>& x) {
  const QuantParams<PerTensor> params(0.7f);
  const auto quantized = SymmetricQuantizer<F, PerTensor>(params).quantize(x);
  recorder.add(name + ".any", quantized.codes());
  recorder.add(name + ".any.dequantize", quantized.dequantize());
}

}  // namespace

void golden_formats(Recorder& recorder) {
  const RowTensor<float, 2> x = random_tensor<2>({37, 131}, 1, 2.5f);
  add_format<NF4>(recorder, "nf4", x);
  add_format<NF4, DoubleQuantized<PerGroup<16>>>(recorder, "nf4.double", x);
  add_format<FP4>(recorder, "fp4", x);
  add_format<E4M3>(recorder, "e4m3", x);
  add_format<E5M2, PerChannel<1>>(recorder, "e5m2", x);
  add_format<Fp16>(recorder, "fp16", x);
  add_format<Bf16>(recorder, "bf16", x);
  add_format<MXFP8>(recorder, "mxfp8", x);
  add_format<MXFP6>(recorder, "mxfp6", x);
  add_format<MXFP6E3M2>(recorder, "mxfp6_e3m2", x);
  add_format<MXFP4>(recorder, "mxfp4", x);
  add_format<MXFP4>(recorder, "mxfp4.floor", x, {.floor_scale = true});
  add_format<MXINT8>(recorder, "mxint8", x);
  add_format<NVFP4>(recorder, "nvfp4", x);
  add_format<Int<4>, WithScales<PerGroup<32>, Fp16>>(recorder, "int4.fp16", x);
  add_format<Int<4>, WithScales<PerGroup<5, 0>, Bf16>>(recorder, "int4.bf16", x);

  RowTensor<float, 1> any(10007);
  Random random(2);
  for (Index i = 0; i < any.size(); ++i) any(i) = random.any_float();
  add_any_floats<NF4>(recorder, "nf4", any);
  add_any_floats<FP4>(recorder, "fp4", any);
  add_any_floats<E2M1>(recorder, "e2m1", any);
  add_any_floats<E4M3>(recorder, "e4m3", any);
  add_any_floats<E5M2>(recorder, "e5m2", any);
  add_any_floats<Fp16>(recorder, "fp16", any);
  add_any_floats<Bf16>(recorder, "bf16", any);

  const RowTensor<float, 2> batch = random_tensor<2>({11, 131}, 3);
  recorder.add("layer.nf4", WeightOnlyLinear<NF4>(x)(batch));
  recorder.add("layer.nvfp4", WeightOnlyLinear<NVFP4>(x)(batch));
  recorder.add("layer.bf16", WeightOnlyLinear<Bf16>(x)(batch));
}

}  // namespace quanta::test
