#include "core/io/model_io.h"

#include <unistd.h>

#include <cstdlib>

#include "core/error.h"
#include "core/io/file_kind.h"
#include "core/io/files.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

fs::path builtinModelPath() { return dataDirectory() / "models" / "facet_head.npz"; }

bool isIctFolder(const fs::path& path) {
  return fs::exists(path / "generic_neutral_mesh.obj") ||
         fs::exists(path / "FaceXModel" / "generic_neutral_mesh.obj");
}

}  // namespace

MorphableModel loadModel(const std::string& name_or_path) {
  constexpr const char* kWays =
      "; use \"builtin\", a facet model file (.npz), or ICT-FaceKit from "
      "https://github.com/ICT-VGL/ICT-FaceKit";
  if (name_or_path.empty() || name_or_path == "builtin") {
    const fs::path path = builtinModelPath();
    if (!fs::exists(path)) {
      fail(ErrorKind::kModel, path.string(),
           ": the built-in model is missing; set FACET_DATA_DIR to facet's data folder");
    }
    return readFacetModel(path);
  }
  const fs::path path = name_or_path;
  if (!fs::exists(path)) fail(ErrorKind::kModel, name_or_path, ": no such model file or folder", kWays);
  if (fs::is_directory(path)) {
    if (isIctFolder(path)) return readIctModel(path);
    const fs::path packed = path / "ict_facekit_light.npz";
    if (fs::exists(packed)) return readIctModel(packed);
    fail(ErrorKind::kModel, name_or_path, ": no model in this folder (no generic_neutral_mesh.obj)", kWays);
  }
  const SharedBytes bytes = mapBytes(path);
  refuseLookalikes(bytes.data(), bytes.size(), path);
  if (fileKind(bytes.data(), bytes.size()) != FileKind::kZip) {
    fail(ErrorKind::kModel, name_or_path, ": is not a model file", kWays);
  }
  return isFacetModel(bytes) ? facetModelFrom(bytes, path) : readIctModel(path);
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
