// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Models of a few nodes in ONNX's format (onnx.proto), written by hand: enough for one product. Names of fields are in
// the comments.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bench::onnx {

/// A protocol buffer message as it grows.
class Message {
 public:
  Message& integer(int field, std::uint64_t value) {
    variable(static_cast<std::uint64_t>(field) << 3);
    variable(value);
    return *this;
  }
  Message& bytes(int field, const std::string& value) {
    variable(static_cast<std::uint64_t>(field) << 3 | 2);
    variable(value.size());
    text_ += value;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void variable(std::uint64_t value) {
    for (; value > 127; value >>= 7) text_ += static_cast<char>(value | 128);
    text_ += static_cast<char>(value);
  }

  std::string text_;
};

using Shape = std::vector<std::int64_t>;

/// A constant. Empty shape: a scalar.
inline std::string constant(const std::string& name, int type, const Shape& shape, const void* data,
                            std::size_t bytes) {
  Message tensor;
  for (const std::int64_t extent : shape) tensor.integer(1, static_cast<std::uint64_t>(extent));  // dims
  tensor.integer(2, static_cast<std::uint64_t>(type)).bytes(8, name);                             // data_type, name
  tensor.bytes(9, std::string(static_cast<const char*>(data), bytes));                            // raw_data
  return tensor.text();
}

/// An input or output of the model.
inline std::string port(const std::string& name, int type, const Shape& shape) {
  Message extents;
  for (const std::int64_t extent : shape) {
    extents.bytes(1, Message().integer(1, static_cast<std::uint64_t>(extent)).text());  // dim { dim_value }
  }
  Message tensor;
  tensor.integer(1, static_cast<std::uint64_t>(type)).bytes(2, extents.text());               // elem_type, shape
  return Message().bytes(1, name).bytes(2, Message().bytes(1, tensor.text()).text()).text();  // name, type
}

/// A node's integer by name.
struct Attribute {
  std::string name;
  std::int64_t value;
};

/// `domain` is empty for ONNX's own operators. An empty input is one left out.
inline std::string node(const std::string& operation, const std::string& domain, const std::vector<std::string>& inputs,
                        const std::string& output, const std::vector<Attribute>& attributes = {}) {
  Message message;
  for (const std::string& input : inputs) message.bytes(1, input);  // input
  message.bytes(2, output).bytes(4, operation);                     // output, op_type
  for (const auto& [name, value] : attributes) {
    constexpr std::uint64_t kInt = 2;
    Message attribute;
    attribute.bytes(1, name).integer(3, static_cast<std::uint64_t>(value)).integer(20, kInt);  // name, i, type
    message.bytes(5, attribute.text());                                                        // attribute
  }
  message.bytes(7, domain);  // domain
  return message.text();
}

inline std::string model(const std::vector<std::string>& nodes, const std::vector<std::string>& constants,
                         const std::string& input, const std::string& output) {
  Message graph;
  for (const std::string& one : nodes) graph.bytes(1, one);      // node
  graph.bytes(2, "product");                                     // name
  for (const std::string& one : constants) graph.bytes(5, one);  // initializer
  graph.bytes(11, input).bytes(12, output);                      // input, output
  const auto operators = [](const char* domain, std::uint64_t version) {
    return Message().bytes(1, domain).integer(2, version).text();
  };
  Message whole;
  whole.integer(1, 8).bytes(7, graph.text());                                 // ir_version, graph
  whole.bytes(8, operators("", 17)).bytes(8, operators("com.microsoft", 1));  // opset_import
  return whole.text();
}

}  // namespace bench::onnx
