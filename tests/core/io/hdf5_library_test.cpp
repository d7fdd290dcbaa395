// The HDF Group's own library writes here what facet's reader reads.
#include <doctest/doctest.h>
#include <hdf5.h>

#include <sstream>

#include "core/io/bfm_model.h"
#include "core/io/model_io.h"
#include "tests/core/io/bfm_content.h"
#include "tests/data.h"

using namespace facet;

namespace {

hid_t makeGroups() {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  return links;
}

// Row after row, as HDF5 has it; large arrays in chunks, deflated after shuffling.
void writeArray(hid_t file, const std::string& name, const Eigen::MatrixXf& values, hid_t type) {
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = values;
  const hsize_t shape[2] = {static_cast<hsize_t>(values.rows()), static_cast<hsize_t>(values.cols())};
  const hid_t space = H5Screate_simple(values.cols() == 1 ? 1 : 2, shape, nullptr);
  const hid_t storage = H5Pcreate(H5P_DATASET_CREATE);
  if (values.cols() > 1) {
    const hsize_t chunk[2] = {std::min<hsize_t>(shape[0], 100), std::min<hsize_t>(shape[1], 4)};
    H5Pset_chunk(storage, 2, chunk);
    H5Pset_shuffle(storage);
    H5Pset_deflate(storage, 6);
  }
  const hid_t links = makeGroups();
  const hid_t data = H5Dcreate2(file, name.c_str(), type, space, links, storage, H5P_DEFAULT);
  CHECK(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()) >= 0);
  H5Dclose(data), H5Pclose(links), H5Pclose(storage), H5Sclose(space);
}

// As scalismo does: a string of fixed length.
void writeText(hid_t file, const std::string& name, const std::string& text) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, text.size() + 1);
  const hid_t space = H5Screate(H5S_SCALAR), links = makeGroups();
  const hid_t data = H5Dcreate2(file, name.c_str(), type, space, links, H5P_DEFAULT, H5P_DEFAULT);
  CHECK(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()) >= 0);
  H5Dclose(data), H5Pclose(links), H5Sclose(space), H5Tclose(type);
}

}  // namespace

TEST_CASE("BFM 2017 by libhdf5: old and new file versions are read back equal") {
  const MorphableModel source = makeSyntheticModel(4);
  const test::H5Content content = test::bfm2017Content(source);
  const test::TemporaryFolder folder("hdf5");
  for (const bool latest : {false, true}) {
    const std::string path = (folder / (latest ? "latest.h5" : "earliest.h5")).string();
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (latest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    REQUIRE(file >= 0);
    for (const auto& [name, values] : content.floats)
      writeArray(file, name, values, latest ? H5T_IEEE_F64BE : H5T_IEEE_F32LE);
    for (const auto& [name, values] : content.integers) writeArray(file, name, values, H5T_STD_I32LE);
    for (const auto& [name, text] : content.texts) writeText(file, name, text);
    H5Fclose(file), H5Pclose(access);

    const MorphableModel model = loadModel(path);
    CHECK((model.mean - source.mean).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK((model.identity.dense() - source.identity.dense()).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK((model.expression.dense() - source.expression.dense()).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK(model.triangles == source.triangles);
    CHECK(model.landmarks68.size() == 68);
  }
}
