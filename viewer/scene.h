#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/mesh.h"
#include "viewer/environment.h"
#include "viewer/orbit_camera.h"
#include "viewer/picking.h"
#include "viewer/quantities.h"
#include "viewer/subject.h"
#include "viewer/timeline.h"

namespace facet {

// What the surface shows.
enum class SurfaceMode {
  kTextured,
  kAlbedo,
  kClay,
  kNormals,
  kCurvature,
  kDepth,
  kPncc,
  kUvChecker,
  kRegions,
  kSkinWeights,
  kScanError
};
// kAuto: the photo's light where the head stands in its photo, else the studio's.
enum class LightKind { kAuto, kStudio, kPhoto, kEnvironment };
enum class CompareMode { kNone, kWipePhoto, kWipe, kSideBySide };  // the last two: with Scene::second

// How things are looked at; what the state file keeps.
struct ViewSettings {
  SurfaceMode mode = SurfaceMode::kTextured;
  bool wireframe = false;
  bool flat = false;  // one normal per triangle
  bool normal_map = true;
  bool occlusion = true;  // soft shadows in creases
  bool displacement = true;
  bool show_eyes = true, show_teeth = true;
  bool backfaces = false;
  bool landmarks = false;    // over the photo: detected; over the head: the model's own
  bool uncertainty = false;  // their standard deviations
  bool grid = false;         // a floor to judge the scale by
  bool axes = false;
  int region = -1;           // of kRegions, -1 = all
  int joint = 0;             // of kSkinWeights
  float error_range_mm = 3;  // of kScanError: ± this
  LightKind light = LightKind::kAuto;
  float environment_yaw_deg = 0;
  bool lamp = false;
  float lamp_yaw_deg = 40, lamp_pitch_deg = 30, lamp_strength = 1;
  float exposure_stops = 0;
  bool highlights = true;
  bool through_photo = false;  // the camera of the fit, the photo behind
  float photo_opacity = 1;     // of the photo behind the head
  float head_opacity = 1;      // of the head over it
  float photo_zoom = 1;        // of through_photo, and where its middle lies
  Eigen::Vector2f photo_pan_px = Eigen::Vector2f::Zero();
  CompareMode compare = CompareMode::kNone;
  float wipe = 0.5F;  // share of the picture's width that shows the first
  Eigen::Vector3f background_top = {0.16F, 0.17F, 0.18F};     // sRGB
  Eigen::Vector3f background_bottom = {0.30F, 0.31F, 0.33F};  // sRGB
  bool transparent = false;                                   // of pictures that are saved
  int samples = 4;                                            // per pixel
};

enum class MessageKind { kInfo, kWarning, kError };
struct Message {
  MessageKind kind = MessageKind::kInfo;
  std::string text;
  double shown_s = 0;                     // so long already
  ErrorKind error = ErrorKind::kRuntime;  // of kError: for the exit code of a program without a window
};

// Work in the background.
struct JobState {
  bool running = false;
  std::string title;  // "fit portrait.jpg"
  std::string stage;
  double done = 0;  // in [0, 1]; < 0 = not known
  bool cancelling = false;
  std::vector<float> cost;  // of a fit: of each iteration so far
  int iteration = 0;
};

// Everything that the window shows, without a window.
struct Scene {
  std::vector<std::shared_ptr<Subject>> subjects;  // opened, in that order
  int current = -1;                                // index into subjects, -1 = none
  int second = -1;                                 // to compare with, -1 = none
  ViewSettings view;
  OrbitCamera camera;
  Timeline timeline;  // of the current subject's frames
  std::shared_ptr<const Environment> environment;
  std::shared_ptr<const Mesh> scan;  // reference of kScanError
  std::string scan_name;
  std::optional<ScanDistance> scan_distance;  // of the current subject, for `scan_revision`
  unsigned scan_revision = 0;                 // ShapedHead::shapeRevision() that it was measured at
  std::vector<Pick> picks;                    // at most two: what was clicked on last
  std::vector<Message> messages;              // shown in the window until they are read or time out
  JobState job;

  Subject* subject() { return at(current); }
  const Subject* subject() const { return const_cast<Scene*>(this)->at(current); }
  Subject* secondSubject() { return at(second); }
  // Adds it, shows it, and frames it with the camera if it is the first one. Its head goes back to this
  // shape; see ShapedHead::keepAsHome().
  void add(std::shared_ptr<Subject> subject);
  void close(int index);
  // Makes it the current one: its timeline, at the same frame, and no picks. A head with one frame at most
  // keeps the shape that it was given.
  void show(int index);
  void frameCamera();  // OrbitCamera::fit() to the current subject; its photo fills the picture
  // Sets the head to the frame of the timeline, which is what a clip's head goes back to; the picture is
  // loaded by whoever owns the files.
  void applyFrame();
  void say(MessageKind kind, const std::string& text, ErrorKind error = ErrorKind::kRuntime);

 private:
  Subject* at(int index) {
    return index >= 0 && index < static_cast<int>(subjects.size()) ? subjects[index].get() : nullptr;
  }
};

// Whether the subject is looked at in the plane of its photo, moved and zoomed instead of orbited: a photo
// without a head, or a head seen through the fit's camera. A clip's frame in which no face was found has no
// camera; its picture is shown without the head. ViewSettings::through_photo alone is only the wish.
bool throughPhoto(const Scene& scene, const Subject& subject);
// Of the current subject; false without one.
bool throughPhoto(const Scene& scene);
// Whether a frame of the subject has the camera of a fit, so that its head can be seen through the photo.
bool hasPhotoCamera(const Subject& subject);
// The frame of the timeline, or the subject's last one if it has fewer; null without frames.
const SubjectFrame* currentFrame(const Scene& scene, const Subject& subject);
// Whether the current subject's head is in the picture: not through the photo of a frame without a camera.
bool showsHead(const Scene& scene);
// For a comparison of two heads: the second one, where only one other is open.
void chooseSecond(Scene& scene);
// CompareMode::kWipePhoto is chosen, and the current subject has what it needs.
bool wipesPhoto(const Scene& scene);

}  // namespace facet
