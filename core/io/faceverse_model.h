#pragma once

#include "core/io/pickle.h"
#include "core/morphable_model.h"

namespace facet {

// FaceVerse (Wang, Chen, Yu, Ma, Li and Liu, "FaceVerse: a Fine-grained and Detail-controllable 3D Face
// Morphable Model from a Hybrid Dataset", CVPR 2022), versions 2 and 3: a dictionary in an .npy. Identity
// modes are in standard deviations; expressions with names (ARKit's) have weights in [0, 1].
//
// The files say neither unit nor orientation: the face is turned upright by its landmarks and, where no
// metric unit gives a face of natural size, scaled so that the outer corners of the eyes are 90 mm apart
// (Farkas, "Anthropometry of the Head and Face", 1994: 88 mm to 91 mm on average). A note says so.
bool isFaceVerseModel(const PickleValue& file);
// Errors: Error(kModel) naming the file, the array and what is wrong with it.
MorphableModel faceVerseModelFrom(const PickleValue& file);

}  // namespace facet
