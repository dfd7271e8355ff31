// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Static and weight-only models: what calibration is shown, and that the model is made of it.
#include <list>
#include <memory>

#include <quanta/layers/integer_only.hpp>
#include <quanta/quanta.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/counting_kernel.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

template <class F = Int<8>, class G = PerChannel<0>, class K = NativeKernel>
const StaticLinear<F, G, K>& static_layer(const Sequential& model, int which) {
  if (which == 1) return *model[1].target<StaticLinear<F, G, K>>();
  return *(*model[0].target<Sequential>())[0].target<StaticLinear<F, G, K>>();
}

/// A calibrator of the user's own. All copies write down what they are shown in one list.
struct WritingCalibrator {
  using GranularityType = PerTensor;
  struct Seen {
    Index rows, columns;
    float first;
  };
  std::shared_ptr<std::vector<Seen>> seen = std::make_shared<std::vector<Seen>>();
  Index mine = 0;

  template <RealObject X>
  void observe(const X& x) {
    seen->push_back({x.dimension(0), x.dimension(1), x(0, 0)});
    ++mine;
  }
  void merge(const WritingCalibrator&) {}
  Index channels() const { return mine == 0 ? 0 : 1; }
  /// [0, how often this copy was asked to observe].
  template <class Quantizer>
  Range range(Index = 0, const typename Quantizer::FitOptions& = {}) const {
    return {0.0f, static_cast<float>(mine)};
  }
};

/// A layer of the user's own that does nothing but count.
struct CountingLayer : CallableLayer<CountingLayer> {
  std::shared_ptr<std::vector<Index>> rows = std::make_shared<std::vector<Index>>();

  Index output_size(Index features) const { return features; }
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    rows->push_back(x.extent(0));
    Sequential{}.forward(context, x, y);
  }
  std::string name() const { return "CountingLayer"; }
  Index packed_bytes() const { return 0; }
};

TEST(QuantizeStatic, ShowsEveryLinearEveryBatchOnce) {
  const CountingLayer front, back;
  Sequential model{front};
  for (const AnyLayer& layer : float_model()) model.push_back(layer);
  model.push_back(Sequential{back});
  const std::vector<Matrix> batches = batches_of({7, 52, 1});
  const WritingCalibrator calibrator;
  const Sequential fixed = quantize_static(model, batches, calibrator);
  ASSERT_EQ(calibrator.seen->size(), 6u);
  EXPECT_EQ(calibrator.mine, 0);  // the one given sees nothing, copies do
  for (std::size_t b = 0; b < 3; ++b) {
    const Matrix hidden = Relu{}(Linear(kWeight1, kBias1)(batches[b]));
    const auto &first = (*calibrator.seen)[2 * b], &second = (*calibrator.seen)[2 * b + 1];
    EXPECT_EQ(first.rows, batches[b].dimension(0));
    EXPECT_EQ(first.columns, 50);
    EXPECT_EQ(first.first, batches[b](0, 0));
    EXPECT_EQ(second.rows, batches[b].dimension(0));
    EXPECT_EQ(second.columns, 40);
    EXPECT_EQ(bits_of(second.first), bits_of(hidden(0, 0)));
  }
  EXPECT_EQ(*front.rows, (std::vector<Index>{7, 52, 1}));
  EXPECT_EQ(*back.rows, (std::vector<Index>{7, 52, 1}));
  const Sequential* nested = fixed[1].target<Sequential>();
  EXPECT_EQ((*nested)[0].target<StaticLinear<>>()->activation().scale, 3.0f / 255.0f);
  EXPECT_EQ(fixed[2].target<StaticLinear<>>()->activation().scale, 3.0f / 255.0f);
}

TEST(QuantizeStatic, ReplacesEveryLinearAndNothingElse) {
  const Sequential model = float_model();
  const Sequential fixed = quantize_static(model, batches_of({60}), MinMaxCalibrator<>{});
  ASSERT_EQ(fixed.size(), 3);
  const Sequential* inner = fixed[0].target<Sequential>();
  ASSERT_NE(inner, nullptr);
  EXPECT_NE((*inner)[0].target<StaticLinear<>>(), nullptr);
  EXPECT_NE((*inner)[1].target<Relu>(), nullptr);
  EXPECT_NE(fixed[1].target<StaticLinear<>>(), nullptr);
  EXPECT_NE(fixed[2].target<Relu>(), nullptr);
  EXPECT_NE(model[1].target<Linear>(), nullptr);  // the model is as it was
}

// Layer by layer by hand, for all ways to quantize that the template has.
template <class F, class G, class Activation, class C>
void expect_as_by_hand(const C& empty, G granularity = G{}) {
  const std::vector<Matrix> batches = batches_of({20, 30, 10});
  C first = empty, second = empty;
  for (const Matrix& batch : batches) {
    first.observe(batch);
    second.observe(Relu{}(Linear(kWeight1, kBias1)(batch)));
  }
  const StaticLinear<F, G> one(kWeight1, kBias1, Activation::fit(first), granularity);
  const StaticLinear<F, G> two(kWeight2, kBias2, Activation::fit(second), granularity);
  const Sequential fixed = quantize_static<F, G, Activation>(float_model(), batches, empty, granularity);
  const Matrix x = random_tensor<2>({9, 50}, 6, 1.5f);
  EXPECT_TRUE(same_bits(fixed(x), Relu{}(two(Relu{}(one(x))))));
  EXPECT_EQ((static_layer<F, G>(fixed, 1).activation().scale), two.activation().scale);
  EXPECT_GT(error_metrics(float_model()(kData), fixed(kData)).snr_db, 10.0);
}

TEST(QuantizeStatic, ComputesWhatTheLayersByHandCompute) {
  using Default = AsymmetricQuantizer<UInt<8>>;
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(MinMaxCalibrator<>{});
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(MovingAverageCalibrator<>{});
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(MovingAverageCalibrator<>{0.5f});
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(PercentileCalibrator<>{});
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(MseCalibrator<>{});
  expect_as_by_hand<Int<8>, PerChannel<0>, Default>(EntropyCalibrator<>{});
  expect_as_by_hand<Int<8>, PerTensor, SymmetricQuantizer<Int<8>>>(MseCalibrator<>{});
  expect_as_by_hand<Int<4>, PerGroup<16>, AsymmetricQuantizer<Int<8>>>(EntropyCalibrator<>{});
  expect_as_by_hand<Int<4>, PerGroup<Dynamic>, Default>(MinMaxCalibrator<>{}, PerGroup<Dynamic>(16));
}

template <class C>
class OrderFree : public testing::Test {};
using OrderFreeCalibrators =
    testing::Types<MinMaxCalibrator<>, PercentileCalibrator<>, MseCalibrator<>, EntropyCalibrator<>>;
TYPED_TEST_SUITE(OrderFree, OrderFreeCalibrators);

TYPED_TEST(OrderFree, CalibratorsGiveTheSameModelForAnySplit) {
  const Sequential whole = quantize_static(float_model(), batches_of({60}), TypeParam{});
  const Matrix x = random_tensor<2>({30, 50}, 7), y = whole(x);
  const auto expect_same = [&](const Sequential& fixed) {
    EXPECT_TRUE(same_bits(fixed(x), y));
    for (const int which : {0, 1}) {
      const ActivationParams got = static_layer(fixed, which).activation();
      const ActivationParams want = static_layer(whole, which).activation();
      EXPECT_EQ(bits_of(got.scale), bits_of(want.scale));
      EXPECT_EQ(got.zero_point, want.zero_point);
    }
  };
  expect_same(quantize_static(float_model(), batches_of({30, 30}), TypeParam{}));
  expect_same(quantize_static(float_model(), batches_of({1, 2, 3, 0, 13, 41}), TypeParam{}));
  std::vector<Matrix> backwards = batches_of(std::vector<Index>(60, 1));
  std::reverse(backwards.begin(), backwards.end());
  expect_same(quantize_static(float_model(), backwards, TypeParam{}));
}

TEST(QuantizeStatic, RunsLayersThatAreQuantizedAlreadyAndLeavesThem) {
  const DynamicLinear<> dynamic(kWeight1, kBias1);
  const Sequential model{dynamic, Relu{}, Linear(kWeight2, kBias2)};
  const Sequential fixed = quantize_static(model, batches_of({60}), MinMaxCalibrator<>{});
  EXPECT_NE(fixed[0].target<DynamicLinear<>>(), nullptr);
  MinMaxCalibrator<> hidden;
  hidden.observe(Relu{}(dynamic(kData)));
  EXPECT_EQ(fixed[2].target<StaticLinear<>>()->activation().scale,
            AsymmetricQuantizer<UInt<8>>::fit(hidden).params().scale(0));
}

TEST(QuantizeStatic, CopiesDeeply) {
  const Matrix x = random_tensor<2>({9, 50}, 9);
  Sequential copy;
  Matrix y;
  {
    const Sequential fixed = quantize_static(float_model(), batches_of({60}), MinMaxCalibrator<>{});
    copy = fixed;
    y = fixed(x);
    EXPECT_NE(&static_layer(copy, 1), &static_layer(fixed, 1));
    EXPECT_NE(static_layer(copy, 1).weights().panel(0), static_layer(fixed, 1).weights().panel(0));
  }
  EXPECT_TRUE(same_bits(copy(x), y));
}

// An activation without features has no range; any quantizer does for it.
TEST(QuantizeStatic, TakesLayersWithoutInputsOrOutputs) {
  const Matrix x = random_tensor<2>({4, 3}, 5);
  const Sequential ends{Linear(Matrix(0, 3))}, between{Linear(Matrix(0, 3)), Relu{}, Linear(Matrix(2, 0))},
      begins{Linear(Matrix(2, 0)), Relu{}};
  const auto expect_zeros = [](const Matrix& y, Index columns) {
    EXPECT_EQ(y.dimension(0), 4);
    EXPECT_EQ(y.dimension(1), columns);
    for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(y.data()[i], 0.0f);
  };
  const auto expect_works = [&](const Sequential& model, const Matrix& batch, Index columns) {
    const std::vector<Matrix> batches = {batch};
    expect_zeros(quantize_static(model, batches, MinMaxCalibrator<>{})(batch), columns);
    expect_zeros(quantize_static(model, batches, EntropyCalibrator<>{}, IntegerOnly{})(batch), columns);
  };
  expect_works(ends, x, 0);
  expect_works(between, x, 2);
  expect_works(begins, Matrix(4, 0), 2);
}

TEST(QuantizeStatic, RejectsDataThatIsNoneOrDoesNotFit) {
  const MinMaxCalibrator<> calibrator;
  const std::vector<Matrix> none, empty = {Matrix(0, 50)}, narrow = {Matrix(kData), random_tensor<2>({3, 49}, 10)};
  EXPECT_ERROR(quantize_static(float_model(), none, calibrator), "quantize_static", "no samples");
  EXPECT_ERROR(quantize_static(float_model(), empty, calibrator), "quantize_static", "no samples");
  EXPECT_ERROR(quantize_static(float_model(), narrow, calibrator), "quantize_static: batch 1", "layer 0 (Linear)",
               "49 features", "50");
  EXPECT_ERROR_BEGINS(
      quantize_static(Sequential{LayerNorm(kBias1, kBias1), Linear(kWeight2)}, narrow, calibrator),
      detail::text("quantize_static: batch 0: layer 0 (LayerNorm): x has 50 features, expected ", kBias1.size()));
  std::vector<Matrix> bad = {kData};
  bad[0](3, 4) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(quantize_static(float_model(), bad, calibrator), "quantize_static: batch 0", "layer 0 (Linear)",
               "nan as element 154");
  // Finite data whose product overflows: the layer that sees it is named, in nested Sequentials too.
  std::vector<Matrix> huge = {kData, Matrix(kData)};
  huge[1].setConstant(3e38f);
  EXPECT_ERROR(quantize_static(float_model(), huge, calibrator), "quantize_static: batch 1", "layer 2 (Linear)", "inf");
}

TEST(QuantizeStatic, NamesALayerThatIsNotFiniteAndNotTheDataItGives) {
  const auto refused = [](const Matrix& weight, const Vector& bias, const char* what) {
    const Sequential model{Sequential{Linear(weight, bias), Relu{}}, Linear(kWeight2, kBias2)};
    EXPECT_ERROR_BEGINS(quantize_static(model, batches_of({60}), MinMaxCalibrator<>{}),
                        "quantize_static: layer 0 (Linear): " + std::string(what));
    EXPECT_ERROR_BEGINS(quantize_static(model, batches_of({60}), MinMaxCalibrator<>{}, IntegerOnly{}),
                        "quantize_static: layer 0 (Linear): " + std::string(what));
  };
  Matrix weight = kWeight1;
  weight(2, 3) = std::numeric_limits<float>::quiet_NaN();
  refused(weight, kBias1, "weight: element 103 (row-major) is nan");
  Vector bias = kBias1;
  bias(4) = -std::numeric_limits<float>::infinity();
  refused(kWeight1, bias, "bias: element 4 (row-major) is -inf");
}

TEST(QuantizeStatic, NeedsNoDataWhereThereIsNothingToCalibrate) {
  const std::vector<Matrix> none;
  EXPECT_EQ(quantize_static(Sequential{}, none, MinMaxCalibrator<>{}).size(), 0);
  EXPECT_EQ(quantize_static(Sequential{Relu{}, Sequential{}}, none, EntropyCalibrator<>{}).size(), 2);
}

TEST(QuantizeStatic, MultipliesIntegersAlone) {
  using Kernel = CountingKernel<PortableKernel<4, 8, 4, std::uint8_t, std::int8_t>>;
  using Default = AsymmetricQuantizer<UInt<8>>;
  const auto fixed =
      quantize_static<Int<8>, PerChannel<0>, Default, Kernel>(float_model(), batches_of({60}), MinMaxCalibrator<>{});
  const Matrix x = random_tensor<2>({17, 50}, 11);
  integer_multiply_adds = 0;
  const Matrix y = fixed(x);
  EXPECT_EQ(integer_multiply_adds.load(),
            expected_multiply_adds<Kernel>(17, 40, 50, 50) + expected_multiply_adds<Kernel>(17, 10, 40, 40));
  EXPECT_TRUE(same_bits(y, quantize_static(float_model(), batches_of({60}), MinMaxCalibrator<>{})(x)));
}

TEST(Snippets, CalibrateAModel) {
  const Sequential model = float_model();
  const std::vector<Matrix> calibration_batches = batches_of({30, 30});
  // clang-format off
  auto fixed   = quanta::quantize_static(model, calibration_batches, quanta::EntropyCalibrator<>{});
  // clang-format on
  EXPECT_GT(error_metrics(model(kData), fixed(kData)).snr_db, 25.0);
  EXPECT_LT(fixed.packed_bytes() * 2, model.packed_bytes());
}

TEST(QuantizeStatic, RefusesACalibratorThatHasSeenData) {
  const RowTensor<float, 2> weight = random_tensor<2>({3, 4}, 1), batch = random_tensor<2>({5, 4}, 2);
  const Sequential model{Linear(weight)};
  MinMaxCalibrator<> calibrator;
  calibrator.observe(batch);
  const std::vector<RowTensor<float, 2>> batches = {batch};
  EXPECT_ERROR(quantize_static(model, batches, calibrator), "quantize_static", "has seen data");
}

}  // namespace
}  // namespace quanta::test
