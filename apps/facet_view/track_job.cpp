// A clip that is tracked while the user watches.
#include <stdlib.h>  // mkdtemp

#include <atomic>

#include "apps/common/track_clip.h"
#include "apps/facet_view/workbench_impl.h"
#include "core/error.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

// Frames of a clip as it was before it was tracked: another model cannot take their coefficients.
void forgetFit(std::vector<SubjectFrame>& frames) {
  for (SubjectFrame& frame : frames) {
    frame.camera.reset();
    frame.expression.resize(0);
    frame.shapes.resize(0);
    frame.joints_deg.resize(0);
  }
}

// The clip of a result that was opened, to be tracked anew beside it.
OpenedSubject clipOf(const WorkItem& item) {
  OpenedSubject opened;
  opened.clip = item.opened.clip;
  opened.subject = std::make_shared<Subject>();
  Subject& subject = *opened.subject;
  const Subject& before = item.subject();
  subject.name = before.name + ", tracked again";
  subject.source = opened.clip;
  subject.kind = "clip";
  subject.is_clip = true;
  subject.frames = before.frames;
  forgetFit(subject.frames);
  subject.frames_per_second = before.frames_per_second;
  subject.photo = before.photo;
  subject.facts.push_back("clip: " + opened.clip.string());
  return opened;
}

}  // namespace

void Workbench::Impl::track(const FitRequest& request) {
  std::shared_ptr<WorkItem> item = currentItem();
  const fs::path clip = item->opened.clip;
  if (request.stop_after != "texture") {
    fail(ErrorKind::kUsage, clip.filename().string(),
         ": a clip is tracked as a whole; let the fit stop after the texture");
  }
  if (!item->subject().unsaved && isResult(item->subject().source)) {
    // A result that was opened stays as it is, to compare with.
    adopt(clipOf(*item));
    item = currentItem();
  }
  if (temporary.empty()) {
    std::string name = (fs::temp_directory_path() / "facet-view-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      fail(ErrorKind::kRuntime, name, ": cannot make a folder for the clip's result; is the disk full?");
    temporary = name;
  }
  scene.timeline.pause();
  addJob("track " + clip.filename().string(),
         [this, item, request](Session& own) { runTrack(item, request, own); });
}

void Workbench::Impl::runTrack(const std::shared_ptr<WorkItem>& item, const FitRequest& request,
                               Session& own) {
  send([this, item] { worked_on = item->opened.subject; });
  const std::string clip = item->opened.clip.string();
  static std::atomic<int> count = 0;
  const fs::path folder =
      temporary / std::to_string(++count) / fs::path(clip).stem();  // its name is the result's
  const auto waiting = std::make_shared<std::atomic<int>>(0);  // frames that the main thread has not shown

  const auto before = std::make_shared<std::optional<Before>>();
  const auto frame_before = std::make_shared<int>(0);

  TrackOptions options;
  options.model = request.model;
  options.focal_px = request.focal_px;
  options.texture_size_px = request.texture_size_px;
  options.on_model = [&](const MorphableModel& model) {
    auto head = std::make_shared<ShapedHead>(model);
    Head plain;
    plain.model = model;
    auto materials = std::make_shared<std::vector<AssetMaterial>>(plainMaterials(plain));
    send([this, item, head, materials, before, frame_before, triangle_material = model.triangle_material] {
      Subject& subject = item->subject();
      *before = stateOf(*item);
      *frame_before = scene.timeline.current();
      setHead(subject, head);
      forgetFit(subject.frames);
      item->setMaterials(std::move(*materials));
      subject.triangle_material =
          subject.materials.size() > 1 ? triangle_material : std::vector<std::uint8_t>();
      scene.view.through_photo = true;
    });
  };
  options.on_frame = [&](const TrackedFrame& frame) {
    // What the screen cannot follow is left out.
    if (*waiting > 0) return;
    ++*waiting;
    auto pixels = frame.pixels != nullptr ? std::make_shared<const Image8>(*frame.pixels) : nullptr;
    PhotoLandmarks landmarks;
    if (frame.ibug68 != nullptr) landmarks.ibug68 = *frame.ibug68;
    if (frame.dense != nullptr) landmarks.dense = *frame.dense;
    std::optional<FitResult> fit;
    Eigen::VectorXf identity;
    if (frame.fit != nullptr) {
      fit = *frame.fit;
      identity = *frame.identity;
    }
    send([this, item, waiting, pixels, landmarks, fit, identity, number = frame.number] {
      --*waiting;
      Subject& subject = item->subject();
      if (number >= static_cast<int>(subject.frames.size())) return;
      item->wanted_frame = -1;  // no picture of another frame
      if (scene.subject() == &subject) scene.timeline.seek(number);
      if (pixels) subject.photo = pixels;
      subject.landmarks = landmarks;
      SubjectFrame& shown = subject.frames[static_cast<std::size_t>(number)];
      shown.camera.reset();
      if (!fit || !subject.head) return;
      subject.head->setCoefficients(identity, fit->expression, fit->pose);
      shown.camera = fit->camera;
    });
  };
  auto opened = std::make_shared<OpenedSubject>();
  try {
    trackClip(clip, folder, options, own);
    *opened = openSubject(folder.string(), "", own);
  } catch (...) {
    send([this, item, before, frame_before] {
      if (!*before) return;  // nothing was shown yet
      if (scene.subject() == &item->subject()) scene.timeline.seek(*frame_before);
      restore(item, **before);
      item->subject().landmarks = (*before)->subject.landmarks;
      requestPicture(item, scene.subject() == &item->subject() ? scene.timeline.current() : 0);
    });
    throw;
  }
  send([this, item, opened, folder] {
    Subject& subject = *opened->subject;
    subject.name = item->subject().name;
    subject.source.clear();
    subject.unsaved = true;
    replace(item, std::move(*opened));
    if (const std::shared_ptr<WorkItem> tracked = itemOf(&subject)) {
      tracked->tracked = folder;
      requestPicture(tracked, 0);  // with the landmarks of that folder
    }
  });
}

}  // namespace facet
