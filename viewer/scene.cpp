#include "viewer/scene.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace facet {
namespace {

void setTimeline(const Subject* subject, Timeline& timeline) {
  std::vector<double> time_s;
  if (subject != nullptr) {
    for (const SubjectFrame& frame : subject->frames) time_s.push_back(frame.time_s);
  }
  timeline.setFrames(std::move(time_s));
}

}  // namespace

void Scene::add(std::shared_ptr<Subject> subject) {
  require(subject != nullptr, "Scene: no subject");
  const bool is_first = subjects.empty();
  subjects.push_back(std::move(subject));
  show(static_cast<int>(subjects.size()) - 1);
  timeline.seek(0);
  applyFrame();
  if (this->subject()->head) this->subject()->head->keepAsHome();
  if (is_first) frameCamera();
}

void Scene::close(int index) {
  if (at(index) == nullptr) return;
  subjects.erase(subjects.begin() + index);
  const auto moved = [&](int other) { return other == index ? -1 : other > index ? other - 1 : other; };
  second = moved(second);
  if (current == index) {
    show(std::min(index, static_cast<int>(subjects.size()) - 1));
  } else {
    current = moved(current);
  }
  if (second == current) second = -1;
}

void Scene::show(int index) {
  current = at(index) == nullptr ? -1 : index;
  if (second == current) second = -1;
  picks.clear();
  scan_distance.reset();
  // Two takes of one clip are compared frame by frame.
  const int frame = timeline.current();
  setTimeline(subject(), timeline);
  timeline.seek(frame);
  // A photo's head keeps the shape that it was given.
  if (timeline.numFrames() > 1) applyFrame();
}

void Scene::frameCamera() {
  Subject* const shown = subject();
  if (shown != nullptr && shown->head) camera.fit(shown->head->vertices());
  view.photo_zoom = 1;
  view.photo_pan_px.setZero();
}

void Scene::applyFrame() {
  Subject* const shown = subject();
  if (shown == nullptr || !shown->head || shown->frames.empty()) return;
  const int number = std::min(timeline.current(), static_cast<int>(shown->frames.size()) - 1);
  const SubjectFrame& frame = shown->frames[static_cast<std::size_t>(number)];
  applyTo(*shown->head, frame);
  if (shown->frames.size() < 2) return;
  for (int g = 0; g < kNumShapeGroups; ++g) {
    if (drives(frame, static_cast<ShapeGroup>(g))) shown->head->keepAsHome(static_cast<ShapeGroup>(g));
  }
}

void Scene::say(MessageKind kind, const std::string& text, ErrorKind error) {
  const auto same = [&](const Message& message) { return message.kind == kind && message.text == text; };
  std::erase_if(messages, same);  // said again: it stays once more as long, once
  messages.push_back({kind, text, 0, error});
}

bool hasPhotoCamera(const Subject& subject) {
  return subject.head && std::any_of(subject.frames.begin(), subject.frames.end(),
                                     [](const SubjectFrame& frame) { return frame.camera.has_value(); });
}

const SubjectFrame* currentFrame(const Scene& scene, const Subject& subject) {
  if (subject.frames.empty()) return nullptr;
  const int last = static_cast<int>(subject.frames.size()) - 1;
  return &subject.frames[static_cast<std::size_t>(std::clamp(scene.timeline.current(), 0, last))];
}

bool showsHead(const Scene& scene) {
  const Subject* const subject = scene.subject();
  if (subject == nullptr || !subject->head) return false;
  if (!throughPhoto(scene, *subject)) return true;
  const SubjectFrame* const frame = currentFrame(scene, *subject);
  return frame != nullptr && frame->camera.has_value();
}

void chooseSecond(Scene& scene) {
  const CompareMode compare = scene.view.compare;
  if ((compare != CompareMode::kWipe && compare != CompareMode::kSideBySide) || scene.second >= 0) return;
  int other = -1, others = 0;
  for (int i = 0; i < static_cast<int>(scene.subjects.size()); ++i) {
    if (i == scene.current || !scene.subjects[static_cast<std::size_t>(i)]->head) continue;
    other = i;
    ++others;
  }
  if (others == 1) scene.second = other;
}

bool wipesPhoto(const Scene& scene) {
  const Subject* const subject = scene.subject();
  return scene.view.compare == CompareMode::kWipePhoto && subject != nullptr && subject->photo &&
         hasPhotoCamera(*subject);
}

bool throughPhoto(const Scene& scene, const Subject& subject) {
  if (!subject.head) return true;
  return (scene.view.through_photo && hasPhotoCamera(subject)) ||
         (&subject == scene.subject() && wipesPhoto(scene));
}

bool throughPhoto(const Scene& scene) {
  return scene.subject() != nullptr && throughPhoto(scene, *scene.subject());
}

}  // namespace facet
