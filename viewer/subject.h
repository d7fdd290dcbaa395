#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/face_asset.h"
#include "core/image.h"
#include "core/landmarks.h"
#include "core/spherical_harmonics.h"
#include "viewer/shaped_head.h"

namespace facet {

// A photo or a clip's frame with what was found in it.
struct SubjectFrame {
  int number = 0;  // of the clip's frames, from 0
  double time_s = 0;
  std::filesystem::path picture;  // may be missing on disk, then the backdrop stays empty
  std::optional<Camera> camera;   // of the fit
  // What drives the head in this frame: values of a ShapeGroup each, as ShapedHead::setAll takes them; empty
  // = leave as it is.
  Eigen::VectorXf expression, shapes, joints_deg;
  Eigen::Isometry3f world_from_model = Eigen::Isometry3f::Identity();  // of a take or an animated GLB
};

// Sets the head to what drives it in the frame.
void applyTo(ShapedHead& head, const SubjectFrame& frame);
// Whether it sets the values of that group.
bool drives(const SubjectFrame& frame, ShapeGroup group);

// Points of the photo: as detected, or dragged by the user.
struct PhotoLandmarks {
  LandmarkSet ibug68;  // of the whole photo, px; empty = none
  LandmarkSet dense;
  std::vector<bool> moved;  // 68: dragged by the user; empty = none was
  Points2 detected_px;      // 68×2: `ibug68` before the first was dragged; empty = none was
};

// Something to look at: a head with sliders, or a mesh that has none.
struct Subject {
  std::string name;                  // of the file or folder, for titles
  std::filesystem::path source;      // what was opened; empty for a fit that is not saved yet
  std::string kind;                  // "reconstruction", "clip", "model", "GLB", "OBJ", "PLY", "photo"
  std::string model_reference;       // how facet export names the model; empty for a mesh
  std::shared_ptr<ShapedHead> head;  // null for a photo without a fit
  std::vector<AssetMaterial> materials = {AssetMaterial{}};
  std::vector<std::uint8_t> triangle_material;  // F, index into materials; empty = all 0
  std::shared_ptr<const ImageF> displacement;   // mm along the normal, 1 channel, in texture space; or null
  std::optional<SphericalHarmonicsLight> photo_light;  // model frame
  std::shared_ptr<const Image8> photo;                 // of the current frame, sRGB; or null
  PhotoLandmarks landmarks;                            // of the photo
  std::vector<SubjectFrame> frames;  // one of a photo, many of a clip or take; none of a model
  bool is_clip = false;
  double frames_per_second = 0;
  std::vector<std::string> facts;  // "11,600 vertices", "licence: …": lines of the information panel
  bool unsaved = false;            // a fit that was not exported or saved yet
  // The user changed its shape since it was opened, exported, or its parameters were saved. What a clip or
  // take moves is no change.
  bool edited = false;
};

// Whether something is lost when it is closed.
bool hasUnsavedWork(const Subject& subject);

}  // namespace facet
