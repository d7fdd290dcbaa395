#include "viewer/panels/fit_panel.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "viewer/panels/widgets.h"

namespace facet {
namespace {

constexpr std::array<const char*, 3> kStages = {"detect", "fit", "texture"};
constexpr std::array<int, 4> kTextureSizes_px = {512, 1024, 2048, 4096};

}  // namespace

void resetMovedLandmarks(PanelContext& context) {
  Scene& scene = context.scene;
  if (scene.subject() == nullptr) return;
  PhotoLandmarks& landmarks = scene.subject()->landmarks;
  context.state.undo.beginLandmarks(scene.subjects[static_cast<std::size_t>(scene.current)]);
  if (landmarks.detected_px.rows() == landmarks.ibug68.size())
    landmarks.ibug68.positions_px = landmarks.detected_px;
  landmarks.moved.clear();
}

void FitPanel::drawProgress(PanelContext& context) {
  const JobState& job = context.scene.job;
  const float width = ImGui::GetContentRegionAvail().x;
  if (job.running) {
    shortenedText(job.title, width);
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float height = px(6);
    ImDrawList& list = *ImGui::GetWindowDrawList();
    list.AddRectFilled(at, {at.x + width, at.y + height}, theme::kField, px(3));
    float from = 0, to = static_cast<float>(job.done);
    if (job.done < 0) {  // not known how far: something that moves says that it is alive
      const float phase = static_cast<float>(std::fmod(ImGui::GetTime() * 0.7, 1.0));
      from = std::max(0.0F, phase * 1.3F - 0.3F);
      to = std::min(1.0F, phase * 1.3F);
    }
    if (to > from)
      list.AddRectFilled({at.x + from * width, at.y}, {at.x + to * width, at.y + height}, theme::kAccent,
                         px(3));
    ImGui::Dummy({width, height});
    std::string stage = job.stage;
    if (job.done >= 0)
      stage += (stage.empty() ? "" : ", ") + std::to_string(std::lround(job.done * 100)) + " %";
    dimText(job.cancelling ? "stopping…" : stage.empty() ? "working…" : stage);
  }
  // What an ended fit left in the job says nothing about the photo that is shown now.
  if (job.running && !job.cost.empty()) {
    const auto [low, high] = std::minmax_element(job.cost.begin(), job.cost.end());
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const ImVec2 end(at.x + width, at.y + px(84));
    ImDrawList& list = *ImGui::GetWindowDrawList();
    list.AddRectFilled(at, end, theme::rgb(0x1B1C1E), px(3));
    plot(list, {at.x + px(8), at.y + px(24)}, {end.x - px(8), end.y - px(8)},
         {{job.cost.data(), static_cast<int>(job.cost.size()), theme::kAccent}}, std::max(1e-9F, *low),
         std::max(1e-9F, *high), *low > 0);
    char text[64];
    std::snprintf(text, sizeof text, "cost %.4g", static_cast<double>(job.cost.back()));
    ImFont* font = drawStyle().fonts.small;
    list.AddText(font, smallSize(), {at.x + px(8), at.y + px(6)}, theme::kText, text);
    const std::string steps =
        "iteration " + std::to_string(std::max(job.iteration, static_cast<int>(job.cost.size())));
    const float steps_width = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, steps.c_str()).x;
    list.AddText(font, smallSize(), {end.x - px(8) - steps_width, at.y + px(6)}, theme::kDim, steps.c_str());
    ImGui::Dummy({width, px(84)});
    markWidget("fit/cost");
    tipTerm("residual");
  }
}

void FitPanel::draw(PanelContext& context) {
  Scene& scene = context.scene;
  Subject* subject = scene.subject();
  const bool has_photo = subject != nullptr && (subject->photo || subject->landmarks.ibug68.size() > 0 ||
                                                subject->kind == "photo" || subject->is_clip);
  if (!has_photo) {
    dimTextWrapped(subject == nullptr ? "Open a photo of a face to make a head of it."
                                      : "This head has no photo. Open one to make a head of it.");
    ImGui::Dummy({0, px(2)});
    if (button("fit/open", "Open a photo…", -FLT_MIN, true)) askToOpen(context);
    if (scene.job.running) drawProgress(context);
    return;
  }
  const PhotoLandmarks& landmarks = subject->landmarks;
  const int moved = static_cast<int>(std::count(landmarks.moved.begin(), landmarks.moved.end(), true));

  // At the top, where it stays whatever is shown below.
  if (scene.job.running) {
    ImGui::BeginDisabled(scene.job.cancelling);
    if (button("fit/cancel", scene.job.cancelling ? "Stopping…" : "Cancel", -FLT_MIN))
      context.call(context.actions.cancel);
    ImGui::EndDisabled();
    tip("Stops; what has been found so far stays (Esc)");
  } else if (button("fit/fit", subject->head ? "Fit again" : "Fit", -FLT_MIN, true)) {
    context.call(context.actions.fit, request);
  }
  ImGui::Dummy({0, px(4)});

  dimText("1  Landmarks");
  const int found = landmarks.ibug68.size();
  ImGui::BeginDisabled(scene.job.running);
  if (button("fit/detect", found > 0 ? "Detect again" : "Detect the face", -FLT_MIN)) {
    scene.view.landmarks = true;
    context.call(context.actions.detect);
  }
  ImGui::EndDisabled();
  tip("Finds the face and its landmarks, without a fit");
  if (found > 0) {
    dimTextWrapped(counted(found, "landmark") + " found" +
                   (moved > 0 ? ", " + std::to_string(moved) + " moved by you" : "") +
                   (scene.view.landmarks ? ". Drag one that is wrong." : "."));
    if (!scene.view.landmarks) {
      if (button("fit/show_landmarks", "Show and drag them", -FLT_MIN)) {
        scene.view.landmarks = true;
        scene.view.through_photo = subject->head != nullptr;
      }
    }
  }
  if (moved > 0) {
    if (button("fit/reset_moved", "Put moved ones back", -FLT_MIN)) resetMovedLandmarks(context);
    toggle("fit/use_moved", "The fit uses moved landmarks", request.use_moved_landmarks);
  }

  ImGui::Dummy({0, px(4)});
  dimText("2  Head");
  std::vector<std::string> models = context.actions.models;
  if (models.empty()) models.push_back("builtin");
  const auto current = std::find(models.begin(), models.end(), request.model);
  int model = current == models.end() ? -1 : static_cast<int>(current - models.begin());
  labelled("Model");
  if (combo("fit/model", models, model)) request.model = models[static_cast<std::size_t>(model)];
  tip("builtin needs nothing else; facet model import adds others");
  const auto* const stage = std::find_if(kStages.begin(), kStages.end(),
                                         [&](const char* name) { return request.stop_after == name; });
  int stop = stage == kStages.end() ? 2 : static_cast<int>(stage - kStages.begin());
  labelled("Up to");
  if (segments("fit/stop_after", {"detect", "fit", "texture"}, {"Face", "Shape", "Texture"}, stop))
    request.stop_after = kStages[static_cast<std::size_t>(stop)];
  tip("Face: landmarks alone. Shape: pose, identity and expression. Texture: everything.");
  int size = 1;
  for (std::size_t i = 0; i < kTextureSizes_px.size(); ++i) {
    if (kTextureSizes_px[i] == request.texture_size_px) size = static_cast<int>(i);
  }
  labelled("Texture");
  ImGui::BeginDisabled(stop < 2);
  if (combo("fit/texture_size", {"512 px", "1024 px", "2048 px", "4096 px"}, size))
    request.texture_size_px = kTextureSizes_px[static_cast<std::size_t>(size)];
  ImGui::EndDisabled();
  tipTerm("texture size");
  labelled("Focal length");
  double focal = request.focal_px;
  if (ImGui::InputDouble("##fit/focal", &focal, 0, 0, focal > 0 ? "%.0f px" : "estimate"))
    request.focal_px = std::max(0.0, focal);
  markWidget("fit/focal");
  tipTerm("focal length");
  toggle("fit/fast", "Quick", request.fast);
  tipTerm("quick");

  ImGui::Dummy({0, px(2)});
  drawProgress(context);
  if (subject->unsaved && !scene.job.running) {
    ImGui::Dummy({0, px(2)});
    if (button("fit/save", "Save the result…", -FLT_MIN)) askToSaveResult(context);
    tip("A folder as facet reconstruct writes it: head, maps, parameters (Ctrl+S)");
  }
}

}  // namespace facet
