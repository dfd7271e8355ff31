// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which element has which parameter, by brute force over multi-indices.
#include <algorithm>

#include <gtest/gtest.h>

#include <quanta/quant/granularity.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {
namespace {

using reference::Sharing;

// A user's granularity: the rows of a matrix.
struct RowsOfAMatrix {
  template <int rank>
  static constexpr bool fits_rank = rank == 2;
  GranularityInfo info() const { return {GranularityKind::per_channel, 0, 0}; }
};
struct NoInfo {
  template <int rank>
  static constexpr bool fits_rank = true;
};

static_assert(Granularity<PerTensor> && Granularity<PerChannel<0>> && Granularity<PerChannel<-1>>);
static_assert(Granularity<PerGroup<32>> && Granularity<PerGroup<Dynamic, 0>> && Granularity<RowsOfAMatrix>);
static_assert(NoInfo::fits_rank<2> && !Granularity<NoInfo> && !Granularity<int>);
static_assert(PerChannel<1>::fits_rank<2> && !PerChannel<2>::fits_rank<2>);
static_assert(PerChannel<-2>::fits_rank<2> && !PerChannel<-3>::fits_rank<2>);
static_assert(PerGroup<4>::fits_rank<1> && !PerGroup<4, 1>::fits_rank<1> && PerTensor::fits_rank<5>);

template <std::size_t rank>
void check_map(const std::array<Index, rank>& shape, const GranularityInfo& info, const Sharing& sharing) {
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(shape, sharing, count);
  const std::vector<Index> expected(numbers.begin(), numbers.end());
  const ParamMap map = param_map(info, shape);
  ASSERT_EQ(map.count, static_cast<Index>(count));
  const ParamSlots slots(map);
  const Index n = static_cast<Index>(expected.size());
  for (Index i = 0; i < n; ++i) ASSERT_EQ(map(i), expected[usize(i)]) << i;
  // Every piece of small tensors; of larger ones those that begin or end at an edge.
  for (Index first = 0; first <= n; first += n > 60 ? 7 : 1) {
    for (Index last = first; last <= n; last += n > 60 ? std::max<Index>(1, (n - last) / 3) : 1) {
      std::vector<Index> params(usize(last - first), -1);
      Index runs = 0;
      bool lawful = true;
      const auto record = [&](const ParamRun& run) {
        lawful = lawful && run.count >= 1 && (run.rows == 1 || (run.follows && run.rows > 1));
        for (Index i = 0; i < run.rows * run.count; ++i) {
          params[usize(run.offset + i)] = run.param + (run.follows ? i % run.count : 0);
        }
        ++runs;
      };
      for_each_run(map, first, last, record);
      ASSERT_TRUE(std::equal(params.begin(), params.end(), expected.begin() + first)) << first << ".." << last;
      const Index runs_of_params = runs;
      for_each_run(slots.map, first, last, record);
      for (Index& slot : params) {
        lawful = lawful && slot < slots.map.count;
        slot = slots.param(slot);
      }
      ASSERT_TRUE(std::equal(params.begin(), params.end(), expected.begin() + first)) << first << ".." << last;
      ASSERT_TRUE(lawful) << first << ".." << last;
      if (sharing.kind == Sharing::tensor && last > first) {
        ASSERT_EQ(runs_of_params, 1);
      }
    }
  }
}

template <std::size_t rank>
void check_every_axis(const std::array<Index, rank>& shape) {
  check_map(shape, PerTensor{}.info(), {Sharing::tensor, 0, 0});
  for (int axis = -static_cast<int>(rank); axis < static_cast<int>(rank); ++axis) {
    SCOPED_TRACE(axis);
    check_map(shape, {GranularityKind::per_channel, axis, 0}, {Sharing::channel, axis, 0});
    for (const Index group : {1, 2, 3, 4, 5, 100}) {
      check_map(shape, {GranularityKind::per_group, axis, group}, {Sharing::group, axis, group});
    }
  }
}

TEST(Granularity, MapsEveryElementOfEveryShape) {
  check_every_axis<1>({1});
  check_every_axis<1>({13});
  check_every_axis<2>({5, 7});
  check_every_axis<2>({1, 9});
  check_every_axis<2>({9, 1});
  check_every_axis<2>({200, 3});
  check_every_axis<3>({30, 3, 4});
  check_every_axis<3>({2, 3, 5});
  check_every_axis<3>({3, 1, 4});
  check_every_axis<4>({2, 3, 2, 3});
  check_every_axis<5>({2, 3, 1, 4, 5});
}

TEST(Granularity, SlotsMakeLongRows) {
  const auto longest = [](const GranularityInfo& info, const auto& shape) {
    const ParamSlots slots(param_map(info, shape));
    Index most = 0;
    for_each_run(slots.map, 0, element_count(shape), [&](const ParamRun& run) { most = std::max(most, run.count); });
    return most;
  };
  EXPECT_GE(longest({GranularityKind::per_channel, 1, 0}, Shape<2>{1000, 3}), 100);
  EXPECT_GE(longest({GranularityKind::per_channel, 1, 0}, Shape<4>{100, 3, 2, 2}), 100);
  EXPECT_EQ(longest({GranularityKind::per_channel, 1, 0}, Shape<2>{10, 5000}), 5000);
  EXPECT_EQ(longest({GranularityKind::per_group, 0, 4}, Shape<2>{40, 50}), 50);
  EXPECT_EQ(longest({GranularityKind::per_group, 1, 1}, Shape<2>{40, 50}), 2000);
}

TEST(Granularity, EmptyTensorsHaveNoRuns) {
  check_every_axis<1>({0});
  check_every_axis<2>({0, 5});
  check_every_axis<2>({5, 0});
  check_every_axis<3>({2, 0, 3});
  EXPECT_EQ(param_map(PerTensor{}.info(), Shape<2>{0, 4}).count, 1);
  EXPECT_EQ(param_map(PerChannel<1>{}.info(), Shape<2>{0, 4}).count, 4);
}

TEST(Granularity, DescribesItself) {
  EXPECT_EQ(PerTensor{}.info(), GranularityInfo{});
  EXPECT_EQ(PerChannel<-1>{}.info(), (GranularityInfo{GranularityKind::per_channel, -1, 0}));
  EXPECT_EQ((PerGroup<32, 1>{}.info()), (GranularityInfo{GranularityKind::per_group, 1, 32}));
  EXPECT_EQ((PerGroup<Dynamic>{7}.info()), (GranularityInfo{GranularityKind::per_group, -1, 7}));
  EXPECT_EQ(PerGroup<32>{}.size(), 32);
  EXPECT_EQ(PerGroup<32>{32}.size(), 32);
  static_assert(!std::default_initializable<PerGroup<Dynamic>>);
}

TEST(Granularity, RefusesWhatCannotBe) {
  EXPECT_ERROR(PerGroup<Dynamic>{0}, "PerGroup", "size 0", "at least 1");
  EXPECT_ERROR(PerGroup<Dynamic>{-5}, "PerGroup", "size -5", "at least 1");
  EXPECT_ERROR(PerGroup<32>{16}, "PerGroup", "size 16", "expected 32");
  const Shape<2> shape{2, 3};
  EXPECT_ERROR(param_map({GranularityKind::per_channel, 2, 0}, shape), "axis 2", "rank 2");
  EXPECT_ERROR(param_map({GranularityKind::per_group, -3, 4}, shape), "axis -3", "rank 2");
  EXPECT_ERROR(param_map({GranularityKind::per_group, 1, 0}, shape), "group size 0", "at least 1");
  EXPECT_ERROR(param_map({GranularityKind::per_group, 1, -1}, shape), "group size -1", "at least 1");
}

}  // namespace
}  // namespace quanta::test
