// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// ONNX Runtime, loaded when the program runs: from $QUANTA_ONNXRUNTIME, else from where CMake was told. A session is a
// model with one input and one output, both in memory of the caller's.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "onnxruntime_api.hpp"

namespace bench::ort {

struct Runtime {
  Api api;
  Handle environment = nullptr, memory = nullptr;

  /// False when the library is not there.
  bool load(int threads) {
    const char* const told = std::getenv("QUANTA_ONNXRUNTIME");
    if (!api.load(told != nullptr ? told : QUANTA_ONNXRUNTIME_PATH)) return false;
    // One pool for all sessions: cold weights are many of them.
    Handle options = nullptr;
    api.call(kCreateThreadingOptions, &options);
    api.call(kSetGlobalIntraOpThreads, options, threads);
    api.call(kSetGlobalInterOpThreads, options, 1);
    constexpr int kErrors = 3, kDeviceAllocator = 0, kDefaultMemory = 0;
    api.call(kCreateEnvWithGlobalThreads, kErrors, static_cast<const char*>("bench"), options, &environment);
    api.call(kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, &memory);
    return true;
  }
};

/// A (rows, columns) matrix of a session's.
struct Bound {
  const void* data;
  std::size_t bytes;
  std::int64_t rows, columns;
  int type;
};

/// The model's input is A, its output Y. The runtime outlives the session.
class Session {
 public:
  Session(const Runtime& runtime, const std::string& model, const Bound& a, const Bound& y) : api_(runtime.api) {
    Handle options = nullptr;
    api_.call(kCreateSessionOptions, &options);
    api_.call(kDisablePerSessionThreads, options);
    constexpr int kAllOptimizations = 99;
    api_.call(kSetGraphOptimization, options, kAllOptimizations);
    api_.call(kCreateSessionFromArray, runtime.environment, static_cast<const void*>(model.data()), model.size(),
              options, &session_);
    api_.release(kReleaseSessionOptions, options);
    a_ = bind(runtime, a);
    y_ = bind(runtime, y);
  }
  ~Session() {
    api_.release(kReleaseValue, a_);
    api_.release(kReleaseValue, y_);
    api_.release(kReleaseSession, session_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void run() {
    const char* const inputs[] = {"A"};
    const char* const outputs[] = {"Y"};
    const Handle values[] = {a_};
    api_.call(kRun, session_, Handle{}, static_cast<const char* const*>(inputs), static_cast<const Handle*>(values),
              std::size_t{1}, static_cast<const char* const*>(outputs), std::size_t{1}, &y_);
  }

 private:
  Handle bind(const Runtime& runtime, const Bound& matrix) const {
    const std::int64_t shape[] = {matrix.rows, matrix.columns};
    Handle value = nullptr;
    api_.call(kCreateTensorWithData, runtime.memory, const_cast<void*>(matrix.data), matrix.bytes,
              static_cast<const std::int64_t*>(shape), std::size_t{2}, matrix.type, &value);
    return value;
  }

  const Api& api_;
  Handle session_ = nullptr, a_ = nullptr, y_ = nullptr;
};

}  // namespace bench::ort
