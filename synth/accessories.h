#pragma once

#include <vector>

#include "synth/assets.h"
#include "synth/scene.h"
#include "synth/subject.h"

namespace facet::synth {

// Transparent lenses, drawn after everything else, in the scene's camera frame.
struct Lens {
  std::vector<Eigen::Vector3f> outline;  // around `centre`
  Eigen::Vector3f centre, normal;
  Eigen::Vector3f tint;  // share of the light that passes, per channel
  float reflection = 0;  // strength of the mirrored surroundings
};

// Glasses on a posed head (68 landmarks in the head frame).
void addGlasses(const Points3& landmarks68, bool sunglasses, Random& random, Scene& scene,
                std::vector<Lens>& lenses);

// A cap, a woollen hat or a scarf over the head; returns the height above which no hair grows (mm, head
// frame).
float addHat(const HeadGrid& grid, Random& random, Scene& scene);

// Shoulders and clothes, body frame (the head frame of a head that looks straight ahead).
void addClothes(const Subject& subject, Random& random, Scene& scene);

// A mask over nose, mouth and chin of a posed head, held by loops around the ears.
void addMask(const HeadGrid& grid, Random& random, Scene& scene);

// Something between the camera and the face: a hand, a telephone, a microphone, a cup, a piece of a picture.
// The scene's placement must be the head's.
void addOccluder(const Points3& landmarks68, const Subject& subject, Random& random, Scene& scene);

void addEarrings(const Eigen::Vector3f& left_lobe, const Eigen::Vector3f& right_lobe, Random& random,
                 Scene& scene);

}  // namespace facet::synth
