#pragma once

#include <vector>

#include "core/io/video_io.h"
#include "core/morphable_model.h"
#include "fitting/coefficient_guess.h"
#include "fitting/face_texture.h"
#include "fitting/head_pose.h"
#include "fitting/landmark_fit.h"
#include "fitting/landmark_regressor.h"

namespace facet {

// A frame of a clip that its texture may be taken from.
struct TextureFrame {
  int frame = 0;
  HeadPose pose;
  FitResult fit;
  FaceCrop crop;            // what the face network looked at
  CoefficientGuess albedo;  // its reading of the skin's colour; empty if the model is another one
};

// Up to four of them: the most frontal one first, then those turned furthest to either side and up or down,
// where they add something.
std::vector<TextureFrame> chooseTextureFrames(std::vector<TextureFrame> frames);

// Reads these frames of the clip, from its start, and makes the person's maps from them. Error(kInput) when
// the clip ends before them.
FaceMaps clipTexture(VideoReader& clip, const MorphableModel& model, const Eigen::VectorXf& identity,
                     const std::vector<TextureFrame>& frames, int size_px);

}  // namespace facet
