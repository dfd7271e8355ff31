// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/train/param_sums.hpp>

#include "tests/train/oracle.hpp"

namespace quanta::test {
namespace {

using reference::Sharing;

// In whatever pieces the elements come, each sum has the documented order, of more than one block too.
template <class G, int rank>
void expect_documented_order(const Dims<rank>& shape, const Sharing& sharing, Index piece) {
  const RowTensor<float, rank> x = random_tensor<rank>(shape, 1);
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(shape, sharing, count);
  std::vector<double> all;
  for (Index i = 0; i < x.size(); ++i)
    all.push_back(static_cast<double>(x.data()[i]) / 3.0);  // so that sums are rounded
  std::vector<std::vector<double>> terms(count);
  for (std::size_t i = 0; i < all.size(); ++i) terms[numbers[i]].push_back(all[i]);

  detail::ParamSums sums(param_map(G{}.info(), shape));
  for (Index first = 0; first < x.size(); first += piece) {
    const double* values = all.data() + first;
    sums.add(std::min(piece, x.size() - first), [values](Index i) { return values[i]; });
  }
  for (std::size_t p = 0; p < count; ++p) {
    const Index number = static_cast<Index>(p);
    ASSERT_EQ(sums.count(number), static_cast<Index>(terms[p].size()));
    ASSERT_EQ(bits_of(sums.sum(number)), bits_of(reference::blocked_sum(terms[p]))) << "parameter " << p;
  }
}

TEST(ParamSums, AreInTheDocumentedOrder) {
  for (const Index piece : {7, 2048, 100'000}) {
    expect_documented_order<PerTensor, 1>({20'011}, {Sharing::tensor}, piece);
    expect_documented_order<PerTensor, 1>({8192}, {Sharing::tensor}, piece);
    expect_documented_order<PerChannel<0>, 2>({3, 5003}, {Sharing::channel, 0}, piece);
    expect_documented_order<PerChannel<1>, 2>({4099, 5}, {Sharing::channel, 1}, piece);
    expect_documented_order<PerChannel<1>, 3>({200, 3, 25}, {Sharing::channel, 1}, piece);
    expect_documented_order<PerGroup<32>, 2>({9, 100}, {Sharing::group, 1, 32}, piece);
    expect_documented_order<PerGroup<8, 0>, 2>({21, 17}, {Sharing::group, 0, 8}, piece);
  }
}

}  // namespace
}  // namespace quanta::test
