// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the program prints: the machine and the table.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <quanta/quanta.hpp>

#include "../support/progress.hpp"

namespace mnist {

using examples::Progress;

/// The CPU as Linux names it; empty elsewhere, and on Arm, where it gives no names.
inline std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != line.npos) return line.substr(colon + 2);
  }
  return "";
}

inline std::string compiler_name() {
#if defined(__clang__)
  return "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#elif defined(__GNUC__)
  return "g++ " __VERSION__;
#else
  return "unknown compiler";
#endif
}

template <class... Archs>
std::string compiled_in(quanta::arch::List<Archs...>) {
  std::string names;
  ((names += Archs::compiled ? std::string(" ") + Archs::name : ""), ...);
  return names;
}

inline void print_machine() {
  const std::string cpu = cpu_name();
  std::printf("CPU        %s%sone thread\n", cpu.c_str(), cpu.empty() ? "" : ", ");
  std::printf("compiler   %s; its flags allow%s\n", compiler_name().c_str(), compiled_in(quanta::arch::All{}).c_str());
  std::printf("kernel     %s\n", quanta::NativeKernel::name);
  if (std::string(quanta::NativeKernel::name) == quanta::arch::Scalar::name) {
    std::printf(
        "           (portable code: these flags give no int8 kernel of the CPU's own, so int8 saves memory, not "
        "time)\n");
  }
}

/// One row of figures.
struct Row {
  std::string name;
  double accuracy;  ///< percent
  int changed;      ///< images whose class is not that of float
  double snr_db;    ///< of the logits against those of float; infinite for float itself
  Eigen::Index bytes;
  double single_us, batch_us;  ///< microseconds per image
};

/// Sizes and times are compared with those of `eigen`.
inline void print_table(const std::vector<Row>& rows, const Row& eigen) {
  std::printf("%-31s %8s  %8s  %8s   %-17s   %-18s   %s\n", "", "", "classes", "logits", "      memory",
              "1 image at a time", "batches of 128");
  std::printf("%-31s %8s  %8s  %8s   %8s %8s   %8s %9s   %8s %9s\n", "", "accuracy", "changed", "SNR", "bytes",
              "smaller", "us/image", "speed-up", "us/image", "speed-up");
  for (const Row& row : rows) {
    char snr[16] = "-";
    if (std::isfinite(row.snr_db)) std::snprintf(snr, sizeof snr, "%.1f dB", row.snr_db);
    std::printf("%-31s %6.2f %%  %8d  %8s   %8lld %7.2fx   %8.2f %8.2fx   %8.2f %8.2fx\n", row.name.c_str(),
                row.accuracy, row.changed, snr, static_cast<long long>(row.bytes),
                static_cast<double>(eigen.bytes) / static_cast<double>(row.bytes), row.single_us,
                eigen.single_us / row.single_us, row.batch_us, eigen.batch_us / row.batch_us);
  }
}

inline void print_legend(const Row& eigen, const Row& reference, bool quick) {
  std::printf(
      "\n"
      "classes changed    images that get another digit than from \"%s\", right or wrong\n"
      "logits SNR         10 log10(signal / error) of the network's outputs, against those of \"%s\"\n"
      "bytes              weights, biases and scales as they are held in memory\n"
      "us/image           microseconds on one thread, %s\n"
      "smaller, speed-up  than \"%s\", in this run\n",
      reference.name.c_str(), reference.name.c_str(),
      quick ? "measured roughly (--quick)" : "the fastest of many turns", eigen.name.c_str());
}

/// Says in words what a way cost and saved; true when its accuracy is within `tolerance` points of the reference.
inline bool print_verdict(const Row& row, const Row& eigen, const Row& reference, double tolerance) {
  const double change = row.accuracy - reference.accuracy;
  const bool within = std::fabs(change) <= tolerance + 1e-9;
  std::printf("%s: %+.2f points of accuracy, %.1f times smaller, %.2f times as fast (1 image), %.2f (batches);\n",
              row.name.c_str(), change, static_cast<double>(eigen.bytes) / static_cast<double>(row.bytes),
              eigen.single_us / row.single_us, eigen.batch_us / row.batch_us);
  std::printf("  within %g points of %s: %s\n", tolerance, reference.name.c_str(), within ? "yes" : "NO");
  std::fflush(stdout);
  if (!within) {
    std::fprintf(stderr, "mnist: %s is %.2f points from %s, allowed are %g\n", row.name.c_str(), std::fabs(change),
                 reference.name.c_str(), tolerance);
  }
  return within;
}

/// Which way to ship. Of the rows after the float one, the accurate stay, of those the fast, and of those the one wins
/// whose logits are closest to float's: times of equally good ways differ by chance, their logits do not.
inline void print_choice(const std::vector<Row>& rows, const Row& eigen, std::size_t float_row, double tolerance) {
  constexpr double kFast = 1.25;  // times the least time: more than chance makes of equal times
  std::vector<Row> accurate;
  for (std::size_t i = float_row + 1; i < rows.size(); ++i) {
    if (std::fabs(rows[i].accuracy - rows[float_row].accuracy) <= tolerance + 1e-9) accurate.push_back(rows[i]);
  }
  const Row* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Row& row : accurate) least = std::min(least, row.single_us);
  for (const Row& row : accurate) {
    if (row.single_us <= kFast * least && (best == nullptr || row.snr_db > best->snr_db)) best = &row;
  }
  if (best == nullptr) {
    std::printf("To ship: %s, because nothing smaller is within %g points of it\n", rows[float_row].name.c_str(),
                tolerance);
    return;
  }
  std::printf(
      "To ship: %s. Of all within %g points of %s and 25 %% of the fastest (1 image) its logits are closest, %.1f dB; "
      "%.1f times smaller, %.1f times as fast\n",
      best->name.c_str(), tolerance, rows[float_row].name.c_str(), best->snr_db,
      static_cast<double>(eigen.bytes) / static_cast<double>(best->bytes), eigen.single_us / best->single_us);
}

}  // namespace mnist
