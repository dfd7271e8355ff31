// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which kernel multiplies, and why: for whoever asks why a product is slow. It knows what gemm knows, from the same
// types and functions, and what the CPU has besides. Not part of <quanta/quanta.hpp>.
//
//   std::puts(quanta::explain(128, 768, 3072).text().c_str());
//   std::puts(quanta::explain(1, 4096, 4096, quanta::Int<8>{}, quanta::Int<4>{}, {.measure = true}).text().c_str());
//   std::puts(quanta::explain(128, packed, quanta::UInt<8>{}).text().c_str());   // of weights that are there
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <quanta/core/cpu.hpp>
#include <quanta/core/table.hpp>
#include <quanta/gemm/kernel_forms.hpp>

QUANTA_NAMESPACE_BEGIN

/// One line of "why": an instruction set that has a kernel.
struct InstructionSet {
  std::string name;   ///< as in arch.hpp
  bool compiled;      ///< do this unit's flags allow it?
  bool on_cpu;        ///< does this CPU have it?
  std::string flags;  ///< what g++ and clang need to be told
};

/// What a product waits for.
enum class Bound {
  reading_weights,  ///< memory: few rows use what is read of the weights
  arithmetic        ///< the multipliers
};

/// Which kernel a product gets and what it costs: what explain gives.
struct Explanation {
  Index m;                                       ///< rows of the lhs and of dst
  Index n;                                       ///< rows of the rhs, the weights: columns of dst
  Index k;                                       ///< columns of both
  std::string lhs;                               ///< its format
  std::string rhs;                               ///< its format
  std::string scales;                            ///< what shares a scale of the rhs, as in "per_channel(axis 0)"
  std::string kernel;                            ///< the micro-kernel's name
  Index tile_rows;                               ///< of the lhs that one call of the kernel takes
  Index tile_columns;                            ///< of dst that it makes
  Index tile_steps;                              ///< of k that it takes at once
  int weight_bits;                               ///< that a weight takes as packed, 8 or 4
  std::string lhs_is;                            ///< how it reads codes of this lhs
  std::vector<FormOfPanels> forms;               ///< that run, of all panels
  bool proof_is_open;                            ///< may weights be such that more panels are "proven"?
  Index rows_together;                           ///< the rows that are walked before all weights are read again
  Index weight_bytes;                            ///< packed
  double padding;                                ///< the part of these that fills up tiles
  Bound bound;                                   ///< expected
  std::vector<InstructionSet> instruction_sets;  ///< of this kind of CPU, best first
  std::string better;                   ///< the best that this CPU has and the flags left out; empty when there is none
  bool scalar_forced;                   ///< is QUANTA_FORCE_SCALAR defined?
  std::optional<double> seconds;        ///< of one product on one thread, where it was measured
  std::optional<double> eigen_seconds;  ///< of Eigen's float product of the same size, likewise

  /// All of it in words.
  std::string text() const;
};

/// What explain does besides.
struct ExplainOptions {
  bool measure = false;  ///< time the product, and Eigen's float product of the same size: takes about 0.2 s
};

/// Of gemm(lhs (m, k), rhs (n, k)), weights per channel into int32. Throws Error when a size is negative, or m or n is
/// 0.
template <IntegerFormat Lhs = UInt<8>, IntegerFormat Rhs = Int<8>, MicroKernel Kernel = NativeKernel>
Explanation explain(Index m, Index n, Index k, Lhs lhs = {}, Rhs rhs = {}, const ExplainOptions& options = {});
/// With other scales of the weights: explain(1, 4096, 4096, Int<8>{}, Int<4>{}, PerGroup<64>{}). Those per group are
/// multiplied into float, others into int32.
template <IntegerFormat Lhs, IntegerFormat Rhs, Granularity G, MicroKernel Kernel = NativeKernel>
Explanation explain(Index m, Index n, Index k, Lhs lhs, Rhs rhs, G scales, const ExplainOptions& options = {});
/// Of m rows times weights that are packed, which decide whether panels are "proven". Throws Error when m is below 1,
/// or there are no outputs.
template <IntegerFormat Lhs = UInt<8>, IntegerFormat Rhs, Granularity G, MicroKernel Kernel>
Explanation explain(Index m, const PackedRhs<Rhs, G, Kernel>& rhs, Lhs lhs = {}, const ExplainOptions& options = {});

// ---- bodies ----

namespace detail {

template <class... Archs>
std::vector<InstructionSet> instruction_sets(arch::List<Archs...>) {
  std::vector<InstructionSet> all;
  const auto add = [&](const char* name, bool compiled, bool on_cpu, const char* flags) {
    // Those of the other kind of CPU say nothing.
    if (compiled || on_cpu) all.push_back({name, compiled, on_cpu, flags});
  };
  (add(Archs::name, Archs::compiled, cpu_runs<Archs>(), Archs::flags), ...);
  return all;
}

/// The seconds of one call, the best of some.
template <class F>
double best_seconds(F f) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  const Clock::time_point begin = Clock::now();
  int calls = 0;
  do {
    const Clock::time_point start = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    ++calls;
  } while (calls < 3 || std::chrono::duration<double>(Clock::now() - begin).count() < 0.1);
  return best;
}

/// Codes of many values.
template <IntegerFormat F>
Tensor<typename F::Code, 2> some_codes(Index rows, Index columns) {
  Tensor<typename F::Code, 2> some = make_tensor<typename F::Code, 2>({rows, columns});
  for (Index i = 0; i < some.size(); ++i) {
    some.data()[i] = static_cast<typename F::Code>(F::min + i * 7919 % (Index{F::max} - F::min + 1));
  }
  return some;
}

/// Times the product with these weights, and Eigen's of as many floats.
template <IntegerFormat Lhs, class Rhs>
void measure(Explanation& e, const Rhs& rhs) {
  const QuantizedTensor<Lhs, 2> lhs(some_codes<Lhs>(e.m, e.k), QuantParams<PerTensor>(1.0f));
  Context context;
  if constexpr (Rhs::per_group) {
    Tensor<float, 2> y = make_tensor<float, 2>({e.m, e.n});
    e.seconds = best_seconds([&] { gemm(context, lhs, rhs, y, Dequantize{}); });
  } else {
    Tensor<std::int32_t, 2> sums = make_tensor<std::int32_t, 2>({e.m, e.n});
    e.seconds = best_seconds([&] { gemm(context, lhs, rhs, sums); });
  }
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Matrix x = Matrix::Constant(e.m, e.k, 0.5f), w = Matrix::Constant(e.n, e.k, 0.25f);
  Matrix y(e.m, e.n);
  e.eigen_seconds = best_seconds([&] { y.noalias() = x * w.transpose(); });
}

/// What does not depend on the weights themselves, but on their type and layout.
template <IntegerFormat Lhs, class Rhs>
Explanation explain_layout(Index m, const RhsLayout& layout, const GranularityInfo& granularity) {
  static_assert(Lhs::bits <= 8, "quanta: explain is about formats of at most 8 bits");
  using Kernel = typename Rhs::KernelType;
  using Reader = LhsReader<Kernel, typename Lhs::Code>;
  Explanation e{};
  e.m = m;
  e.n = layout.n;
  e.k = layout.k;
  e.lhs = Lhs::name;
  e.rhs = Rhs::FormatType::name;
  e.scales = description(granularity, 2);
  e.kernel = Kernel::name;
  e.tile_rows = Kernel::kMr;
  e.tile_columns = Kernel::kNr;
  e.tile_steps = Kernel::kKr;
  e.lhs_is = Reader::kCopyShift != 0                         ? "copied with the signs turned"
             : Reader::kReadShift != 0                       ? "read as it is, the signs turned in registers"
             : std::is_same_v<typename Reader::Type, Kernel> ? "read as it is"
                                                             : "read as it is, by a kernel for its sign";
  e.rows_together = rows_together(m, e.k);
  e.weight_bits = kRhsBits<Kernel>;
  e.weight_bytes = layout.size() * e.weight_bits / 8;
  const double stored = static_cast<double>(layout.size());
  e.padding = e.k > 0 ? 1.0 - static_cast<double>(e.n) * static_cast<double>(e.k) / stored : 0.0;
  // A byte of weights takes as long to read as this many rows' multiply-adds with it: from the second-level cache, and
  // from beyond. Without vector instructions one row's take longer.
  const bool near = e.weight_bytes <= QUANTA_L2_KILOBYTES * Index{1024};
  const bool waits = m < (near ? 3 : 12) && e.kernel != arch::Scalar::name;
  e.bound = waits ? Bound::reading_weights : Bound::arithmetic;
  e.instruction_sets = instruction_sets(arch::All{});
  for (const InstructionSet& set : e.instruction_sets) {
    if (set.compiled) break;
    if (set.on_cpu && e.better.empty()) e.better = set.name;
  }
  e.scalar_forced = QUANTA_SCALAR_ONLY != 0;
  return e;
}

}  // namespace detail

template <IntegerFormat Lhs, IntegerFormat Rhs, MicroKernel Kernel>
Explanation explain(Index m, Index n, Index k, Lhs lhs, Rhs rhs, const ExplainOptions& options) {
  return explain<Lhs, Rhs, PerChannel<0>, Kernel>(m, n, k, lhs, rhs, PerChannel<0>{}, options);
}

template <IntegerFormat Lhs, IntegerFormat Rhs, Granularity G, MicroKernel Kernel>
Explanation explain(Index m, Index n, Index k, Lhs, Rhs, G granularity, const ExplainOptions& options) {
  using Packed = PackedRhs<Rhs, G, Kernel>;
  using Used = typename Packed::KernelType;
  detail::check(m > 0 && n > 0 && k >= 0, "explain: m, n, k are ", m, ", ", n, ", ", k, ", expected m and n above 0");
  const auto fits = [](Index rows, Index columns) {  // with padding
    return is_valid_shape(Shape<2>{rows, columns}) && rows <= std::numeric_limits<Index>::max() / 64 / (columns + 64);
  };
  detail::check(fits(m, k) && fits(n, k) && fits(m, n), "explain: a product of ", m, " x ", k, " by ", n, " x ", k,
                " is beyond any memory");
  const Index group = Packed::per_group ? granularity.info().group_size : std::max<Index>(k, 1);
  const RhsLayout layout(n, k, group, Used::kNr, Used::kKr);
  Explanation e = detail::explain_layout<Lhs, Packed>(m, layout, granularity.info());
  detail::FormCount<typename Lhs::Code, Packed> count(m, layout);
  const bool proven = count.asks_for_proof() && detail::proves_all_weights<Kernel, Rhs, G>();
  count.add(proven, layout.nr, n / layout.nr);
  if (n % layout.nr != 0) count.add(proven, n % layout.nr, 1);
  e.forms = count.forms();
  e.proof_is_open = count.asks_for_proof() && !proven;
  if (options.measure) {
    detail::measure<Lhs>(e, detail::pack_codes<Kernel, Rhs>(detail::some_codes<Rhs>(n, k), granularity));
  }
  return e;
}

template <IntegerFormat Lhs, IntegerFormat Rhs, Granularity G, MicroKernel Kernel>
Explanation explain(Index m, const PackedRhs<Rhs, G, Kernel>& rhs, Lhs, const ExplainOptions& options) {
  const RhsLayout& layout = rhs.layout();
  detail::check(m > 0 && layout.n > 0, "explain: ", m, " rows times weights of shape ", Shape<2>{layout.n, layout.k},
                ", expected some rows and outputs");
  Explanation e = detail::explain_layout<Lhs, PackedRhs<Rhs, G, Kernel>>(m, layout, rhs.granularity().info());
  detail::FormCount<typename Lhs::Code, PackedRhs<Rhs, G, Kernel>> count(m, layout);
  for (Index p = 0; p < layout.panels(); ++p) {
    count.add(rhs.proven(p), std::min<Index>(layout.n - p * layout.nr, layout.nr), 1);
  }
  e.forms = count.forms();
  if (options.measure) detail::measure<Lhs>(e, rhs);
  return e;
}

inline std::string Explanation::text() const {
  using detail::number;
  using detail::text;
  const auto line = [](const char* what, const std::string& says) {
    return std::string(what) + std::string(12 - std::strlen(what), ' ') + says + "\n";
  };
  std::string all =
      line("product", text(lhs, " (", m, ", ", k, ") x ", rhs, " (", n, ", ", k, "), ",
                           number("%.3g", 2e-6 * double(m) * double(n) * double(k)), " million operations"));
  all += line("kernel",
              text(kernel, ", tiles of ", tile_rows, " x ", tile_columns, ", ", tile_steps, " steps of k at once"));
  std::string counted;
  for (const FormOfPanels& f : forms) {
    counted += text(counted.empty() ? "" : ", ", f.form, " for ", f.panels, f.panels == 1 ? " panel" : " panels");
  }
  all += line("form", text(counted, "; a panel is ", tile_columns, " columns of dst"));
  if (proof_is_open) all += line("", "or proven, and faster, where packing finds that the weights allow it");
  all += line("lhs", text(lhs_is, "; ", rows_together, rows_together == 1 ? " row" : " rows",
                          " for each reading of the weights"));
  all += line("weights", text(weight_bytes, " bytes as packed, ", weight_bits, " bits each, ",
                              number("%.1f", 100.0 * padding), " % of them padding; scales ", scales));
  all += line("bound", bound == Bound::arithmetic
                           ? kernel == arch::Scalar::name
                                 ? std::string("arithmetic: memory is faster than a kernel without vectors")
                                 : text("arithmetic: each byte of weights that is read serves ", m, " rows")
                           : text("reading the weights: each byte serves ", m, m == 1 ? " row" : " rows", " only"));
  if (seconds && eigen_seconds) {
    const double operations = 2.0 * double(m) * double(n) * double(k);
    all += line("time", text(number("%.4g", *seconds * 1e6), " us, ", number("%.4g", operations / *seconds * 1e-9),
                             " GOPS; Eigen's float product takes ", number("%.4g", *eigen_seconds / *seconds),
                             " times as long"));
  }
  std::vector<std::vector<std::string>> rows = {{"", "compiled in", "this CPU", "flags to add"}};
  for (const InstructionSet& set : instruction_sets) {
    // What is compiled in needs no flags; nor may it be these: AvxVnni has another encoding within AVX-512.
    rows.push_back({set.name, set.compiled ? "yes" : "no", set.on_cpu ? "yes" : "no", set.compiled ? "" : set.flags});
  }
  all += "\n" + detail::table(rows, 4);
  if (!QUANTA_IS_OPTIMIZED) all += "\nThis unit was compiled without optimization: its times say nothing.\n";
  if (!better.empty()) {
    all += "\nThis CPU has " + better + ", which this unit was not compiled for: " +
           (scalar_forced ? "QUANTA_FORCE_SCALAR is defined.\n"
                          : "compile it with -march=native, or with the flags above.\n");
  }
  return all;
}

QUANTA_NAMESPACE_END
