// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// On the desk: quantizes the MNIST network of examples/mnist to integers, and writes it as a header for the device. The
// scores that the library gives go into a second file, for main.cpp to hold its own against.
//   example_firmware_header DATA_DIRECTORY OUTPUT_DIRECTORY
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <quanta/integer.hpp>
#include <quanta/io.hpp>

#include "../mnist/idx.hpp"
#include "../mnist/network.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s DATA_DIRECTORY OUTPUT_DIRECTORY\n", argv[0]);
    return 2;
  }
  const std::string data = std::string(argv[1]) + "/", output = std::string(argv[2]) + "/";
  try {
    const quanta::Sequential floats = mnist::read_network(quanta::Safetensors::open(data + "mnist_mlp.safetensors"));
    const std::vector<mnist::Matrix> batches = {mnist::read_images(data + "calibration-images-idx3-ubyte")};
    const quanta::IntegerModel model =
        quanta::quantize_static(floats, batches, quanta::MinMaxCalibrator<>{}, quanta::IntegerOnly{});

    std::ofstream header(output + "digits.hpp");
    quanta::emit_header(model, header, {.name = "digits"});

    const mnist::Matrix scores = model(mnist::read_images(data + "t10k-images-idx3-ubyte"));
    std::ofstream expected(output + "expected_scores", std::ios::binary);
    expected.write(reinterpret_cast<const char*>(scores.data()), scores.size() * 4);
    expected.close();
    if (!expected) throw std::runtime_error(output + "expected_scores: could not be written");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
