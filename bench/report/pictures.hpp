// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which pictures are drawn of a program's results.
#pragma once

#include <map>

#include "charts.hpp"
#include "gemm.hpp"

namespace report {

/// Everyone's rates of one table of products, under the limits measured with them.
Roofline roofline_of(const Results& gemm, const std::string& kernel, const std::string& table);
/// The same rates, size by size.
Rows sizes_of(const Results& gemm, const std::string& kernel, const std::string& table);

/// "GB/s" of cases that have a fraction of the read rate too, with that rate.
Rows rates_of(const Results& results);
/// A counter of the cases that have it: their size says which mark, the rest of their names which row; or each has a
/// row where there are too many sizes.
Rows counter_rows(const Results& results, const std::string& counter);

/// The fraction of the read rate, whatever the program calls it; 0 where there is none.
double of_read(const Case& one);

// ---- bodies ----

namespace detail {

/// Ours, and each peer that was measured.
template <class Place>
std::vector<Series> rates(const Results& gemm, const std::vector<Product>& products, Place place) {
  std::vector<Series> all = {{"Quanta", {}, 0}};
  for (std::size_t i = 0; i < products.size(); ++i) all[0].points.push_back(place(i, products[i].rate()));
  for (const Peer& peer : kPeers) {
    if (version_of(peer, gemm).empty()) continue;
    Series series = {peer.title, {}, 1 + static_cast<std::size_t>(&peer - kPeers.data())};
    for (std::size_t i = 0; i < products.size(); ++i) {
      const double rate = products[i].rate_of(peer);
      if (rate > 0.0) series.points.push_back(place(i, rate));
    }
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  return all;
}

inline std::string file_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::string("/ ").find(c) != std::string::npos; }, '_');
  return name;
}

}  // namespace detail

inline Roofline roofline_of(const Results& gemm, const std::string& kernel, const std::string& table) {
  const std::vector<Product> products = products_of(gemm, kernel, table);
  Roofline chart;
  chart.name = detail::file_name("roofline_" + gemm.program + "_" + table);
  chart.series = detail::rates(gemm, products, [&](std::size_t i, double rate) {
    return Point{products[i].intensity(), rate};
  });
  double peak = 0.0, cached = 0.0, memory = 0.0;
  for (const Product& product : products) {
    if (product.m > 1.0) {
      peak = std::max(peak, product.limit());
    } else {
      // Two operations for each byte of the weights.
      double& rate = product.cold ? memory : cached;
      rate = std::max(rate, 0.5 * product.limit());
    }
  }
  if (peak > 0.0) chart.peak = {"dot peak, " + with_prefix(peak, "op/s"), peak};
  if (cached > 0.0) chart.slopes.push_back({"fastest read of caches, " + with_prefix(cached, "B/s"), cached});
  if (memory > 0.0) chart.slopes.push_back({"read of memory, " + with_prefix(memory, "B/s"), memory});
  return chart;
}

inline Rows sizes_of(const Results& gemm, const std::string& kernel, const std::string& table) {
  std::vector<Product> products = products_of(gemm, kernel, table);
  std::stable_sort(products.begin(), products.end(),
                   [](const Product& a, const Product& b) { return a.intensity() < b.intensity(); });
  Rows chart;
  chart.name = detail::file_name("sizes_" + gemm.program + "_" + table);
  chart.x_label = "Gop/s";
  chart.log_x = true;
  const auto place = [](std::size_t i, double rate) { return Point{1e-9 * rate, static_cast<double>(i)}; };
  chart.series = detail::rates(gemm, products, place);
  chart.limit.title = "limit";
  for (std::size_t i = 0; i < products.size(); ++i) {
    chart.labels.push_back(products[i].size());
    if (products[i].limit() > 0.0) chart.limit.points.push_back(place(i, products[i].limit()));
  }
  return chart;
}

inline double of_read(const Case& one) { return std::max(one.counter("of_read"), one.counter("of_read_limit")); }

inline Rows rates_of(const Results& results) {
  Rows chart;
  chart.name = detail::file_name("rates_" + results.program);
  chart.x_label = "GB/s";
  chart.log_x = true;
  chart.series = {{"Quanta", {}, 0}};
  chart.limit.title = "reading the same bytes alone";
  for (const Case& one : results.cases) {
    const double rate = one.counter("GB/s"), fraction = of_read(one), row = static_cast<double>(chart.labels.size());
    if (rate <= 0.0 || fraction <= 0.0) continue;
    chart.labels.push_back(one.name);
    chart.series[0].points.push_back({rate, row});
    chart.limit.points.push_back({rate / fraction, row});
  }
  return chart;
}

inline Rows counter_rows(const Results& results, const std::string& counter) {
  constexpr std::size_t kMostSizes = 6;
  std::vector<std::string> sizes;
  const auto place_of = [](std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) names.push_back(name);
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  for (const Case& one : results.cases) {
    if (one.counter(counter) > 0.0) place_of(sizes, one.size());
  }
  const bool by_size = sizes.size() <= kMostSizes;
  Rows chart;
  chart.name = detail::file_name(counter + "_" + results.program);
  chart.series.resize(by_size ? sizes.size() : 1);
  for (std::size_t i = 0; i < chart.series.size(); ++i) chart.series[i] = {by_size ? sizes[i] : "Quanta", {}, i};
  for (const Case& one : results.cases) {
    if (one.counter(counter) <= 0.0) continue;
    const std::string size = one.size();
    const std::string label = by_size ? one.name.substr(0, one.name.size() - size.size() - 1) : one.name;
    const double row = static_cast<double>(place_of(chart.labels, label));
    chart.series[by_size ? place_of(sizes, size) : 0].points.push_back({one.counter(counter), row});
  }
  return chart;
}

}  // namespace report
