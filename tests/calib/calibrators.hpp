// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Every calibrator over a sketch, and every kind of quantizer that may ask one.
#pragma once

#include <gtest/gtest.h>

#include <quanta/calib/entropy.hpp>
#include <quanta/calib/min_max.hpp>
#include <quanta/calib/moving_average.hpp>
#include <quanta/calib/mse.hpp>
#include <quanta/calib/percentile.hpp>

#include "tests/calib/data.hpp"

namespace quanta::test {

/// f(name, calibrator) for each whose ranges depend on the set of values alone; `seen...` is nothing or a sketch.
template <class G, class F, class... Seen>
void for_each_calibrator(F f, const Seen&... seen) {
  f("min-max", MinMaxCalibrator<G>(seen...));
  f("percentile, two-sided", PercentileCalibrator<G>(TwoSided{98.0}, seen...));
  f("percentile of |x|", PercentileCalibrator<G>(Abs{95.0}, seen...));
  f("mse", MseCalibrator<G>(seen...));
  f("entropy", EntropyCalibrator<G>(seen...));
}

/// f.template operator()<Quantizer>(options) for each scheme, width and option.
template <class G, class F>
void for_each_quantizer(F f) {
  f.template operator()<SymmetricQuantizer<Int<4>, G>>({});
  f.template operator()<SymmetricQuantizer<Int<8>, G>>({});
  f.template operator()<SymmetricQuantizer<Int<4>, G>>({.full_range = true});
  f.template operator()<SymmetricQuantizer<Int<16>, G>>({});
  f.template operator()<AsymmetricQuantizer<UInt<4>, G>>({});
  f.template operator()<AsymmetricQuantizer<UInt<8>, G>>({});
  f.template operator()<AsymmetricQuantizer<Int<8>, G>>({});
}

/// The ranges of all channels for all quantizers: min, max, min, max, ...
template <class C>
Values all_ranges(const C& calibrator) {
  Values result;
  for_each_quantizer<typename C::GranularityType>([&]<class Q>(typename Q::FitOptions options) {
    for (Index c = 0; c < calibrator.channels(); ++c) {
      const Range range = calibrator.template range<Q>(c, options);
      result.push_back(range.min);
      result.push_back(range.max);
    }
  });
  return result;
}

inline testing::AssertionResult same_range(Range got, Range expected) {
  if (bits_of(got.min) == bits_of(expected.min) && bits_of(got.max) == bits_of(expected.max)) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "[" << got.min << ", " << got.max << "], expected [" << expected.min << ", "
                                     << expected.max << "]";
}

template <class C>
C observing(C calibrator, const std::vector<Values>& batches) {
  for (const Values& batch : batches) calibrator.observe(as_eigen(batch));
  return calibrator;
}

}  // namespace quanta::test
