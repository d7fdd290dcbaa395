#include "core/io/model_io.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/ict_model.h"
#include "core/io/npz.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "facet-model";
constexpr int kVersion = 1;

// The arrays of one model file; every complaint names the file.
class ModelFile {
 public:
  ModelFile(const fs::path& path, const Npz& arrays) : path_(path), arrays_(arrays) {}

  template <typename... Parts>
  [[noreturn]] void complain(const Parts&... what) const {
    fail(ErrorKind::kModel, path_.string(), ": ", what...);
  }

  bool has(const char* key) const { return arrays_.count(key) > 0; }

  // An array whose last axis is the columns of Matrix; empty when the file has none.
  template <typename Matrix>
  Matrix matrix(const char* key) const {
    constexpr int kColumns = Matrix::ColsAtCompileTime;
    const NpyArray* array = find(key, 2);
    if (!array) return {};
    if (array->shape[1] != kColumns)
      complain("array ", key, " has ", array->shape[1], " columns, not ", kColumns);
    const auto values = as<typename Matrix::Scalar>(*array);
    return Eigen::Map<const Matrix>(values.data(), array->shape[0], kColumns);
  }

  // K×V×3 in the file, one mode after the other, is 3V×K column by column.
  Basis basis(const char* key) const {
    const NpyArray* array = find(key, 3);
    if (!array || array->shape[0] == 0) return {};
    if (array->shape[2] != 3)
      complain("array ", key, " has ", array->shape[2], " coordinates per vertex, not 3");
    const std::vector<float> values = array->asFloat();
    return Eigen::MatrixXf(
        Eigen::Map<const Eigen::MatrixXf>(values.data(), array->shape[1] * array->shape[2], array->shape[0]));
  }

  template <typename T>
  std::vector<T> list(const char* key) const {
    const NpyArray* array = find(key, 1);
    if (!array) return {};
    const std::vector<std::int32_t> values = array->asInt32();
    return {values.begin(), values.end()};
  }

  LandmarkEmbedding embedding(const std::string& name) const {
    return {list<std::int32_t>((name + "_triangle").c_str()),
            matrix<Points3>((name + "_barycentric").c_str())};
  }

 private:
  const NpyArray* find(const char* key, std::size_t dimensions) const {
    const auto found = arrays_.find(key);
    if (found == arrays_.end()) return nullptr;
    if (found->second.shape.size() != dimensions) {
      complain("array ", key, " has ", found->second.shape.size(), " axes, not ", dimensions);
    }
    return &found->second;
  }

  template <typename Scalar>
  std::vector<Scalar> as(const NpyArray& array) const {
    if constexpr (std::is_same_v<Scalar, float>) return array.asFloat();
    if constexpr (std::is_same_v<Scalar, std::int32_t>) return array.asInt32();
  }

  const fs::path& path_;
  const Npz& arrays_;
};

Npz readModelArrays(const fs::path& path) try { return readNpz(path); } catch (const Error& error) {
  fail(ErrorKind::kModel, error.what(), "; expected a model file (.npz)");
}

NpyArray arrayFrom(const Points2& m) { return NpyArray::fromFloat(m.data(), {m.rows(), 2}); }
NpyArray arrayFrom(const Points3& m) { return NpyArray::fromFloat(m.data(), {m.rows(), 3}); }
NpyArray arrayFrom(const Triangles& m) { return NpyArray::fromInt32(m.data(), {m.rows(), 3}); }
NpyArray arrayFrom(const Basis& m) {
  return NpyArray::halfFromFloat(m.dense().data(), {m.cols(), m.rows() / 3, 3});
}
NpyArray arrayFrom(const std::vector<std::int32_t>& v) {
  return NpyArray::fromInt32(v.data(), {static_cast<std::int64_t>(v.size())});
}
NpyArray arrayFrom(const std::vector<std::uint8_t>& v) {
  return NpyArray::fromUint8(v.data(), {static_cast<std::int64_t>(v.size())});
}

fs::path builtinModelPath() { return dataDirectory() / "models" / "facet_head.npz"; }

bool isIctFolder(const fs::path& path) {
  return fs::exists(path / "generic_neutral_mesh.obj") ||
         fs::exists(path / "FaceXModel" / "generic_neutral_mesh.obj");
}

MorphableModel facetModelFrom(const Npz& arrays, const fs::path& path) {
  const ModelFile file(path, arrays);
  if (!file.has("meta") || !file.has("mean"))
    file.complain("is an .npz but not a facet model: it has no meta or no mean");
  MorphableModel model;
  try {
    const auto text = file.list<char>("meta");
    const Json meta = Json::parse(text.begin(), text.end());
    if (meta.at("format") != kFormat)
      file.complain("is not a facet model: its format is ", meta.at("format"));
    if (meta.at("version") > kVersion) {
      file.complain("is a facet model of version ", meta.at("version"), ", this program reads up to ",
                    kVersion, "; update facet");
    }
    model.id = meta.at("id");
    model.name = meta.value("name", model.id);
    model.licence = meta.value("licence", "unknown");
    model.source = meta.value("source", "");
    model.topology = meta.value("topology", model.id);
    model.expression_names = meta.value("expression_names", std::vector<std::string>{});
    model.albedo_names = meta.value("albedo_names", std::vector<std::string>{});
    model.region_names = meta.value("region_names", std::vector<std::string>{});
    model.material_names = meta.value("material_names", std::vector<std::string>{});

    model.mean = file.matrix<Points3>("mean");
    model.triangles = file.matrix<Triangles>("triangles");
    model.uv = file.matrix<Points2>("uv");
    model.uv_triangles = file.matrix<Triangles>("uv_triangles");
    model.identity = file.basis("identity");
    model.expression = file.basis("expression");
    model.num_blendshapes = meta.value("num_blendshapes", model.numExpression());
    model.albedo_mean = file.matrix<Points3>("albedo_mean");
    model.albedo = file.basis("albedo");
    model.landmarks68 = file.embedding("landmarks68");
    model.dense = file.embedding("dense");
    model.symmetry = file.list<std::int32_t>("symmetry");
    model.region = file.list<std::uint8_t>("region");
    model.triangle_material = file.list<std::uint8_t>("triangle_material");
    model.check();
  } catch (const Json::exception& error) {
    file.complain("its meta is not as it should be: ", error.what());
  } catch (const std::invalid_argument& error) {
    file.complain("is not a valid model: ", error.what());
  }
  return model;
}

}  // namespace

MorphableModel readFacetModel(const fs::path& path) { return facetModelFrom(readModelArrays(path), path); }

void writeFacetModel(const fs::path& path, const MorphableModel& model) {
  model.check();
  const Json meta = {{"format", kFormat},
                     {"version", kVersion},
                     {"id", model.id},
                     {"name", model.name},
                     {"licence", model.licence},
                     {"source", model.source},
                     {"topology", model.topology},
                     {"num_blendshapes", model.num_blendshapes},
                     {"expression_names", model.expression_names},
                     {"albedo_names", model.albedo_names},
                     {"region_names", model.region_names},
                     {"material_names", model.material_names}};
  const std::string text = meta.dump();
  Npz arrays;
  arrays["meta"] = arrayFrom(std::vector<std::uint8_t>(text.begin(), text.end()));
  arrays["mean"] = arrayFrom(model.mean);
  arrays["triangles"] = arrayFrom(model.triangles);
  const auto add = [&arrays](const char* key, const auto& value) {
    if (value.size() > 0) arrays[key] = arrayFrom(value);
  };
  add("uv", model.uv);
  add("uv_triangles", model.uv_triangles);
  add("identity", model.identity);
  add("expression", model.expression);
  add("albedo_mean", model.albedo_mean);
  add("albedo", model.albedo);
  add("landmarks68_triangle", model.landmarks68.triangle);
  add("landmarks68_barycentric", model.landmarks68.barycentric);
  add("dense_triangle", model.dense.triangle);
  add("dense_barycentric", model.dense.barycentric);
  add("symmetry", model.symmetry);
  add("region", model.region);
  add("triangle_material", model.triangle_material);
  writeNpz(path, arrays, /*compress=*/true);
}

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
  if (path.extension() != ".npz") fail(ErrorKind::kModel, name_or_path, ": is not a model file", kWays);
  const Npz arrays = readModelArrays(path);
  const bool is_packed_ict = arrays.count("meta") == 0 && arrays.count("triangles_uv") > 0;
  return is_packed_ict ? ictModelFrom(arrays, path) : facetModelFrom(arrays, path);
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
