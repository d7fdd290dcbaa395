#include "core/io/mat_file.h"

#include <doctest/doctest.h>

#include <random>

#include "core/io/files.h"
#include "core/io/mat_writer.h"
#include "tests/data.h"
#include "tests/memory.h"

using namespace facet;

namespace {

Eigen::MatrixXf wholeNumbers(Eigen::Index rows, Eigen::Index columns) {
  Eigen::MatrixXf values(rows, columns);
  for (Eigen::Index i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(i % 101);
  return values;
}

// What readMat() complains about, or "" when it does not.
std::string complaintAbout(const MatWriter::Bytes& file, const std::set<std::string>& wanted) {
  try {
    matVariables(file);
    readMat(file, wanted);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("MATLAB file: every way of storing numbers gives the same matrix") {
  const Eigen::MatrixXf values = wholeNumbers(7, 5);
  for (const bool compress : {false, true}) {
    for (const bool big_endian : {false, true}) {
      MatWriter writer(compress, big_endian);
      writer.add("a", values, MatWriter::kInt8);
      writer.add("b", values, MatWriter::kUint8);
      writer.add("c", values, MatWriter::kInt16);
      writer.add("d", values, MatWriter::kUint16);
      writer.add("e", values, MatWriter::kInt32);
      writer.add("f", values, MatWriter::kUint32);
      writer.add("g", values, MatWriter::kSingle);
      writer.add("h", values, MatWriter::kDouble);
      const auto variables = matVariables(writer.bytes());
      REQUIRE(variables.size() == 8);
      CHECK(variables[2].name == "c");
      CHECK(variables[2].shape == std::vector<std::int64_t>{7, 5});
      const auto found = readMat(writer.bytes(), {"a", "b", "c", "d", "e", "f", "g", "h", "absent"});
      CHECK(found.size() == 8);
      for (const auto& entry : found) CHECK_MESSAGE(entry.second == values, entry.first);
    }
  }
}

TEST_CASE("MATLAB file: fields of a struct are found under the struct's name, others are skipped") {
  const Eigen::MatrixXf first = wholeNumbers(300, 4), second = wholeNumbers(1, 3);
  for (const bool compress : {false, true}) {
    for (const bool big_endian : {false, true}) {
      MatWriter writer(compress, big_endian);
      writer.addStruct("model", {{"shapeMU", writer.array("", first)},
                                 {"unused", writer.array("", first, MatWriter::kDouble)},
                                 {"tri", writer.array("", second, MatWriter::kUint8)}});
      writer.add("after", second);
      const auto variables = matVariables(writer.bytes());
      REQUIRE(variables.size() == 2);
      CHECK(variables[0].is_struct);
      const auto found = readMat(writer.bytes(), {"model.shapeMU", "model.tri", "tri", "after"});
      REQUIRE(found.size() == 3);
      CHECK(found.at("model.shapeMU") == first);
      CHECK(found.at("model.tri") == second);
      CHECK(found.at("after") == second);
    }
  }
}

TEST_CASE("MATLAB file: what scipy writes is read back equal") {
  const test::TemporaryFolder folder("mat");
  const std::string code =
      "import numpy as n, scipy.io as s, sys\n"
      "a = dict(single=n.arange(60, dtype='f4').reshape(12, 5) / 7, small=n.array([[1, 2, 3]], 'u1'),\n"
      "         text='a text', cells=n.array([1, 'x'], dtype=object), model={'tri': n.eye(3), 'name': 'x'})\n"
      "s.savemat(sys.argv[1] + '/plain.mat', a)\n"
      "s.savemat(sys.argv[1] + '/packed.mat', a, do_compression=True)\n";
  writeText(folder / "write.py", code);
  if (std::system(("/usr/bin/python3 " + (folder / "write.py").string() + " " + folder.path().string() +
                   " 2>/dev/null")
                      .c_str()) != 0) {
    MESSAGE("skipped: no python3 with scipy");
    return;
  }
  for (const char* name : {"plain.mat", "packed.mat"}) {
    const MatWriter::Bytes file = readBytes(folder / name);
    CHECK(matVariables(file).size() == 5);
    const auto found = readMat(file, {"single", "small", "model.tri"});
    REQUIRE(found.size() == 3);
    for (Eigen::Index row = 0; row < 12; ++row) {
      for (Eigen::Index column = 0; column < 5; ++column)
        CHECK(found.at("single")(row, column) == static_cast<float>(5 * row + column) / 7);
    }
    CHECK(found.at("small") == Eigen::RowVector3f(1, 2, 3));
    CHECK(found.at("model.tri") == Eigen::Matrix3f::Identity());
    CHECK(complaintAbout(file, {"text"}).find("\"text\"") != std::string::npos);
  }
}

TEST_CASE("MATLAB file: one that is cut off anywhere is refused") {
  for (const bool compress : {false, true}) {
    MatWriter writer(compress);
    writer.addStruct("model", {{"a", writer.array("", Eigen::MatrixXf::Random(400, 3))}});
    writer.add("b", Eigen::MatrixXf::Random(300, 7));
    const MatWriter::Bytes& whole = writer.bytes();
    CHECK(complaintAbout(whole, {"model.a", "b"}) == "");
    for (std::size_t size = 0; size < whole.size(); size += 97) {
      const MatWriter::Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      // At 128 bytes the header is whole and nothing follows: an empty file is a valid one.
      CHECK_MESSAGE((complaintAbout(cut, {"model.a", "b"}) != "" || size == 128), size);
    }
  }
}

TEST_CASE("MATLAB file: a count that the file cannot fill is refused before memory is used for it") {
  const Eigen::MatrixXf values = Eigen::MatrixXf::Random(2'000'000, 1);  // 8 MB
  MatWriter writer;
  writer.add("a", values);
  MatWriter::Bytes file = writer.bytes();
  // The shape stands behind the header (128), the matrix's tag (8), the flags (16) and its own tag (8).
  const std::int32_t claimed = 2'000'000'000;
  std::memcpy(file.data() + 128 + 8 + 16 + 8, &claimed, 4);
  std::string complaint;
  const auto peak = test::peakMemory([&] { complaint = complaintAbout(file, {"a"}); });
  CHECK(complaint.find("2000000000 x 1") != std::string::npos);
  if (!peak) {
    MESSAGE("skipped: this system does not tell a process its peak memory");
    return;
  }
  CHECK(*peak < file.size());
  // A packed variable that claims a gigabyte and delivers 8 MB. Behind the matrix's tag (8) stand the flags
  // (16), the shape (16), the name (16) and the tag of the data.
  const std::uint32_t gigabyte = 1'000'000'000, with_header = gigabyte + 56, rows = gigabyte / 4;
  MatWriter::Bytes element = writer.array("a", values);
  std::memcpy(element.data() + 4, &with_header, 4);
  std::memcpy(element.data() + 8 + 16 + 8, &rows, 4);
  std::memcpy(element.data() + 8 + 16 + 16 + 16 + 4, &gigabyte, 4);
  MatWriter packed(true);
  packed.addVariable(element);
  const auto packed_peak = test::peakMemory([&] { complaint = complaintAbout(packed.bytes(), {"a"}); });
  CHECK(complaint == "holds a compressed variable that is cut off");
  CHECK(*packed_peak < 2 * packed.bytes().size());
}

TEST_CASE("MATLAB file: damaged bytes give a complaint or another number, never a crash") {
  std::mt19937 random(1);
  for (const bool compress : {false, true}) {
    MatWriter writer(compress);
    writer.addStruct("model", {{"a", writer.array("", wholeNumbers(5, 3))}});
    writer.add("b", wholeNumbers(4, 4));
    int complaints = 0;
    for (int trial = 0; trial < 5000; ++trial) {
      MatWriter::Bytes file = writer.bytes();
      for (int i = 0; i < 3; ++i) file[random() % file.size()] = static_cast<std::uint8_t>(random());
      complaints += complaintAbout(file, {"model.a", "b"}) != "";
    }
    CHECK(complaints > 500);
  }
}

TEST_CASE("MATLAB file: other files are refused by what they are") {
  CHECK(complaintAbout({}, {}).find("0 bytes") != std::string::npos);
  CHECK(complaintAbout(MatWriter::Bytes(200, 'x'), {}).find("not a MATLAB file of version 5") !=
        std::string::npos);
}
