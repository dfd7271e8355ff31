// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A table of figures, and its three forms: aligned text, Markdown and HTML. The first column is text, the others are
// figures and stand at the right.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace report {

struct Table {
  std::vector<std::string> columns;
  /// Each as long as `columns`; an empty figure is one that there is not.
  std::vector<std::vector<std::string>> rows;
};

/// As printf's %.*f.
std::string fixed(double value, int digits);
/// Three digits and a prefix: 1.23 M, 456 G; `unit` follows the prefix.
std::string with_prefix(double value, const std::string& unit);
/// 0.934 as "93 %".
std::string percent(double value);
/// Seconds as "12.3 us".
std::string duration(double seconds);

/// With what HTML and SVG keep for themselves written as entities.
std::string escaped(const std::string& text);

std::string to_text(const Table& table);
std::string to_markdown(const Table& table);
std::string to_html(const Table& table);

// ---- bodies ----

inline std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

inline std::string with_prefix(double value, const std::string& unit) {
  static const char* const kPrefixes[] = {"", "k", "M", "G", "T"};
  int prefix = 0;
  for (; value >= 999.5 && prefix < 4; ++prefix) value /= 1000.0;
  return fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + " " + kPrefixes[prefix] + unit;
}

inline std::string percent(double value) { return fixed(100.0 * value, 0) + " %"; }

inline std::string duration(double seconds) {
  if (seconds < 1e-6) return with_prefix(1e9 * seconds, "ns");
  if (seconds < 1e-3) return with_prefix(1e6 * seconds, "us");
  if (seconds < 1.0) return with_prefix(1e3 * seconds, "ms");
  return with_prefix(seconds, "s");
}

inline std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

inline std::string to_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    widths.push_back(table.columns[c].size());
    for (const auto& row : table.rows) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - row[c].size(), ' ');
      text += c == 0 ? row[c] + space : "  " + space + row[c];
    }
    text += '\n';
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  return text;
}

inline std::string to_markdown(const Table& table) {
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    for (const std::string& cell : row) text += "| " + cell + " ";
    text += "|\n";
  };
  add(table.columns);
  for (std::size_t c = 0; c < table.columns.size(); ++c) text += c == 0 ? "|---" : "|--:";
  text += "|\n";
  for (const auto& row : table.rows) add(row);
  return text;
}

inline std::string to_html(const Table& table) {
  std::string html = "<table>\n";
  const auto add = [&](const std::vector<std::string>& row, const std::string& cell) {
    html += "<tr>";
    for (const std::string& one : row) {
      html.append("<").append(cell).append(">").append(escaped(one)).append("</").append(cell).append(">");
    }
    html += "</tr>\n";
  };
  add(table.columns, "th");
  for (const auto& row : table.rows) add(row, "td");
  return html + "</table>\n";
}

}  // namespace report
