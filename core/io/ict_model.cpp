// ICT-FaceKit: Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020;
// https://github.com/ICT-VGL/ICT-FaceKit, folder FaceXModel.
#include "core/io/ict_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_families.h"
#include "core/io/model_io.h"
#include "core/io/model_parts.h"
#include "core/io/obj_parser.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr float kMillimetresPerUnit = 10;  // the files are in centimetres

// What both forms of the model (packed arrays, folder of OBJ files) hold; still in centimetres.
struct IctData {
  Points3 mean;
  Triangles triangles, uv_triangles;
  Points2 uv;
  Eigen::MatrixXf identity, expression;  // 3V×K and 3V×L, differences from the mean
  std::vector<std::string> expression_names;
  std::vector<std::string> material_names;
  std::vector<std::int32_t> triangle_material;
  std::vector<std::int32_t> landmark_vertices;
};

// Vertex ranges of the published mesh, from the table in its README; inclusive ends. The ranges mean nothing
// for a mesh of another size.
constexpr int kPublishedVertices = 26719;
struct Part {
  const char* region;
  int first, last;
};
constexpr std::array kParts = {Part{"face", 0, 9408},
                               Part{"neck", 9409, 11247},
                               Part{"mouth_socket", 11248, 13293},
                               Part{"eye_socket", 13294, 14061},
                               Part{"gums", 14062, 17038},
                               Part{"teeth", 17039, 21450},
                               Part{"eyeball", 21451, 24590},
                               Part{"eye_overlay", 24591, 25350},
                               Part{"lashes", 25351, 26718}};

// Material of facet for each of theirs. The eye overlays (tear film, shadow, cards that carry painted lashes)
// are transparent in the original shading; drawn opaque they would hide the eye, so their triangles are left
// out.
constexpr const char* kOverlay = "overlay";
std::string materialFor(const std::string& ict_name) {
  const auto contains = [&ict_name](const char* part) { return ict_name.find(part) != std::string::npos; };
  if (contains("Gums")) return "gums";
  if (contains("Teeth")) return "teeth";
  if (contains("Sclera") || contains("Iris")) return "eye";
  if (contains("Lash") || contains("Lacrimal") || contains("EyeBlend") || contains("EyeOcclusion"))
    return kOverlay;
  return "skin";
}

// Where each of their materials lies in one texture. The original gives each an image of its own: a tile of
// texture space (u from 1 to 2, …) or, for the eyes, the face's tile once more.
struct Cell {
  const char* material;
  float u, v, side;  // of its lower left corner; of the square
};
constexpr std::array kAtlas = {Cell{"M_Face", 0, 0.3F, 0.7F},
                               Cell{"M_BackHead", 0.7F, 0.7F, 0.3F},
                               Cell{"M_Teeth", 0.7F, 0.4F, 0.3F},
                               Cell{"M_GumsTongue", 0.7F, 0.1F, 0.3F},
                               Cell{"M_ScleraLeft", 0, 0.12F, 0.175F},
                               Cell{"M_ScleraRight", 0.175F, 0.12F, 0.175F},
                               Cell{"M_IrisLeft", 0.35F, 0.12F, 0.175F},
                               Cell{"M_IrisRight", 0.525F, 0.12F, 0.175F}};
constexpr float kCellMargin = 0.01F;  // of the cell's side, so that neighbours do not bleed into each other

// A corner's texture coordinate in the atlas; as it is for a material that is not one of theirs.
Eigen::RowVector2f inAtlas(const std::string& material, const Eigen::RowVector2f& uv) {
  const auto cell =
      std::find_if(kAtlas.begin(), kAtlas.end(), [&](const Cell& c) { return material == c.material; });
  if (cell == kAtlas.end()) return uv;
  // A whole number is the upper end of a tile when the others lie below it; all others are inside one.
  Eigen::RowVector2f in_tile;
  for (int axis = 0; axis < 2; ++axis) {
    const float fraction = uv[axis] - std::floor(uv[axis]);
    in_tile[axis] = fraction == 0 && uv[axis] > 0 ? 1 : fraction;
  }
  const float scale = (1 - 2 * kCellMargin) * cell->side;
  return Eigen::RowVector2f(cell->u, cell->v).array() + kCellMargin * cell->side + scale * in_tile.array();
}

// eyeBlink_L -> eyeBlinkLeft
std::string arkitName(const std::string& name) {
  if (name.ends_with("_L")) return name.substr(0, name.size() - 2) + "Left";
  if (name.ends_with("_R")) return name.substr(0, name.size() - 2) + "Right";
  return name;
}

// Linear RGB of the plain colours; ICT-FaceKit has no albedo.
const Eigen::RowVector3f kSkin(0.46F, 0.27F, 0.20F), kLips(0.36F, 0.13F, 0.12F), kMouth(0.22F, 0.06F, 0.06F),
    kTeeth(0.65F, 0.60F, 0.50F), kSclera(0.66F, 0.62F, 0.60F), kIris(0.13F, 0.07F, 0.035F),
    kPupil(0.008F, 0.008F, 0.008F);
constexpr float kIrisRadius_mm = 5.9F, kPupilRadius_mm = 2.0F;  // adult means in room light

// The dense set that facet's networks predict, a list of vertex ids; empty without the file.
std::vector<std::int32_t> denseVertices() try {
  const fs::path path = dataDirectory() / "landmarks" / "ict_dense.json";
  if (!fs::exists(path)) return {};
  return Json::parse(readText(path)).at("dense").get<std::vector<std::int32_t>>();
} catch (const Error&) {
  return {};  // no data folder
} catch (const Json::exception& error) {
  fail(ErrorKind::kModel, "data/landmarks/ict_dense.json: ", error.what());
}

bool isInsidePolygon(const Points2& polygon, float x, float y) {
  bool inside = false;
  for (Eigen::Index i = 0, j = polygon.rows() - 1; i < polygon.rows(); j = i++) {
    const bool crosses = (polygon(i, 1) > y) != (polygon(j, 1) > y);
    if (!crosses) continue;
    const float t = (y - polygon(i, 1)) / (polygon(j, 1) - polygon(i, 1));
    if (x < polygon(i, 0) + t * (polygon(j, 0) - polygon(i, 0))) inside = !inside;
  }
  return inside;
}

// Plain colours, so that renders look sane: what each vertex is made of, lips inside the lip landmarks, and
// an iris round the axis of each eye.
Points3 albedoOf(const MorphableModel& model) {
  const std::map<std::string, Eigen::RowVector3f> colour_of = {
      {"skin", kSkin}, {"gums", kMouth}, {"mouth", kMouth}, {"teeth", kTeeth}, {"eye", kSclera}};
  Points3 albedo(model.numVertices(), 3);
  albedo.rowwise() = kSkin;
  std::vector<std::uint8_t> is_eye(static_cast<std::size_t>(model.numVertices()), 0);
  std::vector<std::uint8_t> is_skin(static_cast<std::size_t>(model.numVertices()), 0);
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    const std::string& material = model.material_names[model.triangle_material[f]];
    for (int corner = 0; corner < 3; ++corner) {
      const std::int32_t vertex = model.triangles(f, corner);
      albedo.row(vertex) = colour_of.at(material);
      is_eye[vertex] = material == "eye";
      is_skin[vertex] = material == "skin";
    }
  }

  if (model.landmarks68.size() == kNumIbugLandmarks) {
    const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
    const Points2 lip_outline = landmarks.middleRows<12>(48).leftCols<2>();
    const float depth_mm = landmarks.middleRows<12>(48).col(2).minCoeff() - 2;
    for (int v = 0; v < model.numVertices(); ++v) {
      const bool is_lip = is_skin[v] && model.mean(v, 2) > depth_mm &&
                          isInsidePolygon(lip_outline, model.mean(v, 0), model.mean(v, 1));
      if (is_lip) albedo.row(v) = kLips;
    }
  }

  for (const float side : {-1.0F, 1.0F}) {
    Eigen::AlignedBox3f ball;
    for (int v = 0; v < model.numVertices(); ++v) {
      if (is_eye[v] && side * model.mean(v, 0) > 0) ball.extend(Eigen::Vector3f(model.mean.row(v)));
    }
    if (ball.isEmpty()) continue;
    const Eigen::Vector3f centre = ball.center();
    for (int v = 0; v < model.numVertices(); ++v) {
      if (!is_eye[v] || side * model.mean(v, 0) <= 0 || model.mean(v, 2) < centre.z()) continue;
      const float radius_mm = std::hypot(model.mean(v, 0) - centre.x(), model.mean(v, 1) - centre.y());
      if (radius_mm < kIrisRadius_mm) albedo.row(v) = radius_mm < kPupilRadius_mm ? kPupil : kIris;
    }
  }
  return albedo;
}

MorphableModel modelFrom(IctData data) {
  MorphableModel model;
  model.id = "ict-facekit-light";
  model.name = "ICT-FaceKit light";
  setOrigin("ict", model);
  model.topology = "ict-facekit";
  model.mean = kMillimetresPerUnit * data.mean;
  data.identity *= kMillimetresPerUnit;
  data.expression *= kMillimetresPerUnit;
  model.identity = std::move(data.identity);
  model.expression = std::move(data.expression);
  model.num_blendshapes = model.numExpression();
  model.uv = std::move(data.uv);
  for (const std::string& name : data.expression_names) model.expression_names.push_back(arkitName(name));

  const bool has_published_parts = model.numVertices() == kPublishedVertices;
  if (has_published_parts) {
    for (const Part& part : kParts) {
      const auto index = static_cast<std::uint8_t>(model.region_names.size());
      model.region.insert(model.region.end(), static_cast<std::size_t>(part.last - part.first + 1), index);
      model.region_names.emplace_back(part.region);
    }
  }

  // Materials, without the triangles of the transparent overlays.
  std::vector<std::uint8_t> material_of;
  std::vector<std::string> names;
  const auto indexOf = [&names](const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<std::uint8_t>(found - names.begin());
    names.push_back(name);
    return static_cast<std::uint8_t>(names.size() - 1);
  };
  const Eigen::Index num_triangles = data.triangles.rows();
  const bool has_uv = data.uv_triangles.rows() == num_triangles && num_triangles > 0;
  Eigen::Index kept = 0;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t>
      atlas_index;  // of material and texture coordinate
  std::vector<Eigen::RowVector2f> atlas_uv;
  for (Eigen::Index f = 0; f < num_triangles; ++f) {
    const std::int32_t ict_material = data.triangle_material.empty() ? -1 : data.triangle_material[f];
    std::string material = ict_material < 0 ? "skin" : materialFor(data.material_names[ict_material]);
    if (material == kOverlay) continue;
    const bool is_mouth =
        has_published_parts && model.region_names[model.region[data.triangles(f, 0)]] == "mouth_socket";
    if (is_mouth) material = "mouth";
    data.triangles.row(kept) = data.triangles.row(f);
    for (int corner = 0; has_uv && corner < 3; ++corner) {
      const std::int32_t index = data.uv_triangles(f, corner);
      const auto [at, is_new] =
          atlas_index.try_emplace({ict_material, index}, static_cast<std::int32_t>(atlas_uv.size()));
      if (is_new) {
        require(index >= 0 && index < model.uv.rows(), "a triangle's texture coordinate is out of range");
        const std::string name = ict_material < 0 ? "" : data.material_names[ict_material];
        atlas_uv.push_back(inAtlas(name, model.uv.row(index)));
      }
      data.uv_triangles(kept, corner) = at->second;
    }
    material_of.push_back(indexOf(material));
    ++kept;
  }
  model.triangles = data.triangles.topRows(kept);
  if (has_uv) model.uv_triangles = data.uv_triangles.topRows(kept);
  model.uv.resize(static_cast<Eigen::Index>(atlas_uv.size()), 2);
  for (std::size_t i = 0; i < atlas_uv.size(); ++i) model.uv.row(static_cast<Eigen::Index>(i)) = atlas_uv[i];
  if (has_uv && std::any_of(kAtlas.begin(), kAtlas.end(), [&](const Cell& cell) {
        return std::find(data.material_names.begin(), data.material_names.end(), cell.material) !=
               data.material_names.end();
      })) {
    model.reader_notes.emplace_back(
        "the texture tiles of its materials are packed into one square, the face's into its "
        "upper left 70 %");
  }
  model.triangle_material = std::move(material_of);
  model.material_names = std::move(names);

  model.landmarks68 = embeddingOf(data.landmark_vertices, model.triangles, model.numVertices());
  if (has_published_parts) model.dense = embeddingOf(denseVertices(), model.triangles, model.numVertices());
  model.symmetry = mirroredVertices(model.mean, model.region);
  model.albedo_mean = albedoOf(model);
  model.check();
  return model;
}

const NpyArray& arrayOf(const Npz& arrays, const char* key) {
  const auto found = arrays.find(key);
  require(found != arrays.end(), "it has no array \"", key, "\"");
  return found->second;
}

// An N×columns float or int array as a matrix.
template <typename Matrix>
Matrix matrixOf(const Npz& arrays, const char* key) {
  constexpr int kColumns = Matrix::ColsAtCompileTime;
  const NpyArray& array = arrayOf(arrays, key);
  require(array.shape.size() == 2 && array.shape[1] == kColumns, "array \"", key, "\" is not N x ", kColumns);
  if constexpr (std::is_same_v<typename Matrix::Scalar, float>) {
    const std::vector<float> values = array.asFloat();
    return Eigen::Map<const Matrix>(values.data(), array.shape[0], kColumns);
  } else {
    const std::vector<std::int32_t> values = array.asInt32();
    return Eigen::Map<const Matrix>(values.data(), array.shape[0], kColumns);
  }
}

Eigen::MatrixXf basisOf(const Npz& arrays, const char* key) {
  const NpyArray& array = arrayOf(arrays, key);
  require(array.shape.size() == 3 && array.shape[2] == 3, "array \"", key, "\" is not K x V x 3");
  const std::vector<float> values = array.asFloat();
  return Eigen::Map<const Eigen::MatrixXf>(values.data(), 3 * array.shape[1], array.shape[0]);
}

IctData dataFromFolder(const fs::path& folder) {
  IctData data;
  ObjFile neutral = parseObj(folder / "generic_neutral_mesh.obj");
  data.mean = std::move(neutral.mesh.vertices);
  data.triangles = std::move(neutral.mesh.triangles);
  data.uv = std::move(neutral.mesh.uv);
  data.uv_triangles = std::move(neutral.mesh.uv_triangles);
  data.material_names = std::move(neutral.material_names);
  data.triangle_material = std::move(neutral.triangle_material);

  const fs::path index_path = folder / "vertex_indices.json";
  const Json index = Json::parse(readText(index_path));
  data.expression_names = index.at("expressions").get<std::vector<std::string>>();
  data.landmark_vertices = index.at("idx_to_landmark_verts").get<std::vector<std::int32_t>>();

  std::vector<std::string> identity_names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".obj" && stem.starts_with("identity")) identity_names.push_back(stem);
  }
  std::sort(identity_names.begin(), identity_names.end());

  const auto readModes = [&](const std::vector<std::string>& names) {
    const Eigen::Map<const Eigen::VectorXf> mean(data.mean.data(), data.mean.size());
    Eigen::MatrixXf basis(mean.size(), static_cast<Eigen::Index>(names.size()));
    parallelFor(static_cast<int>(names.size()), 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        const fs::path path = folder / (names[i] + ".obj");
        const Points3 shape = parseObjPositions(path);
        if (shape.rows() != data.mean.rows()) {
          fail(ErrorKind::kModel, path.string(), ": has ", shape.rows(), " vertices, the neutral mesh has ",
               data.mean.rows(), "; download ICT-FaceKit again");
        }
        basis.col(i) = Eigen::Map<const Eigen::VectorXf>(shape.data(), shape.size()) - mean;
      }
    });
    return basis;
  };
  data.identity = readModes(identity_names);
  data.expression = readModes(data.expression_names);
  return data;
}

}  // namespace

bool isPackedIctModel(const SharedBytes& npz, const fs::path& path) {
  if (!isZip(npz)) return false;
  const NpzFile arrays(npz, path.string());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (arrays.key(i) == "triangles_uv") return true;
  }
  return false;
}

MorphableModel ictModelFrom(const Npz& arrays, const fs::path& path) try {
  IctData data;
  data.mean = matrixOf<Points3>(arrays, "mean");
  data.triangles = matrixOf<Triangles>(arrays, "triangles");
  data.uv = matrixOf<Points2>(arrays, "uv");
  data.uv_triangles = matrixOf<Triangles>(arrays, "triangles_uv");
  data.identity = basisOf(arrays, "identity");
  data.expression = basisOf(arrays, "expression");
  data.expression_names = arrayOf(arrays, "expression_names").asStrings();
  data.material_names = arrayOf(arrays, "material_names").asStrings();
  data.landmark_vertices = arrayOf(arrays, "landmarks68").asInt32();
  const std::vector<std::int32_t> material_of_face = arrayOf(arrays, "face_material").asInt32();
  for (const std::int32_t face : arrayOf(arrays, "triangle_source_face").asInt32()) {
    require(face >= 0 && static_cast<std::size_t>(face) < material_of_face.size(),
            "a triangle's face is out of range");
    const std::int32_t material = material_of_face[face];
    require(material < static_cast<std::int32_t>(data.material_names.size()),
            "a face's material is out of range");
    data.triangle_material.push_back(material);
  }
  require(data.triangle_material.size() == static_cast<std::size_t>(data.triangles.rows()),
          "triangle_source_face does not fit the triangles");
  return modelFrom(std::move(data));
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not the packed ICT-FaceKit model: ", error.what());
}

MorphableModel readIctModel(const fs::path& path) try {
  if (!fs::exists(path)) {
    fail(ErrorKind::kModel, path.string(), ": no such file or folder; get ICT-FaceKit from ",
         findModelFamily("ict")->page);
  }
  if (!fs::is_directory(path)) return ictModelFrom(readNpz(path), path);
  for (const fs::path& folder : {path, path / "FaceXModel"}) {
    if (fs::exists(folder / "generic_neutral_mesh.obj")) return modelFrom(dataFromFolder(folder));
  }
  fail(ErrorKind::kModel, path.string(), ": has no generic_neutral_mesh.obj; give the FaceXModel folder of ",
       findModelFamily("ict")->page);
} catch (const Json::exception& error) {
  fail(ErrorKind::kModel, path.string(), ": vertex_indices.json is not as published: ", error.what());
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not a valid ICT-FaceKit model: ", error.what());
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kModel) throw;
  fail(ErrorKind::kModel, error.what());
}

}  // namespace facet
