#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/shared_bytes.h"

namespace facet {

// A numpy array where it lies: in a file's bytes, in either byte order and any order of the axes (C, Fortran,
// torch strides). Values are converted on the way out, so that nothing is copied twice.
struct ArrayView {
  std::string dtype;  // numpy's descriptor with its byte order: "<f4", ">f8", "|u1", "<U11"…
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in items, one for each axis
  SharedBytes bytes;                  // starts at the first item

  // Fills `strides` for C or Fortran order and checks that the shape's items fit into `bytes` (and, where the
  // dtype is not known here, only that the shape itself is sane). Returns what is wrong, or nothing.
  std::string layOut(bool fortran_order);

  std::int64_t count() const;
  bool isNumeric() const;  // floats of 2, 4, 8 bytes, integers of 1 to 8 bytes, booleans
  bool isText() const;     // "U…" or "S…"

  // Values in C order, converted from any numeric dtype (half floats included); throws std::invalid_argument
  // for text, and asInt32 for a value that does not fit.
  std::vector<float> asFloat() const;
  std::vector<double> asDouble() const;
  std::vector<std::int32_t> asInt32() const;
  std::vector<std::string> asStrings() const;  // UTF-8; "S" items are taken as they are

  // Values [begin, end) in C order, as float or double.
  template <typename T>
  void copyTo(std::int64_t begin, std::int64_t end, T* values) const;

  // The array in C order as a matrix of that many rows; rows must divide count(). No copy in between.
  Eigen::MatrixXf asMatrix(std::int64_t rows) const;

  // The items in C order and little-endian.
  std::vector<std::uint8_t> contiguousBytes() const;
};

// Bytes per item of a numpy descriptor ("<f4": 4), or 0 if it is none that can be read here (or text of
// length 0).
std::size_t itemSize(const std::string& dtype);

// "5023 x 3 x 400"; "a single value" without axes.
std::string shapeText(const std::vector<std::int64_t>& shape);

void appendUtf8(char32_t c, std::string& text);

}  // namespace facet
