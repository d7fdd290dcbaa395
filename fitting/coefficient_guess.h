#pragma once

#include <Eigen/Core>

#include "core/morphable_model.h"

namespace facet {

// What a network reads of a face's coefficients from a photo, in those of the built-in model: the mean and
// the standard deviation of each coefficient given the photo. Empty = nothing known.
struct CoefficientGuess {
  Eigen::VectorXf
      values;  // K: identity and albedo in standard deviations of the population, expression weights
  Eigen::VectorXf sigma;  // K, same unit

  bool empty() const { return values.size() == 0; }
};

// The same as an observation of the coefficients a of any model: K residuals (matrix a - target), each of
// unit variance.
struct LinearEvidence {
  Eigen::MatrixXd matrix;  // K×A
  Eigen::VectorXd target;  // K

  bool empty() const { return target.size() == 0; }
};

// Of the identity, to be used beside that model's own prior: the guess is a posterior, so that the
// population's prior N(0, 1) is taken out of it again. A model other than the built-in one is compared
// through the dense points of the neutral face, which both models have: least squares over the K built-in
// coefficients and a similarity, as in training (tools/train/builtin_target.py). Throws when the sizes do not
// fit.
LinearEvidence identityEvidence(const CoefficientGuess& guess, const MorphableModel& builtin,
                                const MorphableModel& model);

// Of the expression, in place of a prior. Blendshapes are matched by their names; a model of unnamed (PCA)
// modes by what moves the dense points. Empty for a model that has neither, or that opens its jaw with a
// joint, which this does not speak of. Throws when the sizes do not fit.
LinearEvidence expressionEvidence(const CoefficientGuess& guess, const MorphableModel& builtin,
                                  const MorphableModel& model);

}  // namespace facet
