// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// On the device: recognizes digits with one emitted header and memory that is known when it is compiled. Nothing here
// is Quanta's but that header. It shows that its scores are the bits of the library's, image by image.
//   example_firmware DATA_DIRECTORY EXPECTED_SCORES
#include <chrono>
#include <cstdio>
#include <cstring>

#include "digits.hpp"  // written by make_header.cpp

static std::int8_t workspace[digits::kWorkspace];
static float pixels[digits::kInputs], scores[digits::kOutputs], expected[digits::kOutputs];

// What follows the header of an IDX file: bytes, image by image or label by label.
static std::FILE* open_idx(const char* directory, const char* name, long header) {
  char path[1024];
  std::snprintf(path, sizeof path, "%s/%s", directory, name);
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr || std::fseek(file, header, SEEK_SET) != 0) std::fprintf(stderr, "%s: cannot be read\n", path);
  return file;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s DATA_DIRECTORY EXPECTED_SCORES\n", argv[0]);
    return 2;
  }
  std::FILE* images = open_idx(argv[1], "t10k-images-idx3-ubyte", 16);
  std::FILE* labels = open_idx(argv[1], "t10k-labels-idx1-ubyte", 8);
  std::FILE* results = std::fopen(argv[2], "rb");
  if (images == nullptr || labels == nullptr || results == nullptr) return 1;

  int count = 0, right = 0, same = 0;
  std::chrono::duration<double, std::micro> time{};
  unsigned char image[digits::kInputs];
  for (int label; std::fread(image, sizeof image, 1, images) == 1 && (label = std::fgetc(labels)) != EOF; ++count) {
    for (int i = 0; i < digits::kInputs; ++i) pixels[i] = static_cast<float>(image[i]) / 255.0f;
    const auto start = std::chrono::steady_clock::now();
    digits::run(pixels, scores, workspace);
    time += std::chrono::steady_clock::now() - start;
    int digit = 0;
    for (int i = 1; i < digits::kOutputs; ++i) digit = scores[i] > scores[digit] ? i : digit;
    right += digit == label ? 1 : 0;
    const bool is_there = std::fread(expected, sizeof expected, 1, results) == 1;
    same += is_there && std::memcmp(scores, expected, sizeof scores) == 0 ? 1 : 0;
  }
  if (count == 0) return 1;
  const double accuracy = 100.0 * right / count;
  std::printf("%d images, %.2f %% right, %.1f us each; %d bytes of memory besides the input and the scores\n", count,
              accuracy, time.count() / count, static_cast<int>(sizeof workspace));
  std::printf("%d of them with the very scores of the library\n", same);
  return same == count && accuracy > 97.7 ? 0 : 1;
}
