// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantization-aware training on Fashion-MNIST: a float network, the same quantized after training, and trained on with
// fake quantization; the accuracy of each. The fake-quantized networks are frozen to integer models, of layers with
// floats between and of int8 from pixels to logits, whose decisions are compared with theirs image by image.
//
//   example_qat [--quick] [DIRECTORY]
//
// --quick takes one seed and fewer images and epochs. DIRECTORY holds Fashion-MNIST; the default is where Debian's
// package dataset-fashion-mnist puts it. Ends with 0 when training at 2 bits recovers at least half of what 2 bits cost
// after training and every decision of an integer model is that of its network, or explained; else with 1.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "../support/command_line.hpp"
#include "../support/progress.hpp"
#include "compare.hpp"
#include "integers.hpp"
#include "quantize.hpp"
#include "report.hpp"

namespace qat {
namespace {

/// What is run, and for how long.
struct Plan {
  int seeds = 5, float_epochs = 10, epochs = 5;
  Index training_images = 60000, calibration_images = 2000;
  float rate = 1e-3f;  ///< of Adam, falling to 0 over the epochs
};
constexpr Plan kQuick{.seeds = 1, .float_epochs = 3, .epochs = 2, .training_images = 10000};

double accuracy(const std::vector<int>& classes, const std::vector<int>& labels) {
  int right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += classes[i] == labels[i] ? 1 : 0;
  return 100.0 * right / static_cast<double>(labels.size());
}

int run(const Plan& plan, const std::string& directory) {
  const Images training = read_images(directory, "train", plan.training_images);
  const Images test = read_images(directory, "t10k", 10000);
  const Matrix test_images = test.first_real(test.count());
  const Matrix calibration_images = training.first_real(plan.calibration_images);

  std::printf(
      "A network 784-128-64-10 with ReLU, trained on %ld images of Fashion-MNIST for %d epochs; then quantized,\n"
      "with the ranges of least squared error, or trained for %d epochs more. Accuracy in percent on %ld test images; "
      "bits\n"
      "of weights and activations alike\n\n",
      static_cast<long>(training.count()), plan.float_epochs, plan.epochs, static_cast<long>(test.count()));
  std::vector<Column> columns = {{"float"}, {"longer"}, {"8 bits"}, {"4 bits"}, {"2 bits"}, {"4 bits"}, {"2 bits"}};
  print_head(columns);

  const examples::Progress progress;
  Agreement agreement4, agreement2;
  IntegerAgreement integers4, integers2;
  for (int seed = 1; seed <= plan.seeds; ++seed) {
    const std::string name = "seed " + std::to_string(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    const auto trained = [&](auto network, const std::string& what, int epochs) {
      train(network, training, epochs, plan.rate, random, [&](float done) {
        const int percent = static_cast<int>(100.0f * done);
        progress.show(name + " of " + std::to_string(plan.seeds) + ", " + what + ": " + std::to_string(percent) + " %");
      });
      return network;
    };
    std::size_t next = 0;
    const auto add = [&](const auto& logits) {
      columns[next++].accuracies.push_back(accuracy(classes_of(logits), test.labels));
    };

    FloatNetwork network = trained(random_network(random), "float", plan.float_epochs);
    add(network.forward(test_images));
    FloatNetwork longer = trained(network, "float, longer", plan.epochs);
    add(longer.forward(test_images));

    add(freeze(calibrated<8>(network, calibration_images))(test_images));
    add(freeze(calibrated<4>(network, calibration_images))(test_images));
    add(freeze(calibrated<2>(network, calibration_images))(test_images));

    auto fake4 = trained(learnable<4>(network, calibration_images), "quantization-aware, 4 bits", plan.epochs);
    auto fake2 = trained(learnable<2>(network, calibration_images), "quantization-aware, 2 bits", plan.epochs);
    const quanta::Sequential frozen4 = freeze(fake4), frozen2 = freeze(fake2);
    add(frozen4(test_images));
    add(frozen2(test_images));
    agreement4.compare(fake4, frozen4, test_images);
    agreement2.compare(fake2, frozen2, test_images);
    integers4.compare(fake4, freeze_to_integers(fake4, calibration_images), test_images);
    integers2.compare(fake2, freeze_to_integers(fake2, calibration_images), test_images);
    progress.show("");
    print_row(name, columns, [](const Column& c) { return c.accuracies.back(); });
  }
  print_row("median", columns, &Column::median);
  if (plan.seeds > 1) {
    print_row("lowest", columns, &Column::lowest);
    print_row("highest", columns, &Column::highest);
  }
  const bool recovered = print_recovery(columns[0], columns[4], columns[6]);
  const bool agreed4 = print_agreement("4 bits", agreement4), agreed2 = print_agreement("2 bits", agreement2);
  const bool integral4 = print_agreement("4 bits", integers4), integral2 = print_agreement("2 bits", integers2);
  return recovered && agreed4 && agreed2 && integral4 && integral2 ? 0 : 1;
}

}  // namespace
}  // namespace qat

int main(int argc, char** argv) {
  const auto run = [](bool quick, const std::string& directory) {
    return qat::run(quick ? qat::kQuick : qat::Plan{}, directory);
  };
  return examples::run_from_command_line("qat", argc, argv, QUANTA_FASHION_MNIST, run);
}
