// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How the examples draw: a script for gnuplot with the data in it, which makes an SVG and a PNG file where gnuplot is
// installed (Debian: gnuplot-nox). Nothing of Quanta needs it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// One picture: give it data, then draw.
class Plot {
 public:
  /// Of so many pixels. Writes DIRECTORY/NAME.gp, .svg and .png; without a directory it does nothing.
  Plot(std::string directory, std::string name, int width, int height)
      : directory_(std::move(directory)), name_(std::move(name)), width_(width), height_(height) {}

  /// A row of the data that gnuplot's commands know as $name: numbers, and a text behind them. All rows of a name are
  /// given before those of the next.
  void row(const std::string& name, std::initializer_list<double> numbers, const std::string& text = "") {
    std::string line;
    for (const double number : numbers) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%.7g ", number);
      line += digits;
    }
    if (!text.empty()) line += '"' + text + '"';
    if (blocks_.empty() || blocks_.back().name != name) blocks_.push_back({name, ""});
    blocks_.back().lines += line + '\n';
  }

  /// Draws by gnuplot's commands. Says where the picture is; or the script, if there is no gnuplot to run it.
  void draw(const std::string& commands) const {
    if (directory_.empty()) return;
    const bool drawn = write(commands, true);
    const std::string path = (std::filesystem::path(directory_) / name_).string();
    std::printf("%s\n", drawn ? ("drawn: " + path + ".svg and .png").c_str()
                              : ("not drawn, since gnuplot did not run: " + path + ".gp").c_str());
  }

  /// Draws without a word; the PNG file only if asked for. False when gnuplot did not run.
  bool write(const std::string& commands, bool png) const {
    std::filesystem::create_directories(directory_);
    const std::string path = (std::filesystem::path(directory_) / name_).string();
    std::ofstream script(path + ".gp");
    for (const Block& block : blocks_) script << '$' << block.name << " << EOD\n" << block.lines << "EOD\n";
    const std::string size = std::to_string(width_) + ',' + std::to_string(height_);
    // The same size of text: SVG counts it in pixels, PNG in points.
    const std::string terminals[][2] = {{"svg", "svg font 'sans-serif,13'"}, {"png", "pngcairo font 'sans-serif,10'"}};
    for (const auto& [kind, terminal] : terminals) {
      if (kind == "png" && !png) continue;
      script << "reset\nset terminal " << terminal << " noenhanced size " << size << " background '#ffffff'\n"
             << "set output '" << path << '.' << kind << "'\n"
             << commands << "\nset output\n";
    }
    script.close();
    return script && std::system(("gnuplot \"" + path + ".gp\"").c_str()) == 0;
  }

 private:
  struct Block {
    std::string name, lines;
  };

  std::string directory_, name_;
  int width_, height_;
  std::vector<Block> blocks_;
};

}  // namespace examples
