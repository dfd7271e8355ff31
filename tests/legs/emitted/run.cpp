// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Runs the emitted networks.

#include <cstdio>

int wrong_codes();
int wrong_floats();

int main() {
  const int codes = wrong_codes(), floats = wrong_floats();
  std::printf("%d rows of codes and %d of floats differ\n", codes, floats);
  return codes == 0 && floats == 0 ? 0 : 1;
}
