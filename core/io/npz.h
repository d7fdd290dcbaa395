#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <Eigen/Core>

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

// numpy's .npy and .npz (zip of .npy, stored or deflated, zip64 sizes accepted). Fortran order is converted
// on reading. Errors: Error(kInput) naming the file and what is wrong with it.
NpyArray readNpy(const std::filesystem::path& path);
Npz readNpz(const std::filesystem::path& path);
void writeNpz(const std::filesystem::path& path, const Npz& arrays, bool compress = false);

}  // namespace facet
