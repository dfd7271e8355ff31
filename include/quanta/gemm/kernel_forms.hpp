// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which forms of its kernel a product runs, as the loop nest itself picks them: for quanta/explain.hpp. Nothing is
// multiplied here.
#pragma once

#include <string>
#include <vector>

#include <quanta/gemm/gemm.hpp>

QUANTA_NAMESPACE_BEGIN

/// Some panels of the weights, and the form of the kernel that multiplies them (gemm/micro_kernel.hpp).
struct FormOfPanels {
  /// "general"; "proven", faster, of weights that it is exact for; "narrow", of panels that are filled in part; "thin",
  /// of those that hold a column or two; "grouped", which keeps float sums in registers from one group's scales to the
  /// next; "paired", of rows side by side.
  std::string form;
  Index panels;  ///< how many
};

namespace detail {

/// The form of a panel: the one whose function the loop nest calls.
template <class Kernel>
const char* form_of_panel(bool paired, bool proven, Index columns) {
  const RunKernel<Kernel> picked = pick_kernel<Kernel>(paired, proven, columns, 1);
  if constexpr (HasPairedForm<Kernel>) {
    if (picked == &Kernel::template run_paired<1>) return "paired";
  }
  if constexpr (HasProvenForm<Kernel>) {
    if (picked == &Kernel::template run_proven<1>) return "proven";
  }
  if constexpr (HasNarrowForm<Kernel>) {
    if (picked == &Kernel::template run_narrow<1>) return "narrow";
  }
  return "general";
}

/// The forms of all panels of a product with a lhs of such codes and packed weights of type Rhs: into float where these
/// have scales per group, else into int32.
template <class Code, class Rhs>
class FormCount {
  using Operands = typename Rhs::Operands;
  using Product = TileProduct<Operands, Code>;
  using Output = std::conditional_t<Rhs::per_group, RealOutput<LhsOperand<Code>>, RawOutput>;
  using Panel = typename Output::template Panel<Operands, Product::nr>;

 public:
  FormCount(Index rows, const RhsLayout& layout)
      : rows_(rows),
        blocks_(layout.group_blocks()),
        grouped_(Panel::by_group && Product::kGrouped && layout.groups() > 0),
        paired_(pairs_rows<typename Product::Reader>(rows, layout.panels())) {}

  /// So many panels, with so many columns in use. proven: is the proven form exact for their weights?
  void add(bool proven, Index columns, Index panels) {
    const char* form = grouped_ ? "grouped" : form_of_panel<typename Product::Reader>(paired_, proven, columns);
    if constexpr (HasThinForm<typename Product::Reader>) {
      if (!grouped_ && runs_thin<typename Product::Reader>(columns, rows_, blocks_)) form = "thin";
    }
    for (FormOfPanels& f : forms_) {
      if (f.form == form) {
        f.panels += panels;
        return;
      }
    }
    if (panels > 0) forms_.push_back({form, panels});
  }
  const std::vector<FormOfPanels>& forms() const { return forms_; }
  /// Do the weights decide which form is picked?
  bool asks_for_proof() const { return !grouped_ && HasProvenForm<typename Product::Reader>; }

 private:
  Index rows_, blocks_;
  bool grouped_, paired_;
  std::vector<FormOfPanels> forms_;
};

/// Weights of these codes, of scale 1.
template <MicroKernel Kernel, IntegerFormat F, Granularity G>
PackedRhs<F, G, Kernel> pack_codes(const Tensor<typename F::Code, 2>& codes, const G& granularity) {
  const Shape<2> shape{codes.dimension(0), codes.dimension(1)};
  const Buffer<float> scales(param_map(granularity.info(), shape).count, 1.0f);
  return pack<Kernel>(QuantizedTensor<F, 2, G>(codes, QuantParams<G>(scales, granularity)));
}

/// Is the proven form exact for all weights of this format? It is when it is for those of the largest magnitude. G
/// tells the kernel, which may be another for few bits per group.
template <MicroKernel Kernel, IntegerFormat F, Granularity G>
bool proves_all_weights() {
  using Used = RhsKernelFor<Kernel, kRhsKind<G>, F::bits>;
  Tensor<typename F::Code, 2> extreme = make_tensor<typename F::Code, 2>({2, Used::kKr});
  std::fill_n(extreme.data(), Used::kKr, typename F::Code(F::max));
  std::fill_n(extreme.data() + Used::kKr, Used::kKr, typename F::Code(F::min));
  const auto packed = pack_codes<Used, F>(extreme, PerChannel<0>{});
  bool all = true;
  for (Index p = 0; p < packed.layout().panels(); ++p) all = all && packed.proven(p);
  return all;
}

}  // namespace detail
QUANTA_NAMESPACE_END
