// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One product that everyone is asked for: sizes, codes, parameters, and what form the result has. It names no library
// but Eigen, so that peers do not see Quanta.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include <Eigen/Core>

namespace bench {

using Index = Eigen::Index;
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Size {
  Index m, k, n;
  /// Weights come from memory: copies are taken in turn, more of them than any cache holds.
  bool cold = false;

  double operations() const { return 2.0 * static_cast<double>(m * n) * static_cast<double>(k); }
  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + (cold ? "/cold" : "");
  }
};

/// The forms of a product, with s = scale_x * scale_w[j].
enum class Form {
  kInt32,    ///< acc, exactly
  kReal,     ///< max(0, acc * s + bias)
  kCodes,    ///< uint8 codes of the same at scale_out, zero point 0
  kDynamic,  ///< float x in, acc * s + bias out; x is quantized by whoever multiplies
  kProduct,  ///< acc * s in float: what a float library has instead of any of these
};

/// Weights as they are stored, (n, k), in int8 without -128, or of 7 bits, with a scale and a bias per output.
struct Weights {
  Matrix<std::int8_t> codes;
  Eigen::VectorXf scales, bias;
};

/// Codes are int8 when `signed_lhs`, else uint8, held in the same bytes. `zero_w` is common to all outputs, because no
/// peer has one for each.
struct Problem {
  Size size;
  Form form = Form::kInt32;
  bool signed_lhs = false;
  std::int32_t zero_x = 0, zero_w = 0;
  float scale_x = 1.0f / 128.0f, scale_out = 1.0f;
  std::shared_ptr<const Weights> weights;
  Matrix<std::uint8_t> codes;
  Matrix<float> x;  ///< what the codes stand for

  std::int32_t code(Index i, Index k) const {
    return signed_lhs ? static_cast<std::int8_t>(codes(i, k)) : static_cast<std::int32_t>(codes(i, k));
  }
  float scale(Index j) const { return scale_x * weights->scales[j]; }
  /// The weights as float: what float libraries multiply.
  Matrix<float> real_weights() const {
    return ((weights->codes.cast<float>().array() - static_cast<float>(zero_w)).colwise() * weights->scales.array())
        .matrix();
  }
  Problem(const Size& of, Form as, bool is_signed, std::int32_t x_zero, std::int32_t w_zero, bool seven_bits);

  /// Element (i, j) of the result in `as`, from the definition alone.
  double expected(Form as, Index i, Index j) const;
};

// ---- bodies ----

/// Uniform bytes from a fixed seed.
inline void fill_bytes(std::uint8_t* bytes, Index count, std::uint64_t seed) {
  std::uint64_t state = seed;
  for (Index i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes[i] = static_cast<std::uint8_t>(state >> 56);
  }
}

/// The weights of the size last asked for are kept: problems come in the order of sizes.
inline std::shared_ptr<const Weights> make_weights(Index n, Index k, bool seven_bits) {
  static std::shared_ptr<const Weights> last;
  static bool last_has_seven_bits;
  const bool same_size = last != nullptr && last->codes.rows() == n && last->codes.cols() == k;
  if (same_size && last_has_seven_bits == seven_bits) return last;
  const auto made = std::make_shared<Weights>();
  made->codes.resize(n, k);
  fill_bytes(reinterpret_cast<std::uint8_t*>(made->codes.data()), n * k, 7);
  made->codes = made->codes.cwiseMax(std::int8_t{-127});
  if (seven_bits) made->codes /= std::int8_t{2};
  made->scales = Eigen::VectorXf::LinSpaced(n, 0.001f, 0.01f);
  made->bias = Eigen::VectorXf::LinSpaced(n, -1.0f, 1.0f);
  last = made;
  last_has_seven_bits = seven_bits;
  return last;
}

inline Problem::Problem(const Size& of, Form as, bool is_signed, std::int32_t x_zero, std::int32_t w_zero,
                        bool seven_bits)
    : size(of),
      form(as),
      signed_lhs(is_signed),
      zero_x(x_zero),
      zero_w(w_zero),
      weights(make_weights(of.n, of.k, seven_bits)) {
  codes.resize(size.m, size.k);
  fill_bytes(codes.data(), codes.size(), 11);
  x.resize(size.m, size.k);
  for (Index i = 0; i < size.m; ++i) {
    for (Index k = 0; k < size.k; ++k) x(i, k) = scale_x * static_cast<float>(code(i, k) - zero_x);
  }
  // About what 255 codes have to cover: four deviations of the sums of the largest scale.
  scale_out = scale_x * 0.01f * 147.0f * 74.0f * 4.0f * std::sqrt(static_cast<float>(size.k)) / 255.0f;
}

inline double Problem::expected(Form as, Index i, Index j) const {
  std::int64_t sum = 0;
  for (Index k = 0; k < size.k; ++k) {
    sum += std::int64_t{code(i, k) - zero_x} * std::int64_t{weights->codes(j, k) - zero_w};
  }
  const double acc = static_cast<double>(sum), product = acc * double{scale_x} * double{weights->scales[j]};
  const double real = product + double{weights->bias[j]};
  switch (as) {
    case Form::kInt32:
      return acc;
    case Form::kReal:
      return std::max(0.0, real);
    case Form::kCodes:
      return std::min(255.0, std::max(0.0, std::nearbyint(real / double{scale_out})));
    case Form::kDynamic:
      return real;
    default:
      return product;
  }
}

}  // namespace bench
