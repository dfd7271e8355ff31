// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/linear.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/quanta.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

Matrix weight(Index n, Index k) { return random_tensor<2>({n, k}, static_cast<std::uint64_t>(n * 100 + k)); }
Matrix batch(Index m, Index k) { return random_tensor<2>({m, k}, 99); }

/// A layer of the user's own: doubles every feature. Counts its copies.
struct Twice : CallableLayer<Twice> {
  std::shared_ptr<int> copies = std::make_shared<int>(0);
  Twice() = default;
  Twice(const Twice& other) : copies(other.copies) { ++*copies; }
  Twice(Twice&&) = default;
  Twice& operator=(const Twice&) = default;

  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    for (Index r = 0; r < x.extent(0); ++r) {
      for (Index i = 0; i < x.extent(1); ++i) {
        y.data()[r * y.stride(0) + i * y.stride(1)] = 2.0f * x.data()[r * x.stride(0) + i * x.stride(1)];
      }
    }
  }
  std::string name() const { return "Twice"; }
  Index packed_bytes() const { return 10; }
};

TEST(Sequential, IsItsLayersOneAfterTheOther) {
  const Linear first(weight(20, 30)), second(weight(10, 20)), third(weight(5, 10));
  const Sequential model{first, Relu{}, second, Relu{}, third};
  const Matrix x = batch(7, 30);
  const Matrix y = third(Relu{}(second(Relu{}(first(x)))));
  EXPECT_TRUE(same_bits(model(x), y));
  EXPECT_TRUE(same_bits(model(col_major(x)), y));
  Context context;
  EXPECT_TRUE(same_bits(model(context, x), y));
  EXPECT_TRUE(same_bits(model(context, x), y));
  EXPECT_EQ(model.size(), 5);
  EXPECT_EQ(model.output_size(30), 5);
}

// No layer writes where it still reads: neighbours of growing and of shrinking sizes.
TEST(Sequential, KeepsInputsAndOutputsOfALayerApart) {
  const Linear first(weight(20, 30)), second(weight(90, 20)), third(weight(70, 90)), fourth(weight(3, 70));
  const Matrix x = batch(7, 30);
  const Sequential model{first, second, third, fourth};
  EXPECT_TRUE(same_bits(model(x), fourth(third(second(first(x))))));
}

TEST(Sequential, TakesAVectorAsOneSample) {
  const Sequential model{Linear(weight(20, 30)), Relu{}};
  const Matrix x = batch(1, 30);
  const Eigen::VectorXf sample = Eigen::Map<const Eigen::VectorXf>(x.data(), 30);
  const Eigen::Tensor<float, 1, Eigen::RowMajor> y = model(sample);
  EXPECT_TRUE(same_bits(y, model(x)));
}

TEST(Sequential, WithoutLayersGivesBackItsInput) {
  const Sequential model;
  const Matrix x = batch(7, 30);
  EXPECT_EQ(model.size(), 0);
  EXPECT_TRUE(same_bits(model(x), x));
  EXPECT_TRUE(same_bits(model(col_major(x)), x));
}

TEST(Sequential, TakesABatchOfNone) {
  const Sequential model{Linear(weight(20, 30)), Relu{}, Linear(weight(10, 20))};
  const Matrix y = model(Matrix(0, 30));
  EXPECT_EQ(y.dimension(0), 0);
  EXPECT_EQ(y.dimension(1), 10);
}

TEST(Sequential, NestsInItself) {
  const Linear first(weight(20, 30)), second(weight(10, 20));
  const Sequential inner{first, Relu{}};
  const Sequential outer{inner, Sequential{second, Relu{}}};
  const Matrix x = batch(7, 30);
  EXPECT_EQ(outer.size(), 2);
  EXPECT_TRUE(same_bits(outer(x), Sequential(first, Relu{}, second, Relu{})(x)));
}

TEST(Sequential, OfOneSequentialIsACopyOfIt) {
  const Sequential model{Linear(weight(20, 30)), Relu{}};
  const Sequential copy{model};
  EXPECT_EQ(copy.size(), 2);
}

TEST(Sequential, CopiesDeeply) {
  const Twice twice;
  Sequential model{twice};
  const int before = *twice.copies;
  Sequential copy = model;
  EXPECT_EQ(*twice.copies, before + 1);
  EXPECT_NE(copy[0].target<Twice>(), model[0].target<Twice>());
  model.push_back(twice);
  EXPECT_EQ(copy.size(), 1);
  copy = Sequential{Relu{}};
  EXPECT_EQ(model[0].name(), "Twice");
  const Twice* held = model[0].target<Twice>();
  const Sequential moved = std::move(model);
  EXPECT_EQ(moved[0].target<Twice>(), held);
}

TEST(Sequential, TellsWhatItHolds) {
  const Sequential model{Linear(weight(20, 30)), Relu{}, Twice{}, Sequential{Relu{}}};
  ASSERT_NE(model[0].target<Linear>(), nullptr);
  EXPECT_EQ(model[0].target<Linear>()->in_features(), 30);
  EXPECT_EQ(model[0].target<Relu>(), nullptr);
  EXPECT_EQ(model[0].target<DynamicLinear<>>(), nullptr);
  EXPECT_NE(model[1].target<Relu>(), nullptr);
  EXPECT_NE(model[2].target<Twice>(), nullptr);
  EXPECT_NE(model[3].target<Sequential>(), nullptr);
  std::string names;
  for (const AnyLayer& layer : model) names += layer.name() + ' ';
  EXPECT_EQ(names, "Linear Relu Twice Sequential ");
  EXPECT_EQ(model.packed_bytes(), model[0].packed_bytes() + 10);
  EXPECT_EQ(model[0].packed_bytes(), model[0].target<Linear>()->packed_bytes());
}

TEST(Sequential, HoldsTheUsersLayers) {
  const Linear linear(weight(20, 30));
  const Matrix x = batch(7, 30);
  Matrix y = linear(x);
  for (Index i = 0; i < y.size(); ++i) y.data()[i] *= 2.0f;
  EXPECT_TRUE(same_bits(Sequential(linear, Twice{})(x), y));
  EXPECT_TRUE(same_bits(Twice{}(linear(x)), y));
}

TEST(Sequential, LayersThatDoNotFitAreRejected) {
  const Sequential model{Linear(weight(20, 30)), Relu{}, Linear(weight(10, 21))};
  EXPECT_ERROR(model(batch(7, 30)), "layer 2 (Linear): Linear: x has 20 features, expected 21");
  EXPECT_ERROR(model(batch(7, 29)), "layer 0 (Linear): Linear: x has 29 features, expected 30");
  EXPECT_ERROR(model.output_size(30), "layer 2 (Linear): ", "20 features");
  const Sequential outer{Relu{}, model};
  EXPECT_ERROR(outer(batch(7, 29)), "layer 1 (Sequential): layer 0 (Linear): Linear: x has 29 features");
}

/// A layer that finds out late.
struct Picky : CallableLayer<Picky> {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>& x, const TensorView<float, 2>&) const {
    detail::check(x.extent(0) == 3, "I take 3 rows, not ", x.extent(0));
  }
  std::string name() const { return "Picky"; }
  Index packed_bytes() const { return 0; }
};

TEST(Sequential, NamesTheLayerThatRefusesItsInput) {
  const Sequential model{Relu{}, Picky{}};
  EXPECT_ERROR(model(batch(7, 30)), "layer 1 (Picky): I take 3 rows, not 7");
  const Matrix x = batch(7, 30);
  Matrix y(7, 30);
  Context context;
  EXPECT_ERROR(model.forward(context, {x.data(), {7, 30}}, {y.data(), {7, 30}}), "layer 1 (Picky): I take 3 rows");
}

TEST(Sequential, NamesTheLayerThatCannotBeReplaced) {
  Matrix bad = weight(20, 30);
  bad(1, 2) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(quantize_dynamic(Sequential{Relu{}, Sequential{Relu{}, Linear(bad)}}),
               "layer 1 (Sequential): layer 1 (Linear): weight: element 32 (row-major) is nan");
}

TEST(Sequential, ALayerThatIsNotThereIsAnError) {
  const Sequential model{Relu{}};
  EXPECT_ERROR(model[1], "layer 1 of 1");
  EXPECT_ERROR(model[-1], "layer -1 of 1");
}

TEST(AnyLayer, CopiesAssignsAndMoves) {
  AnyLayer layer = Linear(weight(20, 30));
  const AnyLayer copy = layer;
  EXPECT_NE(copy.target<Linear>(), layer.target<Linear>());
  layer = Relu{};
  EXPECT_EQ(layer.name(), "Relu");
  EXPECT_EQ(copy.name(), "Linear");
  layer = copy;
  EXPECT_EQ(layer.output_size(30), 20);
  layer = *&layer;
  EXPECT_EQ(layer.output_size(30), 20);
}

TEST(Sequential, ForwardAllocatesNothingOnceWarm) {
  const Sequential nested{Linear(random_tensor<2>({9, 11}, 1)), Relu{}, DynamicLinear<>(random_tensor<2>({11, 9}, 2))};
  const Sequential model{Linear(random_tensor<2>({11, 7}, 3)), nested, Relu{}, Linear(random_tensor<2>({5, 11}, 4))};
  const RowTensor<float, 2> x = random_tensor<2>({13, 7}, 5);
  RowTensor<float, 2> y(13, 5);
  const TensorView<const float, 2> in(x.data(), {13, 7});
  const TensorView<float, 2> out(y.data(), {13, 5});
  Context context;
  model.forward(context, in, out);
  const RowTensor<float, 2> first = y;
  const std::int64_t before = allocations().count;
  model.forward(context, in, out);
  EXPECT_EQ(allocations().count, before);
  EXPECT_TRUE(same_bits(y, first));
}

}  // namespace
}  // namespace quanta::test
