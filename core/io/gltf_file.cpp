// glTF 2.0 specification, Khronos Group, 2021; sections 3.6 (buffers, accessors) and 4.4 (the binary
// container); RFC 2397 (data URIs).
#include "core/io/gltf_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/check.h"
#include "core/error.h"
#include "core/io/byte_reader.h"
#include "core/io/files.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = GltfFile::Json;
using Bytes = std::vector<std::uint8_t>;

// A head of 100,000 vertices with 200 shapes takes 240 MB.
constexpr std::uint64_t kMaxUnpackedBytes = std::uint64_t{1} << 30;
constexpr std::uint32_t kMagic = 0x46546C67, kJsonChunk = 0x4E4F534A, kBinaryChunk = 0x004E4942;

struct ComponentType {
  int gl_number;
  NumberType type;
};
constexpr std::array kComponentTypes = {ComponentType{5120, {'i', 1}}, ComponentType{5121, {'u', 1}},
                                        ComponentType{5122, {'i', 2}}, ComponentType{5123, {'u', 2}},
                                        ComponentType{5125, {'u', 4}}, ComponentType{5126, {'f', 4}}};

NumberType componentType(std::size_t gl_number) {
  for (const ComponentType& known : kComponentTypes) {
    if (static_cast<std::size_t>(known.gl_number) == gl_number) return known.type;
  }
  require(false, "an accessor has the component type ", gl_number, ", which glTF does not have");
  return {};
}

std::size_t componentsOf(const std::string& type) {
  static const std::map<std::string, std::size_t> known = {
      {"SCALAR", 1}, {"VEC2", 2}, {"VEC3", 3}, {"VEC4", 4}, {"MAT4", 16}};
  const auto found = known.find(type);
  require(found != known.end(), "an accessor has the type \"", type, "\", which cannot be read here");
  return found->second;
}

// Extensions that change how the file is to be read, and that are not understood here.
struct Compression {
  const char *extension, *what;
};
constexpr std::array kCompressions = {
    Compression{"KHR_draco_mesh_compression", "Draco-compressed meshes"},
    Compression{"EXT_meshopt_compression", "meshopt-compressed buffers"},
    Compression{"KHR_meshopt_compression", "meshopt-compressed buffers"},
    Compression{"KHR_texture_basisu", "KTX2 textures"},
};
// Required extensions that need nothing from this reader: what they add is how a surface looks.
bool isHarmless(const std::string& extension) {
  return extension == "KHR_mesh_quantization" || extension == "KHR_texture_transform" ||
         extension == "EXT_texture_webp" || extension == "KHR_lights_punctual" ||
         extension.starts_with("KHR_materials_");
}

Bytes fromBase64(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    int digit = -1;
    if (c >= 'A' && c <= 'Z') digit = c - 'A';
    if (c >= 'a' && c <= 'z') digit = c - 'a' + 26;
    if (c >= '0' && c <= '9') digit = c - '0' + 52;
    if (c == '+') digit = 62;
    if (c == '/') digit = 63;
    if (c == '=') break;
    require(digit >= 0, "a data URI is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    num_bits += 6;
    if (num_bits >= 8) {
      num_bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(bits >> num_bits));
    }
  }
  return bytes;
}

std::string percentDecoded(const std::string& uri) {
  std::string result;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i < uri.size(); ++i) {
    if (uri[i] == '%' && i + 2 < uri.size() && digit(uri[i + 1]) >= 0 && digit(uri[i + 2]) >= 0) {
      result += static_cast<char>(16 * digit(uri[i + 1]) + digit(uri[i + 2]));
      i += 2;
    } else {
      result += uri[i];
    }
  }
  return result;
}

}  // namespace

// What an accessor says, checked against the bytes that there are.
struct GltfFile::Accessor {
  std::size_t count = 0, columns = 0;
  NumberType type;
  bool is_normalized = false;
  ByteSpan bytes;          // from its first component; empty: all zeros
  std::size_t stride = 0;  // bytes
  // Sparse values: these rows are replaced.
  std::size_t num_sparse = 0;
  NumberType sparse_type;
  ByteSpan sparse_rows, sparse_values;
};

GltfFile::GltfFile(SharedBytes file, fs::path folder) : folder_(std::move(folder)), file_(std::move(file)) {
  parseContainer(file_);
  require(json_.is_object(), "its JSON is no object");
  const std::string version = text(member(json_, "asset", Json::value_t::object), "version");
  require(version.starts_with("2."), "is glTF version \"", version, "\"; only version 2 can be read");
  for (const Json& required : list("extensionsRequired")) {
    require(required.is_string(), "extensionsRequired holds something that is no name");
    const auto& name = required.get_ref<const std::string&>();
    for (const Compression& compression : kCompressions) {
      require(
          name != compression.extension, "has ", compression.what, " (", name,
          "), which cannot be read here; export it without compression, or unpack it: gltf-transform copy "
          "IN.glb OUT.glb (textures: gltf-transform png IN.glb OUT.glb)");
    }
    require(isHarmless(name), "needs the extension ", name,
            ", which is unknown here; export it again without that extension");
  }
}

void GltfFile::parseContainer(const SharedBytes& file) {
  const auto parse = [](ByteSpan text) {
    return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  };
  ByteReader reader(file);
  if (file.size() < 4 || loadNumber<std::uint32_t>(file.data()) != kMagic) {
    json_ = parse(file);
    require(!json_.is_discarded(), "is neither a GLB nor JSON");
    return;
  }
  reader.skip(4);
  const auto version = reader.number<std::uint32_t>();
  require(version == 2, "is a GLB of version ", version, "; only version 2 can be read");
  const auto length = reader.number<std::uint32_t>();
  require(length <= file.size(), "is cut off: its header says ", length, " bytes, there are ", file.size());
  bool has_json = false;
  while (reader.left() >= 8) {
    const auto size = reader.number<std::uint32_t>();
    const auto kind = reader.number<std::uint32_t>();
    const ByteSpan chunk = reader.take(size);
    if (kind == kJsonChunk && !has_json) {
      json_ = parse(chunk);
      require(!json_.is_discarded(), "its JSON is damaged");
      has_json = true;
    } else if (kind == kBinaryChunk && !has_binary_chunk_) {
      binary_chunk_ = chunk;
      has_binary_chunk_ = true;
    }
  }
  require(has_json, "is a GLB without a JSON chunk");
}

const Json& GltfFile::member(const Json& object, const char* name, Json::value_t kind) {
  static const std::map<Json::value_t, Json> empty = {{Json::value_t::array, Json::array()},
                                                      {Json::value_t::object, Json::object()}};
  const auto found = object.find(name);
  if (found == object.end()) return empty.at(kind);
  require(found->type() == kind, "\"", name, "\" is ", found->type_name(), ", not ",
          empty.at(kind).type_name());
  return *found;
}

const Json& GltfFile::entry(const char* list_name, std::size_t index) const {
  const Json& entries = list(list_name);
  require(index < entries.size(), "refers to entry ", index, " of ", list_name, ", which has ",
          entries.size());
  require(entries[index].is_object(), "entry ", index, " of ", list_name, " is no object");
  return entries[index];
}

std::string GltfFile::text(const Json& object, const char* name, const std::string& otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  require(found->is_string(), "\"", name, "\" is no text");
  return found->get<std::string>();
}

float GltfFile::number(const Json& object, const char* name, float otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  require(found->is_number() && std::abs(found->get<double>()) < 1e30, "\"", name, "\" is no number");
  return found->get<float>();
}

std::size_t GltfFile::count(const Json& object, const char* name, std::size_t otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  require(found->is_number_unsigned() && found->get<std::uint64_t>() < kNone, "\"", name,
          "\" is no whole number from 0 on");
  return found->get<std::size_t>();
}

std::vector<float> GltfFile::numbers(const Json& object, const char* name, std::vector<float> otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  require(found->is_array() && found->size() == otherwise.size(), "\"", name, "\" is no list of ",
          otherwise.size(), " numbers");
  for (std::size_t i = 0; i < otherwise.size(); ++i) {
    const Json& value = (*found)[i];
    require(value.is_number() && std::abs(value.get<double>()) < 1e30, "\"", name, "\" holds no numbers");
    otherwise[i] = value.get<float>();
  }
  return otherwise;
}

void GltfFile::claim(std::uint64_t bytes) const {
  require(bytes <= kMaxUnpackedBytes && claimed_ + bytes <= kMaxUnpackedBytes,
          "holds more than a head needs: unpacked, its meshes and shapes pass ", kMaxUnpackedBytes >> 20,
          " MiB; export the head alone");
  claimed_ += bytes;
}

Bytes GltfFile::bytesAt(const std::string& uri) const {
  if (uri.starts_with("data:")) {
    const std::size_t comma = uri.find(',');
    require(comma != std::string::npos && uri.substr(0, comma).ends_with(";base64"),
            "a data URI is not base64");
    return fromBase64(std::string_view(uri).substr(comma + 1));
  }
  const fs::path relative = percentDecoded(uri);
  const bool climbs =
      std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  require(!uri.empty() && relative.is_relative() && !climbs && uri.find("://") == std::string::npos,
          "refers to the file \"", uri, "\"; only files in its own folder are read");
  require(fs::is_regular_file(folder_ / relative), "refers to the file \"", uri,
          "\", which does not lie beside it; copy it there or export a .glb, which holds all");
  try {
    return readBytes(folder_ / relative);
  } catch (const Error& error) {
    throw std::invalid_argument("refers to a file that cannot be read: " + std::string(error.what()));
  }
}

ByteSpan GltfFile::buffer(std::size_t index) const {
  const Json& entry = this->entry("buffers", index);
  const std::size_t size = count(entry, "byteLength", 0);
  const auto known = buffers_.find(index);
  ByteSpan bytes;
  if (known != buffers_.end()) {
    bytes = known->second;
  } else if (entry.contains("uri")) {
    bytes = buffers_.emplace(index, bytesAt(text(entry, "uri"))).first->second;
    claim(bytes.size());
  } else {
    require(index == 0 && has_binary_chunk_, "buffer ", index, " has neither a URI nor a binary chunk");
    bytes = binary_chunk_;
  }
  require(size <= bytes.size(), "is cut off or damaged: buffer ", index, " should have ", size,
          " bytes, there are ", bytes.size());
  return bytes.first(size);
}

ByteSpan GltfFile::view(std::size_t index) const {
  const Json& entry = this->entry("bufferViews", index);
  const ByteSpan bytes = buffer(count(entry, "buffer", kNone));
  const std::size_t offset = count(entry, "byteOffset", 0), size = count(entry, "byteLength", 0);
  require(offset <= bytes.size() && size <= bytes.size() - offset, "buffer view ", index, " (", size,
          " bytes from ", offset, ") passes the end of its buffer of ", bytes.size());
  return bytes.subspan(offset, size);
}

GltfFile::Accessor GltfFile::accessor(std::size_t index, const char* type) const {
  const Json& entry = this->entry("accessors", index);
  Accessor result;
  const std::string found_type = text(entry, "type");
  require(found_type == type, "accessor ", index, " is of the type \"", found_type, "\"; ", type,
          " is needed");
  result.columns = componentsOf(type);
  result.type = componentType(count(entry, "componentType", 0));
  result.count = count(entry, "count", 0);
  const auto normalized = entry.find("normalized");
  result.is_normalized = normalized != entry.end() && normalized->is_boolean() && normalized->get<bool>();
  const std::size_t item = result.columns * result.type.size;
  // The bytes of `count` items from an offset of a view.
  const auto bytesOf = [&](const Json& place, std::size_t num_items, std::size_t size, std::size_t stride) {
    const std::size_t view_index = count(place, "bufferView", kNone);
    const ByteSpan bytes = view(view_index);
    const std::size_t offset = count(place, "byteOffset", 0);
    require(num_items == 0 || (offset <= bytes.size() && size <= bytes.size() - offset &&
                               num_items - 1 <= (bytes.size() - offset - size) / stride),
            "accessor ", index, " (", num_items, " items of ", size, " bytes) passes the end of buffer view ",
            view_index);
    return num_items == 0 ? ByteSpan{} : bytes.subspan(offset);
  };
  if (entry.contains("bufferView")) {
    const std::size_t given =
        count(this->entry("bufferViews", GltfFile::index(entry, "bufferView")), "byteStride", 0);
    result.stride = given == 0 ? item : given;
    require(result.stride >= item && result.stride <= 252 + item, "accessor ", index, " has items of ", item,
            " bytes every ", result.stride);
    result.bytes = bytesOf(entry, result.count, item, result.stride);
  }
  if (entry.contains("sparse")) {
    const Json& sparse = member(entry, "sparse", Json::value_t::object);
    const Json& rows = member(sparse, "indices", Json::value_t::object);
    result.num_sparse = count(sparse, "count", 0);
    result.sparse_type = componentType(count(rows, "componentType", 0));
    require(result.sparse_type.kind == 'u' && result.num_sparse <= result.count, "accessor ", index,
            " has sparse indices that are no indices, or more of them than items");
    result.sparse_rows = bytesOf(rows, result.num_sparse, result.sparse_type.size, result.sparse_type.size);
    result.sparse_values =
        bytesOf(member(sparse, "values", Json::value_t::object), result.num_sparse, item, item);
  }
  return result;
}

// Calls use(row, column, address of the number) for every number that is not left at zero.
template <typename Use>
void GltfFile::forEach(const Accessor& accessor, const Use& use) const {
  const auto row = [&](std::size_t i, const std::uint8_t* from) {
    for (std::size_t c = 0; c < accessor.columns; ++c) {
      use(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c), from + c * accessor.type.size);
    }
  };
  if (!accessor.bytes.empty()) {
    for (std::size_t i = 0; i < accessor.count; ++i) row(i, accessor.bytes.data() + i * accessor.stride);
  }
  const std::size_t item = accessor.columns * accessor.type.size;
  for (std::size_t i = 0; i < accessor.num_sparse; ++i) {
    ByteReader index(accessor.sparse_rows.subspan(i * accessor.sparse_type.size, accessor.sparse_type.size));
    const std::uint64_t at = index.unsignedNumber(accessor.sparse_type.size);
    require(at < accessor.count, "a sparse accessor replaces item ", at, " of ", accessor.count);
    row(at, accessor.sparse_values.data() + i * item);
  }
}

GltfFile::Rows GltfFile::values(std::size_t accessor_index, const char* type) const {
  const Accessor from = accessor(accessor_index, type);
  require(from.count < std::numeric_limits<std::int32_t>::max(), "accessor ", accessor_index, " has ",
          from.count, " items");
  claim(from.count * from.columns * sizeof(float));
  Rows result = Rows::Zero(static_cast<Eigen::Index>(from.count), static_cast<Eigen::Index>(from.columns));
  // Signed values are symmetric: -128 and -127 both stand for -1.
  const bool is_scaled = from.is_normalized && from.type.kind != 'f';
  const int value_bits = static_cast<int>(8 * from.type.size) - (from.type.kind == 'i' ? 1 : 0);
  const float scale = is_scaled ? 1 / static_cast<float>((std::uint64_t{1} << value_bits) - 1) : 1.0F;
  withNumberType(from.type, [&](const auto& load) {
    forEach(from, [&](Eigen::Index row, Eigen::Index column, const std::uint8_t* address) {
      const float value = load(address) * scale;
      result(row, column) = is_scaled ? std::max(value, -1.0F) : value;
    });
  });
  require(result.allFinite(), "accessor ", accessor_index, " holds values that are not finite");
  return result;
}

Eigen::Matrix<std::uint32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> GltfFile::wholeValues(
    std::size_t accessor_index, const char* type) const {
  const Accessor from = accessor(accessor_index, type);
  require(from.type.kind == 'u' && from.count < std::numeric_limits<std::int32_t>::max(), "accessor ",
          accessor_index, " holds no indices");
  claim(from.count * from.columns * sizeof(std::uint32_t));
  Eigen::Matrix<std::uint32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> result;
  result.setZero(static_cast<Eigen::Index>(from.count), static_cast<Eigen::Index>(from.columns));
  forEach(from, [&](Eigen::Index row, Eigen::Index column, const std::uint8_t* address) {
    ByteReader number(ByteSpan(address, from.type.size));
    result(row, column) = static_cast<std::uint32_t>(number.unsignedNumber(from.type.size));
  });
  return result;
}

std::vector<std::uint32_t> GltfFile::indices(std::size_t accessor_index) const {
  const auto values = wholeValues(accessor_index, "SCALAR");
  return {values.data(), values.data() + values.size()};
}

Bytes GltfFile::imageBytes(std::size_t image) const {
  const Json& entry = this->entry("images", image);
  if (entry.contains("uri")) return bytesAt(text(entry, "uri"));
  const ByteSpan bytes = view(index(entry, "bufferView"));
  return {bytes.begin(), bytes.end()};
}

}  // namespace facet
