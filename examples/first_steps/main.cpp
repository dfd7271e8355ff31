// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The README's snippets, line by line as they stand there (tests/legs/readme.sh compares them), with the least around
// them that makes them run, and a line of what comes out.
#define EIGEN_USE_THREADS  // for Eigen's thread pool, which a Context may borrow

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <quanta/integer.hpp>
#include <quanta/integer/network.hpp>  // needs neither Eigen nor floating point registers (-mgeneral-regs-only)
#include <quanta/io.hpp>
#include <quanta/io/emit_header.hpp>
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>
#include <quanta/train.hpp>

#include "../support/expect.hpp"

using examples::expect;
using Matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;
using Vector = Eigen::Tensor<float, 1, Eigen::RowMajor>;

namespace {

// Uniform between -1 and 1.
Matrix random_matrix(Eigen::Index rows, Eigen::Index columns) {
  const Eigen::MatrixXf values = Eigen::MatrixXf::Random(columns, rows);
  return Eigen::TensorMap<const Matrix>(values.data(), rows, columns);
}
Vector random_vector(Eigen::Index size) {
  const Eigen::VectorXf values = Eigen::VectorXf::Random(size);
  return Eigen::TensorMap<const Vector>(values.data(), size);
}

const Matrix weight = random_matrix(256, 784);  // (out, in)
const Vector bias = random_vector(256);
const Matrix batch = random_matrix(32, 784);  // (batch, in)
const std::vector<Matrix> batches = {batch, random_matrix(32, 784), random_matrix(16, 784)};

// The snippets are set by hand.
// clang-format off

void quantize_a_weight() {
using WeightQuantizer = quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>;
const auto quantizer = WeightQuantizer::fit(weight);                 // scales from the data's own range
const auto quantized = quantizer.quantize(weight);                   // QuantizedTensor<Int<8>, 2, PerChannel<0>>
const auto approx    = quantized.dequantize();                       // Eigen::Tensor<float, 2, RowMajor>
const auto error     = quanta::error_metrics(weight, approx);        // max_error mean_error mse snr_db cosine relative_error
quantized.codes();  quantized.params().scale(0);  quantized.params().zero_point(0);  quantized.bytes();
WeightQuantizer::fit(weight, {.full_range = true}).quantize(weight, {.rounding = quanta::Rounding::half_away});

  std::printf("a weight        %d bytes instead of %d, %.2f dB\n", static_cast<int>(quantized.bytes()),
              static_cast<int>(4 * weight.size()), error.snr_db);
  expect(quantized.bytes() == 256 * 784 + 256 * 4 && error.snr_db > 42.0, "a weight in int8");
}

void compare_formats() {
const auto formats = quanta::bit_width_table(weight, {quanta::choice<quanta::Int<8>>(), quanta::choice<quanta::NF4>(),
                                                      quanta::choice<quanta::Int<4>>(quanta::PerGroup<quanta::Dynamic>(32))});
std::puts(formats.text().c_str());                                   // bytes, bits per weight, SNR, largest error, cosine

  expect(formats.rows.size() == 3 && formats.rows[0].error.snr_db > formats.rows[1].error.snr_db, "a table of formats");
}

auto calibrate_an_activation() {
  quanta::MseCalibrator<> other;
  other.observe(random_matrix(16, 784));
quanta::MseCalibrator<> calibrator;                                  // MinMax, MovingAverage, Percentile, Mse, Entropy
for (const auto& b : batches) calibrator.observe(b);                 // any shape; nothing of the data is kept
calibrator.merge(other);                                             // exact: any split, any order, same result
const auto activation = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(calibrator);
const auto fake       = activation.fake_quantize(batch);             // quantize then dequantize, in float

  const double snr_db = quanta::error_metrics(batch, fake).snr_db;
  std::printf("an activation   scale %.5f, zero point %d, %.2f dB\n", static_cast<double>(activation.params().scale(0)),
              activation.params().zero_point(0), snr_db);
  expect(calibrator.sketch().sketch().count() == 96 * 784 && snr_db > 40.0, "an activation in uint8");
  return activation;
}

template <class Activation>
void integer_products(const Activation& activation) {
  const Eigen::Index m = 32, n = 256;
  const auto quantized = quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>::fit(weight).quantize(weight);
  const auto output_quantizer = quanta::SymmetricQuantizer<quanta::Int<8>>::fit(quanta::Range{-40.0f, 40.0f});
  const Eigen::Matrix<std::uint8_t, -1, -1> eigen_uint8_matrix = Eigen::Matrix<std::uint8_t, -1, -1>::Constant(m, 784, 5);
  Eigen::Matrix<std::int8_t, -1, -1> eigen_int8_matrix(m, n);
  Eigen::ThreadPool pool(2);
  Eigen::ThreadPoolDevice thread_pool_device(&pool, 2);
const auto x   = activation.quantize(batch);                         // QuantizedTensor<UInt<8>, 2>
const quanta::PackedRhs<quanta::Int<8>, quanta::PerChannel<0>> rhs = quanta::pack(quantized);   // once, for this unit's ISA
Eigen::Tensor<std::int32_t, 2, Eigen::RowMajor> acc(m, n);
quanta::gemm(x, rhs, acc);                                           // sum over k of (x - zero_x) * (w - zero_w), exact
quanta::gemm(eigen_uint8_matrix, quanta::ZeroPoint{3}, rhs, acc);    // plain Eigen integers serve as lhs too
Eigen::Tensor<float, 2, Eigen::RowMajor> y(m, n);
quanta::gemm(x, rhs, y, quanta::Dequantize{}, quanta::AddBias{bias}, quanta::Relu{});
const auto yq = quanta::gemm_requantized(x, rhs, output_quantizer, bias);           // int8 in, int8 out
quanta::Context context{thread_pool_device};                         // threads and scratch; reused, no allocation once warm
quanta::gemm(context, x, rhs, y, quanta::Dequantize{});              // same bits

const quanta::Requantize requantize(x.params().scale(0), rhs, output_quantizer, bias, quanta::Relu{});
quanta::gemm(context, x, rhs, eigen_int8_matrix, requantize);        // codes as of yq, but Relu's, into memory of yours

  const Matrix exact = quanta::Linear(weight)(batch);
  const double snr_db = quanta::error_metrics(exact, y).snr_db;
  std::printf("a product       %.2f dB by the kernel %s\n", snr_db, quanta::NativeKernel::name);
  expect(snr_db > 38.0, "a product of int8");
  expect(std::max<int>(yq.codes()(3, 7), 0) == eigen_int8_matrix(3, 7), "the codes of yq");
}

template <class Activation>
void layers(const Activation& activation) {
  const Matrix& table = weight;
quanta::DynamicLinear<>  fc1(weight, bias);                          // int8 weights; activations quantized per row at run time
quanta::StaticLinear<>   fc2(weight, bias, activation);              // activation parameters from calibration
quanta::WeightOnlyLinear<quanta::Int<4>, quanta::PerGroup<64>> fc3(weight, bias);   // float activations
quanta::Int8OutlierLinear<> fc4(weight, bias);                       // LLM.int8(): as fc1, but activations of 6 and more stay float
Eigen::Tensor<float, 2, Eigen::RowMajor> out = fc1(batch);           // or fc1(context, batch)
quanta::Embedding<quanta::Int<4>> words(table);                      // (rows, features); words(numbers) are those rows in float

  const Matrix exact = quanta::Linear(weight, bias)(batch);
  const double dynamic_db = quanta::error_metrics(exact, out).snr_db;
  const double static_db = quanta::error_metrics(exact, fc2(batch)).snr_db;
  const double int4_db = quanta::error_metrics(exact, fc3(batch)).snr_db;
  std::printf("layers          dynamic %.2f dB, static %.2f dB, weight-only int4 %.2f dB\n", dynamic_db, static_db, int4_db);
  expect(dynamic_db > 38.0 && static_db > 38.0 && int4_db > 18.0, "layers");
  expect(quanta::error_metrics(exact, fc4(batch)).snr_db > 38.0, "a layer of LLM.int8()");
  expect(words.packed_bytes() > 256 * 784 / 2, "an embedding");
}

void the_eigen_way() {
  const Eigen::MatrixXf dense_weight = Eigen::MatrixXf::Random(256, 784), X = Eigen::MatrixXf::Random(784, 32);
quanta::QuantizedMatrix W(dense_weight);                             // from any Eigen dense expression
Eigen::MatrixXf Y = W * X;                                           // X (in, batch); noalias(), +=, W * X + b work

  const double snr_db = quanta::error_metrics(Eigen::MatrixXf(dense_weight * X), Y).snr_db;
  std::printf("the Eigen way   %.2f dB\n", snr_db);
  expect(snr_db > 38.0, "the Eigen way");
}

void whole_models() {
  const Matrix &w1 = weight, w2 = random_matrix(10, 256);
  const Vector &b1 = bias, b2 = random_vector(10);
  const auto& calibration_batches = batches;
quanta::Sequential model{quanta::Linear{w1, b1}, quanta::Relu{}, quanta::Linear{w2, b2}};
auto dynamic = quanta::quantize_dynamic(model);
auto fixed   = quanta::quantize_static(model, calibration_batches, quanta::MseCalibrator<>{});
auto small   = quanta::quantize_weights<quanta::NF4>(model);        // or Int<4>, PerGroup<32>, or Bf16, ...
auto mixed   = quanta::replace_linears(model, [](const quanta::Linear& l) { return quanta::Int8OutlierLinear<>(l.weight(), l.bias()); });

std::puts(quanta::summary(fixed).text().c_str());                    // per layer: shape, format, granularity, parameters, bytes
const auto losses = quanta::compare(model, fixed, calibration_batches);
std::puts(losses.text().c_str());                                    // per layer: SNR and cosine, and the SNR of that layer alone

  const Matrix exact = model(batch);
  expect(quanta::error_metrics(exact, dynamic(batch)).snr_db > 35.0, "a dynamic model");
  expect(quanta::error_metrics(exact, fixed(batch)).snr_db > 30.0, "a static model");
  expect(quanta::error_metrics(exact, mixed(batch)).snr_db > 35.0, "a model of LLM.int8()");
  expect(quanta::error_metrics(exact, small(batch)).snr_db > 15.0, "a model in NF4");

  const auto quantized = quanta::SymmetricQuantizer<quanta::Int<4>, quanta::PerGroup<64>>::fit(weight).quantize(weight);
  quanta::TensorList list;
  list.add("fc1.weight", weight);
  list.add("fc1.bias", bias);
  list.add("w", quantized);
  quanta::save("others.safetensors", list);
quanta::save("mlp.safetensors", fixed);                              // all of it, or what was there before
auto again = quanta::load("mlp.safetensors");                        // same outputs, bit for bit

quanta::save("weight.safetensors", quantized);                       // codes at their true size
auto one = quanta::load_tensor("weight.safetensors");                // AnyQuantizedTensor

const auto file = quanta::Safetensors::open("others.safetensors");   // mapped; every size and offset in it is checked
quanta::Linear first(file.read<2>("fc1.weight"), file.read<1>("fc1.bias"));   // from F32, F64, F16 or BF16
const auto view = file.view<quanta::Int<4>, 2, quanta::PerGroup<64>>("w");     // in place: nothing is copied

  std::printf("files           %d bytes for the model, %s\n",
              static_cast<int>(std::filesystem::file_size("mlp.safetensors")), one.description().c_str());
  expect(quanta::error_metrics(fixed(batch), again(batch)).max_error == 0.0, "a model comes back as it was");
  expect(quanta::error_metrics(quantized.dequantize(), view.dequantize()).max_error == 0.0, "a tensor too");
  expect(first.out_features() == 256, "a layer from a file");
}

void classify(const quanta::integer::Network& network, const std::int8_t* image, std::int8_t* classes) {
  static std::int8_t scratch[1024];                                  // quanta::integer::scratch_size(network) at least
  quanta::integer::run(network, image, classes, scratch);
}

void integers_only() {
  const auto& calibration_batches = batches;
  const quanta::Sequential model{quanta::Linear{weight, bias}, quanta::Relu{}, quanta::Linear{random_matrix(10, 256), random_vector(10)}};
auto fixed = quanta::quantize_static(model, calibration_batches, quanta::MseCalibrator<>{}, quanta::IntegerOnly{});
auto y     = fixed(batch);                                           // floats in, floats out, and int8 between them
const auto x     = quanta::AsymmetricQuantizer<quanta::Int<8>>(fixed.input_params()).quantize(batch);
const auto codes = fixed.run(x.codes());                             // int8 in, int8 out: of fixed.output_params()
const quanta::IntegerNetwork arrays = fixed.network();               // arrays.network() is for integer::run

  std::int8_t classes[10];
  classify(arrays.network(), x.codes().data(), classes);
  expect(std::equal(classes, classes + 10, codes.data()), "plain arrays give the same codes");
  const double snr_db = quanta::error_metrics(model(batch), y).snr_db;
  std::printf("integers only   %.2f dB\n", snr_db);
  expect(snr_db > 25.0, "an integer-only model");
  {
std::ofstream file("digits.hpp");                                    // #include <quanta/io/emit_header.hpp>
quanta::emit_header(fixed, file, {.name = "digits"});                // digits::run(pixels, scores, workspace) gives the same bits
  }
  expect(std::filesystem::file_size("digits.hpp") > 100000, "a header");
}

void train() {
  const Matrix& gradient_of_used = weight;
  const Matrix hidden = quanta::Relu{}(batch);
  const auto stepped = [](const quanta::Tensor<float, 1>& scales, const quanta::Tensor<float, 1>& slopes) -> quanta::Tensor<float, 1> {
    return scales - 0.001f * slopes;
  };
using FakeWeight = quanta::FakeQuantize<quanta::Int<4>, quanta::PerChannel<0>>;
auto fake   = FakeWeight::learned(weight);                           // LSQ's first scales; or FakeQuantize(quantizer)
auto fake_x = quanta::FakeQuantize<quanta::UInt<4>>::learned(hidden, quanta::Role::activation);   // after a ReLU
const auto used      = fake.forward(weight);                         // what to multiply with, in float
const auto gradients = fake.backward(weight, gradient_of_used);      // .x, straight through, and .scales
fake.set_scales(stepped(fake.scales(), gradients.scales));           // by your optimizer; or leave them as they are
  const auto pixels = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(hidden);
quanta::StaticLinear<quanta::Int<4>> frozen(fake.quantizer().quantize(weight), bias, fake_x.quantizer());   // integers
quanta::IntegerBuilder builder(784, pixels);                         // or no floats between layers: a quantizer of the input,
builder.linear(fake.quantizer().quantize(weight), bias, fake_x.quantizer(), quanta::Relu{});   // and of each layer's output
const quanta::IntegerModel integers = builder.model();               // #include <quanta/integer.hpp>

  const double snr_db = quanta::error_metrics(weight, used).snr_db;
  std::printf("training        int4 weights in float, %.2f dB\n", snr_db);
  expect(snr_db > 12.0, "fake quantization");
  expect(quanta::error_metrics(quanta::Linear(fake.forward(weight), bias)(fake_x.forward(hidden)), frozen(hidden)).snr_db > 100.0, "the integers it ends in");
  const Matrix after = fake_x.forward(quanta::Relu{}(quanta::Linear(fake.forward(weight), bias)(hidden)));
  expect(quanta::error_metrics(after, integers(hidden)).snr_db > 15.0, "integers alone");
}

void questions() {
  using Bytes = Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic>;
  const Bytes eigen_int8_weight = Bytes::Constant(3, 300, -128), eigen_int8_lhs = Bytes::Constant(2, 300, -128);
  Eigen::MatrixXi sums(2, 3);
const quanta::QuantizedTensor<quanta::Int<8>, 2> b(eigen_int8_weight, quanta::QuantParams<quanta::PerTensor>(1.0f));   // (n, k)
const auto packed = quanta::pack(b);
quanta::gemm(eigen_int8_lhs, quanta::ZeroPoint{0}, packed, sums);    // sums(i, j), int32: sum over k of lhs(i, k) * b(j, k)

  expect(sums == Eigen::MatrixXi::Constant(2, 3, 128 * 128 * 300), "nothing saturates");

  using Codes = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic>;
  const Codes their_codes = Codes::Constant(256, 784, 9);
  const std::vector<float> scales(256 * 7, 0.5f);
  const std::vector<int> zero_points(256 * 7, 8);
const quanta::QuantParams<quanta::PerGroup<128>> their_params(scales, zero_points);    // one of each per row and group, row by row
const quanta::QuantizedTensor<quanta::UInt<4>, 2, quanta::PerGroup<128>> theirs(their_codes, their_params);
const quanta::WeightOnlyLinear<quanta::UInt<4>, quanta::PerGroup<128>> from_elsewhere(theirs, bias);

  const Matrix exact = quanta::Linear(Eigen::MatrixXf::Constant(256, 784, 0.5f), bias)(batch);
  expect(quanta::error_metrics(exact, from_elsewhere(batch)).snr_db > 100.0, "codes from elsewhere");
}

}  // namespace

int main() {
  // The snippets write files where the program runs: into a directory of its own, which goes again.
  const auto here = std::filesystem::current_path(), there = here / "first_steps_files";
  std::filesystem::create_directories(there);
  std::filesystem::current_path(there);
  quantize_a_weight();
  compare_formats();
  const auto activation = calibrate_an_activation();
  integer_products(activation);
  layers(activation);
  the_eigen_way();
  whole_models();
  integers_only();
  train();
  questions();
  std::filesystem::current_path(here);
  std::filesystem::remove_all(there);
}
