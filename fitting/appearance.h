#pragma once

#include <Eigen/Core>
#include <optional>

#include "core/camera.h"
#include "core/image.h"
#include "core/morphable_model.h"
#include "core/spherical_harmonics.h"
#include "fitting/coefficient_guess.h"
#include "fitting/face_parser.h"

namespace facet {

struct AppearanceOptions {
  int face_side_px = 160;      // the face is read from a copy of the photo scaled down to this side
  int max_iterations = 12;     // of Gauss-Newton
  double albedo_weight = 1.0;  // prior: per squared standard deviation of the albedo; 0 = no prior
  double clue_weight =
      16;  // of the albedo clue; 1 = as certain as it says. Highlights and shadows bend all pixels
           // alike towards dark skin in bright light, which the network has learned to look through
  double light_weight =
      1.0;  // prior of the light: near white, exposed so that skin is lit about fully; 0 = none

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// What networks read of the photo beforehand; both may be missing.
struct AppearanceClues {
  CoefficientGuess albedo;             // of the model's albedo coefficients, in place of their prior
  std::optional<FaceParsing> parsing;  // only pixels that show skin, brows or lips count
};

// Light and skin colour of a fitted face.
struct Appearance {
  SphericalHarmonicsLight light;  // model frame
  Eigen::VectorXf albedo;  // A coefficients, standard deviations; empty for a model without an albedo basis
  Points3 vertex_albedo;   // V×3 linear RGB
  int num_pixels = 0;      // skin pixels that were seen; 0 = nothing was, light and albedo are the prior's
  int iterations = 0;
  double residual = 0;  // root mean square over pixels and channels, linear light in [0, 1]
};

// Minimises, over the skin pixels inside the outline of the 68 landmarks,
//   sum_p rho(|I_p - T(b)_p ∘ (h(n_p)ᵀ L)| / sigma_p) + |b|² + prior(L)
// for the light L (9×3 spherical harmonics, linear light) and the albedo coefficients b. Aldrian and Smith,
// "Inverse Rendering of Faces with a 3D Morphable Model", TPAMI 2013: each of the two is linear given the
// other; here both move together (Gauss-Newton), which leaves their common scale to the priors in a few
// steps. Beards, glasses, shadows and highlights are outliers (Huber). A model without albedo gets two modes
// of plain skin tone. One photo cannot tell dark skin from dim light: the clues' albedo, learned from many
// faces in many lights, can.
Appearance estimateAppearance(const MorphableModel& model, const Points3& vertices, const Camera& camera,
                              const Image8& photo, const AppearanceOptions& options = {},
                              const AppearanceClues& clues = {});

// Linear RGB of unknown skin: the mean of what models without an albedo are given.
Eigen::Vector3f meanSkinAlbedo();

}  // namespace facet
