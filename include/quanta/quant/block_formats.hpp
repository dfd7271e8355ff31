// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Formats that come with their blocks and the type of their scales. Everywhere else they are the formats they derive
// from.
//
//   MXFP8, MXFP8E5M2, MXFP6, MXFP6E3M2, MXFP4, MXINT8    32 neighbours share a power of two (OCP Microscaling v1.0)
//   NVFP4                                                16 neighbours share an E4M3, all of these a float32
//
// Scales of the microscaling formats are the smallest power of two that clips nothing; {.floor_scale = true} of the
// symmetric scheme gives those of the specification, which may clip. An OCP scale byte of MXINT8 is larger by 6 than
// here, because its elements are integers here, and 64ths there.
#pragma once

#include <quanta/quant/scale_type.hpp>

QUANTA_NAMESPACE_BEGIN

/// The blocks and scales of the OCP microscaling formats: 32 along the last axis.
using MxBlocks = WithScales<PerGroup<32>, E8M0>;

/// MXFP8 of OCP's Microscaling Formats v1.0: E4M3, 32 neighbours along the last axis share a power of two.
struct MXFP8 : E4M3 {
  static constexpr std::string_view name = "mxfp8";  ///< in files and tables
  using DefaultGranularity = MxBlocks;               ///< its blocks
};
/// MXFP8 of OCP's Microscaling Formats v1.0: E5M2, 32 neighbours along the last axis share a power of two.
struct MXFP8E5M2 : E5M2 {
  static constexpr std::string_view name = "mxfp8_e5m2";  ///< in files and tables
  using DefaultGranularity = MxBlocks;                    ///< its blocks
};
/// MXFP6 of OCP's Microscaling Formats v1.0: E2M3, 32 neighbours along the last axis share a power of two.
struct MXFP6 : E2M3 {
  static constexpr std::string_view name = "mxfp6";  ///< in files and tables
  using DefaultGranularity = MxBlocks;               ///< its blocks
};
/// MXFP6 of OCP's Microscaling Formats v1.0: E3M2, 32 neighbours along the last axis share a power of two.
struct MXFP6E3M2 : E3M2 {
  static constexpr std::string_view name = "mxfp6_e3m2";  ///< in files and tables
  using DefaultGranularity = MxBlocks;                    ///< its blocks
};
/// MXFP4 of OCP's Microscaling Formats v1.0: E2M1, 32 neighbours along the last axis share a power of two.
struct MXFP4 : E2M1 {
  static constexpr std::string_view name = "mxfp4";  ///< in files and tables
  using DefaultGranularity = MxBlocks;               ///< its blocks
};
/// MXINT8 of OCP's Microscaling Formats v1.0: 32 neighbours along the last axis share a power of two. Its elements are
/// integers here, 64ths there.
struct MXINT8 : Int<8> {
  static constexpr std::string_view name = "mxint8";  ///< in files and tables
  using DefaultGranularity = MxBlocks;                ///< its blocks
};

/// NVIDIA's 4-bit float in two levels: the float32 is the largest magnitude / (6 * 448).
struct NVFP4 : E2M1 {
  static constexpr std::string_view name = "nvfp4";                       ///< in files and tables
  using DefaultGranularity = WithScales<PerGroup<16>, E4M3, kAllScales>;  ///< 16 along the last axis
};

QUANTA_NAMESPACE_END
