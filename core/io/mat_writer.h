#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace facet {

// Builds a MATLAB file of version 5, variable by variable: real, full, numeric arrays of two dimensions and
// structs of them. Format: MathWorks, "MAT-File Format", chapter 1. The bytes go to a file with writeBytes()
// (core/io/files.h).
class MatWriter {
 public:
  using Bytes = std::vector<std::uint8_t>;
  // How numbers are stored, and which class MATLAB shows.
  enum Storage {
    kInt8 = 1,
    kUint8 = 2,
    kInt16 = 3,
    kUint16 = 4,
    kInt32 = 5,
    kUint32 = 6,
    kSingle = 7,
    kDouble = 9
  };

  explicit MatWriter(bool compress = false, bool big_endian = false);

  void add(const std::string& name, const Eigen::MatrixXf& values, Storage storage = kSingle);
  // One struct whose fields are given as elements made by array("", …).
  void addStruct(const std::string& name, const std::vector<std::pair<std::string, Bytes>>& fields);

  // A variable's element, as addVariable() takes it.
  Bytes array(const std::string& name, const Eigen::MatrixXf& values, Storage storage = kSingle) const;
  // Any bytes as a variable.
  void addVariable(const Bytes& matrix_element);
  // Tag, data and padding.
  Bytes element(std::uint32_t type, const Bytes& data) const;

  const Bytes& bytes() const { return file_; }

 private:
  template <typename T>
  void put(Bytes& to, double value) const;
  Bytes header(int array_class, const std::vector<Eigen::Index>& shape, const std::string& name) const;

  bool compress_, big_endian_;
  Bytes file_;
};

}  // namespace facet
