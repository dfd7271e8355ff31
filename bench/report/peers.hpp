// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The libraries that bench_gemm can be measured beside (bench/peers), as a reader knows them.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"

namespace report {

struct Peer {
  /// As bench_gemm names it in its context and, after "x_", in its counters.
  std::string key;
  std::string title;
  /// Debian's packages; empty for what comes with Quanta's own needs, or is no package of Debian's.
  std::string packages;
};

inline const std::vector<Peer> kPeers = {{"Eigen_float", "Eigen float", ""},
                                         {"OpenBLAS_float", "OpenBLAS float", "libopenblas-dev"},
                                         {"oneDNN", "oneDNN", "libdnnl-dev"},
                                         {"ONNX_Runtime", "ONNX Runtime", ""},
                                         {"XNNPACK", "XNNPACK", "libxnnpack-dev libpthreadpool-dev libcpuinfo-dev"},
                                         {"gemmlowp", "gemmlowp", "libgemmlowp-dev"}};

/// "2.6.3", of a version with a name before it and settings behind it too. Empty when `results` is not beside it.
inline std::string version_of(const Peer& peer, const Results& results) {
  const auto found = results.context.find(peer.key);
  if (found == results.context.end() || found->second == "not measured") return "";
  const std::size_t digit = found->second.find_first_of("0123456789");
  if (digit == std::string::npos) return found->second;
  return found->second.substr(digit, found->second.find(' ', digit) - digit);
}

/// Those that `results` is beside: "Eigen 3.4.0, oneDNN 2.6.3".
inline std::string measured_peers(const Results& results) {
  std::string list;
  for (const Peer& peer : kPeers) {
    const std::string version = version_of(peer, results);
    if (!version.empty()) list += (list.empty() ? "" : ", ") + peer.title + " " + version;
  }
  return list;
}

/// Which are not measured, and the commands that install them; empty when all are.
inline std::string missing_peers(const Results& results) {
  std::string titles, packages, commands;
  for (const Peer& peer : kPeers) {
    if (!version_of(peer, results).empty()) continue;
    titles += (titles.empty() ? "" : ", ") + peer.title;
    if (!peer.packages.empty()) packages += " " + peer.packages;
    if (peer.key == "ONNX_Runtime")
      commands += "\n  npm install --ignore-scripts --prefix build/peers onnxruntime-node";
  }
  if (titles.empty()) return "";
  if (!packages.empty()) commands = "\n  apt-get install" + packages + commands;
  return "Not measured beside " + titles + ". To have them:" + commands + "\n";
}

}  // namespace report
