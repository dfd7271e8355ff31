// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Files: models and tensors in safetensors, arrays in npy, networks of integers as C++ headers. Needs nlohmann-json, which the core does not; in CMake link
// quanta::io.
#pragma once

#include <quanta/io/emit_header.hpp>
#include <quanta/io/model.hpp>
#include <quanta/io/npy.hpp>
#include <quanta/io/safetensors.hpp>
#include <quanta/io/save.hpp>
