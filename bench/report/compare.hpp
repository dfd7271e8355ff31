// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Two builds, measured in turns for several rounds: which cases became slower or faster, beyond the noise that the same
// rounds show.
//
//   change    the median time of the new build over that of the old
//   spread    of one build: how far its own rounds lie apart, slowest over fastest, less the slowest two of seven
//   rounds,
//             which may be moments when the machine did something else
//   noise     the square of the larger of both builds' spreads; and nowhere less than the median of that over all
//             cases, because the rounds of one case can agree by chance
//
// A change beyond the noise counts. Where both builds are the same, and the rounds of a case normally distributed, 7
// rounds take noise for a change in about one of 10,000 cases, and find two of three changes of 5 standard deviations.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "results.hpp"
#include "table.hpp"

namespace report {

/// One case: seconds in each round, of the build before and of the one after.
struct Rounds {
  std::string name;
  std::vector<double> before, after;
};

struct Change {
  std::string name;
  double before = 0.0, after = 0.0;  ///< seconds, medians
  double noise = 1.0;                ///< a ratio, at least 1

  double ratio() const { return after / before; }
  bool slower() const { return ratio() > noise; }
  bool faster() const { return 1.0 / ratio() > noise; }
};

inline constexpr std::size_t kLeastRounds = 3;

/// In the order of `cases`. Throws std::runtime_error when a case has fewer than kLeastRounds rounds of a build.
std::vector<Change> compare(const std::vector<Rounds>& cases);

/// What DIRECTORY/<round>/<build>/<program>.json say, the builds being "before" and "after".
struct Measured {
  std::vector<Rounds> cases;
  /// Cases that not all rounds of both builds have, and how many have them.
  std::vector<std::string> left_out;
  /// Cases of the build after that have no figures, and why.
  std::vector<std::string> failed;
};

Measured read_rounds(const std::filesystem::path& directory);

/// Those that `keep` names, the largest change first.
template <class Keep>
Table changes_table(std::vector<Change> changes, Keep keep);

// ---- bodies ----

/// The middle one, or the mean of the middle two.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

namespace detail {

inline double spread(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t left_out = 2 * seconds.size() / 7;
  return seconds[seconds.size() - 1 - left_out] / seconds.front();
}

}  // namespace detail

inline std::vector<Change> compare(const std::vector<Rounds>& cases) {
  std::vector<Change> changes;
  std::vector<double> noises;
  for (const Rounds& one : cases) {
    if (std::min(one.before.size(), one.after.size()) < kLeastRounds) {
      throw std::runtime_error(one.name + ": expected at least " + std::to_string(kLeastRounds) +
                               " rounds of each build, got " + std::to_string(one.before.size()) + " and " +
                               std::to_string(one.after.size()));
    }
    const double spread = std::max(detail::spread(one.before), detail::spread(one.after));
    noises.push_back(spread * spread);
    changes.push_back({one.name, median(one.before), median(one.after), noises.back()});
  }
  if (changes.empty()) return changes;
  const double typical = median(noises);
  for (Change& change : changes) change.noise = std::max(change.noise, typical);
  return changes;
}

inline Measured read_rounds(const std::filesystem::path& directory) {
  std::vector<Rounds> all;
  std::map<std::string, std::size_t> places;
  Measured measured;
  std::size_t rounds = 0;
  for (; std::filesystem::exists(directory / std::to_string(rounds + 1)); ++rounds) {
    for (const bool after : {false, true}) {
      const std::filesystem::path build = directory / std::to_string(rounds + 1) / (after ? "after" : "before");
      std::vector<std::filesystem::path> files;
      for (const auto& entry : std::filesystem::directory_iterator(build)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (const std::filesystem::path& file : files) {
        const Results results = read_results(file);
        for (const Case& one : results.cases) {
          if (one.name.starts_with("aggregate/")) continue;  // means, no times
          const std::string name = results.program + ": " + one.name;
          const auto [place, is_new] = places.emplace(name, all.size());
          if (is_new) all.push_back({name, {}, {}});
          Rounds& entry = all[place->second];
          if (one.error.empty()) {
            (after ? entry.after : entry.before).push_back(one.seconds);
          } else if (after) {
            measured.failed.push_back(name + ": " + one.error);
          }
        }
      }
    }
  }
  for (Rounds& one : all) {
    if (one.before.size() == rounds && one.after.size() == rounds) {
      measured.cases.push_back(std::move(one));
    } else {
      measured.left_out.push_back(one.name + " (" + std::to_string(one.before.size()) + " rounds before, " +
                                  std::to_string(one.after.size()) + " after)");
    }
  }
  return measured;
}

template <class Keep>
Table changes_table(std::vector<Change> changes, Keep keep) {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::fabs(std::log(a.ratio())) > std::fabs(std::log(b.ratio()));
  });
  Table table = {{"case", "before", "after", "change", "noise"}, {}};
  for (const Change& one : changes) {
    if (!keep(one)) continue;
    const double percents = 100.0 * (one.ratio() - 1.0);
    table.rows.push_back({one.name, duration(one.before), duration(one.after),
                          (percents < 0.0 ? "" : "+") + fixed(percents, 1) + " %",
                          fixed(100.0 * (one.noise - 1.0), 1) + " %"});
  }
  return table;
}

}  // namespace report
