#include "core/io/glb_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace facet {
namespace {

using Json = GlbBuilder::Json;
using Rows = GlbBuilder::Rows;

// Beyond this share of moved vertices a dense accessor is the smaller one (an index costs a third of a
// value).
constexpr double kMaxSparseShare = 0.6;

// Numbers that glTF inherits from OpenGL.
constexpr int kByte = 5120, kUnsignedByte = 5121, kShort = 5122, kUnsignedShort = 5123, kUnsignedInt = 5125,
              kFloat = 5126;
constexpr int kArrayBuffer = 34962, kElementArrayBuffer = 34963, kNoTarget = 0;

struct Component {
  int type;
  std::size_t size;
  float scale, low, high;  // of the stored integer
  bool is_normalized;
};

Component componentOf(GlbEncoding encoding) {
  switch (encoding) {
    case GlbEncoding::kShort:
      return {kShort, 2, 1, -32767, 32767, false};
    case GlbEncoding::kShortNormalized:
      return {kShort, 2, 32767, -32767, 32767, true};
    case GlbEncoding::kByteNormalized:
      return {kByte, 1, 127, -127, 127, true};
    case GlbEncoding::kUnsignedShortNormalized:
      return {kUnsignedShort, 2, 65535, 0, 65535, true};
    default:
      return {kFloat, 4, 1, 0, 0, false};
  }
}

float stored(float value, const Component& component) {
  if (component.type == kFloat) return value;
  return std::clamp(std::round(value * component.scale), component.low, component.high);
}

// Rows of `stride` bytes each.
std::vector<std::uint8_t> encode(const Rows& values, const Component& component, std::size_t stride) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(values.rows()) * stride, 0);
  for (Eigen::Index row = 0; row < values.rows(); ++row) {
    std::uint8_t* at = bytes.data() + static_cast<std::size_t>(row) * stride;
    for (Eigen::Index column = 0; column < values.cols(); ++column, at += component.size) {
      const float value = stored(values(row, column), component);
      if (component.type == kFloat) {
        std::memcpy(at, &value, component.size);
      } else {
        const auto whole = static_cast<std::int32_t>(value);  // little-endian: its low bytes are the short
        std::memcpy(at, &whole, component.size);
      }
    }
  }
  return bytes;
}

Json describe(const Rows& values, const std::string& type, const Component& component, bool with_range) {
  Json accessor = {{"componentType", component.type}, {"count", values.rows()}, {"type", type}};
  if (component.is_normalized) accessor["normalized"] = true;
  if (with_range) {
    accessor["min"] = accessor["max"] = Json::array();
    for (Eigen::Index column = 0; column < values.cols(); ++column) {
      accessor["min"].push_back(stored(values.col(column).minCoeff(), component));
      accessor["max"].push_back(stored(values.col(column).maxCoeff(), component));
    }
  }
  return accessor;
}

std::string vectorType(const Rows& values) { return "VEC" + std::to_string(values.cols()); }

}  // namespace

int GlbBuilder::append(const char* list, Json item) {
  json[list].push_back(std::move(item));
  return static_cast<int>(json[list].size()) - 1;
}

int GlbBuilder::addView(const void* data, std::size_t size, int target, int stride) {
  bytes_.resize((bytes_.size() + 3) / 4 * 4);  // every view starts on a multiple of four
  Json view = {{"buffer", 0}, {"byteOffset", bytes_.size()}, {"byteLength", size}};
  if (stride != 0) view["byteStride"] = stride;
  if (target != kNoTarget) view["target"] = target;
  const auto* begin = static_cast<const std::uint8_t*>(data);
  bytes_.insert(bytes_.end(), begin, begin + size);
  return append("bufferViews", std::move(view));
}

int GlbBuilder::addView(const void* data, std::size_t size) { return addView(data, size, kNoTarget); }

int GlbBuilder::addVertices(const Rows& values, bool with_range, GlbEncoding encoding) {
  const Component component = componentOf(encoding);
  const std::size_t size = component.size * static_cast<std::size_t>(values.cols());
  const std::size_t stride = (size + 3) / 4 * 4;  // vertices start on multiples of four
  const std::vector<std::uint8_t> bytes = encode(values, component, stride);
  Json accessor = describe(values, vectorType(values), component, with_range);
  accessor["bufferView"] =
      addView(bytes.data(), bytes.size(), kArrayBuffer, stride == size ? 0 : static_cast<int>(stride));
  return append("accessors", std::move(accessor));
}

int GlbBuilder::addDisplacements(const Points3& values, bool with_range, GlbEncoding encoding) {
  std::vector<std::uint32_t> moved;
  for (Eigen::Index v = 0; v < values.rows(); ++v) {
    if (!values.row(v).isZero(0)) moved.push_back(static_cast<std::uint32_t>(v));
  }
  if (static_cast<double>(moved.size()) > kMaxSparseShare * static_cast<double>(values.rows())) {
    return addVertices(values, with_range, encoding);
  }
  if (moved.empty()) moved.push_back(0);  // a sparse accessor has one item at least
  Rows moved_values(static_cast<Eigen::Index>(moved.size()), 3);
  for (std::size_t i = 0; i < moved.size(); ++i)
    moved_values.row(static_cast<Eigen::Index>(i)) = values.row(moved[i]);
  const Component component = componentOf(encoding);
  Json accessor = describe(values, "VEC3", component, with_range);
  const auto [index_view, index_type] =
      addIndexView(moved, static_cast<std::size_t>(values.rows()), kNoTarget);
  const std::vector<std::uint8_t> bytes = encode(moved_values, component, 3 * component.size);
  accessor["sparse"] = {{"count", moved.size()},
                        {"indices", {{"bufferView", index_view}, {"componentType", index_type}}},
                        {"values", {{"bufferView", addView(bytes.data(), bytes.size())}}}};
  return append("accessors", std::move(accessor));
}

int GlbBuilder::addJoints(const std::vector<std::uint8_t>& joints) {
  return append("accessors", {{"bufferView", addView(joints.data(), joints.size(), kArrayBuffer)},
                              {"componentType", kUnsignedByte},
                              {"count", joints.size() / 4},
                              {"type", "VEC4"}});
}

int GlbBuilder::addIndices(const std::vector<std::uint32_t>& indices, std::size_t num_vertices) {
  const auto [view, type] = addIndexView(indices, num_vertices, kElementArrayBuffer);
  return append(
      "accessors",
      {{"bufferView", view}, {"componentType", type}, {"count", indices.size()}, {"type", "SCALAR"}});
}

int GlbBuilder::addValues(const Rows& values, const char* type, bool with_range) {
  Json accessor = describe(values, type, componentOf(GlbEncoding::kFloat), with_range);
  accessor["bufferView"] = addView(values.data(), static_cast<std::size_t>(values.size()) * sizeof(float));
  return append("accessors", std::move(accessor));
}

// Sixteen bits where they do; 65535 itself is reserved.
std::pair<int, int> GlbBuilder::addIndexView(const std::vector<std::uint32_t>& indices, std::size_t limit,
                                             int target) {
  if (limit > 65535)
    return {addView(indices.data(), indices.size() * sizeof(std::uint32_t), target), kUnsignedInt};
  const std::vector<std::uint16_t> narrow(indices.begin(), indices.end());
  return {addView(narrow.data(), narrow.size() * sizeof(std::uint16_t), target), kUnsignedShort};
}

std::vector<std::uint8_t> GlbBuilder::finish() {
  bytes_.resize((bytes_.size() + 3) / 4 * 4);
  json["buffers"] = {{{"byteLength", bytes_.size()}}};
  std::string text = json.dump();
  text.resize((text.size() + 3) / 4 * 4, ' ');
  constexpr std::uint32_t kMagic = 0x46546C67, kVersion = 2, kJsonChunk = 0x4E4F534A,
                          kBinaryChunk = 0x004E4942;
  const std::size_t total = 12 + 8 + text.size() + 8 + bytes_.size();
  require(total < 0xFFFFFFFFU, "writeGlb: the asset would pass 4 GB");
  std::vector<std::uint8_t> file;
  file.reserve(total);
  const auto append32 = [&file](std::size_t value) {
    for (int shift = 0; shift < 32; shift += 8) file.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  append32(kMagic), append32(kVersion), append32(total);
  append32(text.size()), append32(kJsonChunk);
  file.insert(file.end(), text.begin(), text.end());
  append32(bytes_.size()), append32(kBinaryChunk);
  file.insert(file.end(), bytes_.begin(), bytes_.end());
  return file;
}

}  // namespace facet
