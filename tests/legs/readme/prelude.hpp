// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the README's snippets take for granted: the headers they name, and "data of yours". The leg "readme" puts the
// snippets behind this, in their order, into main(); each sees the names of those before it.
#define EIGEN_USE_THREADS

#include <cstdio>
#include <fstream>
#include <vector>

#include <quanta/explain.hpp>
#include <quanta/integer.hpp>
#include <quanta/io.hpp>
#include <quanta/io/emit_header.hpp>
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>
#include <quanta/train.hpp>

using Matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;
using Vector = Eigen::Tensor<float, 1, Eigen::RowMajor>;
using SignedBytes = Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic>;
using Bytes = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic>;

inline Matrix random_matrix(Eigen::Index rows, Eigen::Index columns) {
  const Eigen::MatrixXf values = Eigen::MatrixXf::Random(columns, rows);
  return Eigen::TensorMap<const Matrix>(values.data(), rows, columns);
}
inline Vector random_vector(Eigen::Index size) {
  const Eigen::VectorXf values = Eigen::VectorXf::Random(size);
  return Eigen::TensorMap<const Vector>(values.data(), size);
}

const Eigen::Index m = 32, n = 256, k = 784;
const Matrix weight = random_matrix(n, k), batch = random_matrix(m, k);
const Vector bias = random_vector(n);
const std::vector<Matrix> batches = {batch, random_matrix(7, k)}, &calibration_batches = batches;

// Calibrating, and products
const quanta::MseCalibrator<> other;
const auto output_quantizer = quanta::SymmetricQuantizer<quanta::Int<8>>::fit(quanta::Range{-40.0f, 40.0f});
const Bytes eigen_uint8_matrix = Bytes::Constant(m, k, 5);
SignedBytes eigen_int8_matrix(m, n);
Eigen::ThreadPool pool(2);
Eigen::ThreadPoolDevice thread_pool_device(&pool, 2);
const SignedBytes eigen_int8_weight = SignedBytes::Constant(3, k, -128),
                  eigen_int8_lhs = SignedBytes::Constant(2, k, -128);
Eigen::MatrixXi sums(2, 3);

// Layers and models
const Matrix table = weight;
const Eigen::MatrixXf dense_weight = Eigen::MatrixXf::Random(n, k), X = Eigen::MatrixXf::Random(k, m);
const Matrix &w1 = weight, w2 = random_matrix(10, n);
const Vector &b1 = bias, b2 = random_vector(10);

// Training
const Matrix hidden = quanta::Relu{}(batch), gradient_of_used = weight;
const auto pixels = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(hidden);
inline Vector stepped(const Vector& scales, const Vector& slopes) { return scales - 0.001f * slopes; }

// Codes from elsewhere
const Bytes their_codes = Bytes::Constant(n, k, 9);
const std::vector<float> scales(256 * 7, 0.5f);
const std::vector<int> zero_points(256 * 7, 8);

/// The file that a snippet reads.
inline void write_files() {
  const auto packed = quanta::SymmetricQuantizer<quanta::Int<4>, quanta::PerGroup<64>>::fit(weight).quantize(weight);
  quanta::TensorList list;
  list.add("fc1.weight", weight);
  list.add("fc1.bias", bias);
  list.add("w", packed);
  quanta::save("others.safetensors", list);
}
