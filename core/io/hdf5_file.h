#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "core/io/byte_reader.h"

namespace facet {

// The part of HDF5 in which face models come (scalismo, statismo, h5py, MATLAB -v7.3): superblocks 0 to 3,
// groups by symbol table or by link messages, compact, contiguous and chunked data (version 1 B-tree, single
// chunk, implicit and fixed-array index) with shuffle and deflate, integers, floats and strings. Format: The
// HDF Group, "HDF5 File Format Specification Version 3.0". The rest of the format (dense groups, references,
// other filters) is refused by name.
//
// Why not libhdf5: Debian's 1.10.8 writes past its heap on damaged files (libFuzzer finds the first one
// within five seconds, and leaks before that), and no check beforehand short of a whole parser prevents it.
//
// Addresses and counts are checked against the file before they are used, and stored chunks may not overlap,
// so that no more is allocated than the file can fill. All functions throw std::invalid_argument that says
// what is wrong, without the file's name. `file` must outlive the object.
class Hdf5File {
 public:
  explicit Hdf5File(ByteSpan file);

  // The signature stands at byte 0, 512, 1024, 2048 …
  static bool isHdf5(ByteSpan file);

  // Paths are "shape/model/mean"; "" is the root group.
  bool has(const std::string& path) const;
  bool isGroup(const std::string& path) const;
  std::vector<std::string> names(const std::string& group) const;
  std::vector<std::int64_t> shape(const std::string& path) const;

  // A numeric array of up to two dimensions; one dimension is a column, a scalar 1×1.
  Eigen::MatrixXf read(const std::string& path) const { return readMatrix(path, false); }
  Eigen::MatrixXf readTransposed(const std::string& path) const { return readMatrix(path, true); }
  // A single string of fixed or variable length, opaque bytes, or an array of bytes.
  std::string readText(const std::string& path) const;

 private:
  struct Message;
  struct Dataset;
  struct Chunk;
  class MatrixWriter;

  ByteReader at(std::uint64_t address) const;
  std::uint64_t offset(ByteReader& reader) const { return reader.unsignedNumber(offset_size_); }
  std::uint64_t length(ByteReader& reader) const { return reader.unsignedNumber(length_size_); }
  bool isDefined(std::uint64_t address) const;
  std::vector<Message> messages(std::uint64_t object) const;
  std::vector<std::pair<std::string, std::uint64_t>> links(std::uint64_t group) const;
  void addSymbolTable(std::uint64_t node, ByteSpan names, int level, std::size_t& nodes_left,
                      std::vector<std::pair<std::string, std::uint64_t>>& links) const;
  std::optional<std::uint64_t> find(const std::string& path) const;
  std::uint64_t get(const std::string& path) const;
  Dataset dataset(const std::string& path) const;
  void addChunks(std::uint64_t node, std::size_t rank, int level, std::size_t& nodes_left,
                 std::vector<Chunk>& chunks) const;
  std::vector<Chunk> fixedArrayChunks(const Dataset& data, std::uint64_t count) const;
  std::vector<Chunk> chunksOf(const Dataset& data) const;
  Eigen::MatrixXf readMatrix(const std::string& path, bool transposed) const;

  ByteSpan file_;  // from the base address on
  std::size_t offset_size_ = 8, length_size_ = 8;
  std::uint64_t root_ = 0;
};

}  // namespace facet
