// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a library must have to be measured beside Quanta with weights of 4 bits in groups: as peer.hpp, for float
// activations that stay float, or are quantized as the library likes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <Eigen/Core>

namespace bench {

using Index = Eigen::Index;

/// y (m, n) = x w^T, w = scale of its group * code. k is whole groups.
struct LowBitProblem {
  Index m, k, n, group;
  const float* x;            ///< (m, k)
  const std::int8_t* codes;  ///< (n, k), -8 to 7
  const float* scales;       ///< (n, k / group)
  bool quantize_x;           ///< to 8 bits, at run time
};

class LowBitProduct {
 public:
  explicit LowBitProduct(const LowBitProblem& problem) : results_(static_cast<std::size_t>(problem.m * problem.n)) {}
  virtual ~LowBitProduct() = default;
  virtual void run() = 0;
  const std::vector<float>& results() const { return results_; }

 protected:
  std::vector<float> results_;
};

class LowBitPeer {
 public:
  virtual ~LowBitPeer() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// Packs the weights; null when it has no such product. The problem's x outlives the product.
  virtual std::unique_ptr<LowBitProduct> prepare(const LowBitProblem& problem) = 0;
};

/// Each library has one of these, for one thread; null when it cannot be had after all.
std::unique_ptr<LowBitPeer> make_onnxruntime_low_bit();

/// Those that can be had.
std::vector<std::unique_ptr<LowBitPeer>> find_low_bit_peers();

}  // namespace bench
