// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// As much of ONNX Runtime's C interface as a product needs, without its header: the npm package that carries the
// library has none. The interface is a table of functions whose places never change (onnxruntime_c_api.h).
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace bench::ort {

/// Opaque objects of the library, and its element types (those of ONNX).
using Handle = void*;
enum Type { kFloat = 1, kU8 = 2, kS8 = 3, kS32 = 6 };

/// Places in the table.
enum Function {
  kGetErrorMessage = 2,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetGraphOptimization = 23,
  kCreateTensorWithData = 49,
  kCreateCpuMemoryInfo = 69,
  kReleaseStatus = 93,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseSessionOptions = 100,
  kCreateEnvWithGlobalThreads = 119,
  kDisablePerSessionThreads = 120,
  kCreateThreadingOptions = 121,
  kSetGlobalIntraOpThreads = 147,
  kSetGlobalInterOpThreads = 148
};

class Api {
 public:
  /// False when there is no such library at `path`.
  bool load(const char* path) {
    struct Base {
      const void* const* (*table)(std::uint32_t version);
      const char* (*version)();
    };
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    void* const get = dlsym(library, "OrtGetApiBase");
    if (get == nullptr) return false;
    const Base* const base = reinterpret_cast<const Base* (*)()>(get)();
    constexpr std::uint32_t kOldestWithAll = 14;
    table_ = base->table(kOldestWithAll);
    version_ = base->version();
    return table_ != nullptr;
  }
  const std::string& version() const { return version_; }

  /// Calls a function that returns a status; throws std::runtime_error with its message.
  template <class... Arguments>
  void call(Function function, Arguments... arguments) const {
    const Handle status = at<Handle(Arguments...)>(function)(arguments...);
    if (status == nullptr) return;
    const std::string message = at<const char*(Handle)>(kGetErrorMessage)(status);
    release(kReleaseStatus, status);
    throw std::runtime_error("ONNX Runtime: " + message);
  }
  void release(Function function, Handle object) const {
    if (object != nullptr) at<void(Handle)>(function)(object);
  }

 private:
  template <class Signature>
  Signature* at(Function function) const {
    return reinterpret_cast<Signature*>(const_cast<void*>(table_[function]));
  }

  const void* const* table_ = nullptr;
  std::string version_;
};

}  // namespace bench::ort
