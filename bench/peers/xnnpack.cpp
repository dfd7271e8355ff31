// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// XNNPACK (Debian: libxnnpack-dev of 2022): signed codes to signed codes with a scale per output, which that version
// has as a convolution of 1x1. It has neither int32 nor float results of codes, nor dynamic quantization.
#include <pthreadpool.h>
#include <xnnpack.h>

#include "peer.hpp"

namespace bench {
namespace {

class XnnpackProduct final : public ProductOf<std::int8_t> {
 public:
  /// uint8 codes become signed ones, and so does their zero point, which changes no result.
  static constexpr int kShift = 128;

  XnnpackProduct(const Problem& problem, pthreadpool_t pool) : ProductOf(problem, problem.form, kShift), pool_(pool) {
    const Size& s = problem.size;
    const auto k = static_cast<std::size_t>(s.k), n = static_cast<std::size_t>(s.n);
    x_.resize(static_cast<std::size_t>(s.m) * k + XNN_EXTRA_BYTES);
    for (Index i = 0; i < problem.codes.size(); ++i) {
      x_[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(int{problem.codes.data()[i]} - kShift);
    }
    std::vector<std::int32_t> bias;
    for (Index j = 0; j < s.n; ++j) {
      bias.push_back(static_cast<std::int32_t>(std::lrint(problem.weights->bias[j] / problem.scale(j))));
    }
    const auto zero_x = static_cast<std::int8_t>(problem.zero_x - kShift);
    if (xnn_create_convolution2d_nhwc_qc8(0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, k, n, k, n, zero_x, problem.scale_x,
                                          problem.weights->scales.data(), problem.weights->codes.data(), bias.data(),
                                          -kShift, problem.scale_out, -128, 127, 0, &product_) != xnn_status_success) {
      return;
    }
    ready_ = xnn_setup_convolution2d_nhwc_qc8(product_, static_cast<std::size_t>(s.m), 1, 1, x_.data(), results_.data(),
                                              pool_) == xnn_status_success;
  }
  ~XnnpackProduct() override {
    if (product_ != nullptr) xnn_delete_operator(product_);
  }
  XnnpackProduct(const XnnpackProduct&) = delete;
  XnnpackProduct& operator=(const XnnpackProduct&) = delete;

  bool ready() const { return ready_; }
  void run() override { xnn_run_operator(product_, pool_); }

 private:
  pthreadpool_t pool_;
  xnn_operator_t product_ = nullptr;
  bool ready_ = false;
  std::vector<std::int8_t> x_;
};

class XnnpackPeer final : public Peer {
 public:
  explicit XnnpackPeer(int threads)
      : pool_(threads > 1 ? pthreadpool_create(static_cast<std::size_t>(threads)) : nullptr) {}
  ~XnnpackPeer() override {
    if (pool_ != nullptr) pthreadpool_destroy(pool_);
  }
  XnnpackPeer(const XnnpackPeer&) = delete;
  XnnpackPeer& operator=(const XnnpackPeer&) = delete;

  std::string name() const override { return "XNNPACK"; }
  std::string version() const override { return "as installed"; }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    if (problem.form != Form::kCodes || problem.zero_w != 0 || problem.signed_lhs) return nullptr;
    auto product = std::make_unique<XnnpackProduct>(problem, pool_);
    if (!product->ready()) return nullptr;
    return product;
  }

 private:
  pthreadpool_t pool_;
};

}  // namespace

std::unique_ptr<Peer> make_xnnpack(const Threads& threads) {
  if (xnn_initialize(nullptr) != xnn_status_success) return nullptr;
  return std::make_unique<XnnpackPeer>(threads.count);
}

}  // namespace bench
