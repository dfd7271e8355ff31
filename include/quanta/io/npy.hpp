// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// NumPy's .npy files: one array of floats or integers each. Codes go in and out in the type that codes() has, one by
// one; a quantized tensor with its scales belongs in safetensors (io/save.hpp).
//
//   integers of 1, 2, 4, 8 bytes   "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"
//   float, double, Eigen::half     "<f4", "<f8", "<f2"
//   Eigen::bfloat16                "<V2", two bytes of no type: NumPy has none for it
//
// So does ml_dtypes, the bfloat16 of JAX, save it; numpy.load(path).view(ml_dtypes.bfloat16) reads it in Python.
// Codes of Fp16 and Bf16 are words, "<u2"; their reals are tensor.dequantize().cast<Eigen::half>().
#pragma once

#include <bit>
#include <filesystem>
#include <memory>

#include <quanta/core/eigen.hpp>
#include <quanta/io/decode_floats.hpp>
#include <quanta/io/file_bytes.hpp>
#include <quanta/io/file_writer.hpp>
#include <quanta/io/npy_header.hpp>

QUANTA_NAMESPACE_BEGIN

/// A .npy file of version 1 or 2. Copies share the data.
class Npy {
 public:
  /// Maps a file, as Safetensors::open does. Throws FileError when it cannot be read or is not just what its header
  /// says.
  static Npy open(const std::filesystem::path& path);
  /// Takes a file that is in memory already; its bytes must outlive this object and its copies. `name` stands for the
  /// file in messages.
  static Npy from_memory(std::span<const std::byte> file, std::string name = "npy in memory");

  /// The extents, outermost first; none for a scalar.
  const std::vector<Index>& shape() const { return header_.shape; }
  /// The elements' type as NumPy writes it: "<f4", "|i1", "<V2", ...
  const std::string& type() const { return header_.type; }

  /// The array as a tensor, whichever way its elements are ordered. As float, arrays of "<f4", "<f2" and, rounded once,
  /// "<f8" can be read; as another type those of the very same, of Eigen::bfloat16 "|V2" too. Nothing else is read from
  /// bytes without a type, float neither: what they hold only the caller knows. A scalar is read as rank 1. Throws
  /// FileError when rank or type are others.
  template <class T, int rank>
  Tensor<T, rank> read() const;

 private:
  Npy(std::string file, std::span<const std::byte> bytes, std::shared_ptr<const detail::FileBytes> owned)
      : file_(std::move(file)),
        header_(detail::parse_npy_header(file_, bytes)),
        owned_(std::move(owned)),
        data_(bytes.subspan(header_.data)) {}

  std::string file_;
  detail::NpyHeader header_;
  std::shared_ptr<const detail::FileBytes> owned_;  // null when the bytes are borrowed
  std::span<const std::byte> data_;
};

/// How an array is written.
struct NpyOptions {
  int version = 1;  ///< of the format, 1 or 2; headers that version 1 is too small for do not occur at rank 1 to 5
};

/// Writes any Eigen object of the types above, in C order. Throws Error when there is no such version, and FileError
/// when the file cannot be written; the path then holds what it held before.
template <EigenObject X>
void save_npy(const std::filesystem::path& path, const X& x, const NpyOptions& options = {});

// ---- bodies ----

namespace detail {

/// NumPy's name for T.
template <class T>
std::string npy_type() {
  constexpr bool brain = std::is_same_v<T, Eigen::bfloat16>;
  constexpr bool real = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, Eigen::half>;
  static_assert(real || brain || (std::is_integral_v<T> && !std::is_same_v<T, bool>),
                "quanta: .npy holds float, double, Eigen::half, Eigen::bfloat16 or integers here");
  const char kind = real ? 'f' : brain ? 'V' : std::is_signed_v<T> ? 'i' : 'u';
  return std::string(sizeof(T) == 1 ? "|" : "<") + kind + static_cast<char>('0' + sizeof(T));
}

/// The name in safetensors of a NumPy type, if it is one of floats.
inline std::string_view float_type_of(std::string_view npy_type) {
  return npy_type == "<f4" ? "F32" : npy_type == "<f8" ? "F64" : npy_type == "<f2" ? "F16" : "";
}

}  // namespace detail

inline Npy Npy::open(const std::filesystem::path& path) {
  auto file = std::make_shared<const detail::FileBytes>(path);
  const std::span<const std::byte> bytes = file->bytes();
  return Npy(path.string(), bytes, std::move(file));
}

inline Npy Npy::from_memory(std::span<const std::byte> file, std::string name) {
  return Npy(std::move(name), file, nullptr);
}

template <class T, int rank>
Tensor<T, rank> Npy::read() const {
  static_assert(rank >= 1 && rank <= kMaxRank, "quanta: tensors have rank 1 to 5");
  Shape<rank> shape{1};
  if (header_.shape.size() != shape.size() && !(rank == 1 && header_.shape.empty())) {
    detail::fail<FileError>(file_, ": has ", header_.shape.size(), " dimensions, expected ", rank);
  }
  std::copy(header_.shape.begin(), header_.shape.end(), shape.begin());
  const std::string_view floats = detail::float_type_of(type());
  const std::string wanted = detail::npy_type<T>();
  const bool fits = std::is_same_v<T, float> ? !floats.empty() : type().substr(1) == wanted.substr(1);
  if (!fits) {
    detail::fail<FileError>(file_, ": holds elements of type '", type(), "', asked for '", wanted, "'",
                            type()[1] == 'V' ? "; bfloat16 is saved so, read it as Eigen::bfloat16" : "");
  }

  Tensor<T, rank> result = detail::make_tensor<T, rank>(shape);
  if constexpr (std::is_same_v<T, float>) {
    detail::decode_floats(floats, data_, result.data());
  } else {
    if (!data_.empty()) std::memcpy(result.data(), data_.data(), data_.size());
  }
  if (!header_.fortran_order || rank == 1) return result;
  Shape<rank> strides{};
  Index stride = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  Tensor<T, rank> in_c_order = detail::make_tensor<T, rank>(shape);
  const TensorView<const T, rank> from(result.data(), shape, strides);
  const T* read = from.read(0, from.size(), in_c_order.data());
  return read == in_c_order.data() ? in_c_order : result;
}

template <EigenObject X>
void save_npy(const std::filesystem::path& path, const X& x, const NpyOptions& options) {
  using T = ScalarOf<X>;
  constexpr int rank = rank_of<X>;
  const detail::Input<T, rank> input(x);
  const TensorView<const T, rank>& view = input.view();
  const std::string head = detail::npy_head(detail::npy_type<T>(), view.shape(), options.version);

  detail::FileWriter file(path);
  file.write(head.data(), head.size());
  Buffer<T> gathered(view.is_dense() ? 0 : view.size());
  file.write(view.read(0, view.size(), gathered.data()), usize(view.size()) * sizeof(T));
  file.finish();
}

QUANTA_NAMESPACE_END
