// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The whole library but for files, <quanta/io.hpp>, tables for people to read, <quanta/report.hpp>, integer-only models,
// <quanta/integer.hpp>, training, <quanta/train.hpp>, and which kernel runs and why, <quanta/explain.hpp>.
#pragma once

#include <quanta/arch.hpp>
#include <quanta/calib/entropy.hpp>
#include <quanta/calib/min_max.hpp>
#include <quanta/calib/moving_average.hpp>
#include <quanta/calib/mse.hpp>
#include <quanta/calib/percentile.hpp>
#include <quanta/format/format.hpp>
#include <quanta/gemm/activations.hpp>
#include <quanta/gemm/gemm.hpp>
#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/embedding.hpp>
#include <quanta/layers/flatten.hpp>
#include <quanta/layers/int8_outlier_linear.hpp>
#include <quanta/layers/layer_norm.hpp>
#include <quanta/layers/linear.hpp>
#include <quanta/layers/quantize_model.hpp>
#include <quanta/layers/quantized_matrix.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/layers/softmax.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/layers/weight_only_linear.hpp>
#include <quanta/quant/any_quantized_tensor.hpp>
#include <quanta/quant/block_formats.hpp>
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>
