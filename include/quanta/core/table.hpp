// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Cells of text as a table of aligned columns.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// A number as std::printf writes it.
inline std::string number(const char* format, double v) {
  char digits[32];
  std::snprintf(digits, sizeof digits, format, v);
  return digits;
}

/// One line per row, the first of which holds the headings; all have as many cells. The first `left` columns are
/// aligned to the left, the others to the right.
inline std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - row[c].size(), ' ');
      line += (c == 0 ? "" : "  ") + (c < left ? row[c] + space : space + row[c]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace detail
QUANTA_NAMESPACE_END
