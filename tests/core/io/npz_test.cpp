#include "core/io/npz.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/data.h"

using namespace facet;

namespace {

// The bytes that numpy.save writes for the given header dictionary and data.
std::string npy(const std::string& dictionary, const std::string& data) {
  std::string header = dictionary;
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

template <typename T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

Npz sampleArrays() {
  const float floats[6] = {1, -2.5F, 3e-8F, 4, 5, 6e20F};
  const std::int32_t ints[3] = {-1, 0, 2'000'000'000};
  const std::uint8_t bytes[2] = {0, 255};
  const double one = 1.0 / 3;
  return {{"floats", NpyArray::fromFloat(floats, {2, 3})},
          {"ints", NpyArray::fromInt32(ints, {3})},
          {"bytes", NpyArray::fromUint8(bytes, {2, 1})},
          {"scalar", NpyArray::fromDouble(&one, {})},
          {"none", NpyArray::fromFloat(nullptr, {0, 3})}};
}

void checkEqual(const Npz& a, const Npz& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, array] : a) {
    CAPTURE(name);
    REQUIRE(b.count(name) == 1);
    CHECK(b.at(name).dtype == array.dtype);
    CHECK(b.at(name).shape == array.shape);
    CHECK(b.at(name).bytes == array.bytes);
  }
}

}  // namespace

TEST_CASE("npz: arrays come back as they were, stored and compressed") {
  const test::TemporaryFolder folder("npz");
  for (const bool compress : {false, true}) {
    writeNpz(folder / "a.npz", sampleArrays(), compress);
    checkEqual(sampleArrays(), readNpz(folder / "a.npz"));
  }
}

TEST_CASE("npz: equal arrays give equal files") {
  const test::TemporaryFolder folder("npz");
  writeNpz(folder / "a.npz", sampleArrays());
  writeNpz(folder / "b.npz", sampleArrays());
  CHECK(readBytes(folder / "a.npz") == readBytes(folder / "b.npz"));
}

TEST_CASE("npz: numpy reads what facet writes and facet reads what numpy writes") {
  const test::TemporaryFolder folder("npz");
  const auto python = [](const std::string& code) {
    return std::system(("/usr/bin/python3 -c \"" + code + "\" 2>/dev/null").c_str()) == 0;
  };
  if (!python("import numpy")) {
    MESSAGE("skipped: no numpy");
    return;
  }
  writeNpz(folder / "a.npz", sampleArrays(), true);
  const std::string from = (folder / "a.npz").string(), to = (folder / "b.npz").string();
  CHECK(python("import numpy as np; z = np.load('" + from +
               "'); assert z['floats'].shape == (2, 3) and "
               "z['ints'][2] == 2000000000 and z['scalar'] == 1/3 and z['none'].shape == (0, 3)"));
  REQUIRE(python("import numpy as np; np.savez_compressed('" + to +
                 "', f=np.arange(6, dtype='>f4').reshape(2, 3), "
                 "fortran=np.asfortranarray(np.arange(24, dtype='<i8').reshape(2, 3, 4)), "
                 "text=np.array(['abc', 'h\\u00e9']), raw=np.array([b'xy']), flag=np.array([True, False]), "
                 "half=np.array([1.5, -65504, 6e-8], '<f2'))"));
  const Npz arrays = readNpz(to);
  CHECK(arrays.at("f").asFloat() == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(arrays.at("fortran").shape == std::vector<std::int64_t>{2, 3, 4});
  const auto fortran = arrays.at("fortran").asInt32();
  for (int i = 0; i < 24; ++i) CHECK(fortran[i] == i);
  CHECK(arrays.at("text").asStrings() == std::vector<std::string>{"abc", "h\xC3\xA9"});
  CHECK(arrays.at("raw").asStrings() == std::vector<std::string>{"xy"});
  CHECK(arrays.at("flag").asInt32() == std::vector<std::int32_t>{1, 0});
  CHECK(arrays.at("half").asFloat()[1] == -65504);
  CHECK(arrays.at("half").asFloat()[2] == doctest::Approx(5.9604645e-8).epsilon(1e-6));
}

TEST_CASE("npy: Fortran order, big-endian and scalars are converted") {
  const test::TemporaryFolder folder("npz");
  writeText(folder / "f.npy", npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }",
                                  raw<std::int32_t>({0, 3, 1, 4, 2, 5})));
  CHECK(readNpy(folder / "f.npy").asInt32() == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  writeText(folder / "b.npy", npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }",
                                  std::string("\x01\x02\xFF\xFE", 4)));
  CHECK(readNpy(folder / "b.npy").asInt32() == std::vector<std::int32_t>{258, -2});
  writeText(folder / "s.npy",
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", raw<double>({2.5})));
  CHECK(readNpy(folder / "s.npy").asDouble() == std::vector<double>{2.5});
}

TEST_CASE("half floats: every finite half survives the way to float and back") {
  std::vector<std::uint16_t> halves;
  for (int code = 0; code < 65536; ++code) {
    if ((code >> 10 & 31) != 31) halves.push_back(static_cast<std::uint16_t>(code));
  }
  NpyArray array{"<f2", {static_cast<std::int64_t>(halves.size())}, {}};
  array.bytes.assign(reinterpret_cast<const std::uint8_t*>(halves.data()),
                     reinterpret_cast<const std::uint8_t*>(halves.data() + halves.size()));
  const std::vector<float> floats = array.asFloat();
  CHECK(NpyArray::halfFromFloat(floats.data(), array.shape).bytes == array.bytes);
}

TEST_CASE("half floats: rounding is to nearest, ties to even, overflow to infinity") {
  const float inputs[] = {1 + 0x1p-11F, 1 + 3 * 0x1p-11F, 1 + 0x1.1p-11F, 65519, 65520,
                          1e9F,         0x1p-25F,         0x1.1p-25F,     -0.0F};
  const float expected[] = {1,
                            1 + 0x1p-9F,
                            1 + 0x1p-10F,
                            65504,
                            std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::infinity(),
                            0,
                            0x1p-24F,
                            -0.0F};
  const std::vector<float> rounded = NpyArray::halfFromFloat(inputs, {9}).asFloat();
  for (int i = 0; i < 9; ++i) {
    CAPTURE(i);
    CHECK(rounded[i] == expected[i]);
  }
  CHECK(std::signbit(rounded[8]));
}

TEST_CASE("npz: asking for the wrong kind of value is refused") {
  const std::uint8_t byte = 1;
  CHECK_THROWS_AS(NpyArray::fromUint8(&byte, {1}).asStrings(), std::invalid_argument);
  const double large = 3e9;
  CHECK_THROWS_AS(NpyArray::fromDouble(&large, {1}).asInt32(), std::invalid_argument);
  NpyArray text{"<U1", {1}, {65, 0, 0, 0}};
  CHECK_THROWS_AS(text.asFloat(), std::invalid_argument);
}

TEST_CASE("npz: damaged, cut and foreign files are input errors") {
  const test::TemporaryFolder folder("npz");
  const auto check = [&](const std::string& content, const char* part_of_message) {
    writeText(folder / "bad.npz", content);
    CAPTURE(part_of_message);
    try {
      readNpz(folder / "bad.npz");
      FAIL("read without complaint");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK_MESSAGE(std::string(error.what()).find(part_of_message) != std::string::npos,
                    std::string(error.what()));
    }
  };
  writeNpz(folder / "good.npz", sampleArrays(), true);
  const std::string good = readText(folder / "good.npz");
  check("", "not a numpy archive");
  check("hello, this is a text file and no archive", "not a numpy archive");
  check(good.substr(0, good.size() / 2), "cut off");
  std::string flipped = good;
  flipped[70] = static_cast<char>(flipped[70] ^ 0x10);  // inside the first array's data
  check(flipped, "damaged");
  const auto checkNpy = [&](const std::string& content, const char* part_of_message) {
    writeText(folder / "bad.npy", content);
    CHECK_THROWS_WITH_AS(readNpy(folder / "bad.npy"), doctest::Contains(part_of_message), Error);
  };
  checkNpy(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "xx"), "pickle");
  checkNpy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", "xx"), "cut off");
  checkNpy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-5,), }", "xx"), "shape");
  checkNpy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9000000000000000000, 9), }", "xx"),
           "larger than");
  checkNpy(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "xxxx"), "structured");
}
