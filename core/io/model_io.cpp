#include "core/io/model_io.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/image.h"
#include "core/io/bfm_model.h"
#include "core/io/eos_model.h"
#include "core/io/faceverse_model.h"
#include "core/io/file_kind.h"
#include "core/io/files.h"
#include "core/io/flame_model.h"
#include "core/io/glb_model.h"
#include "core/io/glb_reader.h"
#include "core/io/ict_model.h"
#include "core/io/mesh_io.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"
#include "core/io/tddfa_model.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

fs::path builtinModelPath() { return dataDirectory() / "models" / "facet_head.npz"; }

// How published model files begin and end, in lower case; their companions do not.
struct ModelFileName {
  std::string_view start, end;
};
constexpr std::array kModelFiles = {
    ModelFileName{"generic_model", ".pkl"},     ModelFileName{"female_model", ".pkl"},
    ModelFileName{"male_model", ".pkl"},        ModelFileName{"flame20", ".pkl"},
    ModelFileName{"01_morphablemodel", ".mat"}, ModelFileName{"bfm_model_front", ".mat"},
    ModelFileName{"bfm.mat", ".mat"},           ModelFileName{"model20", ".h5"},
    ModelFileName{"sfm_shape", ".bin"},         ModelFileName{"faceverse", ".npy"},
    ModelFileName{"bfm_noneck", ".pkl"},        ModelFileName{"face_model", ".npy"},
    ModelFileName{"model.bin", ".bin"}};

bool isIctFolder(const fs::path& path) {
  return fs::exists(path / "generic_neutral_mesh.obj") ||
         fs::exists(path / "FaceXModel" / "generic_neutral_mesh.obj");
}

// A head of another program. One with the built-in model's mesh, which an artist has worked on, gets back the
// vertex order that the program changed, and what belongs to that mesh.
MorphableModel gltfModel(const SharedBytes& bytes, const fs::path& path) {
  const FaceAsset asset = glbFrom(bytes, path);
  try {
    MorphableModel model = modelFromAsset(asset, path);
    const MorphableModel builtin = readFacetModel(builtinModelPath());
    if (const auto order = orderLike(asset.mesh, builtin)) takeTopology(*order, builtin, model);
    return model;
  } catch (const std::invalid_argument& error) {
    fail(ErrorKind::kModel, path.string(), ": is not a head: ", error.what());
  }
}

MorphableModel pythonModel(const SharedBytes& bytes, const fs::path& path) {
  const PickleValue file = readPython(bytes, path.string());
  if (isFlameModel(file)) return readFlameModel(path);
  if (isFaceVerseModel(file)) return faceVerseModelFrom(file);
  if (isTddfaModel(file)) return readTddfaModel(path);
  file.complain(
      "holds none of the models that facet knows (FLAME, FaceVerse, 3DDFA); `facet model list` names them");
}

MorphableModel loadFile(const fs::path& path) {
  const SharedBytes bytes = mapBytes(path);
  refuseLookalikes(bytes, path);
  switch (fileKind(bytes)) {
    case FileKind::kZip:
      if (isFacetModel(bytes, path)) return facetModelFrom(bytes, path);
      if (isPackedIctModel(bytes, path)) return readIctModel(path);
      return pythonModel(bytes, path);
    case FileKind::kNumpy:
    case FileKind::kPickle:
      return pythonModel(bytes, path);
    case FileKind::kMat5:
    case FileKind::kHdf5:
      return bfmModelFrom(bytes, path);
    case FileKind::kGltf:
      return gltfModel(bytes, path);
    case FileKind::kGzip:
      fail(ErrorKind::kModel, path.string(), ": is compressed; unpack it first: gunzip FILE");
    case FileKind::kText:
      if (path.extension() == ".obj") return modelFromMesh(readObj(path), path);
      break;
    default:
      if (isEosModel(bytes)) return eosModelFrom(bytes, path);
  }
  fail(ErrorKind::kModel, path.string(), ": is not a model file; `facet model list` names what can be read");
}

// The one file of a folder that has the name of a published model; none and several are errors that say so.
fs::path modelFileIn(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = lowerCase(entry.path().filename().string());
    const bool is_model =
        std::any_of(kModelFiles.begin(), kModelFiles.end(), [&](const ModelFileName& known) {
          return name.starts_with(known.start) && name.ends_with(known.end);
        });
    if (is_model && entry.is_regular_file()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    fail(ErrorKind::kModel, folder.string(),
         ": no file in this folder has the name of a published model; give the model file itself");
  }
  std::string names;
  for (const fs::path& path : found) names += (names.empty() ? "" : ", ") + path.filename().string();
  fail(ErrorKind::kModel, folder.string(), ": holds several models (", names, "); give one of the files");
}

}  // namespace

MorphableModel modelFromMesh(Mesh mesh, const fs::path& path) try {
  MorphableModel model;
  model.id = model.topology = model.name = path.stem().string();
  model.licence = "that of the file";
  model.source = path.string();
  model.mean = millimetresPerUnit(mesh.vertices, kMillimetres, model.reader_notes) * mesh.vertices;
  model.triangles = std::move(mesh.triangles);
  model.uv = std::move(mesh.uv);
  model.uv_triangles = std::move(mesh.uv_triangles);
  model.albedo_mean = mesh.colours.unaryExpr([](float srgb) { return linearFromSrgb(srgb); });
  model.check();
  orientTriangles(model);
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not a head: ", error.what());
}

MorphableModel loadModel(const std::string& name_or_path) {
  if (name_or_path.empty() || name_or_path == "builtin") {
    const fs::path path = builtinModelPath();
    if (!fs::exists(path)) {
      fail(ErrorKind::kModel, path.string(),
           ": the built-in model is missing; set FACET_DATA_DIR to facet's data folder");
    }
    return readFacetModel(path);
  }
  const fs::path path = name_or_path;
  if (!fs::exists(path)) {
    if (const ModelFamily* family = findModelFamily(name_or_path)) {
      fail(ErrorKind::kModel, "model ", family->name, " (", family->title,
           ") has not been imported yet; get ", family->files, " from ", family->page,
           " (licence: ", family->licence, "), then run: facet model import ", family->name, " PATH");
    }
    fail(ErrorKind::kModel, name_or_path,
         ": no such model file or folder; give \"builtin\", an imported model's name ",
         "or a file (facet model list)");
  }
  try {
    if (!fs::is_directory(path)) return loadFile(path);
    if (isIctFolder(path)) return readIctModel(path);
    const fs::path packed = path / "ict_facekit_light.npz";
    if (fs::exists(packed)) return readIctModel(packed);
    if (fs::exists(path / "u_shp.npy")) return readTddfaModel(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
    fail(ErrorKind::kModel, error.what());  // a model that cannot be read, whatever the reader called it
  }
  return loadModel(modelFileIn(path).string());
}

fs::path dataDirectory() {
  if (const char* from_environment = std::getenv("FACET_DATA_DIR"); from_environment && *from_environment) {
    if (fs::is_directory(from_environment)) return from_environment;
    fail(ErrorKind::kModel, "FACET_DATA_DIR: ", from_environment,
         " is not a folder; point it at facet's data folder");
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  for (const fs::path& candidate : {fs::path(FACET_SOURCE_DATA_DIR), program.parent_path() / "../share/facet",
                                    fs::path(FACET_INSTALL_DATA_DIR)}) {
    if (fs::is_directory(candidate)) return fs::weakly_canonical(candidate);
  }
  fail(ErrorKind::kModel, "facet's data folder was not found; set FACET_DATA_DIR to it");
}

}  // namespace facet
