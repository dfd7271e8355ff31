// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Sums over the elements of each parameter (quant/granularity.hpp), all in one pass over the tensor. The elements of a
// parameter are numbered in the tensor's logical row-major order and summed in the order of core/reduce.hpp: so a sum
// has the same bits on every CPU, and per tensor it is what blocked_sums gives.
#pragma once

#include <quanta/core/buffer.hpp>
#include <quanta/core/reduce.hpp>
#include <quanta/quant/granularity.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

class ParamSums {
 public:
  explicit ParamSums(const ParamMap& map)
      : map_(map), counts_(map.count, 0), lanes_(map.count * kReduceLanes, 0.0), sums_(map.count, 0.0) {}

  /// Adds term(i), a double, for the `count` elements that follow those added before; i counts from 0. As in
  /// core/reduce.hpp a term is one rounded operation, or an exact product of two floats.
  template <class Term>
  void add(Index count, Term term);

  /// How many elements parameter p had.
  Index count(Index p) const { return counts_[p]; }
  /// The sum of their terms.
  double sum(Index p) const {
    double lanes[kReduceLanes];
    load(p, lanes);
    return sums_[p] + sum_lanes(lanes);  // of no open block 0 is added
  }

 private:
  template <class Term>
  void add_run(Index param, Index first, Index count, Term& term);
  template <class Term>
  void add_row(Index param, Index first, Index count, Term& term);

  // Lane l of all parameters lies together: rows, whose elements have parameter after parameter, go to one lane.
  double* lane(Index l) { return lanes_.data() + l * map_.count; }
  void load(Index param, double (&lanes)[kReduceLanes]) const {
    for (int l = 0; l < kReduceLanes; ++l) lanes[l] = lanes_[l * map_.count + param];
  }
  void store(Index param, const double (&lanes)[kReduceLanes]) {
    for (int l = 0; l < kReduceLanes; ++l) lanes_[l * map_.count + param] = lanes[l];
  }
  /// Adds a full block to the sum.
  void close_block(Index param, double (&lanes)[kReduceLanes]) {
    sums_[param] += sum_lanes(lanes);
    std::fill_n(lanes, kReduceLanes, 0.0);
  }

  ParamMap map_;
  Index seen_ = 0;
  Buffer<Index> counts_;
  Buffer<double> lanes_;  ///< of the open block
  Buffer<double> sums_;   ///< of the full blocks
};

// ---- bodies ----

template <class Term>
void ParamSums::add(Index count, Term term) {
  for_each_run(map_, seen_, seen_ + count, [&](const ParamRun& run) {
    if (!run.follows) {
      add_run(run.param, run.offset, run.count, term);
    } else {
      for (Index r = 0; r < run.rows; ++r) add_row(run.param, run.offset + r * run.count, run.count, term);
    }
  });
  seen_ += count;
}

template <class Term>
void ParamSums::add_run(Index param, Index first, Index count, Term& term) {
  double lanes[kReduceLanes];
  load(param, lanes);
  Index number = counts_[param];
  for (Index i = first; i < first + count;) {
    const Index lane = number % kReduceLanes;
    Index step = 1;
    if (lane == 0 && first + count - i >= kReduceLanes) {
      step = kReduceLanes;
      QUANTA_VECTORIZE_LOOP
      for (int l = 0; l < kReduceLanes; ++l) lanes[l] += term(i + l);
    } else {
      lanes[lane] += term(i);
    }
    i += step;
    number += step;
    if (number % kReduceBlock == 0) close_block(param, lanes);
  }
  store(param, lanes);
  counts_[param] = number;
}

/// Elements with param, param + 1, ..., all of which have had as many elements before.
template <class Term>
void ParamSums::add_row(Index param, Index first, Index count, Term& term) {
  const Index number = counts_[param];
  double* const to = lane(number % kReduceLanes) + param;
  QUANTA_VECTORIZE_LOOP
  for (Index j = 0; j < count; ++j) to[j] += term(first + j);
  for (Index j = 0; j < count; ++j) counts_[param + j] = number + 1;
  if ((number + 1) % kReduceBlock != 0) return;
  for (Index p = param; p < param + count; ++p) {
    double lanes[kReduceLanes];
    load(p, lanes);
    close_block(p, lanes);
    store(p, lanes);
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
