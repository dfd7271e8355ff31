// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Files: reading safetensors. Needs nlohmann-json, which the core does not; in CMake link quanta::io.
#pragma once

#include <quanta/io/safetensors.hpp>
