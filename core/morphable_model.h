#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/basis.h"
#include "core/landmarks.h"
#include "core/mesh.h"
#include "core/skeleton.h"
#include "core/types.h"

namespace facet {

// 3D face model, linear in its coefficients: S(a, e) = mean + B_id a + B_exp e, albedo T(b) = albedo_mean +
// B_alb b; a skeleton, where there is one, then turns the jaw, the eyes and the neck. Blanz and Vetter, "A
// Morphable Model for the Synthesis of 3D Faces", SIGGRAPH 1999. Identity and albedo coefficients are in
// standard deviations (the bases are pre-scaled), expression weights too, except those of the last
// `num_blendshapes` expressions, which are in [0, 1].
struct MorphableModel {
  std::string id;  // "facet-head", "ict-facekit-light", …
  std::string name;
  std::string licence;   // shown by `facet model info`, with -v, and written into every result
  std::string source;    // where it comes from
  std::string topology;  // models of one topology share triangles, landmarks and UVs

  Points3 mean;                               // V×3 mm, model frame
  Triangles triangles;                        // F×3
  Points2 uv;                                 // T×2, origin bottom-left, or empty
  Triangles uv_triangles;                     // F×3 into uv, or empty
  Basis identity;                             // 3V×K mm per standard deviation
  Basis expression;                           // 3V×L mm at weight 1
  int num_blendshapes = 0;                    // the last so many expressions have weights in [0, 1]
  std::vector<std::string> expression_names;  // L
  std::optional<Skeleton> skeleton;           // FLAME's joints
  Points3 albedo_mean;                        // V×3 linear RGB, or empty
  Basis albedo;                               // 3V×A, or empty
  std::vector<std::string> albedo_names;      // A, or empty
  Points3 specular_mean;                      // V×3 linear, or empty
  Basis specular;                             // 3V×S, or empty

  // Named shapes to animate with (ARKit's), where the expressions are not such shapes themselves.
  Basis blendshapes;                          // 3V×N mm at weight 1, or empty
  std::vector<std::string> blendshape_names;  // N

  LandmarkEmbedding landmarks68;  // iBUG-68; empty if unknown
  LandmarkEmbedding dense;  // the dense set that facet's landmark networks predict, with gaps where the mesh
                            // has no such point (a mask has no ears); empty if unknown
  // FLAME's 17 jaw landmarks by head yaw in whole degrees: rows 0 to 39 for 0° to 39°, 40 to 78 for -1° to
  // -39° (positive: the face turns to its own left, +X, and the outline of its left cheek slides forward); or
  // empty.
  std::vector<LandmarkEmbedding> contour_by_yaw;
  // Points of MediaPipe's face mesh that the model places (FLAME: 105), and which of its 478 they are; or
  // empty.
  LandmarkEmbedding mediapipe;
  std::vector<std::int32_t> mediapipe_index;
  std::vector<std::int32_t> symmetry;  // V, index of the mirrored vertex; empty if unknown
  std::vector<std::uint8_t> region;    // V, index into region_names; empty if unknown
  std::vector<std::string> region_names;
  std::vector<std::uint8_t> triangle_material;  // F, index into material_names; empty = all skin
  std::vector<std::string> material_names;
  // What the reader found or assumed, one sentence each: "stored in micrometres", "has no expressions; …".
  std::vector<std::string> reader_notes;

  int numVertices() const { return static_cast<int>(mean.rows()); }
  int numIdentity() const { return static_cast<int>(identity.cols()); }
  int numExpression() const { return static_cast<int>(expression.cols()); }
  int numAlbedo() const { return static_cast<int>(albedo.cols()); }

  // V×3 positions in mm. Fewer coefficients than modes leave the rest at zero; more throw. `pose` (J×3, axis
  // times angle in radians; empty = none) needs a skeleton.
  Points3 vertices(const Eigen::VectorXf& identity_coefficients,
                   const Eigen::VectorXf& expression_weights = {}, const Points3& pose = {}) const;
  // V×3 linear RGB, clamped to [0, 1].
  Points3 albedoColours(const Eigen::VectorXf& albedo_coefficients) const;
  Mesh mesh(const Points3& vertices) const;
  // Whether its texture coordinates can hold one texture of the whole model: there are some, and they hardly
  // overlap.
  bool hasUsableUv() const;
  // Whether it has shapes to animate with, as expressions or beside them. Eyelids alone, as FLAME can have
  // them, are not a face's worth.
  bool hasNamedShapes() const { return blendshapes.cols() > 0 || num_blendshapes > 2; }
  // Its weights lie in [0, 1]; they are standard deviations otherwise.
  bool isBlendshape(int expression_index) const {
    return expression_index >= numExpression() - num_blendshapes;
  }
  // The row of contour_by_yaw for a head that faces `yaw_degrees` to its own left. Throws when the model has
  // none.
  const LandmarkEmbedding& contourAt(float yaw_degrees) const;
  // Index of an expression by name, or nothing.
  std::optional<int> expressionIndex(const std::string& expression_name) const;

  // Throws std::invalid_argument naming the part that does not fit: sizes, indices out of range, values not
  // finite.
  void check() const;
  // The same without looking at the values of the bases, for a model that lies in a mapped file.
  void checkStructure() const;
};

// Small synthetic model for tests: a bumpy ellipsoid "head" of about 600 vertices with random smooth modes,
// UVs, 68 landmarks on its front and an exact mirror symmetry. Deterministic by seed.
MorphableModel makeSyntheticModel(unsigned seed = 0, int num_identity = 10, int num_expression = 6,
                                  int num_albedo = 4);

}  // namespace facet
