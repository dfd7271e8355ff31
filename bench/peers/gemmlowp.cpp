// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// gemmlowp (Debian: libgemmlowp-dev): uint8 by uint8 with offsets, so signed codes are shifted by 128. The weights are
// its lhs, one row per output; it has no interface to pack them once. It dequantizes nothing.
#if defined(__AVX2__)
#define GEMMLOWP_ENABLE_AVX2
#endif
#include <gemmlowp/public/gemmlowp.h>

#include "peer.hpp"

namespace bench {
namespace {

using gemmlowp::MapOrder;
using Column = gemmlowp::VectorMap<const std::int32_t, gemmlowp::VectorShape::Col>;

template <class T>
class GemmlowpProduct final : public ProductOf<T> {
 public:
  GemmlowpProduct(const Problem& problem, gemmlowp::GemmContext& context)
      : ProductOf<T>(problem, problem.form),
        context_(context),
        x_(problem.codes),
        weights_(problem.weights->codes.template cast<int>().array().template cast<std::uint8_t>() + std::uint8_t{128}),
        x_offset_(-problem.zero_x),
        w_offset_(-128 - problem.zero_w) {
    if (problem.signed_lhs) {
      x_.array() += std::uint8_t{128};
      x_offset_ -= 128;
    }
    for (Index j = 0; j < problem.size.n; ++j) {
      const double scale = double{problem.scale_x} * double{problem.weights->scales[j]};
      bias_.push_back(static_cast<std::int32_t>(std::lrint(double{problem.weights->bias[j]} / scale)));
      int exponent = 0;
      const double fraction = std::frexp(scale / double{problem.scale_out}, &exponent);
      multipliers_.push_back(static_cast<std::int32_t>(std::min(std::ldexp(fraction, 31), 2147483647.0)));
      exponents_.push_back(exponent);
    }
  }

  void run() override {
    if constexpr (std::is_same_v<T, std::int32_t>) {
      multiply(std::tuple<>());
    } else {
      const int n = static_cast<int>(bias_.size());
      using Bias = gemmlowp::OutputStageBiasAddition<Column>;
      using Scale = gemmlowp::OutputStageScaleInt32ByFixedPointAndExponentPC<gemmlowp::VectorShape::Col>;
      multiply(std::make_tuple(Bias{Column(bias_.data(), n)},
                               Scale{Column(multipliers_.data(), n), Column(exponents_.data(), n), 0},
                               gemmlowp::OutputStageSaturatingCastToUint8()));
    }
  }

 private:
  template <class Stages>
  void multiply(const Stages& stages) {
    const int m = static_cast<int>(x_.rows()), k = static_cast<int>(x_.cols()), n = static_cast<int>(weights_.rows());
    const gemmlowp::MatrixMap<const std::uint8_t, MapOrder::RowMajor> weights(weights_.data(), n, k);
    const gemmlowp::MatrixMap<const std::uint8_t, MapOrder::ColMajor> x(x_.data(), k, m);
    gemmlowp::MatrixMap<T, MapOrder::ColMajor> results(this->results_.data(), n, m);
    gemmlowp::GemmWithOutputPipeline<std::uint8_t, T, gemmlowp::DefaultL8R8BitDepthParams>(
        &context_, weights, x, &results, w_offset_, x_offset_, stages);
  }

  gemmlowp::GemmContext& context_;
  Matrix<std::uint8_t> x_, weights_;
  int x_offset_, w_offset_;
  std::vector<std::int32_t> bias_, multipliers_, exponents_;
};

class GemmlowpPeer final : public Peer {
 public:
  explicit GemmlowpPeer(int threads) { context_.set_max_num_threads(threads); }
  std::string name() const override { return "gemmlowp"; }
  std::string version() const override { return "as installed"; }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    if (problem.form != Form::kInt32 && problem.form != Form::kCodes) return nullptr;
    if (problem.form == Form::kInt32) return std::make_unique<GemmlowpProduct<std::int32_t>>(problem, context_);
    return std::make_unique<GemmlowpProduct<std::uint8_t>>(problem, context_);
  }

 private:
  gemmlowp::GemmContext context_;
};

}  // namespace

std::unique_ptr<Peer> make_gemmlowp(const Threads& threads) { return std::make_unique<GemmlowpPeer>(threads.count); }

}  // namespace bench
