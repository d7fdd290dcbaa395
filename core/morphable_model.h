#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/landmarks.h"
#include "core/mesh.h"
#include "core/types.h"

namespace facet {

// Columns are modes, rows are the flattened (x0 y0 z0 x1 …) vertices. Column-major: one mode is contiguous.
using Basis = Eigen::MatrixXf;

// Linear 3D face model: S(a, e) = mean + B_id a + B_exp e, albedo T(b) = albedo_mean + B_alb b.
// Blanz and Vetter, "A Morphable Model for the Synthesis of 3D Faces", SIGGRAPH 1999.
// Identity and albedo coefficients are in standard deviations (the bases are pre-scaled). Expression weights
// are in [0, 1] for blendshape models (`expression_is_blendshape`), in standard deviations otherwise.
struct MorphableModel {
  std::string id;  // "facet-head", "ict-facekit-light", …
  std::string name;
  std::string licence;   // shown by `facet model info`, with -v, and written into every result
  std::string source;    // where it comes from
  std::string topology;  // models of one topology share triangles, landmarks and UVs

  Points3 mean;            // V×3 mm, model frame
  Triangles triangles;     // F×3
  Points2 uv;              // T×2, origin bottom-left, or empty
  Triangles uv_triangles;  // F×3 into uv, or empty
  Basis identity;          // 3V×K mm per standard deviation
  Basis expression;        // 3V×L mm at weight 1
  bool expression_is_blendshape = true;
  std::vector<std::string> expression_names;  // L
  Points3 albedo_mean;                        // V×3 linear RGB, or empty
  Basis albedo;                               // 3V×A, or empty
  std::vector<std::string> albedo_names;      // A, or empty

  LandmarkEmbedding landmarks68;  // iBUG-68; empty if unknown
  LandmarkEmbedding dense;        // the dense set that facet's landmark networks predict; empty if unknown
  std::vector<std::int32_t> symmetry;  // V, index of the mirrored vertex; empty if unknown
  std::vector<std::uint8_t> region;    // V, index into region_names; empty if unknown
  std::vector<std::string> region_names;
  std::vector<std::uint8_t> triangle_material;  // F, index into material_names; empty = all skin
  std::vector<std::string> material_names;

  int numVertices() const { return static_cast<int>(mean.rows()); }
  int numIdentity() const { return static_cast<int>(identity.cols()); }
  int numExpression() const { return static_cast<int>(expression.cols()); }
  int numAlbedo() const { return static_cast<int>(albedo.cols()); }

  // V×3 positions in mm. Fewer coefficients than modes leave the rest at zero; more throw.
  Points3 vertices(const Eigen::VectorXf& identity_coefficients,
                   const Eigen::VectorXf& expression_weights = {}) const;
  // V×3 linear RGB, clamped to [0, 1].
  Points3 albedoColours(const Eigen::VectorXf& albedo_coefficients) const;
  Mesh mesh(const Points3& vertices) const;
  // Index of an expression by name, or nothing.
  std::optional<int> expressionIndex(const std::string& expression_name) const;

  // Throws std::invalid_argument naming the part that does not fit: sizes, indices out of range, values not
  // finite.
  void check() const;
};

// Small synthetic model for tests: a bumpy ellipsoid "head" of about 600 vertices with random smooth modes,
// UVs, 68 landmarks on its front and an exact mirror symmetry. Deterministic by seed.
MorphableModel makeSyntheticModel(unsigned seed = 0, int num_identity = 10, int num_expression = 6,
                                  int num_albedo = 4);

}  // namespace facet
