// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Writing safetensors files: tensors of one's own choice under names of one's own, or one quantized tensor. Models are
// in io/model.hpp. What a file says of a quantized tensor is shown in quant/tensor_list.hpp.
#pragma once

#include <quanta/io/file_writer.hpp>
#include <quanta/io/safetensors.hpp>
#include <quanta/io/safetensors_writer.hpp>

QUANTA_NAMESPACE_BEGIN

/// Writes the tensors and texts of a list. Throws Error when the list has a name twice, and FileError when the file
/// cannot be written; the path then holds what it held before. A crash never leaves half a file under that name.
void save(const std::filesystem::path& path, const TensorList& list);

/// A quantized tensor alone, under the name "tensor". Its bytes() are the bytes of the file but for the header.
template <Format F, int R, Granularity G>
void save(const std::filesystem::path& path, const QuantizedView<F, R, G>& tensor);
/// The same, of the tensor that owns its codes.
template <Format F, int R, Granularity G>
void save(const std::filesystem::path& path, const QuantizedTensor<F, R, G>& tensor) {
  save(path, tensor.view());
}
/// The same, of a tensor whose type is known at run time alone.
void save(const std::filesystem::path& path, const AnyQuantizedTensor& tensor);

namespace detail {

/// Throws FileError, saying what to call instead, when a file holds a model or tensors of other names.
inline void check_is_one_tensor(const Safetensors& file) {
  if (file.contains("tensor")) return;
  if (file.metadata().find("layers") != file.metadata().end()) {
    fail<FileError>(file.name(), ": holds a model, not one quantized tensor: read it with quanta::load");
  }
  fail<FileError>(file.name(), ": has no tensor \"tensor\", as files of one quantized tensor have: read tensors of ",
                  "other names with quanta::Safetensors");
}

}  // namespace detail

/// The tensor of such a file. Own are formats that are not the library's. Throws FileError as Safetensors does.
template <Format... Own>
AnyQuantizedTensor load_tensor(const std::filesystem::path& path) {
  const Safetensors file = Safetensors::open(path);
  detail::check_is_one_tensor(file);
  return file.template quantized<Own...>("tensor");
}

// ---- bodies ----

inline void save(const std::filesystem::path& path, const TensorList& list) {
  const detail::SafetensorsPlan plan(list);
  detail::FileWriter file(path);
  plan.write([&](const std::byte* data, std::size_t bytes) { file.write(data, bytes); });
  file.finish();
}

template <Format F, int R, Granularity G>
void save(const std::filesystem::path& path, const QuantizedView<F, R, G>& tensor) {
  TensorList list;
  list.add("tensor", tensor);
  save(path, list);
}

inline void save(const std::filesystem::path& path, const AnyQuantizedTensor& tensor) {
  TensorList list;
  list.add("tensor", tensor);
  save(path, list);
}

QUANTA_NAMESPACE_END
