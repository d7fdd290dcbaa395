#include "fitting/onnx_header.h"

#include <algorithm>
#include <optional>

#include "core/check.h"
#include "core/error.h"
#include "core/io/file_kind.h"
#include "core/io/files.h"

namespace facet {
namespace {

constexpr const char* kWayOut =
    "; export it with torch.onnx.export (opset 11) or tf2onnx, see docs/regressors.md";

// One field of a protocol buffer's message.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t integer = 0;  // of an integer field
  ByteSpan bytes;             // of a field with a length
};

// The fields of one message, one after the other.
class MessageReader {
 public:
  explicit MessageReader(ByteSpan message) : message_(message) {}

  std::optional<Field> next() {
    if (at_ == message_.size()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field;
    field.number = key >> 3;
    switch (key & 7) {
      case 0:
        field.integer = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        require(false, "is not an ONNX file");
    }
    require(field.number > 0, "is not an ONNX file");
    return field;
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      require(at_ < message_.size(), "is not an ONNX file, or ends too early");
      const std::uint8_t byte = message_[at_++];
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    require(false, "is not an ONNX file");
    return 0;
  }
  ByteSpan take(std::uint64_t count) {
    require(count <= message_.size() - at_, "is not an ONNX file, or ends too early");
    const ByteSpan bytes = message_.subspan(at_, count);
    at_ += count;
    return bytes;
  }

  ByteSpan message_;
  std::size_t at_ = 0;
};

// The bytes of the last field of that number; empty if there is none.
ByteSpan fieldOf(ByteSpan message, std::uint64_t number) {
  ByteSpan found;
  MessageReader reader(message);
  while (const auto field = reader.next())
    if (field->number == number) found = field->bytes;
  return found;
}

std::string textOf(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { shape = 2 { dim = 1 { dim_value = 1 } } } }
OnnxTensor tensorOf(ByteSpan value_info) {
  OnnxTensor tensor;
  tensor.name = textOf(fieldOf(value_info, 1));
  MessageReader shape(fieldOf(fieldOf(fieldOf(value_info, 2), 1), 2));
  while (const auto dimension = shape.next()) {
    if (dimension->number != 1) continue;
    std::int64_t size = -1;
    MessageReader reader(dimension->bytes);
    while (const auto field = reader.next()) {
      if (field->number == 1 && field->integer > 0 && field->integer < (1U << 30))
        size = static_cast<std::int64_t>(field->integer);
    }
    tensor.shape.push_back(size);
  }
  return tensor;
}

}  // namespace

OnnxHeader readOnnxHeader(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) {
    fail(ErrorKind::kModel, path.string(), ": there is no such file; give the network's .onnx");
  }
  const SharedBytes file = mapBytes(path);
  refuseLookalikes(file, path);
  try {
    const ByteSpan graph = fieldOf(file, 7);  // ModelProto.graph
    OnnxHeader header;
    std::vector<std::string> weights;
    MessageReader reader(graph);
    while (const auto field = reader.next()) {
      // GraphProto: initializer = 5 (its name = 8), input = 11, output = 12.
      if (field->number == 5) weights.push_back(textOf(fieldOf(field->bytes, 8)));
      if (field->number == 11) header.inputs.push_back(tensorOf(field->bytes));
      if (field->number == 12) header.outputs.push_back(tensorOf(field->bytes));
    }
    // Old exporters list the weights among the inputs.
    std::erase_if(header.inputs, [&](const OnnxTensor& input) {
      return std::find(weights.begin(), weights.end(), input.name) != weights.end();
    });
    require(!header.inputs.empty() && !header.outputs.empty(), "is not an ONNX file: it has no graph");
    return header;
  } catch (const std::invalid_argument& error) {
    fail(ErrorKind::kModel, path.string(), ": ", error.what(), kWayOut);
  }
}

}  // namespace facet
