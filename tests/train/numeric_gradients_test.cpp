// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The gradients of a small network against differences of its loss. Rounding has no useful derivative, so the
// differences are taken of the graph on which the straight-through estimator is exact: a level is clamp(u) plus what
// rounding added to it at the point itself, a constant. Everything there is in double.
#include "tests/train/oracle.hpp"

namespace quanta::test {
namespace {

using Values = std::vector<double>;

// A fake-quantized tensor (rows, columns) as the graph holds it.
struct Node {
  Values values, scales;
  Index columns;
  double low, high;
  Values rounding;  ///< what rounding adds to each clamped value

  template <class Fake>
  Node(const RowTensor<float, 2>& x, const Fake& fake)
      : values(x.data(), x.data() + x.size()),
        columns(x.dimension(1)),
        low(fake.quantizer().min_code()),
        high(fake.quantizer().max_code()) {
    for (Index p = 0; p < fake.scales().size(); ++p) scales.push_back(static_cast<double>(fake.scales()(p)));
  }

  const double& scale(std::size_t i) const { return scales[scales.size() == 1 ? 0 : i / usize(columns)]; }
  double clamped(std::size_t i) const { return std::min(std::max(values[i] / scale(i), low), high); }
  void hold_rounding() {
    rounding.clear();
    for (std::size_t i = 0; i < values.size(); ++i) {
      rounding.push_back(reference::half_even(clamped(i)) - clamped(i));
      // Differences must not step over an end of the codes.
      const double u = values[i] / scale(i);
      ASSERT_TRUE(values[i] == 0.0 || (std::fabs(u - low) > 1e-4 && std::fabs(u - high) > 1e-4));
    }
  }
  double operator()(std::size_t i) const { return scale(i) * (clamped(i) + rounding[i]); }
};

// (rows of a, rows of b): a times b transposed.
template <class A, class B>
Values product(const A& a, const B& b, Index m, Index n, Index k) {
  Values y(usize(m * n), 0.0);
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index c = 0; c < k; ++c) y[usize(i * n + j)] += a(usize(i * k + c)) * b(usize(j * k + c));
    }
  }
  return y;
}

constexpr Index kSamples = 5, kIn = 7, kHidden = 6, kOut = 4;

// loss = sum of gains * (fake(relu(x fake(w1)')) fake(w2)').
struct Graph {
  RowTensor<float, 2> x = random_tensor<2>({kSamples, kIn}, 1);
  RowTensor<float, 2> gains = random_tensor<2>({kSamples, kOut}, 2);
  Node w1, hidden, w2;

  void forward_hidden() {
    const auto input = [&](std::size_t i) { return static_cast<double>(x.data()[i]); };
    hidden.values = product(input, w1, kSamples, kHidden, kIn);
    for (double& v : hidden.values) v = std::max(v, 0.0);
  }
  double loss() {
    forward_hidden();
    const Values y = product(hidden, w2, kSamples, kOut, kHidden);
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * static_cast<double>(gains.data()[i]);
    return sum;
  }
  // By a change of one of the graph's own numbers.
  double difference(double& number) {
    const double step = 1e-6, at = number;
    number = at + step;
    const double more = loss();
    number = at - step;
    const double less = loss();
    number = at;
    return (more - less) / (2.0 * step);
  }
};

RowTensor<float, 2> tensor(const Values& values, Index rows, Index columns) {
  RowTensor<float, 2> result(rows, columns);
  for (Index i = 0; i < result.size(); ++i) result.data()[i] = static_cast<float>(values[usize(i)]);
  return result;
}

void expect_differences(Graph& graph, Values& numbers, const RowTensor<float, 2>& gradient) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(gradient.data()[i]), graph.difference(numbers[i]), 2e-5) << "element " << i;
  }
}

// `elements`: N of LSQ's factor, whose inverse makes the gradient that of the loss.
void expect_scale_differences(Graph& graph, Values& scales, const RowTensor<float, 1>& gradient, double elements,
                              double qmax) {
  for (std::size_t p = 0; p < scales.size(); ++p) {
    const double got = static_cast<double>(gradient(static_cast<Index>(p))) * std::sqrt(elements * qmax);
    EXPECT_NEAR(got, graph.difference(scales[p]), 1e-4) << "scale " << p;
  }
}

TEST(FakeQuantizeGradients, AreDifferencesOfALossWithRoundingHeld) {
  const RowTensor<float, 2> w1 = random_tensor<2>({kHidden, kIn}, 3), w2 = random_tensor<2>({kOut, kHidden}, 4);
  auto fake1 = FakeQuantize<Int<3>, PerChannel<0>>::learned(w1);
  fake1.set_scales(Eigen::VectorXf::LinSpaced(kHidden, 0.2f, 0.6f));  // some weights are beyond either end
  const auto fake2 = FakeQuantize<Int<2>>::learned(w2);
  const auto fake_hidden = FakeQuantize(AsymmetricQuantizer<UInt<3>>(0.4f), Role::activation);
  Graph graph{.w1 = Node(w1, fake1),
              .hidden = Node(random_tensor<2>({kSamples, kHidden}, 5), fake_hidden),
              .w2 = Node(w2, fake2)};
  graph.w1.hold_rounding();
  graph.w2.hold_rounding();
  graph.forward_hidden();
  graph.hidden.hold_rounding();

  // The graph is the library's own at this point.
  const RowTensor<float, 2> hidden = tensor(graph.hidden.values, kSamples, kHidden);
  const RowTensor<float, 2> y1 = fake1.forward(w1), y2 = fake2.forward(w2), y_hidden = fake_hidden.forward(hidden);
  for (std::size_t i = 0; i < graph.w1.values.size(); ++i) EXPECT_NEAR(graph.w1(i), y1.data()[i], 1e-6);
  for (std::size_t i = 0; i < graph.w2.values.size(); ++i) EXPECT_NEAR(graph.w2(i), y2.data()[i], 1e-6);
  for (std::size_t i = 0; i < graph.hidden.values.size(); ++i) EXPECT_NEAR(graph.hidden(i), y_hidden.data()[i], 1e-6);

  // Backwards by hand, with the library's part of it.
  const auto of = [](const RowTensor<float, 2>& t) {
    return [&t](std::size_t i) { return static_cast<double>(t.data()[i]); };
  };
  const auto transposed = [](const RowTensor<float, 2>& t) {
    return [&t](std::size_t i) {
      const Index rows = t.dimension(0), j = static_cast<Index>(i);
      return static_cast<double>(t(j % rows, j / rows));
    };
  };
  const RowTensor<float, 2> dy2 =
      tensor(product(transposed(graph.gains), transposed(y_hidden), kOut, kHidden, kSamples), kOut, kHidden);
  const auto gradients2 = fake2.backward(w2, dy2);
  expect_differences(graph, graph.w2.values, gradients2.x);
  expect_scale_differences(graph, graph.w2.scales, gradients2.scales, kOut * kHidden, 1.0);

  const RowTensor<float, 2> dy_hidden =
      tensor(product(of(graph.gains), transposed(y2), kSamples, kHidden, kOut), kSamples, kHidden);
  const auto gradients_hidden = fake_hidden.backward(hidden, dy_hidden);
  expect_scale_differences(graph, graph.hidden.scales, gradients_hidden.scales, kHidden, 7.0);

  RowTensor<float, 2> dh = gradients_hidden.x;
  for (Index i = 0; i < dh.size(); ++i) dh.data()[i] = hidden.data()[i] > 0.0f ? dh.data()[i] : 0.0f;
  const RowTensor<float, 2> dy1 =
      tensor(product(transposed(dh), transposed(graph.x), kHidden, kIn, kSamples), kHidden, kIn);
  const auto gradients1 = fake1.backward(w1, dy1);
  expect_differences(graph, graph.w1.values, gradients1.x);
  expect_scale_differences(graph, graph.w1.scales, gradients1.scales, kIn, 3.0);

  // All regions were met.
  int below = 0, above = 0;
  for (std::size_t i = 0; i < graph.w1.values.size(); ++i) {
    const double u = graph.w1.values[i] / graph.w1.scale(i);
    below += u < graph.w1.low ? 1 : 0;
    above += u > graph.w1.high ? 1 : 0;
  }
  EXPECT_GT(below, 0);
  EXPECT_GT(above, 0);
  EXPECT_LT(below + above, kHidden * kIn / 2);
}

}  // namespace
}  // namespace quanta::test
