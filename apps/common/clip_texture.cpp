#include "apps/common/clip_texture.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/common/interrupt.h"
#include "core/error.h"
#include "fitting/appearance.h"
#include "fitting/face_parser.h"

namespace facet {
namespace {

// A frame adds something to those chosen if it is turned from each of them by so much.
constexpr float kMinTurn_deg = 12;

float turnBetween(const HeadPose& a, const HeadPose& b) {
  return std::hypot(a.yaw_deg - b.yaw_deg, a.pitch_deg - b.pitch_deg);
}

}  // namespace

std::vector<TextureFrame> chooseTextureFrames(std::vector<TextureFrame> frames) {
  constexpr std::size_t kMaxFrames = 4;
  std::vector<TextureFrame> chosen;
  while (!frames.empty() && chosen.size() < kMaxFrames) {
    // The first is the one nearest to the camera's axis, each later one the one furthest from those before
    // it.
    const auto gain = [&](const TextureFrame& candidate) {
      if (chosen.empty()) return -turnBetween(candidate.pose, HeadPose{});
      float nearest = turnBetween(candidate.pose, chosen[0].pose);
      for (const TextureFrame& other : chosen)
        nearest = std::min(nearest, turnBetween(candidate.pose, other.pose));
      return nearest;
    };
    const auto best =
        std::max_element(frames.begin(), frames.end(),
                         [&](const TextureFrame& a, const TextureFrame& b) { return gain(a) < gain(b); });
    if (!chosen.empty() && gain(*best) < kMinTurn_deg) break;
    chosen.push_back(*best);
    frames.erase(best);
  }
  return chosen;
}

FaceMaps clipTexture(VideoReader& clip, const MorphableModel& model, const Eigen::VectorXf& identity,
                     const std::vector<TextureFrame>& frames, int size_px) {
  int last = 0;
  for (const TextureFrame& frame : frames) last = std::max(last, frame.frame);
  std::map<int, Image8> pictures;
  while (std::optional<VideoFrame> picture = clip.next()) {
    throwIfInterrupted();
    const bool is_wanted = std::any_of(frames.begin(), frames.end(), [&](const TextureFrame& frame) {
      return frame.frame == picture->number;
    });
    if (is_wanted) pictures[picture->number] = std::move(picture->pixels);
    if (picture->number >= last) break;
  }
  const FaceParser parser;
  std::vector<FaceParsing> parsings;
  for (const TextureFrame& frame : frames) {
    if (pictures.count(frame.frame) == 0)
      fail(ErrorKind::kInput, "frame ", frame.frame,
           " of the clip cannot be read a second time; did it change?");
    parsings.push_back(parser.parse(pictures.at(frame.frame), frame.crop));
  }
  std::vector<TextureView> views;
  Points3 vertex_albedo;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    throwIfInterrupted();
    const TextureFrame& frame = frames[i];
    TextureView view;
    view.vertices = model.vertices(identity, frame.fit.expression, frame.fit.pose);
    view.camera = frame.fit.camera;
    view.photo = &pictures.at(frame.frame);
    view.parsing = &parsings[i];
    const Appearance appearance =
        estimateAppearance(model, view.vertices, view.camera, *view.photo, {}, {frame.albedo, parsings[i]});
    view.light = appearance.light;
    if (i == 0) vertex_albedo = appearance.vertex_albedo;
    views.push_back(std::move(view));
  }
  return makeFaceMaps(model, vertex_albedo, views, size_px);
}

}  // namespace facet
