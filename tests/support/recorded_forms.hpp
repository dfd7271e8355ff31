// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which forms of a kernel gemm runs, by a kernel around it that writes them down, held against what explain tells.
#pragma once

#include <map>
#include <string>

#include <quanta/explain.hpp>

namespace quanta::test {

/// Calls for each form since it was cleared.
inline std::map<std::string, Index> recorded_forms;

template <class Kernel>
struct RecordingKernel;
template <class Kernel>
struct RecordingOtherSign {
  using Type = void;
};
template <ReadsBothSigns Kernel>
struct RecordingOtherSign<Kernel> {
  using Type = RecordingKernel<typename Kernel::OtherSign>;
};
template <class Kernel>
struct RecordingNibbles {
  using Type = void;
};
template <HasNibbles Kernel>
struct RecordingNibbles<Kernel> {
  using Type = RecordingKernel<typename Kernel::Nibbles>;
};
template <class Kernel>
struct RecordingCrumbs {
  using Type = void;
};
template <HasCrumbs Kernel>
struct RecordingCrumbs<Kernel> {
  using Type = RecordingKernel<typename Kernel::Crumbs>;
};

/// The kernel, with every form it has.
template <class Kernel>
struct RecordingKernel : Kernel {
  using Tile = LhsTile<typename Kernel::Lhs>;
  using Rhs = typename Kernel::Rhs;
  using Groups = GroupedLhs<typename Kernel::Lhs>;
  using OtherSign = typename RecordingOtherSign<Kernel>::Type;
  using Nibbles = typename RecordingNibbles<Kernel>::Type;
  using Crumbs = typename RecordingCrumbs<Kernel>::Type;

  template <int rows>
  static void run(const Tile& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    ++recorded_forms["general"];
    Kernel::template run<rows>(lhs, panel, blocks, tile, accumulate);
  }
  template <int rows>
  static void run_proven(const Tile& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) requires HasProvenForm<Kernel> {
    ++recorded_forms["proven"];
    Kernel::template run_proven<rows>(lhs, panel, blocks, tile, accumulate);
  }
  template <int rows>
  static void run_narrow(const Tile& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) requires HasNarrowForm<Kernel> {
    ++recorded_forms["narrow"];
    Kernel::template run_narrow<rows>(lhs, panel, blocks, tile, accumulate);
  }
  static void run_thin(const Tile& lhs, Index rows, const Rhs* panel, Index blocks, Index columns, const SumTile& tile,
                       bool accumulate) requires HasThinForm<Kernel> {
    ++recorded_forms["thin"];
    Kernel::run_thin(lhs, rows, panel, blocks, columns, tile, accumulate);
  }
  template <int rows>
  static void run_paired(const Tile& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) requires HasPairedForm<Kernel> {
    ++recorded_forms["paired"];
    Kernel::template run_paired<rows>(lhs, panel, blocks, tile, accumulate);
  }
  template <int rows>
  static void run_grouped(const Groups& lhs, const GroupedPanel<Rhs>& panel,
                          float* sums) requires HasGroupedForm<Kernel> {
    ++recorded_forms["grouped"];
    Kernel::template run_grouped<rows>(lhs, panel, sums);
  }
};

/// Multiplies m rows, which are one tile, by these weights, and says how explain differs from what ran; ""
/// when it does not.
template <IntegerFormat Lhs, class Kernel = NativeKernel, IntegerFormat Rhs, Granularity G>
std::string difference_to_explained(Index m, const QuantizedTensor<Rhs, 2, G>& weights) {
  using Recording = RecordingKernel<Kernel>;
  const auto rhs = pack<Recording>(weights);
  const Index n = weights.extent(0), k = weights.extent(1);
  const QuantizedTensor<Lhs, 2> lhs(detail::some_codes<Lhs>(m, k), QuantParams<PerTensor>(1.0f));
  recorded_forms.clear();
  Index calls_of_panel = 1;
  if constexpr (PackedRhs<Rhs, G>::per_group) {
    Tensor<float, 2> y(m, n);
    gemm(lhs, rhs, y, Dequantize{});
    if (recorded_forms.count("grouped") == 0) calls_of_panel = rhs.layout().groups();
  } else {
    Tensor<std::int32_t, 2> sums(m, n);
    gemm(lhs, rhs, sums);
  }
  std::map<std::string, Index> told;
  for (const FormOfPanels& f : explain(m, rhs, Lhs{}).forms) told[f.form] = f.panels * calls_of_panel;
  if (told == recorded_forms) return "";
  std::string text = "explained:";
  for (const auto& [form, panels] : told) text += " " + form + " " + std::to_string(panels);
  text += ", run:";
  for (const auto& [form, panels] : recorded_forms) text += " " + form + " " + std::to_string(panels);
  return text;
}

/// Weights (n, k) whose codes are all `code`, but those of the last row: these are `last`.
template <IntegerFormat F, Granularity G = PerChannel<0>>
QuantizedTensor<F, 2, G> weights_of(Index n, Index k, int code, int last, const G& granularity = {}) {
  Tensor<typename F::Code, 2> codes(n, k);
  codes.setConstant(static_cast<typename F::Code>(code));
  codes.chip(n - 1, 0).setConstant(static_cast<typename F::Code>(last));
  const std::vector<float> scales(static_cast<std::size_t>(param_map(granularity.info(), Shape<2>{n, k}).count), 1.0f);
  return QuantizedTensor<F, 2, G>(codes, QuantParams<G>(scales, granularity));
}

}  // namespace quanta::test
