// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A trained network whose columns are samples: before.cpp in plain Eigen, after.cpp with int8 weights. Three lines
// differ.
#include <Eigen/Core>

#include "measure.hpp"

namespace {

struct Network {
  Eigen::MatrixXf w1, w2, w3;
  Eigen::VectorXf b1, b2, b3;

  Network()
      : w1(digits::weight(1)),
        w2(digits::weight(2)),
        w3(digits::weight(3)),
        b1(digits::bias(1)),
        b2(digits::bias(2)),
        b3(digits::bias(3)) {}

  // x is (784, images), the result (10, images).
  Eigen::MatrixXf operator()(const Eigen::MatrixXf& x) const {
    const Eigen::MatrixXf h1 = ((w1 * x).colwise() + b1).cwiseMax(0.0f);
    const Eigen::MatrixXf h2 = ((w2 * h1).colwise() + b2).cwiseMax(0.0f);
    return (w3 * h2).colwise() + b3;
  }

  Eigen::Index weight_bytes() const { return 4 * (w1.size() + w2.size() + w3.size()); }
};

}  // namespace

int main() { measure(Network()); }
