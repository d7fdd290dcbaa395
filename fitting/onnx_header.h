#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace facet {

// An input or output of a network.
struct OnnxTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // -1 = any size; empty when the file does not say
};

// What an ONNX file says of itself before it is loaded.
struct OnnxHeader {
  std::vector<OnnxTensor> inputs, outputs;  // in the file's order, weights left out
};

// Reads the few fields of the protocol buffer that hold this (onnx.proto: ModelProto, GraphProto,
// ValueInfoProto) and skips the rest. Error(kModel) naming the file when it is missing or no ONNX file.
OnnxHeader readOnnxHeader(const std::filesystem::path& path);

}  // namespace facet
