// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// oneDNN 2 (Debian: libdnnl-dev): its matmul primitive, which chooses the order of its weights itself. Before version 3
// output scales apply to acc + bias, so the bias is given in their terms. It quantizes nothing at run time.
#include <dlfcn.h>

#include <array>
#include <dnnl.hpp>
#include <unordered_map>

#include "peer.hpp"

namespace bench {
namespace {

using dnnl::memory;

template <class T>
constexpr memory::data_type kType = std::is_same_v<T, float>          ? memory::data_type::f32
                                    : std::is_same_v<T, std::int32_t> ? memory::data_type::s32
                                                                      : memory::data_type::u8;

template <class T>
class OneDnnProduct final : public ProductOf<T> {
 public:
  OneDnnProduct(const Problem& problem, const dnnl::engine& engine, const dnnl::stream& stream)
      : ProductOf<T>(problem, problem.form), stream_(stream), bias_(problem.weights->bias) {
    const auto [m, k, n] = std::array<Index, 3>{problem.size.m, problem.size.k, problem.size.n};
    const auto s8 = memory::data_type::s8;
    const memory::desc lhs({m, k}, problem.signed_lhs ? s8 : memory::data_type::u8, memory::format_tag::ab);
    const memory::desc rhs({k, n}, s8, memory::format_tag::any), dst({m, n}, kType<T>, memory::format_tag::ab);
    const memory::desc bias({1, n}, memory::data_type::f32, memory::format_tag::ab);

    dnnl::primitive_attr attributes;
    if (problem.zero_x != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {problem.zero_x});
    if (problem.zero_w != 0) attributes.set_zero_points(DNNL_ARG_WEIGHTS, 0, {problem.zero_w});
    const bool staged = problem.form != Form::kInt32;
    if (staged) {
      std::vector<float> scales;
      for (Index j = 0; j < n; ++j) {
        bias_[j] /= problem.scale(j);
        scales.push_back(problem.scale(j) / (problem.form == Form::kCodes ? problem.scale_out : 1.0f));
      }
      attributes.set_output_scales(1 << 1, scales);
      dnnl::post_ops then;
      then.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      attributes.set_post_ops(then);
    }
    const dnnl::matmul::primitive_desc description(
        staged ? dnnl::matmul::desc(lhs, rhs, bias, dst) : dnnl::matmul::desc(lhs, rhs, dst), attributes, engine);
    product_ = dnnl::matmul(description);

    memory packed(description.weights_desc(), engine);
    memory stored({{k, n}, s8, memory::format_tag::ba}, engine,
                  const_cast<std::int8_t*>(problem.weights->codes.data()));
    dnnl::reorder(stored, packed).execute(stream_, stored, packed);
    stream_.wait();
    arguments_ = {{DNNL_ARG_SRC, memory(lhs, engine, const_cast<std::uint8_t*>(problem.codes.data()))},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, memory(dst, engine, this->results_.data())}};
    if (staged) arguments_.insert({DNNL_ARG_BIAS, memory(bias, engine, bias_.data())});
  }

  void run() override {
    product_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::stream stream_;
  Eigen::VectorXf bias_;
  dnnl::matmul product_;
  std::unordered_map<int, memory> arguments_;
};

class OneDnnPeer final : public Peer {
 public:
  OneDnnPeer() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}
  std::string name() const override { return "oneDNN"; }
  std::string version() const override {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    if (problem.form == Form::kDynamic) return nullptr;
    return with_result_type(problem.form, [&]<class T>(T) -> std::unique_ptr<Product> {
      return std::make_unique<OneDnnProduct<T>>(problem, engine_, stream_);
    });
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
};

}  // namespace

std::unique_ptr<Peer> make_onednn(const Threads& threads) {
  // Debian's build runs on OpenMP, which this program itself does without.
  if (void* set = dlsym(RTLD_DEFAULT, "omp_set_num_threads")) reinterpret_cast<void (*)(int)>(set)(threads.count);
  return std::make_unique<OneDnnPeer>();
}

}  // namespace bench
