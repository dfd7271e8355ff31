// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How libFuzzer changes safetensors files, in the targets that this is compiled with: not only bytes, which nearly
// always break the container, so that no loader behind it sees anything; but tensors and texts one by one, and then the
// container is made anew and sound. What is left to find out is whether what they say fits together. Inputs are files
// with and without the length of their header (input.hpp), and stay what they are.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/fuzz/input.hpp"

/// libFuzzer's own changes, of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = 4096;

struct Tensor {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string bytes;
  int more = 0;  // what the file says too much of its bytes
};

struct File {
  std::map<std::string, std::string> texts;
  std::map<std::string, Tensor> tensors;
};

/// The file, if the container is sound enough to be taken apart.
std::optional<File> take_apart(std::string_view header, std::string_view data) {
  const Json json = Json::parse(header, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  File file;
  for (const auto& [name, entry] : json.items()) {
    if (!entry.is_object()) return std::nullopt;
    if (name == "__metadata__") {
      for (const auto& [key, value] : entry.items()) {
        if (value.is_string()) file.texts[key] = value;
      }
      continue;
    }
    const Json dtype = entry.value("dtype", Json()), shape = entry.value("shape", Json()),
               offsets = entry.value("data_offsets", Json());
    const auto is_number = [](const Json& j) { return j.is_number_unsigned(); };
    if (!dtype.is_string() || !shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_number) ||
        !offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_number)) {
      return std::nullopt;
    }
    const std::uint64_t begin = offsets[0], end = offsets[1];
    if (begin > end || end > data.size()) return std::nullopt;
    file.tensors[name] = {dtype, shape.get<std::vector<std::uint64_t>>(), std::string(data.substr(begin, end - begin))};
  }
  return file;
}

/// A header and its data.
std::string put_together(const File& file, bool with_length) {
  Json header{{"__metadata__", file.texts}};
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const std::uint64_t begin = data.size(), end = begin + tensor.bytes.size();
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, end + static_cast<std::uint64_t>(tensor.more)}}};
    data += tensor.bytes;
  }
  const std::string text = header.dump(-1, ' ', false, Json::error_handler_t::ignore);
  std::string length;
  for (int i = 0; with_length && i < 8; ++i) length += static_cast<char>(text.size() >> (8 * i) & 255);
  return length + text + data;
}

/// The words between spaces, and the empty one.
std::vector<std::string> words_of(const char* all) {
  std::vector<std::string> words(1);
  std::istringstream stream(all);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// What texts say.
const std::vector<std::string> kWords = words_of(
    "0 1 2 3 4 8 16 64 2147483648 4611686018427387904 9223372036854775807 all 1,3 3,1 2,2 0,5 5,0 2,2,2 "
    "per_tensor per_channel per_group unscaled int2 int3 int4 int8 int16 thirds uint4 uint8 nf4 fp4 e2m1 e4m3 fp16 "
    "bf16 "
    "e8m0 dynamic8 mxfp4 mxfp6 mxint8 nvfp4 Linear DynamicLinear StaticLinear WeightOnlyLinear Int8OutlierLinear "
    "IntegerModel Sequential LayerNorm Flatten Softmax Clamp Relu linear table softmax");
constexpr const char* kTypes[] = {"F32", "F64", "F16", "BF16", "I8", "U8", "I16", "U16", "I32", "U32", "BOOL"};
// The ends of ranges, as integers and as floats.
constexpr std::uint32_t kNumbers[] = {0,          1,          2,          30,         31,         127,
                                      128,        255,        256,        0xffffffe0, 0xffffffe1, 0xffffff7f,
                                      0xffffff80, 0xffffffff, 0x7fffffff, 0x80000000, 0x40000000, 0x3f800000,
                                      0x00800000, 0x007fffff, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000};

class Changer {
 public:
  Changer(File& file, unsigned seed) : file_(file), random_(seed) {}

  void change() {
    switch (below(10)) {
      case 0:
        return set_number();
      case 1:
        if (Tensor* const t = some(file_.tensors)) mutate(t->bytes);
        return;
      case 2:
        return set_extent();
      case 3:
        return set_type();
      case 4:
      case 5:
        if (std::string* const text = some(file_.texts)) *text = kWords[below(kWords.size())];
        return;
      case 6:
        if (std::string* const text = some(file_.texts)) mutate(*text);
        return;
      case 7:
        return exchange();
      case 8:
        return reshape();
      default:
        return drop_or_stretch();
    }
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  template <class Map>
  typename Map::mapped_type* some(Map& map) {
    if (map.empty()) return nullptr;
    return &std::next(map.begin(), static_cast<std::ptrdiff_t>(below(map.size())))->second;
  }

  void set_number() {
    Tensor* const t = some(file_.tensors);
    if (t == nullptr || t->bytes.size() < 4) return;
    std::memcpy(&t->bytes[below(t->bytes.size() / 4) * 4], &kNumbers[below(std::size(kNumbers))], 4);
  }

  void set_type() {
    Tensor* const t = some(file_.tensors);
    if (t == nullptr) return;
    t->dtype = kTypes[below(std::size(kTypes))];
    fit(*t);
  }

  void set_extent() {
    Tensor* const t = some(file_.tensors);
    if (t == nullptr) return;
    const std::size_t rank = t->shape.size(), at = below(rank + 1);
    if (at < rank) {
      t->shape[at] = below(8) == 0 ? std::uint64_t{1} << below(64) : below(9);
    } else if (below(2) == 0) {
      t->shape.push_back(1);
    } else if (rank > 0) {
      t->shape.pop_back();
    }
    fit(*t);
  }

  /// Two texts or two names of tensors change places.
  void exchange() {
    if (below(2) == 0) {
      if (std::string* const a = some(file_.texts)) std::swap(*a, *some(file_.texts));
    } else if (Tensor* const a = some(file_.tensors)) {
      std::swap(*a, *some(file_.tensors));
    }
  }

  /// A quantized tensor takes another shape, with codes, scales and a bias as many as that needs, or nearly.
  void reshape() {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : file_.tensors) {
      if (file_.texts.count(name + ".shape") != 0) names.push_back(name);
    }
    if (names.empty()) return;
    const std::string& name = names[below(names.size())];
    const std::size_t rows = below(9), columns = below(33), group = below(4) == 0 ? 1 + below(32) : columns + 1;
    constexpr std::size_t kBits[] = {2, 3, 4, 5, 6, 8, 16};
    file_.texts[name + ".shape"] = std::to_string(rows) + "," + std::to_string(columns);
    Tensor& codes = file_.tensors[name];
    if (codes.shape.size() == 2) {
      codes.shape = {rows, columns};
    } else {
      codes.shape = {(rows * columns * kBits[below(std::size(kBits))] + 7) / 8};
    }
    fit(codes);
    const auto resize = [&](const std::string& other, std::size_t size) {
      const auto found = file_.tensors.find(other);
      if (found == file_.tensors.end()) return;
      found->second.shape = {size};
      fit(found->second);
    };
    resize(name + ".scales", below(4) == 0 ? 1 : rows * ((columns + group - 1) / group));
    resize(name + ".zero_points", rows);
    const std::string prefix = name.substr(0, name.rfind('.') + 1);
    for (const char* const other : {"bias", "multiplier", "shift"}) resize(prefix + other, rows);
  }

  void drop_or_stretch() {
    switch (below(4)) {
      case 0:
        if (!file_.texts.empty()) file_.texts.erase(key_of_some(file_.texts));
        return;
      case 1:
        if (!file_.tensors.empty()) file_.tensors.erase(key_of_some(file_.tensors));
        return;
      case 2:
        if (Tensor* const t = some(file_.tensors)) t->more = static_cast<int>(below(9)) - 4;
        return;
      default:
        if (Tensor* const t = some(file_.tensors)) t->bytes.resize(below(t->bytes.size() + 9));
    }
  }
  template <class Map>
  std::string key_of_some(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(below(map.size())))->first;
  }

  /// As many bytes as the shape says, where they are few: those that were there, again and again.
  void fit(Tensor& t) {
    const auto has = [&](const char* bits) { return t.dtype.find(bits) != t.dtype.npos; };
    std::uint64_t size = has("64") ? 8 : has("32") ? 4 : has("16") ? 2 : 1;
    for (const std::uint64_t extent : t.shape) {
      if (extent > kMaxBytes || (size *= extent) > kMaxBytes) return;
    }
    const std::string old = t.bytes;
    t.bytes.resize(size);
    for (std::size_t i = old.size(); i < size; ++i) t.bytes[i] = old.empty() ? '\1' : old[i % old.size()];
  }

  void mutate(std::string& bytes) {
    const std::size_t before = bytes.size();
    bytes.resize(before + 4);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), before, bytes.size()));
  }

  File& file_;
  std::minstd_rand random_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool with_length = input.find('{') != 0;
  const std::string_view rest = input.substr(with_length ? std::min<std::size_t>(size, 8) : 0);
  const std::size_t length = quanta::fuzz::header_length(rest);
  std::optional<File> file = take_apart(rest.substr(0, length), rest.substr(length));
  if (!file) return LLVMFuzzerMutate(data, size, max_size);
  Changer changer(*file, seed);
  for (unsigned i = 0; i <= seed / 4 % 3; ++i) changer.change();
  const std::string changed = put_together(*file, with_length);
  if (changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
