#pragma once

#include <Eigen/Geometry>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/image.h"
#include "core/mesh.h"

namespace facet {

// What one kind of surface looks like. Materials may share an image: it is stored once.
struct AssetMaterial {
  std::string name = "skin";
  std::shared_ptr<const Image8> base_colour;                     // sRGB, 3 or 4 channels; or null
  Eigen::Vector3f base_colour_factor = Eigen::Vector3f::Ones();  // linear RGB, times base_colour
  // Data, 3 channels: red = ambient occlusion (255: open), green = roughness, blue = 0 (not metal); or null.
  std::shared_ptr<const Image8> occlusion_roughness;
  // Data, 3 channels: normals in tangent space, green up as in OpenGL; or null. Needs texture coordinates.
  std::shared_ptr<const Image8> normal;
  float roughness = 0.55F;  // times the green of occlusion_roughness
  float ior = 1.4F;         // index of refraction; 1.4 is skin's
  float specular = 1;       // share of the reflection that `ior` asks for
  bool double_sided = false;
};

// A shape to animate with.
struct AssetTarget {
  std::string name;
  Points3 displacement;        // V×3 mm, at weight 1
  Points3 normal_change = {};  // V×3, of FaceAsset::normals at weight 1; empty where those are
};

// Joints that turn parts of the mesh.
struct AssetSkin {
  std::vector<std::string> names;  // J
  std::vector<std::int32_t>
      parent;               // J; -1 = the root, which comes first; parents come before their children
  Points3 positions;        // J×3 mm, in the mesh's frame
  Eigen::MatrixXf weights;  // V×J, rows sum to 1
};

// A performance, frame by frame.
struct AssetMotion {
  std::vector<float> time_s;                        // F, rising
  Eigen::MatrixXf weights;                          // F×targets
  std::vector<Eigen::Isometry3f> world_from_model;  // F, mm: the whole head; empty = it stays
  std::vector<Points3> pose;  // F of J×3, axis times angle in radians in the parent's frame; empty = none
};

// A head ready for an animation program: what the writers of core/io take.
struct FaceAsset {
  Mesh mesh;                                    // mm, model frame
  std::vector<std::uint8_t> triangle_material;  // F, index into materials; empty = all 0
  std::vector<AssetMaterial> materials = {AssetMaterial{}};
  std::vector<AssetTarget> targets;  // same vertex order as the mesh
  Points3 normals;  // V×3 unit length, of a mesh that stands for a finer one; empty = the mesh's own
  std::optional<AssetSkin> skin;
  std::optional<AssetMotion> motion;
  // The camera of the photo or clip; camera_from_model is camera_from_world where there is a motion.
  std::optional<Camera> camera;
  std::string name = "face";
  std::string extras_json;  // a JSON object: model, licence, version, input hash

  // V×3 unit normals: `normals`, or the mesh's (+Z for a vertex without area round it).
  Points3 vertexNormals() const;
  // V×3: how they change at weight 1 of a target; `at_rest` is vertexNormals().
  Points3 normalChange(const AssetTarget& target, const Points3& at_rest) const;

  // Throws std::invalid_argument, led by `writer`, naming the part that does not fit.
  void check(const char* writer) const;
};

}  // namespace facet
