#pragma once

#include <Eigen/SparseCore>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/array_view.h"
#include "core/io/shared_bytes.h"
#include "core/types.h"

namespace facet {

struct PickleDocument;  // the whole tree; internal
struct PickleNode;

// A value out of a file that Python wrote, and the place in the file where it stands. All accessors throw
// Error(kModel) led by that place: "generic_model.pkl: shapedirs: has 2 axes, expected 3". What a pickle
// wraps (chumpy.Ch, an array that holds one object, a torch parameter) is seen through.
class PickleValue {
 public:
  enum class Kind { kNone, kBool, kInteger, kReal, kText, kBytes, kList, kDict, kArray, kSparse, kOther };

  Kind kind() const;
  const std::string& name() const { return name_; }
  template <typename... Parts>
  [[noreturn]] void complain(const Parts&... what) const {
    fail(ErrorKind::kModel, name_, ": ", what...);
  }

  // Dictionaries (of text keys; others are not seen), and the arrays of an .npz.
  bool has(const std::string& key) const;
  PickleValue operator[](const std::string& key) const;
  std::vector<std::string> keys() const;

  // Lists, tuples, sets and arrays of objects.
  std::size_t size() const;
  PickleValue operator[](std::size_t index) const;

  std::int64_t integer() const;
  double number() const;
  std::string text() const;

  // Numbers: arrays, and lists of numbers as arrays of one axis.
  std::vector<std::int64_t> shape() const;  // of an array; of a list: its length
  std::int64_t count() const;               // the product of the shape
  ArrayView array() const;                  // kArray only
  // The values in C order as rows x (the rest). The shape must be `expected`, where kAny stands for any
  // length; a leading axis of length 1 more or less is overlooked. Values must be finite.
  static constexpr std::int64_t kAny = -1;
  Eigen::MatrixXf matrix(std::int64_t rows, std::initializer_list<std::int64_t> expected) const;
  // 3V values of any shape as V×3, and modes of V vertices as 3V×K (3V x K, or V x 3 x K, in the file).
  Points3 points() const;
  Eigen::MatrixXf modes(std::int64_t num_vertices) const;
  // Whole numbers in [0, limit), in C order, whatever the shape.
  std::vector<std::int32_t> indices(std::int64_t limit = std::numeric_limits<std::int32_t>::max()) const;
  // F×3 corners in [0, num_vertices); the shape must be so, with one triangle or more.
  Triangles triangles(std::int64_t num_vertices) const;
  std::vector<std::string> texts() const;  // a list of text, or an array of it
  // A sparse (CSC, CSR) or dense matrix of that size.
  Eigen::SparseMatrix<float, Eigen::RowMajor> sparse(std::int64_t rows, std::int64_t cols) const;

 private:
  friend PickleValue readPython(const SharedBytes& bytes, const std::string& name);
  friend struct PickleDocument;
  enum class Tag : std::uint8_t { kNone, kBool, kInteger, kReal, kNode };
  struct Slot {
    Tag tag = Tag::kNone;
    union {
      std::int64_t integer = 0;
      double real;
      PickleNode* node;
    };
  };
  friend struct PickleNode;
  friend class PickleReader;
  PickleValue(std::shared_ptr<const PickleDocument> document, Slot slot, std::string name);
  Eigen::MatrixXf valuesAsRows(std::int64_t rows) const;
  void expectShape(std::initializer_list<std::int64_t> expected) const;

  std::shared_ptr<const PickleDocument> document_;
  Slot slot_;
  std::string name_;
};

// Any file that Python's scientific tools write, chosen by its first bytes: a pickle (protocols 0 to 5), .npy
// (objects included), .npz, torch's legacy and zip layouts.
//
// Nothing in the file is ever executed. A pickle is a program for a stack machine that may call any Python
// function; this reader interprets the machine's own opcodes and builds plain values for a closed list of
// constructors: numpy's arrays, dtypes and scalars, scipy's CSC and CSR matrices, chumpy.Ch and chumpy's
// Select, OrderedDict, list, dict, set, bytearray, torch's CPU tensors. A file that asks for anything else is
// refused with the name of what it asks for.
//
// Arrays point into the file's bytes where the file holds them as they are; memory stays within twice the
// file (plus 32 MB), and a file that asks for more (memo bombs, overlapping zip entries) is refused. Errors:
// Error(kModel), led by `name` (a path).
PickleValue readPython(const SharedBytes& bytes, const std::string& name);
PickleValue readPython(const std::filesystem::path& path);

}  // namespace facet
