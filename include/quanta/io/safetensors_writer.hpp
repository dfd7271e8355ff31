// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Writing safetensors (io/safetensors_header.hpp shows the format). Wide elements come first, those of equal width by
// name, and the header is padded with spaces to a multiple of 8 bytes: so tensors lie side by side without holes, each
// aligned to its element, and a mapped file can be used as it is. The same list always gives the same bytes.
#pragma once

#include <quanta/io/safetensors_header.hpp>
#include <quanta/io/stored_quantized.hpp>
#include <quanta/quant/tensor_list.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The first 8 bytes, the header, and the tensors in the order of the file. Made before anything is written.
class SafetensorsPlan {
 public:
  /// Throws Error when two tensors or two texts have one name, or a name or text is not UTF-8.
  explicit SafetensorsPlan(const TensorList& list);

  /// Calls sink(data, bytes) for the pieces of the file, in order.
  template <class Sink>
  void write(Sink sink) const;

 private:
  std::string head_;
  std::vector<const TensorList::Entry*> tensors_;
};

// ---- bodies ----

/// A JSON string.
inline std::string json_text(const std::string& text) {
  using Json = SafetensorsJson::Json;
  std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::ignore);
  check(Json::parse(json).get<std::string>() == text, "save: ", in_quotes(text), " is not UTF-8");
  return json;
}

/// Throws Error when two of the names are the same.
inline void check_names_differ(const char* what, std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  const auto found = std::adjacent_find(names.begin(), names.end());
  if (found != names.end()) fail("save: two ", what, " are named ", in_quotes(*found));
}

inline SafetensorsPlan::SafetensorsPlan(const TensorList& list) {
  std::vector<std::string> names;
  for (const TensorList::Entry& tensor : list.tensors()) {
    tensors_.push_back(&tensor);
    names.push_back(tensor.name);
  }
  check_names_differ("tensors", std::move(names));
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorList::Entry* a, const TensorList::Entry* b) {
    const std::uint64_t width_a = safetensors_bits(a->dtype), width_b = safetensors_bits(b->dtype);
    return width_a != width_b ? width_a > width_b : a->name < b->name;
  });

  auto texts = list.texts();
  texts.emplace_back("quanta", kLayoutVersion);
  std::sort(texts.begin(), texts.end());
  names.clear();
  for (const auto& one : texts) names.push_back(one.first);
  check_names_differ("texts", std::move(names));
  std::string json = "{\"__metadata__\":{";
  for (const auto& one : texts) {
    json += (&one == texts.data() ? "" : ",") + json_text(one.first) + ":" + json_text(one.second);
  }
  json += "}";
  Index at = 0;
  for (const TensorList::Entry* tensor : tensors_) {
    check(tensor->name != "__metadata__", "save: no tensor can be named \"__metadata__\"");
    std::string shape;
    for (const Index extent : tensor->shape) shape += text(shape.empty() ? "" : ",", extent);
    json += text(",", json_text(tensor->name), ":{\"dtype\":\"", tensor->dtype, "\",\"shape\":[", shape,
                 "],\"data_offsets\":[", at, ",", at + tensor->bytes, "]}");
    at += tensor->bytes;
  }
  json += "}";
  while (json.size() % 8 != 0) json += ' ';
  check(json.size() <= kMaxSafetensorsHeader, "save: names and texts take ", json.size(), " bytes, expected at most ",
        kMaxSafetensorsHeader);
  for (int i = 0; i < 8; ++i) head_ += static_cast<char>(json.size() >> (8 * i) & 255);
  head_ += json;
}

template <class Sink>
void SafetensorsPlan::write(Sink sink) const {
  sink(reinterpret_cast<const std::byte*>(head_.data()), head_.size());
  for (const TensorList::Entry* tensor : tensors_) {
    tensor->read([&](const std::byte* bytes) { sink(bytes, usize(tensor->bytes)); });
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
