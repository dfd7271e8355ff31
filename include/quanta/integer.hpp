// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Integer-only models: made of float models, and run by this unit's instructions. To run one where there are no floats,
// <quanta/integer/network.hpp> is enough.
#pragma once

#include <quanta/layers/integer_only.hpp>
