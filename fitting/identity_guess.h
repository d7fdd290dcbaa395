#pragma once

#include <Eigen/Core>

#include "core/morphable_model.h"

namespace facet {

// What a network reads of the identity from a photo, in the coefficients of the built-in model: the mean and
// the standard deviation of each coefficient given the photo. Empty = nothing known.
struct IdentityGuess {
  Eigen::VectorXf coefficients;  // K, standard deviations of the population
  Eigen::VectorXf sigma;         // K, near 1 where the photo says nothing
};

// The same as an observation of another model's identity coefficients a, to be used beside that model's own
// prior: K residuals (matrix a - target), each of unit variance.
struct IdentityEvidence {
  Eigen::MatrixXd matrix;  // K×I
  Eigen::VectorXd target;  // K

  bool empty() const { return target.size() == 0; }
};

// The guess is a posterior: the population's prior N(0, 1) is taken out of it again, since the fit brings the
// prior itself. A model other than the built-in one is compared through the dense points of the neutral face,
// which both models have: least squares over the K built-in coefficients and a similarity, as in training
// (tools/train/identity_target.py). Throws when the sizes do not fit.
IdentityEvidence identityEvidence(const IdentityGuess& guess, const MorphableModel& builtin,
                                  const MorphableModel& model);

}  // namespace facet
