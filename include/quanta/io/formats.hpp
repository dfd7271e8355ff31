// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The formats that files are read with, found by the name that a file gives. Writing needs no list: a type knows its
// own name.
#pragma once

#include <quanta/format/codebook.hpp>
#include <quanta/format/floating.hpp>
#include <quanta/format/scale_formats.hpp>
#include <quanta/quant/block_formats.hpp>
#include <quanta/quant/format_info.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <Format... F>
struct FormatList {};

/// The one place to name a new format of the library's.
using LibraryFormats =
    FormatList<Int<2>, Int<3>, Int<4>, Int<5>, Int<6>, Int<7>, Int<8>, Int<16>,  //
               UInt<2>, UInt<3>, UInt<4>, UInt<5>, UInt<6>, UInt<7>, UInt<8>, UInt<16>, NF4, FP4, E2M1, E2M3, E3M2,
               E4M3, E5M2, Fp16, Bf16, MXFP8, MXFP8E5M2, MXFP6, MXFP6E3M2, MXFP4, MXINT8, NVFP4>;

/// Calls f(FormatList<F>{}) for the one F of this name. False where there is none.
template <class Call, Format... F>
bool with_format([[maybe_unused]] std::string_view name, FormatList<F...>, [[maybe_unused]] Call f) {
  return ((F::name == name ? (f(FormatList<F>{}), true) : false) || ...);
}

/// The format of this name among the library's and Own, or null.
template <Format... Own>
const FormatInfo* find_format(std::string_view name) {
  const FormatInfo* found = nullptr;
  const auto take = [&]<class F>(FormatList<F>) { found = &format_info<F>; };
  if (!with_format(name, FormatList<Own...>{}, take)) with_format(name, LibraryFormats{}, take);
  return found;
}

/// The format of scales of this name, or null: the library's formats that are not integers.
inline const FormatInfo* find_scale_format(std::string_view name) {
  const FormatInfo* found = find_format<E8M0, Dynamic8>(name);
  return found != nullptr && found->zero_point_max == 0 ? found : nullptr;
}

}  // namespace detail
QUANTA_NAMESPACE_END
