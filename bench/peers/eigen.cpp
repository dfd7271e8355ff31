// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Eigen's float product of the same shape, weights (n, k) in float: what one has without quantization. No bias and no
// activation, which flatters it.
#include <unsupported/Eigen/CXX11/Tensor>

#include "peer.hpp"

namespace bench {
namespace {

using Tensor = Eigen::Tensor<float, 2, Eigen::RowMajor>;

class EigenProduct final : public ProductOf<float> {
 public:
  EigenProduct(const Problem& problem, Eigen::ThreadPoolDevice* pool)
      : ProductOf(problem, Form::kProduct), problem_(problem), pool_(pool), weights_(problem.real_weights()) {}

  void run() override {
    const Size& s = problem_.size;
    if (pool_ == nullptr) {
      Eigen::Map<Matrix<float>>(results_.data(), s.m, s.n).noalias() = problem_.x * weights_.transpose();
      return;
    }
    const Eigen::array<Eigen::IndexPair<int>, 1> over_k = {Eigen::IndexPair<int>(1, 1)};
    Eigen::TensorMap<Tensor>(results_.data(), s.m, s.n).device(*pool_) =
        Eigen::TensorMap<const Tensor>(problem_.x.data(), s.m, s.k)
            .contract(Eigen::TensorMap<const Tensor>(weights_.data(), s.n, s.k), over_k);
  }

 private:
  const Problem& problem_;
  Eigen::ThreadPoolDevice* pool_;
  const Matrix<float> weights_;
};

class EigenPeer final : public Peer {
 public:
  explicit EigenPeer(const Threads& threads) : pool_(threads.pool) {}
  std::string name() const override { return "Eigen_float"; }
  std::string version() const override {
    return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
           std::to_string(EIGEN_MINOR_VERSION);
  }
  int weight_bytes() const override { return 4; }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    return std::make_unique<EigenProduct>(problem, pool_);
  }

 private:
  Eigen::ThreadPoolDevice* pool_;
};

}  // namespace

std::unique_ptr<Peer> make_eigen(const Threads& threads) { return std::make_unique<EigenPeer>(threads); }

}  // namespace bench
