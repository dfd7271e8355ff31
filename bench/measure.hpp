// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One size of one table: everyone's product is prepared and checked, then all are timed in turns, the limits too.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cases.hpp"
#include "contest.hpp"
#include "figures.hpp"
#include "ours.hpp"
#include "read_rate.hpp"

namespace bench {

/// How far from `expected` a result of this form may be; `largest` is the largest result there is.
inline double tolerance(Form form, double largest) {
  switch (form) {
    case Form::kInt32:
      return 0.0;
    case Form::kCodes:
      return 1.0;
    case Form::kDynamic:
      return 2e-2 * largest;
    default:
      return 1e-4 * largest;
  }
}

/// Against the definition at some places, and at all against `ours`, where that has the same form.
inline bool is_right(const Problem& problem, const Product& product, const Product* ours) {
  const Index n = problem.size.n, count = problem.size.m * n, step = std::max<Index>(1, count / 97);
  double largest = 0.0;
  for (Index i = 0; i < count; ++i) largest = std::max(largest, std::abs(product.value(i)));
  const double allowed = tolerance(product.form(), largest);
  for (Index i = 0; i < count; i += step) {
    if (!(std::abs(product.value(i) - problem.expected(product.form(), i / n, i % n)) <= allowed)) return false;
  }
  if (ours == nullptr || ours->form() != product.form()) return true;
  for (Index i = 0; i < count; ++i) {
    if (!(std::abs(product.value(i) - ours->value(i)) <= allowed)) return false;
  }
  return true;
}

struct Outcome {
  std::vector<Figure> figures;
  /// Peers whose results were wrong, or that failed, with their message.
  std::vector<std::string> wrong;
};

/// Weights that are held several times where they must come from memory.
class Copies {
 public:
  template <class Prepare>
  Copies(const Size& size, int weight_bytes, Prepare prepare) {
    constexpr double kBytes = 256.0 * 1024 * 1024;
    const double one = static_cast<double>(size.k * size.n) * weight_bytes;
    const int count = size.cold ? std::max(2, static_cast<int>(std::ceil(kBytes / one))) : 1;
    for (int i = 0; i < count; ++i) {
      products_.push_back(prepare());
      if (products_.back() == nullptr) {
        products_.clear();
        return;
      }
    }
  }
  bool empty() const { return products_.empty(); }
  Product& first() { return *products_.front(); }
  void run() {
    products_[next_]->run();
    next_ = (next_ + 1) % products_.size();
  }

 private:
  std::vector<std::unique_ptr<Product>> products_;
  std::size_t next_ = 0;
};

inline bool takes_part(const Kernel& kernel, const Table& table) { return !table.seven_bits || kernel.has_proven_form; }

class Bench {
 public:
  Bench(std::vector<Kernel> kernels, PeerList peers, const Threads& threads, quanta::Context& context, double seconds)
      : kernels_(std::move(kernels)),
        peers_(std::move(peers)),
        threads_(threads.count),
        context_(context),
        seconds_(seconds) {}

  const std::vector<Kernel>& kernels() const { return kernels_; }
  const PeerList& peers() const { return peers_; }

  /// Throws std::runtime_error when a result of ours is wrong.
  Outcome measure(const Table& table, const Size& size);

 private:
  std::vector<Kernel> kernels_;
  PeerList peers_;
  int threads_;
  quanta::Context& context_;
  double seconds_;
};

// ---- bodies ----

inline Outcome Bench::measure(const Table& table, const Size& size) {
  const Problem problem(size, table.form, table.signed_lhs, table.zero_x, table.zero_w, table.seven_bits);
  Outcome outcome;
  std::vector<std::shared_ptr<Copies>> held;
  std::vector<Contestant> contestants;
  const auto enter = [&](const std::string& name, std::shared_ptr<Copies> copies) {
    contestants.push_back({name, [one = copies.get()] { one->run(); }, {}});
    held.push_back(std::move(copies));
  };
  std::vector<const Kernel*> kernels;
  for (const Kernel& kernel : kernels_) {
    if (!takes_part(kernel, table)) continue;
    kernels.push_back(&kernel);
    auto copies = std::make_shared<Copies>(size, 1, [&] { return kernel.prepare(problem, context_); });
    copies->run();
    if (!is_right(problem, copies->first(), held.empty() ? nullptr : &held.front()->first())) {
      throw std::runtime_error(kernel.name + " is wrong");
    }
    enter(kernel.name, std::move(copies));
  }
  std::vector<std::size_t> entered;
  for (const auto& peer : peers_.found) {
    try {
      auto copies = std::make_shared<Copies>(size, peer->weight_bytes(), [&] { return peer->prepare(problem); });
      if (copies->empty()) continue;
      copies->run();
      if (is_right(problem, copies->first(), &held.front()->first())) {
        entered.push_back(contestants.size());
        enter(peer->name(), std::move(copies));
      } else {
        outcome.wrong.push_back(peer->name());
      }
    } catch (const std::exception& e) {
      outcome.wrong.push_back(peer->name() + " (" + e.what() + ")");
    }
  }
  const std::size_t first_limit = contestants.size();
  std::unique_ptr<ReadRate> reader;
  if (size.m == 1) {
    const Index bytes = size.k * size.n;
    reader = std::make_unique<ReadRate>(bytes, size.cold ? (Index{256} << 20) / bytes + 1 : 1, context_);
    contestants.push_back({"read", [&] { reader->read<0>(); }, {}});
    contestants.push_back({"read", [&] { reader->read<1024>(); }, {}});
    contestants.push_back({"read", [&] { reader->read<4096>(); }, {}});
  }
  contest(contestants, seconds_, threads_ > 1);

  double read = 1e30;
  for (std::size_t i = first_limit; i < contestants.size(); ++i) read = std::min(read, contestants[i].best());
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const Contestant& ours = contestants[i];
    Figure figure{kernels[i]->name, table.name, size.name(), ours.best(), ours.median(), size.operations(), 0, 0, {}};
    const double peak = kernels[i]->peak(table.seven_bits) * threads_;
    if (size.m > 1 && peak > 0.0) figure.of_dot_peak = size.operations() / ours.best() / peak;
    if (size.m == 1) figure.of_read_limit = read / ours.best();
    for (const std::size_t peer : entered) {
      figure.ratios[contestants[peer].name] = {contestants[peer].best() / ours.best(),
                                               contestants[peer].median() / ours.median()};
    }
    outcome.figures.push_back(std::move(figure));
  }
  return outcome;
}

}  // namespace bench
