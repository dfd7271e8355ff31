// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The cases of bench_gemm, whose names are KERNEL/TABLE/MxKxN, or with /cold behind that when the weights come from
// memory; what they say of limits and peers; and the tables of them.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "peers.hpp"
#include "table.hpp"

namespace report {

/// Is this a run of bench_gemm?
inline bool is_gemm(const Results& results) { return results.program.starts_with("gemm"); }

struct Product {
  std::string kernel, table;
  double m = 0, k = 0, n = 0;
  bool cold = false;
  const Case* measured = nullptr;

  double rate() const { return measured->counter("ops/s"); }
  /// Operations per second that the dot instruction, or for one row the reading of the weights, allows; 0: not known.
  double limit() const;
  /// The fraction of that which was reached; 0: not known.
  double of_limit() const;
  /// A peer's operations per second; 0 where it was not measured.
  double rate_of(const Peer& peer) const;
  /// Operations per byte of lhs, weights and results, each moved once.
  double intensity() const;
  std::string size() const;
};

/// None for the means over sizes ("aggregate/...") and for cases that failed.
std::optional<Product> product_of(const Case& one);

/// All of one kernel and table, in the order of the file.
std::vector<Product> products_of(const Results& gemm, const std::string& kernel, const std::string& table);

/// The tables of products in the file, and the kernels that made them, in its order.
std::vector<std::string> tables_of(const Results& gemm);
std::vector<std::string> kernels_of(const Results& gemm);

/// What the results of a table are.
std::string meaning_of(const std::string& table);

/// Geometric means over the sizes of each table, of the read rate over those with one row; at how many sizes some peer
/// is faster; and the least ratio to any peer.
Table means_table(const Results& gemm, const std::string& kernel);

/// A few sizes, for the README.
Table speed_table(const Results& gemm, const std::string& kernel);

// ---- bodies ----

inline double Product::of_limit() const {
  return m == 1.0 ? measured->counter("of_read_limit") : measured->counter("of_dot_peak");
}

inline double Product::limit() const { return of_limit() > 0.0 ? rate() / of_limit() : 0.0; }

inline double Product::rate_of(const Peer& peer) const {
  const double ratio = measured->counter("x_" + peer.key);
  return ratio > 0.0 ? rate() / ratio : 0.0;
}

inline double Product::intensity() const {
  const double lhs_bytes = table == "dynamic" ? 4.0 : 1.0, result_bytes = table == "codes" ? 1.0 : 4.0;
  return 2.0 * m * k * n / (lhs_bytes * m * k + k * n + result_bytes * m * n);
}

inline std::string Product::size() const {
  return fixed(m, 0) + " x " + fixed(k, 0) + " x " + fixed(n, 0) + (cold ? ", from memory" : "");
}

inline std::optional<Product> product_of(const Case& one) {
  const std::vector<std::string> parts = one.parts();
  Product product;
  if (parts.size() < 3 || parts[0] == "aggregate" || one.counter("ops/s") <= 0.0 ||
      std::sscanf(parts[2].c_str(), "%lfx%lfx%lf", &product.m, &product.k, &product.n) != 3) {
    return std::nullopt;
  }
  product.kernel = parts[0];
  product.table = parts[1];
  product.cold = parts.back() == "cold";
  product.measured = &one;
  return product;
}

inline std::vector<Product> products_of(const Results& gemm, const std::string& kernel, const std::string& table) {
  std::vector<Product> products;
  for (const Case& one : gemm.cases) {
    const std::optional<Product> product = product_of(one);
    if (product && product->kernel == kernel && product->table == table) products.push_back(*product);
  }
  return products;
}

namespace detail {

inline std::vector<std::string> each_once(const Results& gemm, std::string Product::*name) {
  std::vector<std::string> names;
  for (const Case& one : gemm.cases) {
    const std::optional<Product> product = product_of(one);
    if (product && std::find(names.begin(), names.end(), *product.*name) == names.end()) {
      names.push_back(*product.*name);
    }
  }
  return names;
}

}  // namespace detail

inline std::vector<std::string> tables_of(const Results& gemm) { return detail::each_once(gemm, &Product::table); }

inline std::vector<std::string> kernels_of(const Results& gemm) { return detail::each_once(gemm, &Product::kernel); }

inline std::string meaning_of(const std::string& table) {
  if (table == "int32") return "int32 accumulators";
  if (table == "real") return "float results, with bias and Relu";
  if (table == "codes") return "uint8 results, with bias and Relu";
  if (table == "dynamic") return "float in and out, quantized on the way";
  if (table == "int32_zero_x") return "int32, the lhs with a zero point";
  if (table == "int32_zero_x_zero_w") return "int32, both with zero points";
  if (table == "int32_signed") return "int32, a signed lhs";
  if (table == "int32_seven_bits") return "int32, weights of 7 bits";
  return table;
}

inline Table means_table(const Results& gemm, const std::string& kernel) {
  Table means = {{"geometric means over sizes", "sizes", "of dot peak", "of read rate"}, {}};
  std::vector<Peer> beside;
  for (const Peer& peer : kPeers) {
    if (version_of(peer, gemm).empty()) continue;
    beside.push_back(peer);
    means.columns.push_back("x " + peer.title);
  }
  means.columns.insert(means.columns.end(), {"slower at", "least"});
  for (const Case& one : gemm.cases) {
    const std::vector<std::string> parts = one.parts();
    if (parts.size() < 2 || parts[0] != "aggregate" || parts[1] != kernel || one.counter("figures") == 0.0) continue;
    const auto figure = [&](const std::string& counter) {
      const double value = one.counter(counter);
      return value > 0.0 ? fixed(value, 2) : "";
    };
    std::vector<std::string> row = {parts.size() > 2 ? parts[2] : "all", fixed(one.counter("figures"), 0),
                                    figure("of_dot_peak"), figure("of_read_limit")};
    for (const Peer& peer : beside) row.push_back(figure("x_" + peer.key));
    row.insert(row.end(), {fixed(one.counter("slower"), 0), figure("worst")});
    means.rows.push_back(row);
  }
  return means;
}

inline Table speed_table(const Results& gemm, const std::string& kernel) {
  static const std::vector<std::string> kSizes = {"1x768x3072",     "1x4096x4096/cold", "8x768x3072",
                                                  "32x768x3072",    "128x768x3072",     "512x4096x4096",
                                                  "1024x1024x1024", "3136x576x64",      "128x784x256"};
  // The one form that all libraries have.
  const std::vector<Product> products = products_of(gemm, kernel, "codes");
  Table speed = {{"m x k x n", "GOPS", "of the limit"}, {}};
  std::vector<Peer> beside;
  for (const Peer& peer : kPeers) {
    if (version_of(peer, gemm).empty()) continue;
    beside.push_back(peer);
    speed.columns.push_back("x " + peer.title);
  }
  const std::string codes = kernel + "/codes/";
  for (const std::string& size : kSizes) {
    for (const Product& product : products) {
      if (product.measured->name != codes + size) continue;
      const std::string limit = product.m == 1.0 ? " of read rate" : " of dot peak";
      std::vector<std::string> row = {product.size(), fixed(1e-9 * product.rate(), 0),
                                      product.of_limit() > 0.0 ? percent(product.of_limit()) + limit : ""};
      for (const Peer& peer : beside) {
        const double ratio = product.measured->counter("x_" + peer.key);
        row.push_back(ratio > 0.0 ? fixed(ratio, ratio < 10.0 ? 2 : 1) : "");
      }
      speed.rows.push_back(row);
    }
  }
  return speed;
}

}  // namespace report
