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

TEST(Sequential, RefusesDataThatDoesNotFit) {
  const Sequential model{Linear(weight(20, 30)), Relu{}, Linear(weight(10, 20))};
  EXPECT_ERROR_BEGINS(model(batch(7, 29)), "layer 0 (Linear): x has 29 features, expected 30");
  EXPECT_ERROR_BEGINS(model.output_size(31), "layer 0 (Linear): x has 31 features, expected 30");
  const Sequential outer{Relu{}, model};
  EXPECT_ERROR_BEGINS(outer(batch(7, 29)), "layer 1 (Sequential): layer 0 (Linear): x has 29 features, expected 30");
}

TEST(Sequential, RefusesLayersThatDoNotFitWhenTheyAreAdded) {
  EXPECT_ERROR_BEGINS((Sequential{Linear(weight(20, 30)), Relu{}, Linear(weight(10, 21))}),
                      "layer 2 (Linear): x has 20 features, expected 21; layer 1 (Relu) gives 20");
  Sequential model{Relu{}, DynamicLinear<>(weight(20, 30))};
  const auto refused = [&](const AnyLayer& layer, const std::string& message) {
    EXPECT_ERROR_BEGINS(model.push_back(layer), message + "; layer 1 (DynamicLinear) gives 20");
    EXPECT_EQ(model.size(), 2);
    EXPECT_EQ(model.output_size(30), 20);
  };
  const RowTensor<float, 1> ones = random_tensor<1>({21}, 1);
  refused(WeightOnlyLinear<Int<4>>(weight(10, 21)), "layer 2 (WeightOnlyLinear): x has 20 features, expected 21");
  refused(Int8OutlierLinear<>(weight(10, 19)), "layer 2 (Int8OutlierLinear): x has 20 features, expected 19");
  refused(LayerNorm(ones, ones), "layer 2 (LayerNorm): x has 20 features, expected 21");
  // In nested models, whose first layers take anything.
  refused(Sequential{Relu{}, Sequential{Linear(weight(10, 21))}},
          "layer 2 (Sequential): layer 1 (Sequential): layer 0 (Linear): x has 20 features, expected 21");
  model.push_back(Linear(weight(10, 20)));
  EXPECT_EQ(model.out_features(), 10);
}

/// Twice as many features as there were: what it gives depends on what it takes, so it has no out_features().
struct Doubled : CallableLayer<Doubled> {
  Index output_size(Index features) const { return 2 * features; }
  void forward(Context&, const TensorView<const float, 2>&, const TensorView<float, 2>&) const {}
  std::string name() const { return "Doubled"; }
  Index packed_bytes() const { return 0; }
};

/// Three features, whatever comes.
struct ThreeOf : Doubled {
  Index output_size(Index) const { return 3; }
  int out_features() const { return 3; }
};

TEST(Sequential, KnowsWhatItGivesFromTheFirstLayerOnThatTells) {
  EXPECT_EQ(Sequential{}.out_features(), std::nullopt);
  EXPECT_EQ((Sequential{Relu{}, Doubled{}}.out_features()), std::nullopt);
  EXPECT_EQ((Sequential{Doubled{}, Linear(weight(20, 30)), Relu{}}.out_features()), 20);
  EXPECT_EQ((Sequential{Linear(weight(20, 30)), Doubled{}, Sequential{Doubled{}}}.out_features()), 80);
  EXPECT_EQ((Sequential{Sequential{Doubled{}, Linear(weight(20, 30))}, Doubled{}}.out_features()), 40);
  EXPECT_EQ((Sequential{ThreeOf{}, Doubled{}, Linear(weight(20, 6))}.out_features()), 20);
  EXPECT_ERROR_BEGINS((Sequential{ThreeOf{}, Doubled{}, Linear(weight(20, 3))}),
                      "layer 2 (Linear): x has 6 features, expected 3; layer 1 (Doubled) gives 6");
  EXPECT_ERROR_BEGINS((Sequential{Sequential{Relu{}, Linear(weight(20, 30))}, Linear(weight(5, 21))}),
                      "layer 1 (Linear): x has 20 features, expected 21; layer 0 (Sequential) gives 20");
}

// Nothing is known of what a layer of the user's takes: only data can show it.
TEST(Sequential, LeavesLayersThatDoNotTellUntilDataComes) {
  const Sequential model{Doubled{}, Linear(weight(20, 30))};
  EXPECT_EQ(model.output_size(15), 20);
  EXPECT_ERROR_BEGINS(model.output_size(30), "layer 1 (Linear): x has 60 features, expected 30");
}

TEST(Sequential, IsEmptyOnceItsLayersAreMovedAway) {
  Sequential model{Linear(weight(20, 30))};
  const Sequential moved = std::move(model);
  model = Sequential{};
  model.push_back(Linear(weight(5, 21)));
  EXPECT_EQ(model.out_features(), 5);
  EXPECT_EQ(moved.out_features(), 20);
}

/// A layer that finds out late.
struct Picky : CallableLayer<Picky> {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>& x, const TensorView<float, 2>&) const {
    detail::check(x.extent(0) == 3, "Picky: I take 3 rows, not ", x.extent(0));
  }
  std::string name() const { return "Picky"; }
  Index packed_bytes() const { return 0; }
};

TEST(Sequential, NamesTheLayerThatRefusesItsInput) {
  const Sequential model{Relu{}, Picky{}};
  EXPECT_ERROR_BEGINS(model(batch(7, 30)), "layer 1 (Picky): I take 3 rows, not 7");
  const Matrix x = batch(7, 30);
  Matrix y(7, 30);
  Context context;
  EXPECT_ERROR(model.forward(context, {x.data(), {7, 30}}, {y.data(), {7, 30}}), "layer 1 (Picky): I take 3 rows");
}

TEST(Sequential, NamesTheLayerThatCannotBeReplaced) {
  Matrix bad = weight(20, 30);
  bad(1, 2) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(quantize_dynamic(Sequential{Relu{}, Sequential{Relu{}, Linear(bad)}}),
               "layer 1 (Sequential): layer 1 (Linear): DynamicLinear: weight: element 32 (row-major) is nan");
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
