// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which libraries this program was built with. QUANTA_BENCH_<LIBRARY> comes from CMakeLists.txt.
#include "low_bit_peer.hpp"
#include "peer.hpp"

namespace bench {

PeerList find_peers(const Threads& threads) {
  PeerList list;
  const auto add = [&](const char* name, auto make) {
    auto peer = make(threads);
    if (peer != nullptr) {
      list.found.push_back(std::move(peer));
    } else {
      list.missing.push_back(name);
    }
  };
  [[maybe_unused]] const auto none = [](const Threads&) { return std::unique_ptr<Peer>{}; };
  add("Eigen_float", make_eigen);
#if defined(QUANTA_BENCH_OPENBLAS)
  add("OpenBLAS_float", make_openblas);
#else
  add("OpenBLAS_float", none);
#endif
#if defined(QUANTA_BENCH_ONEDNN)
  add("oneDNN", make_onednn);
#else
  add("oneDNN", none);
#endif
#if defined(QUANTA_BENCH_ONNXRUNTIME)
  add("ONNX_Runtime", make_onnxruntime);
#else
  add("ONNX_Runtime", none);
#endif
#if defined(QUANTA_BENCH_XNNPACK)
  add("XNNPACK", make_xnnpack);
#else
  add("XNNPACK", none);
#endif
#if defined(QUANTA_BENCH_GEMMLOWP)
  add("gemmlowp", make_gemmlowp);
#else
  add("gemmlowp", none);
#endif
  return list;
}

std::vector<std::unique_ptr<LowBitPeer>> find_low_bit_peers() {
  std::vector<std::unique_ptr<LowBitPeer>> found;
#if defined(QUANTA_BENCH_ONNXRUNTIME)
  if (auto peer = make_onnxruntime_low_bit()) found.push_back(std::move(peer));
#endif
  return found;
}

}  // namespace bench
