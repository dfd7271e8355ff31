// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// OpenBLAS's float product (Debian: libopenblas-dev), weights (n, k) in float; it has no interface to pack them once.
#include <cblas.h>  // the one beside openblas_config.h

#include "peer.hpp"

namespace bench {
namespace {

class OpenBlasProduct final : public ProductOf<float> {
 public:
  explicit OpenBlasProduct(const Problem& problem)
      : ProductOf(problem, Form::kProduct), x_(problem.x), weights_(problem.real_weights()) {}

  void run() override {
    const int m = static_cast<int>(x_.rows()), k = static_cast<int>(x_.cols()), n = static_cast<int>(weights_.rows());
    if (m == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, weights_.data(), k, x_.data(), 1, 0.0f, results_.data(), 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, x_.data(), k, weights_.data(), k, 0.0f,
                  results_.data(), n);
    }
  }

 private:
  const Matrix<float>& x_;
  const Matrix<float> weights_;
};

class OpenBlasPeer final : public Peer {
 public:
  std::string name() const override { return "OpenBLAS_float"; }
  std::string version() const override { return openblas_get_config(); }
  int weight_bytes() const override { return 4; }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    return std::make_unique<OpenBlasProduct>(problem);
  }
};

}  // namespace

std::unique_ptr<Peer> make_openblas(const Threads& threads) {
  openblas_set_num_threads(threads.count);
  return std::make_unique<OpenBlasPeer>();
}

}  // namespace bench
