// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A network of integers as one C++ header that stands alone: for firmware, or to ship a model without a library. It
// needs `<cstdint>` and C++17, neither Quanta nor Eigen, no exceptions, no RTTI, no heap; it holds the network as
// constexpr arrays, and the code that runs it with the best vector instructions of the flags it is compiled with, or
// without any. Its outputs are the bits of the model's own.
//
//   auto model = quanta::quantize_static(floats, batches, quanta::MinMaxCalibrator<>{}, quanta::IntegerOnly{});
//   std::ofstream file("digits.hpp");
//   quanta::emit_header(model, file, {.name = "digits"});
//
// What uses it:
//
//   #include "digits.hpp"
//   alignas(64) static std::int8_t workspace[digits::kWorkspace];
//   float scores[digits::kOutputs];
//   digits::run(pixels, scores, workspace);              // floats in and out; or int8 codes, as digits::run_codes
#pragma once

#include <algorithm>
#include <charconv>
#include <ostream>
#include <string>
#include <string_view>

#include <quanta/io/emitted_code.hpp>
#include <quanta/layers/integer_model.hpp>
#include <quanta/layers/sequential.hpp>

QUANTA_NAMESPACE_BEGIN

/// What emit_header is told besides.
struct EmitOptions {
  /// The header's namespace: an identifier that begins with a letter and holds a small one, without two underscores
  /// side by side. Names of capitals alone are macros' (NULL, INT32_MIN); keywords, names that end in _t, and others
  /// that a compiler or the headers that this one includes take (linux, errno, main, abs) cannot be namespaces either.
  /// To keep clear of functions of further headers (log, index) is the caller's part.
  std::string name = "network";
};

/// Writes the header. Throws Error, before anything is written, when the name cannot be a namespace's; and when the
/// stream fails.
void emit_header(const IntegerModel& model, std::ostream& stream, const EmitOptions& options = {});

/// Of a model that is nothing but one IntegerModel, as io/model.hpp loads it. Throws Error when it is anything else.
void emit_header(const Sequential& model, std::ostream& stream, const EmitOptions& options = {});

// ---- bodies ----

namespace detail {

/// "inline constexpr std::int8_t name[3] = {1, -2, 3};", in lines of at most 120 characters; `zeros` more elements
/// follow. No array has no elements.
template <class T>
std::string emitted_array(const std::string& name, const T* data, Index size, Index zeros = 0) {
  std::string all =
      text("inline constexpr std::int", 8 * sizeof(T), "_t ", name, "[", std::max<Index>(size + zeros, 1), "] = {");
  std::size_t line = 0;  // characters of it; the first holds no numbers
  for (Index i = 0; i < size; ++i) {
    // The least int32 is no literal: -2147483648 is a negated number that does not fit.
    const bool least = sizeof(T) == 4 && std::int64_t{data[i]} == std::numeric_limits<std::int32_t>::min();
    const std::string number = (least ? "INT32_MIN" : std::to_string(data[i])) + (i + 1 < size ? "," : "");
    if (line == 0 || line + number.size() > 118) {
      all += "\n  ";
      line = 2;
    }
    all += number;
    line += number.size();
  }
  return all + "};\n";
}

/// Is the word one of those in the list, which has a space before and behind each?
inline bool is_listed(std::string_view list, std::string_view word) {
  return list.find(text(" ", std::string(word), " ")) != list.npos;
}

/// Why it cannot be a namespace's name; empty when it can.
inline std::string_view name_problem(std::string_view name) {
  constexpr std::string_view kKeywords =  // of C++ up to C++23
      " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class "
      "compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype "
      "default delete do double dynamic_cast else enum explicit export extern false float for friend goto if import "
      "inline int long module mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected "
      "public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct "
      "switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void "
      "volatile wchar_t while xor xor_eq ";
  // Macros in small letters, of compilers and of headers that may come before; namespaces that are kept; and, because
  // <immintrin.h> brings it, what the C standard has in <stdlib.h> and the systems' have of plain words.
  constexpr std::string_view kTaken =
      " alloca arm assert complex errno hpux i386 imaginary linux m68k mips noreturn offsetof pixel powerpc sgi sparc "
      "stderr stdin stdout sun unix vax vector "
      "main posix std "
      "abort abs aligned_alloc at_quick_exit atexit atof atoi atol atoll bsearch calloc div exit free getenv labs ldiv "
      "llabs lldiv malloc mblen mbstowcs mbtowc qsort quick_exit rand random realloc realpath select srand srandom "
      "strtod strtof strtol strtold strtoll strtoul strtoull system timespec timeval uint ulong ushort wcstombs "
      "wctomb ";
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto may_be_there = [&](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  if (name.empty() || !is_letter(name[0]) || !std::all_of(name.begin(), name.end(), may_be_there)) {
    return "no identifier of letters, digits and underscores that begins with a letter";
  }
  if (name.find("__") != name.npos) return "kept for the compiler, as all with two underscores side by side";
  if (is_listed(kKeywords, name)) return "a keyword of C++";
  if (std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
    return "as macros are named, without a small letter";
  }
  const bool numbered_std = name.starts_with("std") && std::all_of(name.begin() + 3, name.end(), is_digit);
  if (numbered_std || name.ends_with("_t") || is_listed(kTaken, name)) return "taken by compilers or C's headers";
  return {};
}

/// A positive float as a hexadecimal literal: the very same bits, whatever the locale.
inline std::string emitted_float(float v) {
  char digits[40];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, v, std::chars_format::hex);
  return "0x" + std::string(digits, end.ptr) + "f";
}

/// The constants that a user of the header reads.
inline std::string emitted_constants(const integer::Network& network, const QuantParams<PerTensor>& input,
                                     const QuantParams<PerTensor>& output) {
  const Index scratch = static_cast<Index>(integer::scratch_size(network));
  std::string all = text("\ninline constexpr std::int32_t kInputs = ", network.inputs, ", kOutputs = ", network.outputs,
                         ";\n\n// Codes are int8: real = scale * (code - zero_point).\n");
  all += text("inline constexpr std::int32_t kInputZeroPoint = ", input.zero_point(0),
              ", kOutputZeroPoint = ", output.zero_point(0), ";\n#if !defined(QUANTA_NO_FLOAT)\n",
              "inline constexpr float kInputScale = ", emitted_float(input.scale(0)),
              ", kOutputScale = ", emitted_float(output.scale(0)), ";\n#endif\n");
  all += text("\n// Bytes of memory that run_codes needs beside its arguments; and run.\n",
              "inline constexpr std::int32_t kScratch = ", std::max<Index>(scratch, 1),
              ", kWorkspace = kScratch + kInputs + kOutputs;\n");
  return all;
}

/// The weight as the code reads it. Returns the bytes from row to row: whole blocks where that takes at most an eighth
/// more, because loads that stay within a cache line are faster.
inline Index emit_weight(const std::string& name, const integer::Layer& layer, std::string& arrays) {
  const Index inputs = layer.inputs, whole = (inputs + kEmittedBlock - 1) / kEmittedBlock * kEmittedBlock;
  const Index stride = 8 * (whole - inputs) <= inputs ? whole : inputs;
  Buffer<std::int8_t> rows(layer.outputs * stride, std::int8_t{0});
  for (Index n = 0; n < layer.outputs; ++n) std::copy_n(layer.weight + n * inputs, inputs, rows.data() + n * stride);
  arrays += "alignas(64) " + emitted_array(name, rows.data(), rows.size(), stride == whole ? 0 : kEmittedBlock - 1);
  return stride;
}

/// The arrays of the layers, and the calls that run them.
inline void emit_layers(const integer::Network& network, std::string& arrays, std::string& calls) {
  const Index row = static_cast<Index>(integer::scratch_size(network)) / 2;
  std::string from = "x";
  for (std::int32_t i = 0; i < network.count; ++i) {
    const integer::Layer& layer = network.layers[i];
    const std::string to = i + 1 == network.count ? "y" : i % 2 == 0 ? "scratch" : text("scratch + ", row);
    const std::string number = std::to_string(i);
    Index stride = 0;
    arrays += "\n";
    switch (layer.kind) {
      case integer::Kind::linear:
        stride = emit_weight("kWeight" + number, layer, arrays);
        arrays += emitted_array("kBias" + number, layer.bias, layer.outputs);
        arrays += emitted_array("kMultiplier" + number, layer.multiplier, layer.outputs);
        arrays += emitted_array("kShift" + number, layer.shift, layer.outputs);
        arrays += text("inline constexpr Linear kLinear", number, " = {", layer.inputs, ", ", layer.outputs, ", ",
                       stride, ", kWeight", number, ", kBias", number, ", kMultiplier", number, ", kShift", number,
                       ", ", layer.zero_point, ", ", layer.low, ", ", layer.high, ", ",
                       layer.double_rounding != 0 ? "true" : "false", "};\n");
        calls += text("  detail::run_linear(detail::kLinear", number, ", ", from, ", ", to, ");\n");
        break;
      case integer::Kind::table:
        arrays += emitted_array("kTable" + number, layer.table, 256);
        calls += text("  detail::run_table(detail::kTable", number, ", ", layer.outputs, ", ", from, ", ", to, ");\n");
        break;
      case integer::Kind::softmax:
        arrays += emitted_array("kExponentials" + number, layer.exponentials, 256);
        calls += text("  detail::run_softmax(detail::kExponentials", number, ", ", layer.outputs, ", ", from, ", ", to,
                      ");\n");
        break;
    }
    from = to;
  }
  if (network.count == 0) calls += "  for (std::int32_t i = 0; i < kOutputs; ++i) y[i] = x[i];\n";
  if (network.count < 2) calls += "  static_cast<void>(scratch);\n";
}

}  // namespace detail

inline void emit_header(const IntegerModel& model, std::ostream& stream, const EmitOptions& options) {
  using detail::text;
  const std::string problem(detail::name_problem(options.name));
  detail::check(problem.empty(), "emit_header: the name is \"", options.name, "\", which is ", problem,
                "; expected one that can be a namespace's");
  const IntegerNetwork owner = model.network();
  const integer::Network network = owner.network();
  std::string arrays, calls;
  detail::emit_layers(network, arrays, calls);

  std::string all = text("// A network of int8 codes, ", network.inputs, " inputs and ", network.outputs,
                         " outputs, written by Quanta ", QUANTA_VERSION_MAJOR, ".", QUANTA_VERSION_MINOR, ".",
                         QUANTA_VERSION_PATCH, ".\n//\n");
  all +=
      "// It needs nothing but this file: no library, no heap, no exceptions. All functions are static, so units with\n"
      "// other flags may include it too. Where there are no floating point registers, define QUANTA_NO_FLOAT.\n";
  all += detail::kEmittedIncludes;
  all += text("\nnamespace ", options.name, " {\n");
  all += detail::emitted_constants(network, model.input_params(), model.output_params());
  all += text("\nnamespace detail {\n", detail::kEmittedFunctions, detail::kEmittedFloatFunctions, arrays,
              "\n}  // namespace detail\n");
  all += text(
      "\n// y (kOutputs) from x (kInputs), codes both, with kScratch bytes of scratch; none of them overlap.\n"
      "static inline void run_codes(const std::int8_t* x, std::int8_t* y, std::int8_t* scratch) {\n",
      calls, "}\n");
  all += R"code(
#if !defined(QUANTA_NO_FLOAT)
// The same from and to floats, with kWorkspace bytes of workspace.
static inline void run(const float* x, float* y, std::int8_t* workspace) {
  std::int8_t* const from = workspace + kScratch;
  std::int8_t* const to = from + kInputs;
  detail::to_codes(x, kInputs, kInputScale, kInputZeroPoint, from);
  run_codes(from, to, workspace);
  for (std::int32_t i = 0; i < kOutputs; ++i) y[i] = detail::to_real(to[i], kOutputScale, kOutputZeroPoint);
}
#endif
)code";
  all += text("\n}  // namespace ", options.name, "\n");
  stream << all << std::flush;
  detail::check(stream.good(), "emit_header: the stream failed while ", all.size(), " bytes were written");
}

inline void emit_header(const Sequential& model, std::ostream& stream, const EmitOptions& options) {
  const IntegerModel* integers = model.size() == 1 ? model[0].target<IntegerModel>() : nullptr;
  detail::check(integers != nullptr, "emit_header: the model has ", model.size(), " layers",
                model.size() > 0 ? detail::text(", the first ", model[0].name()) : std::string(),
                ", expected one IntegerModel, which quantize_static(..., IntegerOnly{}) makes");
  emit_header(*integers, stream, options);
}

QUANTA_NAMESPACE_END
