// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Two kinds of picture, drawn by gnuplot: marks in labelled rows, and a roofline. Each becomes SVG text.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../../examples/support/plot.hpp"
#include "table.hpp"

namespace report {

struct Point {
  double x, y;
};

/// Marks of one kind; of `Rows`, y is the row from 0.
struct Series {
  std::string title;
  std::vector<Point> points;
};

/// A chart whose rows have names, the first on top.
struct Rows {
  std::string name, x_label;
  bool log_x = false;
  std::vector<std::string> labels;
  /// The first is ours.
  std::vector<Series> series;
  /// What no mark can pass: a bar across each row.
  Series limit;
  /// A line from top to bottom, where it is not 0.
  double line = 0.0;
};

/// Operations per second over operations per byte, both logarithmic.
struct Roofline {
  std::string name;
  std::vector<Series> series;
  /// y is the rate; the line is flat.
  std::vector<Series> peaks;
  /// The rate of bytes; the line is as steep as the axes. `points` holds one, whose y is that rate.
  std::vector<Series> slopes;
};

/// The picture as an SVG element, made in `directory`; empty when gnuplot did not run.
std::string draw(const std::filesystem::path& directory, const Rows& chart);
std::string draw(const std::filesystem::path& directory, const Roofline& chart);

// ---- bodies ----

namespace detail {

/// Ours is a large dark disc, others have other shapes and the colours that colour-blind readers can tell apart.
inline std::string style(std::size_t series) {
  static const char* const kStyles[] = {"pt 7 ps 1.0 lc rgb '#0b3d91'",  "pt 5 ps 0.65 lc rgb '#e69f00'",
                                        "pt 9 ps 0.8 lc rgb '#009e73'",  "pt 13 ps 0.85 lc rgb '#d55e00'",
                                        "pt 11 ps 0.8 lc rgb '#cc79a7'", "pt 4 ps 0.65 lc rgb '#56b4e9'",
                                        "pt 8 ps 0.8 lc rgb '#666666'"};
  return kStyles[series % std::size(kStyles)];
}

/// As gnuplot quotes it.
inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// The element alone, its ids different from those of other pictures on the page.
inline std::string element(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  std::string svg((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  svg.erase(0, svg.find("<svg"));
  for (const char* const id : {"gpDot", "gpPt", "gnuplot_", "'textbox'", "'greybox'"}) {
    const std::string old = id, fresh = old[0] == '\'' ? "'" + name + old.substr(1) : name + old;
    for (std::size_t at = svg.find(old); at != std::string::npos; at = svg.find(old, at + fresh.size())) {
      svg.replace(at, old.size(), fresh);
    }
  }
  return svg;
}

inline void add_points(examples::Plot& plot, const std::string& block, const Series& series) {
  for (const Point& point : series.points) plot.row(block, {point.x, point.y});
}

inline const char* const kCommon =
    "set border 3 lc rgb '#444444'\nset tics nomirror out\nset key outside top left horizontal Left reverse samplen "
    "1.5\n"
    "set grid xtics lc rgb '#dddddd' lt 1 lw 0.6\n";

inline std::string finish(examples::Plot& plot, const std::filesystem::path& directory, const std::string& name,
                          const std::string& commands) {
  return plot.write(commands, false) ? element(directory / (name + ".svg"), name) : "";
}

}  // namespace detail

inline std::string draw(const std::filesystem::path& directory, const Rows& chart) {
  const int rows = static_cast<int>(chart.labels.size());
  examples::Plot plot(directory.string(), chart.name, 900, 19 * rows + 120);
  std::string commands = detail::kCommon, curves;
  commands += "set yrange [" + std::to_string(rows) + " - 0.4:-0.6]\nset xlabel " + detail::quoted(chart.x_label) +
              "\nset ytics scale 0\nset ytics (";
  for (int i = 0; i < rows; ++i) {
    commands +=
        (i > 0 ? ", " : "") + detail::quoted(chart.labels[static_cast<std::size_t>(i)]) + " " + std::to_string(i);
  }
  commands += ")\nset grid ytics\n";
  commands += chart.log_x ? "set logscale x\nset mxtics 10\nset grid mxtics lt 1 lw 0.3\n" : "set xrange [0:*]\n";
  if (chart.line != 0.0) {
    const std::string x = fixed(chart.line, 6);
    commands += "set arrow from first " + x + ", graph 0 to first " + x + ", graph 1 nohead lc rgb '#444444' dt 2\n";
  }
  const auto add = [&](const std::string& curve) { curves += (curves.empty() ? "plot " : ", ") + curve; };
  if (!chart.limit.points.empty()) {
    detail::add_points(plot, "limit", chart.limit);
    add("$limit using 1:($2 - 0.35):(0):(0.7) with vectors nohead lw 2 lc rgb '#111111' title " +
        detail::quoted(chart.limit.title));
  }
  for (std::size_t i = chart.series.size(); i-- > 0;)
    detail::add_points(plot, "s" + std::to_string(i), chart.series[i]);
  // Ours last, so that it lies on top.
  for (std::size_t i = chart.series.size(); i-- > 0;) {
    add("$s" + std::to_string(i) + " with points " + detail::style(i) + " title " +
        detail::quoted(chart.series[i].title));
  }
  return detail::finish(plot, directory, chart.name, commands + curves);
}

inline std::string draw(const std::filesystem::path& directory, const Roofline& chart) {
  examples::Plot plot(directory.string(), chart.name, 900, 560);
  double least_x = 1e300, most_x = 0.0;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      least_x = std::min(least_x, point.x);
      most_x = std::max(most_x, point.x);
    }
  }
  std::string commands = detail::kCommon, curves;
  commands +=
      "set logscale xy\nset mxtics 10\nset mytics 10\nset grid xtics ytics mxtics mytics lt 1 lw 0.6, lt 1 lw 0.3\n"
      "set xlabel 'operations per byte of lhs, weights and results'\nset ylabel 'operations per second'\n"
      "set format y '%.0s %cop/s'\nset xrange [" +
      fixed(0.8 * least_x, 6) + ":" + fixed(1.5 * most_x, 6) + "]\n";
  const auto add = [&](const std::string& curve) { curves += (curves.empty() ? "plot " : ", ") + curve; };
  for (const Series& peak : chart.peaks) {
    add(fixed(peak.points.front().y, 0) + ".0 lw 1.5 lc rgb '#111111' title " + detail::quoted(peak.title));
  }
  for (std::size_t i = 0; i < chart.slopes.size(); ++i) {
    const std::string rate = fixed(chart.slopes[i].points.front().y, 0) + ".0";
    double top = 1e300;
    for (const Series& peak : chart.peaks) top = std::min(top, peak.points.front().y);
    add("(x * " + rate + " <= " + fixed(top, 0) + ".0 ? x * " + rate + " : NaN) lw 1.5 dt " + std::to_string(i + 2) +
        " lc rgb '#111111' title " + detail::quoted(chart.slopes[i].title));
  }
  for (std::size_t i = chart.series.size(); i-- > 0;)
    detail::add_points(plot, "s" + std::to_string(i), chart.series[i]);
  for (std::size_t i = chart.series.size(); i-- > 0;) {
    add("$s" + std::to_string(i) + " with points " + detail::style(i) + " title " +
        detail::quoted(chart.series[i].title));
  }
  return detail::finish(plot, directory, chart.name, "set samples 1000\n" + commands + curves);
}

}  // namespace report
