// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a library must have to be measured beside Quanta. One file per library; a library that was not found when the
// program was built, or cannot be loaded when it runs, is not measured and never counts as beaten.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "problem.hpp"

namespace Eigen {
struct ThreadPoolDevice;
}

namespace bench {

/// One product with its weights in the library's own form, and its results.
class Product {
 public:
  virtual ~Product() = default;
  virtual void run() = 0;
  virtual Form form() const = 0;
  /// Element i of the results, in row-major order.
  virtual double value(Index i) const = 0;
};

/// A product whose results are `T`s in its own memory; a code is a result plus `offset`.
template <class T>
class ProductOf : public Product {
 public:
  ProductOf(const Problem& problem, Form form, int offset = 0)
      : results_(static_cast<std::size_t>(problem.size.m * problem.size.n)), form_(form), offset_(offset) {}
  Form form() const final { return form_; }
  double value(Index i) const final {
    return static_cast<double>(results_[static_cast<std::size_t>(i)]) + static_cast<double>(offset_);
  }

 protected:
  std::vector<T> results_;

 private:
  Form form_;
  int offset_;
};

/// Calls f(form's result type{}) for the forms that libraries have: int32, float or uint8.
template <class F>
std::unique_ptr<Product> with_result_type(Form form, F f) {
  switch (form) {
    case Form::kInt32:
      return f(std::int32_t{});
    case Form::kCodes:
      return f(std::uint8_t{});
    default:
      return f(float{});
  }
}

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// Bytes of one weight as it is multiplied.
  virtual int weight_bytes() const { return 1; }
  /// Packs the weights, where the library can; null when it has no such product. The problem outlives the product.
  virtual std::unique_ptr<Product> prepare(const Problem& problem) = 0;
};

/// Threads for everyone; the pool is null for one.
struct Threads {
  int count = 1;
  Eigen::ThreadPoolDevice* pool = nullptr;
};

/// Each library has one of these; null when it cannot be had after all.
std::unique_ptr<Peer> make_eigen(const Threads& threads);
std::unique_ptr<Peer> make_onednn(const Threads& threads);
std::unique_ptr<Peer> make_openblas(const Threads& threads);
std::unique_ptr<Peer> make_gemmlowp(const Threads& threads);
std::unique_ptr<Peer> make_xnnpack(const Threads& threads);
std::unique_ptr<Peer> make_onnxruntime(const Threads& threads);

struct PeerList {
  std::vector<std::unique_ptr<Peer>> found;
  std::vector<std::string> missing;
};
PeerList find_peers(const Threads& threads);

}  // namespace bench
