#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/io/files.h"

// Small networks as ONNX files (opset 11), written byte by byte: what a test says a network answers, it
// answers.
namespace facet::test {

// One output of the network: output = weights · (mean of each input channel) + bias.
struct OnnxOutput {
  std::string name;
  std::vector<float> bias;
  std::vector<float> weights;  // 3 per value, or empty = 0
};

namespace onnx {

inline void addVarint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  bytes += static_cast<char>(value);
}
inline void addInteger(std::string& bytes, int field, std::uint64_t value) {
  addVarint(bytes, static_cast<std::uint64_t>(field) << 3);
  addVarint(bytes, value);
}
inline void addBytes(std::string& bytes, int field, const std::string& value) {
  addVarint(bytes, (static_cast<std::uint64_t>(field) << 3) | 2);
  addVarint(bytes, value.size());
  bytes += value;
}

inline std::string node(const std::string& type, const std::vector<std::string>& inputs,
                        const std::string& output, const std::string& integer_attribute = {}) {
  std::string bytes;
  for (const std::string& input : inputs) addBytes(bytes, 1, input);
  addBytes(bytes, 2, output);
  addBytes(bytes, 4, type);
  if (!integer_attribute.empty()) {
    std::string attribute;
    addBytes(attribute, 1, integer_attribute);
    addInteger(attribute, 3, 1);
    addInteger(attribute, 20, 2);  // INT
    addBytes(bytes, 5, attribute);
  }
  return bytes;
}

inline std::string tensor(const std::string& name, const std::vector<std::uint64_t>& shape,
                          const std::vector<float>& values) {
  std::string bytes;
  for (const std::uint64_t size : shape) addInteger(bytes, 1, size);
  addInteger(bytes, 2, 1);  // FLOAT
  addBytes(bytes, 8, name);
  std::string raw(4 * values.size(), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  addBytes(bytes, 9, raw);
  return bytes;
}

// A negative size is a free one, as exporters write the batch.
inline std::string valueInfo(const std::string& name, const std::vector<int>& shape) {
  std::string dimensions;
  for (const int size : shape) {
    std::string dimension;
    if (size < 0) {
      addBytes(dimension, 2, "batch");
    } else {
      addInteger(dimension, 1, static_cast<std::uint64_t>(size));
    }
    addBytes(dimensions, 1, dimension);
  }
  std::string tensor_type, type, bytes;
  addInteger(tensor_type, 1, 1);  // FLOAT
  addBytes(tensor_type, 2, dimensions);
  addBytes(type, 1, tensor_type);
  addBytes(bytes, 1, name);
  addBytes(bytes, 2, type);
  return bytes;
}

}  // namespace onnx

// A network of one 3×size×size image.
inline void writeOnnx(const std::filesystem::path& path, int size_px, const std::vector<OnnxOutput>& outputs,
                      bool free_batch = false) {
  using namespace onnx;
  std::string graph;
  addBytes(graph, 1, node("GlobalAveragePool", {"input"}, "pooled"));
  addBytes(graph, 1, node("Flatten", {"pooled"}, "means", "axis"));
  for (const OnnxOutput& output : outputs) {
    std::vector<float> weights = output.weights;
    weights.resize(3 * output.bias.size(), 0.0F);
    addBytes(graph, 1,
             node("Gemm", {"means", output.name + "_w", output.name + "_b"}, output.name, "transB"));
    addBytes(graph, 5, tensor(output.name + "_w", {output.bias.size(), 3}, weights));
    addBytes(graph, 5, tensor(output.name + "_b", {output.bias.size()}, output.bias));
  }
  addBytes(graph, 2, "test");
  const int batch = free_batch ? -1 : 1;
  addBytes(graph, 11, valueInfo("input", {batch, 3, size_px, size_px}));
  for (const OnnxOutput& output : outputs)
    addBytes(graph, 12, valueInfo(output.name, {batch, static_cast<int>(output.bias.size())}));
  std::string opset, model;
  addInteger(opset, 2, 11);
  addInteger(model, 1, 6);
  addBytes(model, 7, graph);
  addBytes(model, 8, opset);
  writeText(path, model);
}

}  // namespace facet::test
