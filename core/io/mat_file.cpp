#include "core/io/mat_file.h"

#include <zlib.h>

#include <memory>
#include <optional>
#include <string_view>

#include "core/io/hdf5_file.h"

namespace facet {
namespace {

constexpr std::size_t kHeaderSize = 128;
constexpr int kMaxDepth = 16;  // structs in structs; a model has one level

// Data types of elements and classes of arrays, tables 1-1 and 1-3 of the format.
enum : std::uint32_t { kMatrix = 14, kCompressed = 15 };
enum : std::uint32_t { kStructClass = 2, kDoubleClass = 6, kUint64Class = 15, kOpaqueClass = 17 };

std::optional<NumberType> numberType(std::uint32_t data_type, bool big_endian) {
  switch (data_type) {
    case 1:
      return NumberType{'i', 1, big_endian};
    case 2:
      return NumberType{'u', 1, big_endian};
    case 3:
      return NumberType{'i', 2, big_endian};
    case 4:
      return NumberType{'u', 2, big_endian};
    case 5:
      return NumberType{'i', 4, big_endian};
    case 6:
      return NumberType{'u', 4, big_endian};
    case 7:
      return NumberType{'f', 4, big_endian};
    case 9:
      return NumberType{'f', 8, big_endian};
    case 12:
      return NumberType{'i', 8, big_endian};
    case 13:
      return NumberType{'u', 8, big_endian};
    default:
      return std::nullopt;
  }
}

// The bytes of one element of the top level, unpacked as they are asked for if it is compressed.
class Source {
 public:
  Source(ByteSpan bytes, bool compressed) : bytes_(bytes) {
    if (!compressed) return;
    unpacker_.reset(new z_stream{});
    require(inflateInit(unpacker_.get()) == Z_OK, "cannot be unpacked: zlib does not start");
    unpacker_->next_in = const_cast<Bytef*>(bytes.data());
    unpacker_->avail_in = static_cast<uInt>(bytes.size());
  }

  // No more than so many bytes can still come.
  std::uint64_t atMost() const {
    // What zlib has taken in but not yet handed out is less than its window.
    return unpacker_ ? unpacker_->avail_in * kMaxDeflateRatio + (1U << 16) : bytes_.size();
  }

  void read(void* to, std::uint64_t count) {
    if (!unpacker_) {
      require(count <= bytes_.size(), "is cut off or damaged: ", count, " bytes expected, ", bytes_.size(),
              " left");
      if (count > 0) std::memcpy(to, bytes_.data(), count);
      bytes_ = bytes_.subspan(count);
      return;
    }
    unpacker_->next_out = static_cast<Bytef*>(to);
    while (count > 0) {
      const auto step = static_cast<uInt>(std::min<std::uint64_t>(count, 1U << 30));
      unpacker_->avail_out = step;
      const int state = inflate(unpacker_.get(), Z_SYNC_FLUSH);
      require(state == Z_OK || state == Z_STREAM_END, "holds a compressed variable that is damaged");
      require(unpacker_->avail_out < step, "holds a compressed variable that is cut off");
      count -= step - unpacker_->avail_out;
    }
  }

  void skip(std::uint64_t count) {
    if (!unpacker_) {
      require(count <= bytes_.size(), "is cut off or damaged: ", count, " bytes expected, ", bytes_.size(),
              " left");
      bytes_ = bytes_.subspan(count);
      return;
    }
    std::array<std::uint8_t, 1 << 14> nowhere;
    while (count > 0) {
      const std::uint64_t step = std::min<std::uint64_t>(count, nowhere.size());
      read(nowhere.data(), step);
      count -= step;
    }
  }

 private:
  struct EndInflate {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };
  ByteSpan bytes_;
  std::unique_ptr<z_stream, EndInflate> unpacker_;
};

struct Tag {
  std::uint32_t type = 0;
  std::uint64_t size = 0;  // of the data, without padding
  bool small = false;      // the data stand in the tag's own 8 bytes
  std::array<std::uint8_t, 4> small_data = {};
};

struct ArrayHeader {
  std::uint32_t array_class = 0;
  bool complex = false;
  std::vector<std::int64_t> shape;
  std::string name;

  bool isNumeric() const { return array_class >= kDoubleClass && array_class <= kUint64Class; }
};

// Walks the elements of one variable. `left` is what the enclosing element still holds: every read is taken
// from it, so a part can never be larger than the whole.
class Walker {
 public:
  Walker(Source& source, bool big_endian, const std::set<std::string>& wanted,
         std::map<std::string, Eigen::MatrixXf>& found)
      : source_(source), big_endian_(big_endian), wanted_(wanted), found_(found) {}

  Tag readTag(std::uint64_t& left) {
    std::array<std::uint8_t, 8> bytes;
    take(bytes.data(), bytes.size(), left);
    Tag tag;
    tag.type = loadNumber<std::uint32_t>(bytes.data(), big_endian_);
    tag.size = loadNumber<std::uint32_t>(bytes.data() + 4, big_endian_);
    if (tag.type >> 16 != 0) {
      tag.small = true;
      tag.size = tag.type >> 16;
      tag.type &= 0xFFFF;
      require(tag.size <= 4, "holds a small element of ", tag.size, " bytes; the file is damaged");
      std::copy(bytes.begin() + 4, bytes.end(), tag.small_data.begin());
    }
    return tag;
  }

  ArrayHeader readArrayHeader(std::uint64_t& left) {
    ArrayHeader header;
    const std::vector<std::uint8_t> flags = readSmall(left, 8);
    require(flags.size() == 8, "holds an array without flags; the file is damaged");
    const auto word = loadNumber<std::uint32_t>(flags.data(), big_endian_);
    header.array_class = word & 0xFF;
    header.complex = (word & 0x800) != 0;
    if (header.array_class == kOpaqueClass) return header;  // an object of MATLAB's own: without shape
    const std::vector<std::uint8_t> shape = readSmall(left, 4 * kMaxDepth);
    for (std::size_t i = 0; i + 4 <= shape.size(); i += 4) {
      header.shape.push_back(loadNumber<std::int32_t>(shape.data() + i, big_endian_));
      require(header.shape.back() >= 0, "holds an array of negative size; the file is damaged");
    }
    const std::vector<std::uint8_t> name = readSmall(left, 256);
    header.name.assign(name.begin(), name.end());
    return header;
  }

  // The inside of a matrix element of `left` bytes; all of them are consumed.
  void walkArray(std::uint64_t left, const std::string& prefix, const std::string& field, int depth) {
    if (left == 0) return;  // an empty field
    require(depth < kMaxDepth, "holds structs nested deeper than ", kMaxDepth);
    const ArrayHeader header = readArrayHeader(left);
    const std::string name = prefix + (field.empty() ? header.name : field);
    if (header.array_class == kStructClass) {
      walkStruct(left, header, name, depth);
    } else if (wanted_.count(name) > 0) {
      require(header.isNumeric() && !header.complex && header.shape.size() <= 2, "its \"", name,
              "\" is not a real, full matrix of numbers");
      found_[name] = readMatrix(left, header, name);
    }
    skip(left);
  }

 private:
  void take(void* to, std::uint64_t count, std::uint64_t& left) {
    require(count <= left, "is cut off or damaged: an element is larger than the one that holds it");
    source_.read(to, count);
    left -= count;
  }
  void skip(std::uint64_t count) { source_.skip(count); }

  // The data of a short element and its padding.
  std::vector<std::uint8_t> readSmall(std::uint64_t& left, std::size_t max_size) {
    const Tag tag = readTag(left);
    if (tag.small)
      return {tag.small_data.begin(), tag.small_data.begin() + static_cast<std::ptrdiff_t>(tag.size)};
    require(tag.size <= max_size, "holds an array with a header of ", tag.size,
            " bytes; the file is damaged");
    std::vector<std::uint8_t> data((tag.size + 7) / 8 * 8);
    take(data.data(), data.size(), left);
    data.resize(tag.size);
    return data;
  }

  void walkStruct(std::uint64_t& left, const ArrayHeader& header, const std::string& name, int depth) {
    for (const std::int64_t length : header.shape) {
      if (length != 1) return;  // an array of structs: none of our models has one
    }
    const std::vector<std::uint8_t> length = readSmall(left, 4);
    require(length.size() == 4, "holds a struct without field names; the file is damaged");
    const auto name_length = loadNumber<std::uint32_t>(length.data(), big_endian_);
    const Tag tag = readTag(left);
    require(name_length > 0 && name_length <= 256 && tag.size % name_length == 0 && tag.size <= left,
            "holds a struct whose field names are damaged");
    std::vector<std::uint8_t> names;
    if (tag.small) {
      names.assign(tag.small_data.begin(), tag.small_data.end());
    } else {
      require(tag.size <= 1U << 16, "holds a struct with ", tag.size / name_length, " fields");
      names.resize((tag.size + 7) / 8 * 8);
      take(names.data(), names.size(), left);
    }
    for (std::size_t at = 0; at + name_length <= tag.size; at += name_length) {
      const auto* text = reinterpret_cast<const char*>(names.data() + at);
      const std::string field(text, strnlen(text, name_length));
      const Tag value = readTag(left);
      require(value.type == kMatrix && !value.small, "holds a struct whose field \"", field, "\" is damaged");
      require(value.size <= left, "is cut off or damaged inside the field \"", field, "\"");
      left -= value.size;
      walkArray(value.size, name + '.', field, depth + 1);
    }
  }

  Eigen::MatrixXf readMatrix(std::uint64_t& left, const ArrayHeader& header, const std::string& name) {
    Tag tag = readTag(left);
    const auto type = numberType(tag.type, big_endian_);
    require(type.has_value(), "its \"", name, "\" does not hold numbers");
    const auto rows = static_cast<std::uint64_t>(header.shape.empty() ? 1 : header.shape[0]);
    const auto columns = static_cast<std::uint64_t>(header.shape.size() < 2 ? 1 : header.shape[1]);
    // Sizes below 2^31 each: the product fits.
    require(rows * columns == tag.size / type->size && tag.size % type->size == 0, "its \"", name, "\" is ",
            rows, " x ", columns, " but holds ", tag.size / type->size, " numbers; the file is damaged");
    Eigen::MatrixXf matrix;
    if (tag.small) {
      matrix.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
      convert(tag.small_data.data(), *type, tag.size / type->size, matrix.data());
      return matrix;
    }
    require(tag.size <= left && tag.size <= source_.atMost(), "is cut off or damaged inside \"", name,
            "\": ", tag.size, " bytes expected, fewer left");
    // The memory is not touched before the numbers come, so that a claim costs nothing.
    matrix.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
    if (type->kind == 'f' && type->size == 4 && !type->big_endian) {
      take(matrix.data(), tag.size, left);
    } else {
      std::array<std::uint8_t, 1 << 14> block;
      for (std::uint64_t done = 0; done < tag.size;) {
        const std::uint64_t step = std::min<std::uint64_t>(tag.size - done, block.size());
        take(block.data(), step, left);
        convert(block.data(), *type, step / type->size, matrix.data() + done / type->size);
        done += step;
      }
    }
    return matrix;
  }

  static void convert(const std::uint8_t* from, const NumberType& type, std::uint64_t count, float* to) {
    withNumberType(type, [&](const auto& load) {
      for (std::uint64_t i = 0; i < count; ++i) to[i] = load(from + i * type.size);
    });
  }

  Source& source_;
  bool big_endian_;
  const std::set<std::string>& wanted_;
  std::map<std::string, Eigen::MatrixXf>& found_;
};

// Calls visit(walker, size of the matrix element) for each variable.
template <typename Visit>
void forEachVariable(ByteSpan file, const std::set<std::string>& wanted,
                     std::map<std::string, Eigen::MatrixXf>& found, const Visit& visit) {
  require(file.size() >= kHeaderSize, "is not a MATLAB file: it has ", file.size(), " bytes");
  const std::string_view order(reinterpret_cast<const char*>(file.data()) + 126, 2);
  require(order == "IM" || order == "MI",
          "is not a MATLAB file of version 5 or later; save it again with MATLAB's save -v7");
  const bool big_endian = order == "MI";
  ByteReader elements(file.subspan(kHeaderSize), big_endian);
  while (elements.left() >= 8) {
    const auto type = elements.number<std::uint32_t>();
    const auto size = elements.number<std::uint32_t>();
    require(type == kMatrix || type == kCompressed, "holds an element of type ", type,
            " among its variables; the file is damaged");
    const ByteSpan element = elements.take(size);
    Source source(element, type == kCompressed);
    Walker walker(source, big_endian, wanted, found);
    std::uint64_t matrix_size = size;
    if (type == kCompressed) {
      std::uint64_t left = 8;
      const Tag tag = walker.readTag(left);
      require(tag.type == kMatrix && !tag.small, "holds a compressed variable that is damaged");
      matrix_size = tag.size;
    }
    visit(walker, matrix_size);
  }
  require(elements.left() == 0, "is cut off behind its last variable");
}

}  // namespace

std::vector<MatVariable> matVariables(ByteSpan file) {
  std::vector<MatVariable> variables;
  if (Hdf5File::isHdf5(file)) {
    const Hdf5File inside(file);
    for (const std::string& name : inside.names("")) {
      MatVariable variable{name, inside.isGroup(name), {}};
      if (!variable.is_struct) {
        variable.shape = inside.shape(name);
        std::reverse(variable.shape.begin(), variable.shape.end());
      }
      variables.push_back(std::move(variable));
    }
    return variables;
  }
  std::map<std::string, Eigen::MatrixXf> none;
  forEachVariable(file, {}, none, [&](Walker& walker, std::uint64_t size) {
    if (size == 0) return;
    const ArrayHeader header = walker.readArrayHeader(size);
    variables.push_back({header.name, header.array_class == kStructClass, header.shape});
  });
  return variables;
}

std::map<std::string, Eigen::MatrixXf> readMat(ByteSpan file, const std::set<std::string>& wanted) {
  std::map<std::string, Eigen::MatrixXf> found;
  if (Hdf5File::isHdf5(file)) {
    const Hdf5File inside(file);
    for (const std::string& name : wanted) {
      std::string path = name;
      std::replace(path.begin(), path.end(), '.', '/');
      // MATLAB stores its column-major arrays with their dimensions reversed.
      if (inside.has(path)) found[name] = inside.readTransposed(path);
    }
    return found;
  }
  forEachVariable(file, wanted, found,
                  [](Walker& walker, std::uint64_t size) { walker.walkArray(size, "", "", 0); });
  return found;
}

}  // namespace facet
