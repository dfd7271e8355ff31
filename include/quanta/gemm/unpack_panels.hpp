// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Codes out of panels again: a stream as gemm/pack_panel.hpp read it, from the operands of all panels.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/gemm/interleave.hpp>
#include <quanta/gemm/layout.hpp>
#include <quanta/gemm/micro_kernel.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// `shift` is operand - code, `pack` is pack_bytes of the format.
template <MicroKernel Kernel>
void unpack_panels(const RhsLayout& layout, const typename Kernel::Rhs* operands, std::int32_t shift,
                   void (*pack)(const std::uint8_t*, Index first, Index count, std::byte* stream), std::byte* stream) {
  constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr, kBits = kRhsBits<Kernel>, kInAByte = 8 / kBits;
  constexpr int columns = kNr / kInAByte;  // with bytes of their own
  const auto* from = reinterpret_cast<const std::byte*>(operands);
  // The columns of as many panels at a time as begin with a whole byte of the stream.
  const Index k = layout.k, at_once = kNr * k % 8 == 0 ? 1 : 8;
  Buffer<std::uint8_t> codes(std::min(at_once, layout.panels()) * kNr * k);
  for (Index first = 0; first < layout.panels(); first += at_once) {
    const Index count = std::min(at_once * kNr, layout.n - first * kNr) * k;
    for (Index p = first; p < std::min(first + at_once, layout.panels()); ++p) {
      std::uint8_t* const rows = codes.data() + (p - first) * kNr * k;
      for (Index g = 0; g < layout.groups(); ++g) {
        const Index start = g * layout.group, units = layout.group_length(g) / kKr, rest = layout.group_length(g) % kKr;
        std::byte* to[columns];
        for (int c = 0; c < columns; ++c) to[c] = reinterpret_cast<std::byte*>(rows + c * k + start);
        separate<kKr>(from, columns, units, to);
        from += units * columns * kKr;
        if (rest == 0) continue;
        for (int c = 0; c < columns; ++c, from += kKr) std::memcpy(to[c] + units * kKr, from, usize(rest));
      }
      for (Index part = kInAByte - 1; kInAByte > 1 && part >= 0; --part) {
        for (Index i = 0; i < columns * k; ++i) {
          rows[part * columns * k + i] = static_cast<std::uint8_t>(rows[i] >> (part * kBits) & ((1 << kBits) - 1));
        }
      }
    }
    for (Index i = 0; shift != 0 && i < count; ++i) codes[i] = static_cast<std::uint8_t>(codes[i] - shift);
    pack(codes.data(), first * kNr * k, count, stream);
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
