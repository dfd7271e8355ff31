// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The report: one HTML file that needs nothing else, well-formed as XML too.
#pragma once

#include "pictures.hpp"
#include "summary.hpp"

namespace report {

/// What is said of the machine and the build, in order: {"compiler", "g++ 12.2"}.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Draws in `pictures`.
std::string page(const Facts& facts, const std::vector<Results>& all, const std::filesystem::path& pictures);

// ---- bodies ----

namespace detail {

inline const char* const kHead = R"(<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width" />
<title>Quanta: benchmarks</title>
<style>
:root { color-scheme: light; }
body { font: 15px/1.5 sans-serif; color: #222; background: #fff; max-width: 1080px; margin: 2em auto; padding: 0 1em; }
h1, h2, h3 { line-height: 1.2; margin: 1.6em 0 0.6em; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd; }
td { white-space: nowrap; }
th { vertical-align: bottom; border-color: #888; }
th:first-child, td:first-child { text-align: left; }
table.facts td { text-align: left; vertical-align: top; border: 0; }
table.facts td + td { white-space: normal; }
svg { max-width: 100%; height: auto; }
summary { cursor: pointer; margin: 0.6em 0; }
pre { background: #f4f4f4; padding: 0.6em 1em; overflow-x: auto; }
</style>
</head>
<body>
)";

/// The pieces of the page, one after the other. No picture is tried again after one that could not be drawn.
class Page {
 public:
  explicit Page(std::filesystem::path pictures) : pictures_(std::move(pictures)) {}

  void text(const std::string& tag, const std::string& text) {
    html_ += "<" + tag + ">" + escaped(text) + "</" + tag + ">\n";
  }
  void facts(const Facts& facts) {
    html_ += "<table class=\"facts\">\n";
    for (const auto& [name, value] : facts) {
      html_ += "<tr><td>" + escaped(name) + "</td><td>" + escaped(value) + "</td></tr>\n";
    }
    html_ += "</table>\n";
  }
  void table(const Table& table) { html_ += "<div class=\"wide\">" + to_html(table) + "</div>\n"; }
  void folded(const std::string& title, const Table& table) {
    html_ += "<details><summary>" + escaped(title) + "</summary>\n";
    this->table(table);
    html_ += "</details>\n";
  }
  template <class Chart>
  void chart(const std::string& title, const std::string& note, const Chart& chart) {
    if (chart.series.empty() || chart.series[0].points.empty()) return;
    text("h3", title);
    if (!note.empty()) text("p", note);
    const std::string svg = drawn_ ? draw(pictures_, chart) : "";
    drawn_ = !svg.empty();
    if (drawn_) {
      html_ += svg + "\n";
    } else {
      text("p", "Not drawn, since gnuplot did not run (Debian: gnuplot-nox).");
    }
  }
  std::string html() const { return kHead + html_ + "</body>\n</html>\n"; }

 private:
  std::filesystem::path pictures_;
  bool drawn_ = true;
  std::string html_;
};

inline void add_gemm(Page& page, const Results& gemm) {
  const std::string kernel = gemm.context.at("native_kernel");
  page.text(
      "p",
      "uint8 x int8 products, m x k x n. The limit is the peak of the kernel's dot instruction, or for one row the "
      "rate of reading as many bytes as the weights have, measured in the same run; x NAME is by how much "
      "Quanta is faster, best time against best time. Slower at: so many sizes at which another library is faster; "
      "least: the smallest ratio to any.");
  for (const std::string& one : kernels_of(gemm)) {
    if (one == kernel) {
      page.text("p", "Kernel " + one + ":");
      page.table(means_table(gemm, one));
    } else {
      page.folded("Kernel " + one, means_table(gemm, one));
    }
  }
  for (const std::string& table : tables_of(gemm)) {
    const std::string title = table + ": " + meaning_of(table);
    page.chart(title + ", roofline",
               "Each column of marks is a size. Float libraries stand where the product of 8 bits does.",
               roofline_of(gemm, kernel, table));
    page.chart(title + ", by size",
               "The limit of each size is the dot peak, or for one row the time of reading its weights.",
               sizes_of(gemm, kernel, table));
  }
}

inline void add_other(Page& page, const Results& results) {
  page.table(groups_table(results));
  page.chart("Bytes per second", "", rates_of(results));
  for (const std::string& ratio : ratios_of(results)) {
    Rows rows = counter_rows(results, ratio);
    if (ratio.starts_with("x_")) {
      rows.x_label = "times as fast as " + spaced(ratio.substr(2));
      rows.log_x = true;
    } else {
      // With bytes per second, the picture above says it.
      if (!rates_of(results).labels.empty()) continue;
      rows.x_label = ratio.starts_with("of_read") ? "fraction of the read rate" : "fraction " + spaced(ratio);
    }
    rows.line = 1.0;
    page.chart(rows.x_label, "", rows);
  }
}

}  // namespace detail

inline std::string page(const Facts& facts, const std::vector<Results>& all, const std::filesystem::path& pictures) {
  detail::Page page(pictures);
  page.text("h1", "Quanta: benchmarks");
  Facts machine = facts;
  for (const Results& results : all) {
    if (results.program != "gemm") continue;
    std::string kernels;
    for (const std::string& kernel : kernels_of(results)) kernels += (kernels.empty() ? "" : ", ") + kernel;
    machine.emplace_back("kernels", kernels + "; native is " + results.context.at("native_kernel"));
    machine.emplace_back("beside", measured_peers(results));
  }
  page.facts(machine);
  for (const Results& results : all) {
    const auto threads = results.context.find("threads");
    page.text("h2", "bench_" + (is_gemm(results) ? "gemm" : results.program) +
                        (threads != results.context.end() ? ", threads: " + threads->second : std::string()));
    for (const std::string& failure : failures_of(results)) page.text("p", "Failed: " + failure);
    if (is_gemm(results)) {
      detail::add_gemm(page, results);
      const std::string missing = missing_peers(results);
      if (!missing.empty()) page.text("pre", missing);
    } else {
      detail::add_other(page, results);
    }
    page.folded("Every case", cases_table(results));
  }
  return page.html();
}

}  // namespace report
