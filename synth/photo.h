#pragma once

#include "core/image.h"
#include "synth/assets.h"
#include "synth/lighting.h"
#include "synth/random.h"

namespace facet::synth {

// What stands behind the face, linear RGB, size×size: a photograph, the surroundings that light the face, a
// studio gradient; often out of focus.
ImageF makeBackground(const Assets& assets, int size, Random& random);

// A piece of one photograph.
Image8 photoPiece(const Image8& photo, int size, Random& random);

struct Photo {
  Image8 image;          // sRGB
  Eigen::Vector3f gain;  // exposure and colour cast: what the light was multiplied by before the tone curve
};

// What a camera makes of linear light: blur of lens and motion, exposure, tone curve, noise, low resolution,
// JPEG.
Photo takePhoto(ImageF linear, Random& random);

}  // namespace facet::synth
