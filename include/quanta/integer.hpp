// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Models of integers alone: made of float models, run by this unit's instructions, and run where there are no floats
// (which needs <quanta/integer/network.hpp> alone).
#pragma once

#include <quanta/layers/integer_only.hpp>
