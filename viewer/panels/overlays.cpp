#include <algorithm>
#include <array>
#include <cmath>

#include "core/ibug_strokes.h"
#include "viewer/panels/panel.h"
#include "viewer/panels/picture_panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

ImVec2 im(const Eigen::Vector2f& p) { return {p.x(), p.y()}; }

// Text on a dark ground, so that it can be read over any picture; `align` 0 = x is its left end, 1 = its
// right.
void label(ImDrawList& list, ImVec2 at, const std::string& text, ImU32 colour = theme::kText,
           float align = 0) {
  ImFont* font = drawStyle().fonts.small;
  const ImVec2 size = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, text.c_str());
  const float pad = px(6);
  at.x -= align * (size.x + 2 * pad);
  list.AddRectFilled(at, {at.x + size.x + 2 * pad, at.y + size.y + px(6)}, theme::rgb(0x17181A, 205), px(3));
  list.AddText(font, smallSize(), {at.x + pad, at.y + px(3)}, colour, text.c_str());
}

void drawStrokes(ImDrawList& list, const std::vector<ImVec2>& points, ImU32 colour) {
  if (points.size() != kNumIbugLandmarks) return;
  for (const IbugStroke& stroke : kIbugStrokes) {
    list.AddPolyline(points.data() + stroke.first, stroke.last - stroke.first + 1, colour,
                     stroke.is_closed ? ImDrawFlags_Closed : 0, px(1));
  }
}

// Sure ones green, unsure ones yellow: by the standard deviation as a share of the face's size.
ImU32 detectedColour(float sigma_px, float face_px) {
  const float unsure = std::clamp(sigma_px / std::max(1e-3F, 0.02F * face_px), 0.0F, 1.0F);
  const ImVec4 sure = ImGui::ColorConvertU32ToFloat4(theme::kDetected);
  const ImVec4 far = ImGui::ColorConvertU32ToFloat4(theme::rgb(0xF5D547));
  return ImGui::ColorConvertFloat4ToU32({sure.x + unsure * (far.x - sure.x),
                                         sure.y + unsure * (far.y - sure.y),
                                         sure.z + unsure * (far.z - sure.z), 1});
}

const char* partOf(int landmark) {
  if (landmark <= 16) return "jaw";
  if (landmark <= 21) return "right brow";
  if (landmark <= 26) return "left brow";
  if (landmark <= 35) return "nose";
  if (landmark <= 41) return "right eye";
  if (landmark <= 47) return "left eye";
  if (landmark <= 59) return "outer lips";
  return "inner lips";
}

void drawDetected(PanelContext& context, ImDrawList& list) {
  const Subject& subject = *context.scene.subject();
  const std::optional<PhotoPlacement> photo = photoInWindow(context);
  if (!photo) return;
  const PhotoLandmarks& landmarks = subject.landmarks;
  const auto place = [&](const LandmarkSet& set, int i) {
    return im(photo->offset_px + photo->scale * set.positions_px.row(i).transpose());
  };
  for (int i = 0; i < landmarks.dense.size(); ++i)
    list.AddCircleFilled(place(landmarks.dense, i), px(1), theme::rgb(0x58D68D, 150), 6);
  const LandmarkSet& set = landmarks.ibug68;
  if (set.size() == 0) return;
  const float face_px =
      (set.positions_px.colwise().maxCoeff() - set.positions_px.colwise().minCoeff()).maxCoeff();
  std::vector<ImVec2> points;
  for (int i = 0; i < set.size(); ++i) points.push_back(place(set, i));
  drawStrokes(list, points, theme::rgb(0x58D68D, 90));
  const int under_mouse = landmarkUnderMouse(context);
  for (int i = 0; i < set.size(); ++i) {
    const float sigma = i < set.sigma_px.size() ? set.sigma_px[i] : 0;
    const bool moved = isMoved(landmarks, i);
    const ImU32 colour = moved ? theme::kMoved : detectedColour(sigma, face_px);
    const ImVec2 at = points[static_cast<std::size_t>(i)];
    if (context.scene.view.uncertainty && sigma > 0 && !moved) {
      ImVec4 soft = ImGui::ColorConvertU32ToFloat4(colour);
      soft.w = 0.16F;
      list.AddCircleFilled(at, 2 * sigma * photo->scale, ImGui::ColorConvertFloat4ToU32(soft));
      soft.w = 0.7F;
      list.AddCircle(at, 2 * sigma * photo->scale, ImGui::ColorConvertFloat4ToU32(soft));
    }
    const float radius = i == under_mouse ? px(5) : px(2.5F);
    list.AddCircleFilled(at, radius + px(1), theme::rgb(0x000000, 150), 16);
    list.AddCircleFilled(at, radius, colour, 16);
    if (moved) list.AddCircle(at, radius + px(3), colour, 20, px(1.5F));
  }
  if (under_mouse >= 0 && under_mouse < set.size()) {
    char text[96];
    const float sigma = under_mouse < set.sigma_px.size() ? set.sigma_px[under_mouse] : 0;
    if (isMoved(landmarks, under_mouse)) {
      std::snprintf(text, sizeof text, "%d  %s  moved: right click puts it back", under_mouse,
                    partOf(under_mouse));
    } else {
      std::snprintf(text, sizeof text, sigma > 0 ? "%d  %s  σ %.1f px" : "%d  %s", under_mouse,
                    partOf(under_mouse), static_cast<double>(sigma));
    }
    const ImVec2 at = points[static_cast<std::size_t>(under_mouse)];
    label(list, {at.x + px(10), at.y - px(24)}, text);
  }
}

void drawFitted(PanelContext& context, ImDrawList& list) {
  if (!showsHead(context.scene)) return;
  Subject& subject = *context.scene.subject();
  const MorphableModel& model = subject.head->model();
  if (model.landmarks68.size() == 0) return;
  const Points3 on_head = model.landmarks68.points(subject.head->vertices(), model.triangles);
  const Points2 in_picture = context.builder.camera().imageFromModel(on_head);
  std::vector<ImVec2> points;
  for (Eigen::Index i = 0; i < in_picture.rows(); ++i)
    points.push_back(im(windowFromPicture(context, in_picture.row(i).transpose())));
  if (in_picture.allFinite()) drawStrokes(list, points, theme::rgb(0xFF6B5E, 70));
  for (Eigen::Index i = 0; i < in_picture.rows(); ++i) {
    if (!in_picture.row(i).allFinite()) continue;
    const ImVec2 at = points[static_cast<std::size_t>(i)];
    list.AddCircleFilled(at, px(2.5F), theme::rgb(0x000000, 140), 12);
    list.AddCircleFilled(at, px(1.7F), theme::kFitted, 12);
  }
}

void drawPicks(PanelContext& context, ImDrawList& list) {
  if (!showsHead(context.scene)) return;
  Subject* subject = context.scene.subject();
  std::vector<ImVec2> places;
  std::vector<Eigen::Vector3f> positions;
  for (const Pick& pick : context.scene.picks) {
    const Eigen::Vector3f at =
        pick.triangle >= 0 ? pick.positionOn(subject->head->vertices(), subject->head->model().triangles)
                           : pick.position_mm;
    const std::optional<Eigen::Vector2f> in_picture = context.builder.camera().imageFromModel(at);
    if (!in_picture) return;
    places.push_back(im(windowFromPicture(context, *in_picture)));
    positions.push_back(at);
  }
  if (places.size() == 2) {
    list.AddLine(places[0], places[1], theme::rgb(0x000000, 160), px(3.5F));
    list.AddLine(places[0], places[1], theme::rgb(0xFFFFFF), px(1.5F));
    char text[48];
    std::snprintf(text, sizeof text, "%.2f mm", static_cast<double>((positions[0] - positions[1]).norm()));
    label(list, {(places[0].x + places[1].x) / 2 + px(8), (places[0].y + places[1].y) / 2 + px(6)}, text);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    list.AddCircle(places[i], px(5), theme::rgb(0x000000, 190), 24, px(3));
    list.AddCircle(places[i], px(5), theme::rgb(0xFFFFFF), 24, px(1.5F));
    list.AddCircleFilled(places[i], px(1.5F), theme::rgb(0xFFFFFF), 8);
    const Pick& pick = context.scene.picks[i];
    std::string text = std::string(1, static_cast<char>('A' + i)) + "  vertex " + std::to_string(pick.vertex);
    if (!pick.region.empty()) text += "  " + pick.region;
    label(list, {places[i].x + px(10), places[i].y - px(26)}, text);
  }
}

void drawLegend(PanelContext& context, ImDrawList& list) {
  const std::optional<Legend>& legend = context.builder.legend();
  if (!legend) return;
  const PixelRect& picture = context.layout.picture;
  const float width = std::min(px(240), static_cast<float>(picture.width) - px(48)), height = px(10);
  if (width < px(60)) return;
  ImFont* font = drawStyle().fonts.small;
  const float pad = px(12), line = smallSize();
  const ImVec2 at(
      static_cast<float>(picture.x) + px(16),
      static_cast<float>(picture.y + picture.height) - px(16) - (2 * pad + 2 * line + height + px(10)));
  list.AddRectFilled(at, {at.x + width + 2 * pad, at.y + 2 * pad + 2 * line + height + px(10)},
                     theme::rgb(0x17181A, 215), px(4));
  list.AddText(font, smallSize(), {at.x + pad, at.y + pad}, theme::kText, legend->title.c_str());
  if (!legend->unit.empty()) {
    const ImVec2 size = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, legend->unit.c_str());
    list.AddText(font, smallSize(), {at.x + pad + width - size.x, at.y + pad}, theme::kDim,
                 legend->unit.c_str());
  }
  const ImVec2 bar(at.x + pad, at.y + pad + line + px(6));
  constexpr int kSteps = 64;
  for (int i = 0; i < kSteps; ++i) {
    const auto colour = [&](int k) {
      const Eigen::Vector3f c = colourOf(legend->colour_map, static_cast<float>(k) / kSteps);
      return ImGui::ColorConvertFloat4ToU32({c.x(), c.y(), c.z(), 1});
    };
    const float from = bar.x + width * static_cast<float>(i) / kSteps;
    const float to = bar.x + width * static_cast<float>(i + 1) / kSteps;
    list.AddRectFilledMultiColor({from, bar.y}, {to, bar.y + height}, colour(i), colour(i + 1), colour(i + 1),
                                 colour(i));
  }
  constexpr int kTicks = 4;
  for (int i = 0; i <= kTicks; ++i) {
    const float share = static_cast<float>(i) / kTicks;
    const float x = bar.x + share * width;
    char text[24];
    float value = legend->low + share * (legend->high - legend->low);
    if (std::abs(value) < 1e-6F * (legend->high - legend->low)) value = 0;
    std::snprintf(text, sizeof text, "%.3g", static_cast<double>(value));
    const ImVec2 size = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, text);
    list.AddLine({x, bar.y + height}, {x, bar.y + height + px(3)}, theme::kDim);
    list.AddText(font, smallSize(), {x - size.x * share, bar.y + height + px(4)}, theme::kDim, text);
  }
}

void drawAxes(PanelContext& context, ImDrawList& list) {
  if (!context.scene.view.axes || context.scene.subject() == nullptr) return;
  const PixelRect& picture = context.layout.picture;
  const float length = px(30);
  const ImVec2 centre(static_cast<float>(picture.x) + px(52), static_cast<float>(picture.y) + px(60));
  list.AddCircleFilled(centre, px(42), theme::rgb(0x17181A, 120), 40);
  const Eigen::Matrix3f rotation = context.builder.camera().camera_from_model.linear();
  struct Axis {
    const char* name;
    ImU32 colour;
    Eigen::Vector3f direction;
  };
  std::array<Axis, 3> axes = {{{"X", theme::rgb(0xE5705F), rotation.col(0)},
                               {"Y", theme::rgb(0x7BC96F), rotation.col(1)},
                               {"Z", theme::rgb(0x6FA8E8), rotation.col(2)}}};
  // Far ends first; the camera frame's z points away from the viewer.
  std::sort(axes.begin(), axes.end(),
            [](const Axis& a, const Axis& b) { return a.direction.z() > b.direction.z(); });
  ImFont* font = drawStyle().fonts.small;
  for (const Axis& axis : axes) {
    const ImVec2 end(centre.x + length * axis.direction.x(), centre.y + length * axis.direction.y());
    list.AddLine(centre, end, axis.colour, px(2));
    list.AddText(font, smallSize(),
                 {end.x - px(3) + px(7) * axis.direction.x(), end.y - px(7) + px(7) * axis.direction.y()},
                 axis.colour, axis.name);
  }
}

void drawCompare(PanelContext& context, ImDrawList& list) {
  Scene& scene = context.scene;
  const ViewSettings& view = scene.view;
  const Subject *first = scene.subject(), *second = scene.secondSubject();
  if (first == nullptr || view.compare == CompareMode::kNone) return;
  const PixelRect& picture = context.layout.picture;
  const float left = static_cast<float>(picture.x), top = static_cast<float>(picture.y);
  const float width = static_cast<float>(picture.width), height = static_cast<float>(picture.height);
  const bool with_photo = view.compare == CompareMode::kWipePhoto;
  if (with_photo && !wipesPhoto(scene)) {
    label(list, {left + width / 2, top + px(12)}, "this head has no photo to compare with", theme::kWarning,
          0.5F);
    return;
  }
  if (!with_photo && second == nullptr) {
    label(list, {left + width / 2, top + px(12)}, "choose a second head under Compare", theme::kWarning,
          0.5F);
    return;
  }
  const bool beside = view.compare == CompareMode::kSideBySide;
  const float x = left + (beside ? 0.5F : view.wipe) * width;
  list.AddLine({x, top}, {x, top + height}, theme::rgb(0x000000, 110), px(3));
  list.AddLine({x, top}, {x, top + height}, beside ? theme::rgb(0x4A4E54) : theme::rgb(0xFFFFFF), px(1));
  if (!beside && context.state.panels_visible) {
    const ImVec2 handle(x, top + height / 2);
    list.AddCircleFilled(handle, px(13), theme::rgb(0x000000, 120), 32);
    list.AddCircleFilled(handle, px(12), theme::rgb(0xF4F5F6), 32);
    for (const float side : {-1.0F, 1.0F}) {
      list.AddTriangleFilled({x + side * px(3), handle.y - px(4)}, {x + side * px(8), handle.y},
                             {x + side * px(3), handle.y + px(4)}, theme::rgb(0x303337));
    }
    markRect("picture/wipe", {x - px(8), handle.y - px(12)}, {x + px(8), handle.y + px(12)});
  }
  const std::string left_name = with_photo ? "photo" : first->name;
  const std::string right_name = with_photo ? first->name : second->name;
  if (x - left > px(60)) label(list, {x - px(12), top + px(12)}, left_name, theme::kText, 1);
  if (left + width - x > px(60)) label(list, {x + px(12), top + px(12)}, right_name);
}

// One line at the top that says what the picture is of, where that is not plain.
void drawState(PanelContext& context, ImDrawList& list) {
  Scene& scene = context.scene;
  const Subject* subject = scene.subject();
  if (subject == nullptr || scene.view.compare != CompareMode::kNone) return;
  std::string text;
  if (scene.job.running) {
    text = scene.job.title;
    if (!scene.job.cost.empty())
      text += ", iteration " +
              std::to_string(std::max(scene.job.iteration, static_cast<int>(scene.job.cost.size())));
  } else if (!subject->head) {
    text = subject->landmarks.ibug68.size() == 0 ? "Press Fit at the right to make a head of this photo"
           : scene.view.landmarks ? "Landmarks found: drag those that are wrong, then press Fit"
                                  : "Landmarks found: press Fit";
  } else if (scene.view.mode == SurfaceMode::kScanError && !scene.scan) {
    text = "Open a scan under Look to compare with";
  } else if (throughPhoto(scene) && subject->photo) {
    text = "through the photo: press 0 to leave";
  }
  if (text.empty()) return;
  const PixelRect& picture = context.layout.picture;
  label(list,
        {static_cast<float>(picture.x) + static_cast<float>(picture.width) / 2,
         static_cast<float>(picture.y) + px(12)},
        text, theme::kText, 0.5F);
}

}  // namespace

void drawOverlays(PanelContext& context) {
  if (context.scene.subject() == nullptr) return;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  if (context.scene.view.landmarks) {
    drawDetected(context, list);
    drawFitted(context, list);
  }
  drawPicks(context, list);
  drawCompare(context, list);
  drawAxes(context, list);
  drawLegend(context, list);
  if (context.state.panels_visible) drawState(context, list);
}

}  // namespace facet
