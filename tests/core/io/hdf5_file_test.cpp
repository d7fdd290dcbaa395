#include "core/io/hdf5_file.h"

#include <doctest/doctest.h>

#include <random>

#include "core/io/files.h"
#include "core/io/mat_file.h"
#include "tests/data.h"
#include "tests/memory.h"

using namespace facet;
using Bytes = std::vector<std::uint8_t>;

namespace {

// Files of one content in every layout that h5py can be made to write.
constexpr const char* kWrite = R"(
import h5py, numpy as n, sys
folder = sys.argv[1]
a = n.arange(130 * 9, dtype='f8').reshape(130, 9) / 8
for version in ['earliest', 'latest']:
    for kind in ['contiguous', 'chunked', 'packed', 'single', 'checked', 'many']:
        with h5py.File(f'{folder}/{version}_{kind}.h5', 'w', libver=version) as f:
            for name, type in [('f4', '<f4'), ('f8', '<f8'), ('b4', '>f4'), ('b8', '>f8')]:
                more = {'contiguous': {}, 'chunked': dict(chunks=(16, 4)), 'single': dict(chunks=(130, 9), compression=9),
                        'packed': dict(chunks=(16, 4), compression=4, shuffle=True),
                        'checked': dict(chunks=(16, 4), compression=4, shuffle=True, fletcher32=True),
                        'many': dict(chunks=(1, 1))}[kind]
                f.create_dataset(f'group/{name}', data=a.astype(type), **more)
            i = n.arange(30).reshape(3, 10)
            for type in ['<i4', '>i4', '<i8', '<u2', 'u1', 'i1', '>u4']:
                f.create_dataset('integers/' + type.replace('<', 'l').replace('>', 'b'), data=i.astype(type))
            f['vector'] = n.arange(5, dtype='f4')
            f['scalar'] = 4.5
            f['fixed'] = n.array(b'a fixed text', dtype='S20')
            f['free'] = 'a free text'
            f['raw'] = n.void(b'a raw text')
            f['bytes'] = n.frombuffer(b'a text of bytes', dtype='u1')
with h5py.File(f'{folder}/wide.h5', 'w') as f:
    for i in range(200): f[f'g{i}/x'] = n.full((2, 3), i)
with h5py.File(f'{folder}/seven.mat', 'w', userblock_size=512) as f:
    f['shapePC'] = a.T.astype('f4')
    f.create_dataset('model/tri', data=a.T, chunks=(4, 16), compression=4)
with open(f'{folder}/seven.mat', 'r+b') as f: f.write(b'MATLAB 7.3 MAT-file, Platform: TEST'.ljust(124) + b'\x00\x02IM')
)";

Eigen::MatrixXf expected() {
  Eigen::MatrixXf values(130, 9);
  for (Eigen::Index row = 0; row < 130; ++row) {
    for (Eigen::Index column = 0; column < 9; ++column)
      values(row, column) = static_cast<float>(9 * row + column) / 8;
  }
  return values;
}

bool writeFiles(const test::TemporaryFolder& folder) {
  writeText(folder / "write.py", kWrite);
  const std::string command =
      "/usr/bin/python3 " + (folder / "write.py").string() + " " + folder.path().string();
  if (std::system((command + " 2>/dev/null").c_str()) == 0) return true;
  MESSAGE("skipped: no python3 with h5py");
  return false;
}

// Reads everything there is; what it complains about, or "".
std::string complaintAbout(const Bytes& bytes) {
  try {
    const Hdf5File file(bytes);
    for (const std::string& name : file.names("")) {
      if (!file.isGroup(name)) continue;
      for (const std::string& inner : file.names(name)) file.read(name + "/" + inner);
    }
    if (file.has("vector")) file.read("vector");
    for (const char* text : {"fixed", "free", "raw", "bytes"}) {
      if (file.has(text)) file.readText(text);
    }
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("HDF5 file: every layout that h5py writes gives the same numbers") {
  const test::TemporaryFolder folder("hdf5");
  if (!writeFiles(folder)) return;
  for (const char* version : {"earliest", "latest"}) {
    for (const char* kind : {"contiguous", "chunked", "packed", "single", "checked", "many"}) {
      const std::string name = std::string(version) + "_" + kind + ".h5";
      CAPTURE(name);
      const Bytes bytes = readBytes(folder / name);
      const Hdf5File file(bytes);
      for (const char* array : {"group/f4", "group/f8", "group/b4", "group/b8"}) {
        CAPTURE(array);
        CHECK(file.shape(array) == std::vector<std::int64_t>{130, 9});
        CHECK(file.read(array) == expected());
        CHECK(file.readTransposed(array) == expected().transpose());
      }
      for (const char* array : {"li4", "bi4", "li8", "lu2", "u1", "i1", "bu4"}) {
        const Eigen::MatrixXf values = file.read(std::string("integers/") + array);
        REQUIRE(values.rows() == 3);
        REQUIRE(values.cols() == 10);
        CHECK(values(2, 9) == 29);
        CHECK(values(1, 0) == 10);
      }
      CHECK(file.read("vector") == Eigen::VectorXf::LinSpaced(5, 0, 4));
      CHECK(file.read("scalar")(0, 0) == 4.5F);
      CHECK(file.readText("fixed") == "a fixed text");
      CHECK(file.readText("free") == "a free text");
      CHECK(file.readText("raw") == "a raw text");
      CHECK(file.readText("bytes") == "a text of bytes");
      CHECK(file.isGroup("group"));
      CHECK_FALSE(file.isGroup("vector"));
      CHECK_FALSE(file.has("group/absent"));
      CHECK_FALSE(file.has("vector/absent"));
      CHECK_THROWS_WITH_AS(file.read("group/absent"), "has no \"group/absent\"", std::invalid_argument);
    }
  }
  // More links than one node of the tree holds.
  const Bytes bytes = readBytes(folder / "wide.h5");
  const Hdf5File wide(bytes);
  CHECK(wide.names("").size() == 200);
  for (const int i : {0, 7, 99, 199})
    CHECK(wide.read(std::string("g").append(std::to_string(i)).append("/x"))(1, 2) == i);
}

TEST_CASE("MATLAB file: version 7.3, HDF5 inside, gives matrices as MATLAB shows them") {
  const test::TemporaryFolder folder("hdf5");
  if (!writeFiles(folder)) return;
  const Bytes bytes = readBytes(folder / "seven.mat");
  const auto variables = matVariables(bytes);
  REQUIRE(variables.size() == 2);
  const auto found = readMat(bytes, {"shapePC", "model.tri", "model.absent"});
  REQUIRE(found.size() == 2);
  CHECK(found.at("shapePC") == expected());
  CHECK(found.at("model.tri") == expected());
  for (const MatVariable& variable : variables) {
    CHECK(variable.is_struct == (variable.name == "model"));
    if (!variable.is_struct) CHECK(variable.shape == std::vector<std::int64_t>{130, 9});
  }
}

TEST_CASE("HDF5 file: one that is cut off anywhere is refused") {
  const test::TemporaryFolder folder("hdf5");
  if (!writeFiles(folder)) return;
  for (const char* name :
       {"earliest_contiguous.h5", "earliest_packed.h5", "latest_checked.h5", "latest_many.h5"}) {
    const Bytes whole = readBytes(folder / name);
    CHECK(complaintAbout(whole) == "");
    for (std::size_t size = 0; size < whole.size(); size += 512) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_MESSAGE(complaintAbout(cut) != "", name << " cut to " << size);
    }
  }
}

TEST_CASE("HDF5 file: damaged bytes give a complaint or another number, never a crash") {
  const test::TemporaryFolder folder("hdf5");
  if (!writeFiles(folder)) return;
  std::mt19937 random(1);
  for (const char* name : {"earliest_packed.h5", "latest_packed.h5", "latest_single.h5", "wide.h5"}) {
    const Bytes whole = readBytes(folder / name);
    int complaints = 0;
    for (int trial = 0; trial < 300; ++trial) {
      Bytes file = whole;
      for (int i = 0; i < 30; ++i) file[random() % file.size()] = static_cast<std::uint8_t>(random());
      complaints += complaintAbout(file) != "";
    }
    CHECK(complaints > 30);
  }
}

TEST_CASE("HDF5 file: an array larger than the file can fill is refused before memory is used for it") {
  const test::TemporaryFolder folder("hdf5");
  writeText(folder / "write.py", R"(
import h5py, numpy as n, sys
with h5py.File(sys.argv[1] + '/big.h5', 'w') as f:
    f.create_dataset('never_written', shape=(1000000, 1000), dtype='f4')
    f.create_dataset('no_chunks', shape=(1000000, 1000), dtype='f4', chunks=(1000, 1000), compression=4)
    f['filler'] = n.random.rand(1000, 1000)
)");
  if (std::system(("/usr/bin/python3 " + (folder / "write.py").string() + " " + folder.path().string() +
                   " 2>/dev/null")
                      .c_str()) != 0) {
    MESSAGE("skipped: no python3 with h5py");
    return;
  }
  const Bytes bytes = readBytes(folder / "big.h5");
  const Hdf5File file(bytes);
  const auto peak = test::peakMemory([&] {
    CHECK_THROWS_AS(file.read("never_written"), std::invalid_argument);
    CHECK_THROWS_AS(file.read("no_chunks"), std::invalid_argument);
  });
  if (peak) CHECK(*peak < bytes.size());
}
