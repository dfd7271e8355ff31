// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantization-aware training: fake quantization with gradients. Not part of <quanta/quanta.hpp>.
#pragma once

#include <quanta/train/fake_quantize.hpp>
