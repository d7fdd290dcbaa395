#include "core/io/glb_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/check.h"
#include "core/io/model_parts.h"

namespace facet {
namespace {

// Texture coordinates that went through other programs, 16-bit ones included, agree to this.
constexpr float kMaxUvDifference = 1e-4F;

// Linear RGB of an sRGB image at a texture coordinate (origin at the bottom), between the four nearest
// pixels.
Eigen::RowVector3f colourAt(const Image8& image, const Eigen::RowVector2f& uv) {
  const auto place = [](float coordinate, int size) {
    return std::clamp(coordinate * static_cast<float>(size) - 0.5F, 0.0F, static_cast<float>(size - 1));
  };
  // Repeats beyond [0, 1], as glTF does unless told otherwise.
  const float x = place(uv.x() - std::floor(uv.x() == 1 ? 0 : uv.x()), image.width());
  const float y = place(1 - (uv.y() - std::floor(uv.y() == 1 ? 0 : uv.y())), image.height());
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
  const int x1 = std::min(x0 + 1, image.width() - 1), y1 = std::min(y0 + 1, image.height() - 1);
  const float tx = x - static_cast<float>(x0), ty = y - static_cast<float>(y0);
  Eigen::RowVector3f colour;
  for (int c = 0; c < 3; ++c) {
    const int channel = image.channels() >= 3 ? c : 0;
    const auto value = [&](int px, int py) {
      return linearFromSrgb(static_cast<float>(image.at(px, py)[channel]) / 255);
    };
    colour[c] = (1 - ty) * ((1 - tx) * value(x0, y0) + tx * value(x1, y0)) +
                ty * ((1 - tx) * value(x0, y1) + tx * value(x1, y1));
  }
  return colour;
}

// V×3 linear RGB; empty for a head without any colour.
Points3 vertexAlbedo(const FaceAsset& asset) {
  const bool is_coloured =
      std::any_of(asset.materials.begin(), asset.materials.end(), [](const AssetMaterial& material) {
        return material.base_colour || !material.base_colour_factor.isOnes(0);
      });
  if (!is_coloured) return {};
  Points3 sum = Points3::Zero(asset.mesh.vertices.rows(), 3);
  Eigen::VectorXf count = Eigen::VectorXf::Zero(sum.rows());
  for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
    const AssetMaterial& material =
        asset.materials[asset.triangle_material.empty() ? 0 : asset.triangle_material[f]];
    for (int c = 0; c < 3; ++c) {
      Eigen::RowVector3f colour = material.base_colour_factor.transpose();
      if (material.base_colour) {
        const Eigen::RowVector2f uv = asset.mesh.uv.row(asset.mesh.uv_triangles(f, c));
        colour.array() *= colourAt(*material.base_colour, uv).array();
      }
      sum.row(asset.mesh.triangles(f, c)) += colour;
      ++count[asset.mesh.triangles(f, c)];
    }
  }
  return (sum.array().colwise() / count.array().max(1)).cwiseMax(0).cwiseMin(1);
}

// Weights of vertices that give a joint's place: those that it moves most, by the least squares of their
// weights, which sum to 1.
Eigen::SparseMatrix<float, Eigen::RowMajor> jointRegressor(const AssetSkin& skin, const Points3& vertices) {
  constexpr Eigen::Index kMaxSupport = 64;
  const Eigen::Index num_vertices = vertices.rows(), num_joints = skin.positions.rows();
  std::vector<Eigen::Triplet<float>> entries;
  std::vector<Eigen::Index> order(static_cast<std::size_t>(num_vertices));
  for (Eigen::Index j = 0; j < num_joints; ++j) {
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    const Eigen::VectorXf weight = skin.weights.col(j);
    std::stable_sort(order.begin(), order.end(),
                     [&](Eigen::Index a, Eigen::Index b) { return weight[a] > weight[b]; });
    // Evenly among the vertices that hang on the joint, so that they surround it.
    const auto num_held = (weight.array() > 0.5F).count();
    const Eigen::Index pool = num_held >= 4 ? num_held : num_vertices;
    const Eigen::Index support = std::min(pool, kMaxSupport);
    Eigen::Matrix<double, 4, Eigen::Dynamic> points(4, support);
    for (Eigen::Index i = 0; i < support; ++i) {
      points.col(i) << vertices.row(order[i * pool / support]).transpose().cast<double>(), 1;
    }
    const Eigen::Vector4d wanted(skin.positions(j, 0), skin.positions(j, 1), skin.positions(j, 2), 1);
    const Eigen::VectorXd solution =
        points.transpose() * (points * points.transpose()).completeOrthogonalDecomposition().solve(wanted);
    for (Eigen::Index i = 0; i < support; ++i) {
      entries.emplace_back(static_cast<int>(j), static_cast<int>(order[i * pool / support]),
                           static_cast<float>(solution[i]));
    }
  }
  Eigen::SparseMatrix<float, Eigen::RowMajor> regressor(num_joints, num_vertices);
  regressor.setFromTriplets(entries.begin(), entries.end());
  return regressor;
}

// Rows of triangles, material by material.
std::vector<Eigen::Index> byMaterial(const MorphableModel& model) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(model.triangles.rows()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (!model.triangle_material.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
      return model.triangle_material[a] < model.triangle_material[b];
    });
  }
  return order;
}

Basis reordered(const Basis& basis, const std::vector<std::int32_t>& order) {
  if (basis.size() == 0) return basis;
  Eigen::MatrixXf modes(basis.rows(), basis.cols());
  for (Eigen::Index m = 0; m < basis.cols(); ++m) {
    const Points3 points = basis.points(m)(order, Eigen::all);
    modes.col(m) = Eigen::Map<const Eigen::VectorXf>(points.data(), points.size());
  }
  return Basis::compact(std::move(modes));
}

}  // namespace

MorphableModel modelFromAsset(const FaceAsset& asset, const std::filesystem::path& path) {
  MorphableModel model;
  model.id = model.topology = model.name = path.stem().string();
  const auto extras = nlohmann::json::parse(asset.extras_json, nullptr, /*allow_exceptions=*/false);
  for (const char* member : {"copyright", "licence"}) {
    if (extras.is_object() && extras.contains(member) && extras[member].is_string())
      model.licence = extras[member];
  }
  if (model.licence.empty()) model.licence = "that of the file";
  model.source = path.string();
  const float scale = millimetresPerUnit(1e-3F * asset.mesh.vertices, kMetres, model.reader_notes) / 1000;
  model.mean = scale * asset.mesh.vertices;
  model.triangles = asset.mesh.triangles;
  model.uv = asset.mesh.uv;
  model.uv_triangles = asset.mesh.uv_triangles;
  model.triangle_material = asset.triangle_material;
  if (!model.triangle_material.empty()) {
    for (const AssetMaterial& material : asset.materials) model.material_names.push_back(material.name);
  }
  model.albedo_mean = vertexAlbedo(asset);
  const bool has_texture =
      std::any_of(asset.materials.begin(), asset.materials.end(),
                  [](const AssetMaterial& material) { return material.base_colour != nullptr; });
  if (has_texture)
    model.reader_notes.emplace_back("its texture became one colour per vertex; a model holds no image");

  Eigen::MatrixXf shapes(model.mean.size(), static_cast<Eigen::Index>(asset.targets.size()));
  for (std::size_t t = 0; t < asset.targets.size(); ++t) {
    const Points3& displacement = asset.targets[t].displacement;
    shapes.col(static_cast<Eigen::Index>(t)) =
        scale * Eigen::Map<const Eigen::VectorXf>(displacement.data(), displacement.size());
    model.expression_names.push_back(asset.targets[t].name);
  }
  model.num_blendshapes = static_cast<int>(shapes.cols());
  if (shapes.cols() > 0) model.expression = Basis::compact(std::move(shapes));
  if (asset.skin) {
    AssetSkin skin = *asset.skin;
    skin.positions *= scale;
    model.skeleton = Skeleton{skin.names, skin.parent, jointRegressor(skin, model.mean), skin.weights, {}};
  }
  model.check();
  orientTriangles(model);
  return model;
}

std::optional<std::vector<std::int32_t>> orderLike(const Mesh& mesh, const MorphableModel& reference) {
  if (mesh.vertices.rows() != reference.numVertices() ||
      mesh.triangles.rows() != reference.triangles.rows() || !mesh.hasUv() ||
      reference.uv_triangles.rows() != reference.triangles.rows()) {
    return std::nullopt;
  }
  std::vector<std::int32_t> order(static_cast<std::size_t>(reference.numVertices()), -1),
      reference_of(order.size(), -1);
  const std::vector<Eigen::Index> triangles = byMaterial(reference);
  for (std::size_t f = 0; f < triangles.size(); ++f) {
    const Eigen::RowVector3i corners = mesh.triangles.row(static_cast<Eigen::Index>(f)),
                             uv = mesh.uv_triangles.row(static_cast<Eigen::Index>(f)),
                             expected = reference.triangles.row(triangles[f]),
                             expected_uv = reference.uv_triangles.row(triangles[f]);
    // A triangle may begin at any of its corners.
    const auto difference = [&](int turn) {
      float largest = 0;
      for (int c = 0; c < 3; ++c) {
        largest = std::max(
            largest,
            (mesh.uv.row(uv[(c + turn) % 3]) - reference.uv.row(expected_uv[c])).cwiseAbs().maxCoeff());
      }
      return largest;
    };
    const std::array differences = {difference(0), difference(1), difference(2)};
    const auto best = std::min_element(differences.begin(), differences.end());
    if (!(*best < kMaxUvDifference)) return std::nullopt;
    for (int c = 0; c < 3; ++c) {
      const std::int32_t vertex = corners[(c + static_cast<int>(best - differences.begin())) % 3];
      std::int32_t& known = order[expected[c]];
      std::int32_t& back = reference_of[vertex];
      if ((known >= 0 && known != vertex) || (back >= 0 && back != expected[c])) return std::nullopt;
      known = vertex;
      back = expected[c];
    }
  }
  if (std::count(order.begin(), order.end(), -1) > 0) return std::nullopt;  // a vertex in no triangle
  return order;
}

void takeTopology(const std::vector<std::int32_t>& order, const MorphableModel& reference,
                  MorphableModel& model) {
  require(
      static_cast<int>(order.size()) == model.numVertices() && model.numVertices() == reference.numVertices(),
      "takeTopology: an order of ", order.size(), " vertices for ", model.numVertices(), " and ",
      reference.numVertices());
  model.mean = Points3(model.mean(order, Eigen::all));
  model.identity = reordered(model.identity, order);
  model.expression = reordered(model.expression, order);
  model.blendshapes = reordered(model.blendshapes, order);
  model.albedo = reordered(model.albedo, order);
  if (model.albedo_mean.rows() > 0) model.albedo_mean = Points3(model.albedo_mean(order, Eigen::all));
  if (model.skeleton) {
    Skeleton& skeleton = *model.skeleton;
    skeleton.weights = Eigen::MatrixXf(skeleton.weights(order, Eigen::all));
    skeleton.pose_correctives = reordered(skeleton.pose_correctives, order);
    std::vector<std::int32_t> new_index(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) new_index[order[i]] = static_cast<std::int32_t>(i);
    std::vector<Eigen::Triplet<float>> entries;
    for (int j = 0; j < skeleton.regressor.outerSize(); ++j) {
      for (decltype(skeleton.regressor)::InnerIterator it(skeleton.regressor, j); it; ++it) {
        entries.emplace_back(j, new_index[it.col()], it.value());
      }
    }
    skeleton.regressor.setZero();
    skeleton.regressor.setFromTriplets(entries.begin(), entries.end());
  }
  model.topology = reference.topology;
  model.triangles = reference.triangles;
  model.uv = reference.uv;
  model.uv_triangles = reference.uv_triangles;
  model.triangle_material = reference.triangle_material;
  model.material_names = reference.material_names;
  model.region = reference.region;
  model.region_names = reference.region_names;
  model.landmarks68 = reference.landmarks68;
  model.dense = reference.dense;
  model.contour_by_yaw = reference.contour_by_yaw;
  model.mediapipe = reference.mediapipe;
  model.mediapipe_index = reference.mediapipe_index;
  model.symmetry = reference.symmetry;
  model.reader_notes.push_back("has the mesh of " + reference.id +
                               ": vertices are in its order, landmarks and regions are its own");
  model.check();
}

}  // namespace facet
