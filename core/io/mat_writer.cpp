#include "core/io/mat_writer.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace facet {
namespace {

void append(MatWriter::Bytes& to, const MatWriter::Bytes& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

template <typename T>
void MatWriter::put(Bytes& to, double value) const {
  const T number = static_cast<T>(value);
  std::uint8_t raw[sizeof(T)];
  std::memcpy(raw, &number, sizeof(T));
  if (big_endian_) std::reverse(raw, raw + sizeof(T));
  for (const std::uint8_t byte : raw) to.push_back(byte);
}

MatWriter::MatWriter(bool compress, bool big_endian) : compress_(compress), big_endian_(big_endian) {
  const std::string text = "MATLAB 5.0 MAT-file, written by facet";
  file_.assign(text.begin(), text.end());
  file_.resize(124, ' ');
  put<std::uint16_t>(file_, 0x0100);
  put<std::uint16_t>(file_, 0x4D49);  // "MI" in the writer's own order
}

void MatWriter::add(const std::string& name, const Eigen::MatrixXf& values, Storage storage) {
  addVariable(array(name, values, storage));
}

void MatWriter::addStruct(const std::string& name, const std::vector<std::pair<std::string, Bytes>>& fields) {
  constexpr std::size_t kNameLength = 32;
  Bytes body = header(2, {1, 1}, name);
  put<std::uint16_t>(body, big_endian_ ? 4 : 5);  // a small element: size and type share four bytes
  put<std::uint16_t>(body, big_endian_ ? 5 : 4);
  put<std::uint32_t>(body, kNameLength);
  Bytes names;
  for (const auto& [field, value] : fields) {
    Bytes padded(field.begin(), field.end());
    padded.resize(kNameLength);
    append(names, padded);
  }
  append(body, element(1, names));
  for (const auto& [field, value] : fields) append(body, value);
  addVariable(element(14, body));
}

MatWriter::Bytes MatWriter::array(const std::string& name, const Eigen::MatrixXf& values,
                                  Storage storage) const {
  constexpr int kClassOf[] = {0, 8, 9, 10, 11, 12, 13, 7, 0, 6};
  Bytes body = header(kClassOf[storage], {values.rows(), values.cols()}, name);
  Bytes data;
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    const float value = values.data()[i];
    if (storage == kInt8) put<std::int8_t>(data, value);
    if (storage == kUint8) put<std::uint8_t>(data, value);
    if (storage == kInt16) put<std::int16_t>(data, value);
    if (storage == kUint16) put<std::uint16_t>(data, value);
    if (storage == kInt32) put<std::int32_t>(data, value);
    if (storage == kUint32) put<std::uint32_t>(data, value);
    if (storage == kSingle) put<float>(data, value);
    if (storage == kDouble) put<double>(data, value);
  }
  append(body, element(storage, data));
  return element(14, body);
}

void MatWriter::addVariable(const Bytes& matrix_element) {
  if (!compress_) {
    append(file_, matrix_element);
    return;
  }
  uLongf size = compressBound(matrix_element.size());
  Bytes packed(size);
  compress2(packed.data(), &size, matrix_element.data(), matrix_element.size(), 6);
  packed.resize(size);
  put<std::uint32_t>(file_, 15);
  put<std::uint32_t>(file_, static_cast<double>(packed.size()));
  append(file_, packed);  // without padding
}

MatWriter::Bytes MatWriter::element(std::uint32_t type, const Bytes& data) const {
  Bytes bytes;
  put<std::uint32_t>(bytes, type);
  put<std::uint32_t>(bytes, static_cast<double>(data.size()));
  append(bytes, data);
  bytes.resize((bytes.size() + 7) / 8 * 8);
  return bytes;
}

MatWriter::Bytes MatWriter::header(int array_class, const std::vector<Eigen::Index>& shape,
                                   const std::string& name) const {
  Bytes flags, sizes;
  put<std::uint32_t>(flags, array_class);
  put<std::uint32_t>(flags, 0);
  for (const Eigen::Index length : shape) put<std::int32_t>(sizes, static_cast<double>(length));
  Bytes body = element(6, flags);
  append(body, element(5, sizes));
  append(body, element(1, Bytes(name.begin(), name.end())));
  return body;
}

}  // namespace facet
