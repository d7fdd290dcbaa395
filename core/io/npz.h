#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/io/array_view.h"
#include "core/io/zip.h"

namespace facet {

// One numpy array, C order, little-endian. `dtype` is numpy's descriptor: "<f4", "<f8", "<f2", "<i4", "<i8",
// "|u1", "|b1",
// "<U11" (UTF-32 text)…
struct NpyArray {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;

  std::int64_t count() const;
  // Values converted from any numeric dtype (half floats included); throws std::invalid_argument for text.
  std::vector<float> asFloat() const;
  std::vector<double> asDouble() const;
  std::vector<std::int32_t> asInt32() const;
  std::vector<std::string> asStrings() const;  // "<U…" and "|S…" arrays

  static NpyArray fromFloat(const float* values, std::vector<std::int64_t> shape);
  static NpyArray fromDouble(const double* values, std::vector<std::int64_t> shape);
  static NpyArray fromInt32(const std::int32_t* values, std::vector<std::int64_t> shape);
  static NpyArray fromUint8(const std::uint8_t* values, std::vector<std::int64_t> shape);
  // Half precision; halves the size of a basis, relative error below 5e-4.
  static NpyArray halfFromFloat(const float* values, std::vector<std::int64_t> shape);
};

using Npz = std::map<std::string, NpyArray>;

// numpy's .npy and .npz (zip of .npy, stored or deflated, zip64 sizes accepted). Fortran order and big-endian
// items are converted on reading. Errors: Error(kInput) naming the file and what is wrong with it; arrays of
// Python objects are refused here and read by readPython (core/io/pickle.h).
NpyArray readNpy(const std::filesystem::path& path);
Npz readNpz(const std::filesystem::path& path);
Npz readNpz(const SharedBytes& bytes, const std::string& name);
// Arrays that are not compressed start at multiples of 64 bytes of the file, so that it can be mapped and
// used in place.
void writeNpz(const std::filesystem::path& path, const Npz& arrays, bool compress = false);

// An .npy without copying it. Items of Python objects (isObjects(dtype)) are not laid out: `bytes` is the
// pickle that follows the header. Errors: Error(kInput), led by `name`.
bool isNpy(const SharedBytes& bytes);
bool isObjects(const std::string& dtype);
ArrayView viewNpy(const SharedBytes& npy, const std::string& name);

// An .npz read array by array; opening it reads the directory only. Errors: Error(kInput), led by `name`.
class NpzFile {
 public:
  NpzFile(SharedBytes bytes, std::string name, Checksum checksum = Checksum::kVerify);

  std::size_t size() const { return entries_.size(); }
  std::string key(std::size_t i) const;
  ArrayView header(std::size_t i) const;     // dtype and shape; no bytes, the data is not read
  SharedBytes content(std::size_t i) const;  // the whole .npy, for viewNpy

 private:
  SharedBytes bytes_;
  std::string name_;
  Checksum checksum_;
  std::vector<ZipEntry> entries_;
};

}  // namespace facet
