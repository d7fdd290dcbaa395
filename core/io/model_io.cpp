#include "core/io/model_io.h"

#include <unistd.h>

#include <cstdlib>

#include "core/error.h"
#include "core/io/bfm_model.h"
#include "core/io/eos_model.h"
#include "core/io/faceverse_model.h"
#include "core/io/file_kind.h"
#include "core/io/files.h"
#include "core/io/flame_model.h"
#include "core/io/ict_model.h"
#include "core/io/mesh_io.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"
#include "core/io/tddfa_model.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

fs::path builtinModelPath() { return dataDirectory() / "models" / "facet_head.npz"; }

bool isIctFolder(const fs::path& path) {
  return fs::exists(path / "generic_neutral_mesh.obj") ||
         fs::exists(path / "FaceXModel" / "generic_neutral_mesh.obj");
}

// A mesh without modes: something to lay another model's shapes onto.
MorphableModel meshModel(const fs::path& path) try {
  Mesh mesh = readObj(path);
  MorphableModel model;
  model.id = model.topology = model.name = path.stem().string();
  model.licence = "that of the file";
  model.source = path.string();
  model.mean = millimetresPerUnit(mesh.vertices, kMillimetres, model.reader_notes) * mesh.vertices;
  model.triangles = mesh.triangles;
  model.uv = mesh.uv;
  model.uv_triangles = mesh.uv_triangles;
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not a head: ", error.what());
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
      if (isFacetModel(bytes)) return facetModelFrom(bytes, path);
      if (isPackedIctModel(bytes)) return readIctModel(path);
      return pythonModel(bytes, path);
    case FileKind::kNumpy:
    case FileKind::kPickle:
      return pythonModel(bytes, path);
    case FileKind::kMat5:
    case FileKind::kHdf5:
      return bfmModelFrom(bytes, path);
    case FileKind::kGzip:
      fail(ErrorKind::kModel, path.string(), ": is compressed; unpack it first: gunzip FILE");
    case FileKind::kText:
      if (path.extension() == ".obj") return meshModel(path);
      break;
    default:
      if (isEosModel(bytes)) return eosModelFrom(bytes, path);
  }
  fail(ErrorKind::kModel, path.string(), ": is not a model file; `facet model list` names what can be read");
}

}  // namespace

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
  fail(ErrorKind::kModel, name_or_path,
       ": no model in this folder (ICT-FaceKit has generic_neutral_mesh.obj, 3DDFA u_shp.npy); give the "
       "model file");
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
