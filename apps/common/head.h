#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/session.h"
#include "assets/head_asset.h"
#include "core/camera.h"
#include "core/image.h"
#include "core/morphable_model.h"
#include "core/spherical_harmonics.h"

namespace facet {

// One frame of a clip, or the one photo of a result.
struct HeadFrame {
  int number = 0;  // of the clip's frames, from 0
  double time_s = 0;
  std::string picture;  // the photo's path; of a clip, the frame's file if the clip is a folder, else empty
  Eigen::VectorXf expression;  // L
  Points3 pose;                // J×3 of a model with joints, or empty
  Camera camera;
};

// A head as a model, a result of `facet reconstruct` or one of `facet track` holds it.
struct Head {
  MorphableModel model;
  std::string model_reference;                   // modelReference()
  Eigen::VectorXf identity;                      // empty = the mean
  Eigen::VectorXf albedo;                        // empty = not known
  std::optional<SphericalHarmonicsLight> light;  // model frame, of a photo
  Image8 texture;                                // sRGB in the model's texture space, or empty
  Image8 visibility;                             // how well the photos show the texture's texels, or empty
  Image8 normal_map;                             // tangent space, of a head that was wrapped; or empty
  Points3 shown;  // V×3 mm: the shape that a user gave it, in place of the photo's expression; or empty
  std::vector<HeadFrame> frames;  // none of a model; one of a photo; those with a face of a clip
  std::vector<double> time_s;     // of all frames, from the first one on
  bool is_clip = false;
  double frames_per_second = 0;                     // of a clip
  nlohmann::json inputs = nlohmann::json::array();  // of the result: {"path", "sha256"}

  Points3 neutral() const { return model.vertices(identity); }
};

// Whether a path is the folder of a result of `facet reconstruct` or `facet track`.
bool isResult(const std::filesystem::path& path);

// Opens a result folder, a clip's folder, or a model by name or file. The result's own model is loaded from
// where it was, or from `model_name` if that is not empty; what it lacks is taken over from the built-in one.
// Error(kInput) for a folder that is no result, Error(kModel) for a model that cannot be loaded or is not the
// one that the result was made with.
Head openHead(const std::string& input, const std::string& model_name, Session& session);

// A clip's folder with the model that it was made with.
Head headOfClip(const std::filesystem::path& folder, const MorphableModel& model);

// JSON for FaceAsset::extras_json: program, version, model, licence, inputs.
std::string provenanceJson(const MorphableModel& model, const nlohmann::json& inputs);

}  // namespace facet
