// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Softmax over the features of every row: (batch, features), so over the last axis. It is computed in float, in
// quantized models too; its integer counterpart is integer::run_softmax (integer/network.hpp).
#pragma once

#include <limits>

#include <quanta/core/lane_math.hpp>
#include <quanta/core/layer.hpp>
#include <quanta/core/reduce.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN

/// Makes each row of (batch, features) a distribution, of the same shape (Bridle, "Probabilistic interpretation of
/// feedforward classification network outputs", 1990; less the maximum, so that nothing overflows). y[b, i] = e[i] * (1
/// / s) with e[i] = exp(x[b, i] - max(x[b])), the difference rounded to float, and s the sum of all e[i] of the row in
/// double (core/reduce.hpp), its inverse rounded to float. The rows of y add up to 1 but for rounding. -inf gives 0; a
/// row that holds NaN or +inf, or nothing but -inf, gives a row of NaN.
class Softmax : public CallableLayer<Softmax> {
 public:
  static constexpr const char* kName = "Softmax";  ///< what name() says

  Index output_size(Index features) const { return features; }  ///< as many as there are
  /// y (batch, out) from x (batch, in): see Layer.
  QUANTA_LAZY void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    const Index features = x.extent(1);
    detail::for_each_row(context, x, y, 3.0 * static_cast<double>(features),
                         [&](const float* from, float* to) { apply(from, features, to); });
  }
  std::string name() const { return kName; }  ///< in tables, messages and files
  Index packed_bytes() const { return 0; }    ///< it holds nothing

 private:
  using L = simd::NativeLanes;

  QUANTA_LAZY static void apply(const float* x, Index n, float* y);
  /// The largest that is not NaN; -inf where there is none.
  QUANTA_LAZY static float largest(const float* x, Index n);
};

// ---- bodies ----

QUANTA_LAZY_BODY float Softmax::largest(const float* x, Index n) {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  constexpr int kChains = 4;  // hide the latency of max
  typename L::F most[kChains];
  QUANTA_UNROLL for (int c = 0; c < kChains; ++c) most[c] = L::set(lowest);
  Index i = 0;
  for (; i + kChains * L::width <= n; i += kChains * L::width) {
    QUANTA_UNROLL for (int c = 0; c < kChains; ++c) most[c] = L::max(L::load(x + i + c * L::width), most[c]);
  }
  for (; i + L::width <= n; i += L::width) most[0] = L::max(L::load(x + i), most[0]);
  float result = L::reduce_max(L::max(L::max(most[0], most[1]), L::max(most[2], most[3])));
  for (; i < n; ++i) result = simd::ScalarLanes::max(x[i], result);
  return result;
}

QUANTA_LAZY_BODY void Softmax::apply(const float* x, Index n, float* y) {
  const typename L::F minus_most = L::set(-largest(x, n));
  const float* from = nullptr;
  float* to = nullptr;
  const auto sums = detail::blocked_sums<1>(
      n,
      [&](Index first, Index) {
        from = x + first;
        to = y + first;
      },
      [&](Index i, auto count, detail::ReduceLanes<1>& lanes) {
        for (int l = 0; l < count; l += L::width) {
          const Index some = count - l;
          if (some >= L::width) {
            L::store(to + i + l, math::exp<L>(L::add_real(L::load(from + i + l), minus_most)));
          } else {
            L::store_first(to + i + l, math::exp<L>(L::add_real(L::load_first(from + i + l, some), minus_most)), some);
          }
        }
        QUANTA_VECTORIZE_LOOP
        for (int l = 0; l < count; ++l) lanes[0][l] += to[i + l];
      });
  const typename L::F inverse = L::set(static_cast<float>(1.0 / sums[0]));
  Index i = 0;
  for (; i + L::width <= n; i += L::width) L::store(y + i, L::one_nan(L::mul(L::load(y + i), inverse)));
  if (i < n) L::store_first(y + i, L::one_nan(L::mul(L::load_first(y + i, n - i), inverse)), n - i);
}

QUANTA_NAMESPACE_END
