// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The trained network and the images of mnist/data as plain Eigen objects, for examples that are about something else
// than reading files. (mnist/network.hpp shows how that is done.)
#pragma once

#include <Eigen/Core>

namespace digits {

/// Of layer 1, 2 or 3 of the network 784-256-128-10, with ReLU between: (out, in), and (out).
Eigen::MatrixXf weight(int layer);
Eigen::VectorXf bias(int layer);

/// (784, 10000) and (784, 1000): a column is an image.
Eigen::MatrixXf test_images();
Eigen::MatrixXf calibration_images();

/// The percentage of test images whose largest output, of (10, 10000), is their digit's.
double accuracy(const Eigen::Ref<const Eigen::MatrixXf>& outputs);

}  // namespace digits
