// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Two kinds of picture, drawn by gnuplot: marks in labelled rows, and a roofline. Each becomes SVG text.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
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
  /// Which marks: 0 is ours.
  std::size_t style = 0;
};

/// A chart whose rows have names, the first on top.
struct Rows {
  std::string name, x_label;
  bool log_x = false;
  std::vector<std::string> labels;
  std::vector<Series> series;
  /// A bar across each row; none where it has no points.
  Series limit;
  /// A line from top to bottom, where it is not 0.
  double line = 0.0;
};

/// A limit in a roofline: operations per second, or bytes.
struct Line {
  std::string title;
  double rate;
};

/// Operations per second over operations per byte, both logarithmic.
struct Roofline {
  std::string name;
  std::vector<Series> series;
  std::optional<Line> peak;
  /// Of bytes; they end at the peak.
  std::vector<Line> slopes;
};

/// The picture as an SVG element, made in `directory`; empty when gnuplot did not run.
std::string draw(const std::filesystem::path& directory, const Rows& chart);
std::string draw(const std::filesystem::path& directory, const Roofline& chart);

// ---- bodies ----

namespace detail {

/// Ours is a large dark disc, others have other shapes and the colours that colour-blind readers can tell apart.
inline std::string marks(std::size_t style) {
  static const char* const kStyles[] = {"pt 7 ps 1.0 lc rgb '#0b3d91'",  "pt 5 ps 0.65 lc rgb '#e69f00'",
                                        "pt 9 ps 0.8 lc rgb '#009e73'",  "pt 13 ps 0.85 lc rgb '#d55e00'",
                                        "pt 11 ps 0.8 lc rgb '#cc79a7'", "pt 4 ps 0.65 lc rgb '#56b4e9'",
                                        "pt 8 ps 0.8 lc rgb '#666666'"};
  return kStyles[style % std::size(kStyles)];
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

/// The element alone, its ids different from those of other pictures on the page, and without gnuplot's title, which
/// would follow the mouse.
inline std::string element(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  std::string svg((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  svg.erase(0, svg.find("<svg"));
  const std::size_t title = svg.find("<title>"), title_end = svg.find("</title>");
  if (title_end != std::string::npos) svg.erase(title, title_end + std::string("</title>").size() - title);
  for (const char* const id : {"gpDot", "gpPt", "gnuplot_", "'textbox'", "'greybox'"}) {
    const std::string old = id, fresh = old[0] == '\'' ? "'" + name + old.substr(1) : name + old;
    for (std::size_t at = svg.find(old); at != std::string::npos; at = svg.find(old, at + fresh.size())) {
      svg.replace(at, old.size(), fresh);
    }
  }
  return svg;
}

inline const char* const kCommon =
    "set border 3 lc rgb '#444444'\nset tics nomirror out\n"
    "set key outside top left horizontal Left reverse samplen 1.5 width 1 maxcols 3\n"
    "set style line 100 lc rgb '#c8c8c8' lw 0.6\nset style line 101 lc rgb '#e4e4e4' lw 0.6\n";

/// Curves are drawn in the order of their adding; the legend lists them in the order of theirs.
class Curves {
 public:
  /// `how` is what gnuplot's plot takes after the data.
  void add(const std::string& data, const std::string& how) { drawn_ += ", " + data + " " + how + " notitle"; }
  void legend(const std::string& how, const std::string& title) {
    legend_ += (legend_.empty() ? "plot NaN " : ", NaN ") + how + " title " + quoted(title);
  }
  std::string command() const { return legend_ + drawn_ + "\n"; }

 private:
  std::string legend_, drawn_;
};

/// The first lies on top.
inline void add_series(examples::Plot& plot, Curves& curves, const std::vector<Series>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) curves.legend("with points " + marks(all[i].style), all[i].title);
  for (std::size_t i = all.size(); i-- > 0;) {
    const std::string block = "s" + std::to_string(i);
    for (const Point& point : all[i].points) plot.row(block, {point.x, point.y});
    curves.add("$" + block, "with points " + marks(all[i].style));
  }
}

/// All of them, and a little more; from 0 on a linear axis.
inline std::string x_range(const std::vector<Series>& all, bool logarithmic) {
  double least = 1e300, most = 0.0;
  for (const Series& series : all) {
    for (const Point& point : series.points) {
      least = std::min(least, point.x);
      most = std::max(most, point.x);
    }
  }
  const double from = logarithmic ? least / 1.2 : 0.0, to = most * (logarithmic ? 1.2 : 1.05);
  return "set xrange [" + fixed(from, 6) + ":" + fixed(to, 6) + "]\n";
}

/// Of a logarithmic axis: at 2 and 5 too, so that there are some within a decade.
inline std::string x_tics() {
  std::string commands;
  for (double power = 1e-3; power < 1e6; power *= 10.0) {
    for (const double digit : {2.0, 5.0}) {
      char tic[64];
      std::snprintf(tic, sizeof tic, "set xtics add ('%g' %g)\n", digit * power, digit * power);
      commands += tic;
    }
  }
  return commands;
}

inline std::string finish(examples::Plot& plot, const std::filesystem::path& directory, const std::string& name,
                          const std::string& commands) {
  return plot.write(commands, false) ? element(directory / (name + ".svg"), name) : "";
}

}  // namespace detail

inline std::string draw(const std::filesystem::path& directory, const Rows& chart) {
  const int rows = static_cast<int>(chart.labels.size());
  examples::Plot plot(directory.string(), chart.name, 900, 19 * rows + 120);
  std::string labels;
  for (std::size_t i = 0; i < chart.labels.size(); ++i) {
    labels += (i > 0 ? ", " : "") + detail::quoted(chart.labels[i]) + " " + std::to_string(i);
  }
  std::string commands = detail::kCommon;
  commands += "set yrange [" + std::to_string(rows) + " - 0.4:-0.6]\nset xlabel " + detail::quoted(chart.x_label) +
              "\nset ytics scale 0\nset ytics (" + labels + ")\n";
  std::vector<Series> all = chart.series;
  all.push_back(chart.limit);
  if (chart.line != 0.0) all.push_back({"", {{chart.line, 0.0}}, 0});
  commands += detail::x_range(all, chart.log_x);
  if (chart.log_x) {
    commands += "set logscale x\nset mxtics 10\nset grid xtics ytics mxtics ls 100, ls 101\n" + detail::x_tics();
  } else {
    commands += "set grid xtics ytics ls 100\n";
  }
  if (chart.line != 0.0) {
    const std::string x = fixed(chart.line, 6);
    commands += "set arrow from first " + x + ", graph 0 to first " + x + ", graph 1 nohead lc rgb '#444444' dt 2\n";
  }
  detail::Curves curves;
  if (!chart.limit.points.empty()) {
    const std::string bar = "with vectors nohead lw 2 lc rgb '#111111'";
    for (const Point& point : chart.limit.points) plot.row("limit", {point.x, point.y});
    curves.add("$limit using 1:($2 - 0.35):(0):(0.7)", bar);
    curves.legend("with lines lw 2 lc rgb '#111111'", chart.limit.title);
  }
  detail::add_series(plot, curves, chart.series);
  return detail::finish(plot, directory, chart.name, commands + curves.command());
}

inline std::string draw(const std::filesystem::path& directory, const Roofline& chart) {
  examples::Plot plot(directory.string(), chart.name, 900, 560);
  std::string commands = detail::kCommon;
  commands +=
      "set logscale xy\nset mxtics 10\nset mytics 10\nset grid xtics ytics mxtics mytics ls 100, ls 101\n"
      "set xlabel 'operations per byte of lhs, weights and results'\nset ylabel 'operations per second'\n"
      "set format y '%.0s %cop/s'\nset samples 1000\n";
  commands += detail::x_range(chart.series, true) + detail::x_tics();
  detail::Curves curves;
  std::string top = "1e300";  // where a slope ends
  if (chart.peak) {
    const std::string how = "with lines lw 1.5 lc rgb '#111111'";
    top = fixed(chart.peak->rate, 1);
    curves.add(top, how);
    curves.legend(how, chart.peak->title);
  }
  int dashes = 2;
  for (const Line& slope : chart.slopes) {
    const std::string how = "with lines lw 1.5 lc rgb '#111111' dt " + std::to_string(dashes++);
    const std::string rate = fixed(slope.rate, 1);
    std::string curve = "(x * ";
    curve.append(rate).append(" <= ").append(top).append(" ? x * ").append(rate).append(" : NaN)");
    curves.add(curve, how);
    curves.legend(how, slope.title);
  }
  detail::add_series(plot, curves, chart.series);
  return detail::finish(plot, directory, chart.name, commands + curves.command());
}

}  // namespace report
