// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The portable evaluation of a network of integers against its definition.
#include <gtest/gtest.h>

#include <quanta/integer/network.hpp>

#include "tests/support/integer_networks.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

void expect_as_defined(const IntegerNetwork& owner, Index rows, Random& random) {
  const integer::Network network = owner.network();
  const Codes x = random_codes(rows * network.inputs, random), y = run_portably(network, x, rows);
  for (Index r = 0; r < rows; ++r) {
    const Codes row(x.begin() + r * network.inputs, x.begin() + (r + 1) * network.inputs);
    const Codes expected = network_by_definition(network, row);
    ASSERT_EQ(expected, Codes(y.begin() + r * network.outputs, y.begin() + (r + 1) * network.outputs)) << "row " << r;
  }
}

TEST(IntegerRun, IsTheDefinitionForEveryKindOfLayer) {
  Random random(1);
  for (int i = 0; i < scaled(60, 10); ++i) {
    for (const char* kinds : {"l", "d", "t", "s"}) {
      const Index inputs = random.between(1, 90), outputs = random.between(1, 60);
      expect_as_defined(random_network(inputs, kinds, {outputs}, random), 3, random);
    }
  }
}

TEST(IntegerRun, IsTheDefinitionForWholeNetworks) {
  Random random(2);
  for (int i = 0; i < scaled(30, 5); ++i) {
    const auto width = [&] { return Index{random.between(1, 70)}; };
    expect_as_defined(random_network(width(), "ltdls", {width(), width(), width()}, random), 4, random);
    expect_as_defined(random_network(width(), "tsl", {width()}, random), 4, random);
  }
}

TEST(IntegerRun, GivesItsInputWithoutLayersAndTheBiasWithoutInputs) {
  Random random(3);
  expect_as_defined(IntegerNetwork(9), 2, random);
  expect_as_defined(IntegerNetwork(0), 2, random);
  expect_as_defined(random_network(0, "l", {40}, random), 2, random);
  expect_as_defined(random_network(5, "ll", {0, 7}, random), 2, random);
  expect_as_defined(random_network(0, "ts", {}, random), 2, random);
}

TEST(IntegerRun, NeedsScratchForTheWidestLayerWithin) {
  Random random(4);
  EXPECT_EQ(integer::scratch_size(random_network(30, "l", {90}, random).network()), 0);
  EXPECT_EQ(integer::scratch_size(random_network(30, "tl", {90}, random).network()), 60);
  EXPECT_EQ(integer::scratch_size(random_network(30, "ltll", {40, 50, 90}, random).network()), 100);
}

// Every sum, finished or not, of extreme codes and a bias at the limit is in int32: sanitizers watch.
TEST(IntegerRun, ReachesTheEndsOfInt32) {
  constexpr Index kInputs = 1000;
  IntegerNetwork::Linear linear{Buffer<std::int8_t>(2 * kInputs, std::int8_t{127}),
                                Buffer<std::int32_t>(2),
                                Buffer<std::int32_t>(2, 1 << 30),
                                Buffer<std::int32_t>(2, -23),
                                0,
                                -128,
                                127,
                                false};
  linear.bias[0] = INT32_MAX - 127 * 127 * kInputs;
  linear.bias[1] = INT32_MIN + 128 * 127 * kInputs;
  IntegerNetwork network(kInputs);
  network.add_linear(std::move(linear));
  const Codes most = run_portably(network.network(), Codes(kInputs, 127), 1);
  const Codes least = run_portably(network.network(), Codes(kInputs, -128), 1);
  EXPECT_EQ(most[0], 127);  // 2^31 * 2^-24 saturates
  EXPECT_EQ(least[1], -128);
  EXPECT_EQ(network_by_definition(network.network(), Codes(kInputs, 127)), most);
  EXPECT_EQ(network_by_definition(network.network(), Codes(kInputs, -128)), least);
}

TEST(IntegerRun, RoundsSharesOfSoftmaxHalfToEven) {
  IntegerNetwork network(512);
  network.add_softmax(Buffer<std::int32_t>(256, 1000));
  EXPECT_EQ(run_portably(network.network(), Codes(512, 5), 1), Codes(512, -128));  // 1/2 becomes 0
  Buffer<std::int32_t> exponentials(256, 0);
  exponentials[0] = 509;
  exponentials[1] = 3;  // of 512 in all: 3/2 becomes 2
  IntegerNetwork pair(2);
  pair.add_softmax(std::move(exponentials));
  EXPECT_EQ(run_portably(pair.network(), {7, 6}, 1), (Codes{126, -126}));       // 254.5 becomes 254
  EXPECT_EQ(run_portably(pair.network(), {-128, 127}, 1), (Codes{-128, 127}));  // all of it is 255, not 256
}

}  // namespace
}  // namespace quanta::test
