#pragma once

#include <Eigen/Core>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/io/byte_reader.h"

namespace facet {

// MATLAB files of version 5 (also written by `save -v6` and, deflated, `-v7`), little and big-endian, and of
// version 7.3, which is HDF5 inside (core/io/hdf5_file.h). Format: MathWorks, "MAT-File Format", chapter 1.
//
// Why not matio: Debian's 1.5.23 asks for 4·10^18 bytes after two damaged bytes in a 2 KiB file (libFuzzer
// finds it within a second), and it offers no way to check a count before it allocates.
//
// Every count is checked against the bytes that are there before anything is allocated. All functions throw
// std::invalid_argument that says what is wrong, without the file's name.

struct MatVariable {
  std::string name;  // "shapeMU"
  bool is_struct = false;
  std::vector<std::int64_t> shape;
};

// The variables at the top level, in the file's order; reads their headers only.
std::vector<MatVariable> matVariables(ByteSpan file);

// The wanted ones of a file's real, numeric, full arrays of one or two dimensions, as MATLAB shows them
// (rows×columns). A field of a struct is "model.shapeMU". What the file does not have is not in the result.
std::map<std::string, Eigen::MatrixXf> readMat(ByteSpan file, const std::set<std::string>& wanted);

}  // namespace facet
