#include "core/io/facet_model.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/npz.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "facet-model";
constexpr int kVersion = 2;  // 2: expressions in standard deviations, joints, named shapes

// The arrays of one model file; every complaint names the file.
class ModelFile {
 public:
  ModelFile(const SharedBytes& npz, const fs::path& path)
      : path_(path), arrays_(npz, path.string(), Checksum::kTrust) {}

  template <typename... Parts>
  [[noreturn]] void complain(const Parts&... what) const {
    fail(ErrorKind::kModel, path_.string(), ": ", what...);
  }

  // Nothing when the file has no such array.
  std::optional<ArrayView> find(const std::string& key, std::size_t num_axes) const {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      if (arrays_.key(i) != key) continue;
      ArrayView array = viewNpy(arrays_.content(i), path_.string() + " (" + key + ")");
      if (array.shape.size() != num_axes) {
        complain("array ", key, " has ", array.shape.size(), " axes, not ", num_axes);
      }
      if (!array.isNumeric()) complain("array ", key, " does not hold numbers");
      return array;
    }
    return std::nullopt;
  }

  // An array whose last axis is the columns of Matrix; empty when the file has none.
  template <typename Matrix>
  Matrix matrix(const std::string& key) const {
    constexpr int kColumns = Matrix::ColsAtCompileTime;
    const auto array = find(key, 2);
    if (!array) return {};
    if (array->shape[1] != kColumns)
      complain("array ", key, " has ", array->shape[1], " columns, not ", kColumns);
    const auto values = as<typename Matrix::Scalar>(*array);
    return Eigen::Map<const Matrix>(values.data(), array->shape[0], kColumns);
  }

  // K×V×3 in the file, one mode after the other, is 3V×K column by column: floats and half floats stay where
  // they lie.
  Basis basis(const std::string& key) const {
    const auto array = find(key, 3);
    if (!array || array->shape[0] == 0) return {};
    if (array->shape[2] != 3)
      complain("array ", key, " has ", array->shape[2], " coordinates per vertex, not 3");
    const Eigen::Index rows = array->shape[1] * 3, cols = array->shape[0];
    const bool is_half = array->dtype == "<f2", is_float = array->dtype == "<f4";
    const bool in_order = array->strides == std::vector<std::int64_t>{rows, 3, 1};
    const std::size_t item_bytes = is_half ? 2 : 4;
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(array->bytes.data()) % item_bytes == 0;
    if ((is_half || is_float) && in_order && is_aligned) {
      return Basis::view(array->bytes.owner(), array->bytes.data(), rows, cols,
                         is_half ? Basis::Precision::kHalf : Basis::Precision::kFloat);
    }
    const std::vector<float> values = array->asFloat();
    return Eigen::MatrixXf(Eigen::Map<const Eigen::MatrixXf>(values.data(), rows, cols));
  }

  template <typename T>
  std::vector<T> list(const std::string& key) const {
    const auto array = find(key, 1);
    if (!array) return {};
    if constexpr (std::is_same_v<T, float>) {
      return array->asFloat();
    } else {
      const std::vector<std::int32_t> values = array->asInt32();
      return {values.begin(), values.end()};
    }
  }

  LandmarkEmbedding embedding(const std::string& name) const {
    return {list<std::int32_t>(name + "_triangle"), matrix<Points3>(name + "_barycentric")};
  }

  std::optional<Skeleton> skeleton(const Json& meta, int num_vertices) const {
    if (!meta.contains("joints")) return std::nullopt;
    Skeleton skeleton;
    for (const Json& joint : meta.at("joints")) {
      skeleton.names.push_back(joint.at("name"));
      skeleton.parent.push_back(joint.at("parent"));
    }
    const int num_joints = skeleton.numJoints();
    const auto weights = find("joint_weights", 2);
    if (!weights || weights->shape[0] != num_vertices || weights->shape[1] != num_joints) {
      complain("array joint_weights is missing or not ", num_vertices, " x ", num_joints);
    }
    const std::vector<float> values = weights->asFloat();
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    skeleton.weights = Eigen::Map<const RowMajor>(values.data(), num_vertices, num_joints);

    const auto joint = list<std::int32_t>("joint_regressor_joint"),
               vertex = list<std::int32_t>("joint_regressor_vertex");
    const auto weight = list<float>("joint_regressor_weight");
    if (joint.size() != weight.size() || vertex.size() != weight.size()) {
      complain("the arrays joint_regressor_* have different lengths");
    }
    std::vector<Eigen::Triplet<float>> entries;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      if (joint[i] < 0 || joint[i] >= num_joints || vertex[i] < 0 || vertex[i] >= num_vertices) {
        complain("the joint regressor speaks of joint ", joint[i], " and vertex ", vertex[i]);
      }
      entries.emplace_back(joint[i], vertex[i], weight[i]);
    }
    skeleton.regressor.resize(num_joints, num_vertices);
    skeleton.regressor.setFromTriplets(entries.begin(), entries.end());
    skeleton.pose_correctives = basis("pose_correctives");
    return skeleton;
  }

  std::vector<LandmarkEmbedding> contour() const {
    const auto triangle = find("contour_triangle", 2), barycentric = find("contour_barycentric", 3);
    if (!triangle || !barycentric) return {};
    if (barycentric->shape != std::vector<std::int64_t>{triangle->shape[0], triangle->shape[1], 3}) {
      complain("the arrays contour_triangle and contour_barycentric do not fit each other");
    }
    const std::vector<std::int32_t> triangles = triangle->asInt32();
    const std::vector<float> weights = barycentric->asFloat();
    const std::int64_t num_points = triangle->shape[1];
    std::vector<LandmarkEmbedding> rows;
    for (std::int64_t r = 0; r < triangle->shape[0]; ++r) {
      const auto first = triangles.begin() + r * num_points;
      rows.push_back({{first, first + num_points},
                      Eigen::Map<const Points3>(weights.data() + 3 * r * num_points, num_points, 3)});
    }
    return rows;
  }

 private:
  template <typename Scalar>
  static std::vector<Scalar> as(const ArrayView& array) {
    if constexpr (std::is_same_v<Scalar, float>) {
      return array.asFloat();
    } else {
      return array.asInt32();
    }
  }

  const fs::path& path_;
  NpzFile arrays_;
};

template <typename T>
NpyArray listArray(const char* dtype, const std::vector<T>& values) {
  NpyArray array{dtype, {static_cast<std::int64_t>(values.size())}, {}};
  array.bytes.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

NpyArray arrayFrom(const Points2& m) { return NpyArray::fromFloat(m.data(), {m.rows(), 2}); }
NpyArray arrayFrom(const Points3& m) { return NpyArray::fromFloat(m.data(), {m.rows(), 3}); }
NpyArray arrayFrom(const Triangles& m) { return NpyArray::fromInt32(m.data(), {m.rows(), 3}); }
NpyArray arrayFrom(const std::vector<std::int32_t>& v) { return listArray("<i4", v); }
NpyArray arrayFrom(const std::vector<std::uint8_t>& v) { return listArray("|u1", v); }
NpyArray arrayFrom(const std::vector<float>& v) { return listArray("<f4", v); }
NpyArray arrayFrom(const Basis& basis) {
  const bool is_half = basis.precision() == Basis::Precision::kHalf;
  NpyArray array{is_half ? "<f2" : "<f4", {basis.cols(), basis.rows() / 3, 3}, {}};
  const auto* first = static_cast<const std::uint8_t*>(basis.data());
  array.bytes.assign(first, first + basis.size() * (is_half ? 2 : 4));
  return array;
}

void addSkeleton(const Skeleton& skeleton, Json& meta, Npz& arrays) {
  for (int j = 0; j < skeleton.numJoints(); ++j) {
    meta["joints"].push_back({{"name", skeleton.names[j]}, {"parent", skeleton.parent[j]}});
  }
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> weights = skeleton.weights;
  arrays["joint_weights"] = NpyArray::fromFloat(weights.data(), {weights.rows(), weights.cols()});
  std::vector<std::int32_t> joint, vertex;
  std::vector<float> weight;
  for (int j = 0; j < skeleton.numJoints(); ++j) {
    for (decltype(skeleton.regressor)::InnerIterator at(skeleton.regressor, j); at; ++at) {
      joint.push_back(j);
      vertex.push_back(static_cast<std::int32_t>(at.col()));
      weight.push_back(at.value());
    }
  }
  arrays["joint_regressor_joint"] = arrayFrom(joint);
  arrays["joint_regressor_vertex"] = arrayFrom(vertex);
  arrays["joint_regressor_weight"] = arrayFrom(weight);
  if (skeleton.pose_correctives.size() > 0) arrays["pose_correctives"] = arrayFrom(skeleton.pose_correctives);
}

void addContour(const std::vector<LandmarkEmbedding>& rows, Npz& arrays) {
  std::vector<std::int32_t> triangles;
  std::vector<float> weights;
  for (const LandmarkEmbedding& row : rows) {
    triangles.insert(triangles.end(), row.triangle.begin(), row.triangle.end());
    weights.insert(weights.end(), row.barycentric.data(), row.barycentric.data() + row.barycentric.size());
  }
  const auto num_rows = static_cast<std::int64_t>(rows.size()), num_points = std::int64_t{kNumJawLandmarks};
  arrays["contour_triangle"] = NpyArray::fromInt32(triangles.data(), {num_rows, num_points});
  arrays["contour_barycentric"] = NpyArray::fromFloat(weights.data(), {num_rows, num_points, 3});
}

}  // namespace

MorphableModel readFacetModel(const fs::path& path) {
  SharedBytes bytes;
  try {
    bytes = mapBytes(path);
  } catch (const Error& error) {
    fail(ErrorKind::kModel, error.what());
  }
  return facetModelFrom(bytes, path);
}

bool isFacetModel(const SharedBytes& npz, const fs::path& path) {
  if (!isZip(npz)) return false;
  const NpzFile arrays(npz, path.string());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (arrays.key(i) == "meta") return true;
  }
  return false;
}

MorphableModel facetModelFrom(const SharedBytes& npz, const fs::path& path) try {
  const ModelFile file(npz, path);
  MorphableModel model;
  try {
    const auto text = file.list<char>("meta");
    if (text.empty()) file.complain("is an .npz but not a facet model: it has no meta");
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
    const auto strings = [&meta](const char* key) { return meta.value(key, std::vector<std::string>{}); };
    model.expression_names = strings("expression_names");
    model.blendshape_names = strings("blendshape_names");
    model.albedo_names = strings("albedo_names");
    model.region_names = strings("region_names");
    model.material_names = strings("material_names");
    model.reader_notes = strings("reader_notes");

    model.mean = file.matrix<Points3>("mean");
    model.triangles = file.matrix<Triangles>("triangles");
    model.uv = file.matrix<Points2>("uv");
    model.uv_triangles = file.matrix<Triangles>("uv_triangles");
    model.identity = file.basis("identity");
    model.expression = file.basis("expression");
    model.num_blendshapes = meta.value("num_blendshapes", model.numExpression());
    model.blendshapes = file.basis("blendshapes");
    model.skeleton = file.skeleton(meta, model.numVertices());
    model.albedo_mean = file.matrix<Points3>("albedo_mean");
    model.albedo = file.basis("albedo");
    model.specular_mean = file.matrix<Points3>("specular_mean");
    model.specular = file.basis("specular");
    model.landmarks68 = file.embedding("landmarks68");
    model.dense = file.embedding("dense");
    model.contour_by_yaw = file.contour();
    model.mediapipe = file.embedding("mediapipe");
    model.mediapipe_index = file.list<std::int32_t>("mediapipe_index");
    model.symmetry = file.list<std::int32_t>("symmetry");
    model.region = file.list<std::uint8_t>("region");
    model.triangle_material = file.list<std::uint8_t>("triangle_material");
    model.checkStructure();
  } catch (const Json::exception& error) {
    file.complain("its meta is not as it should be: ", error.what());
  } catch (const std::invalid_argument& error) {
    file.complain("is not a valid model: ", error.what());
  }
  return model;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kModel) throw;
  fail(ErrorKind::kModel, error.what(), "; expected a model file (.npz)");
}

void writeFacetModel(const fs::path& path, const MorphableModel& model) {
  model.check();
  Json meta = {{"format", kFormat},
               {"version", kVersion},
               {"id", model.id},
               {"name", model.name},
               {"licence", model.licence},
               {"source", model.source},
               {"topology", model.topology},
               {"num_blendshapes", model.num_blendshapes},
               {"expression_names", model.expression_names},
               {"blendshape_names", model.blendshape_names},
               {"albedo_names", model.albedo_names},
               {"region_names", model.region_names},
               {"material_names", model.material_names},
               {"reader_notes", model.reader_notes}};
  Npz arrays;
  arrays["mean"] = arrayFrom(model.mean);
  arrays["triangles"] = arrayFrom(model.triangles);
  const auto add = [&arrays](const char* key, const auto& value) {
    if (value.size() > 0) arrays[key] = arrayFrom(value);
  };
  add("uv", model.uv);
  add("uv_triangles", model.uv_triangles);
  add("identity", model.identity);
  add("expression", model.expression);
  add("blendshapes", model.blendshapes);
  add("albedo_mean", model.albedo_mean);
  add("albedo", model.albedo);
  add("specular_mean", model.specular_mean);
  add("specular", model.specular);
  add("landmarks68_triangle", model.landmarks68.triangle);
  add("landmarks68_barycentric", model.landmarks68.barycentric);
  add("dense_triangle", model.dense.triangle);
  add("dense_barycentric", model.dense.barycentric);
  add("mediapipe_triangle", model.mediapipe.triangle);
  add("mediapipe_barycentric", model.mediapipe.barycentric);
  add("mediapipe_index", model.mediapipe_index);
  add("symmetry", model.symmetry);
  add("region", model.region);
  add("triangle_material", model.triangle_material);
  if (model.skeleton) addSkeleton(*model.skeleton, meta, arrays);
  if (!model.contour_by_yaw.empty()) addContour(model.contour_by_yaw, arrays);
  const std::string text = meta.dump();
  arrays["meta"] = arrayFrom(std::vector<std::uint8_t>(text.begin(), text.end()));
  writeNpz(path, arrays);
}

}  // namespace facet
