// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The granularity a format goes with, taken wherever none is named. A format of your own says it by a member type
// `DefaultGranularity`.
#pragma once

#include <quanta/format/codebook.hpp>
#include <quanta/format/floating.hpp>
#include <quanta/quant/granularity.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class F, class Otherwise>
struct GranularityOf {
  using Type = Otherwise;
};
template <class F, class Otherwise>
requires requires { typename F::DefaultGranularity; }
struct GranularityOf<F, Otherwise> {
  using Type = typename F::DefaultGranularity;
};
template <class Otherwise>
struct GranularityOf<NF4, Otherwise> {
  using Type = PerGroup<64>;
};
template <class Otherwise>
struct GranularityOf<FP4, Otherwise> {
  using Type = PerGroup<64>;
};
template <class Otherwise>
struct GranularityOf<Fp16, Otherwise> {
  using Type = Unscaled;
};
template <class Otherwise>
struct GranularityOf<Bf16, Otherwise> {
  using Type = Unscaled;
};

}  // namespace detail

/// PerGroup<64> for NF4 and FP4, Unscaled for Fp16 and Bf16, what a format says for block formats and your own, else
/// `Otherwise`.
template <Format F, Granularity Otherwise = PerTensor>
using DefaultGranularity = typename detail::GranularityOf<F, Otherwise>::Type;

QUANTA_NAMESPACE_END
