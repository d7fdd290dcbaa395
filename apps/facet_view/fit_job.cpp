// Detection and the fit of a head to a photo.
#include <algorithm>
#include <chrono>
#include <thread>

#include "apps/common/interrupt.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/common/result_files.h"
#include "apps/facet_view/workbench_impl.h"
#include "core/error.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using Clock = std::chrono::steady_clock;

// A fit that starts from the network's guesses is over in three iterations of a few milliseconds: each stays
// on the screen so long, so that there is something to watch.
constexpr std::chrono::milliseconds kIterationShown{60};

StopAfter stopAfter(const std::string& name) {
  if (name == "detect") return StopAfter::kDetect;
  if (name == "fit") return StopAfter::kFit;
  if (name == "texture") return StopAfter::kTexture;
  fail(ErrorKind::kUsage, name, ": no such stage; there are detect, fit and texture");
}

bool anyMoved(const PhotoLandmarks& landmarks) {
  return landmarks.moved.size() == kNumIbugLandmarks && landmarks.ibug68.size() == kNumIbugLandmarks &&
         std::find(landmarks.moved.begin(), landmarks.moved.end(), true) != landmarks.moved.end();
}

// The photo that a subject shows, if a head can be fitted to it.
fs::path photoOf(const Subject& subject) {
  if (subject.kind == "photo") return subject.source;
  return subject.is_clip || subject.frames.empty() ? fs::path() : subject.frames[0].picture;
}

// Puts pose and coefficients into the subject's only frame, and shows them.
void showShape(Subject& subject, const Camera& camera, const Eigen::VectorXf& identity,
               const Eigen::VectorXf& expression, const Points3& pose) {
  subject.head->setCoefficients(identity, expression, pose);
  SubjectFrame& frame = subject.frames.at(0);
  frame.camera = camera;
  frame.expression = subject.head->values(ShapeGroup::kExpression);
  frame.joints_deg = subject.head->values(ShapeGroup::kJoints);
  if (subject.head->model().blendshapes.cols() == 0) frame.shapes = subject.head->values(ShapeGroup::kShapes);
}

std::vector<std::string> reportOf(const Reconstruction& result) {
  std::vector<std::string> facts;
  double seconds = 0;
  for (const StageReport& stage : result.stages) seconds += stage.seconds;
  facts.push_back("landmark residual " + fixed(result.fit.residual_px, 2) + " px; made in " +
                  fixed(seconds, 1) + " s");
  for (const std::string& warning : result.warnings) facts.push_back("warning: " + warning);
  return facts;
}

// What a saved result of this fit would be opened as.
Head recordOf(const FitModel& model, const Photo& photo, const Reconstruction& result) {
  Head head;
  head.model = model.model;
  head.model_reference = modelReference(model.name);
  head.identity = result.fit.identity;
  head.albedo = result.appearance.albedo;
  if (result.appearance.vertex_albedo.rows() > 0) head.light = result.appearance.light;
  if (!result.maps.empty()) {
    head.texture = srgbFromLinear(result.maps.texture);
    head.visibility = dataToImage(result.maps.visibility);
  }
  HeadFrame frame;
  frame.picture = photo.path.string();
  frame.expression = result.fit.expression;
  frame.pose = result.fit.pose;
  frame.camera = result.fit.camera;
  head.frames.push_back(std::move(frame));
  head.time_s.push_back(0);
  head.inputs.push_back({{"file", photo.path.filename().string()}, {"sha256", photo.sha256}});
  return head;
}

}  // namespace

std::shared_ptr<const FitModel> Workbench::Impl::fitModel(const std::string& name, Session& own) {
  if (last_model && last_model->name == name) return last_model;
  auto fit_model = std::make_shared<FitModel>();
  fit_model->name = name;
  fit_model->model = loadNamedModel(name, own);
  if (fit_model->model.numIdentity() == 0) {
    fail(ErrorKind::kModel, name, ": the model has no identity modes, so it cannot be fitted to a photo");
  }
  fit_model->builtin = completeFromBuiltin(name, fit_model->model, own);
  return last_model = fit_model;
}

const FaceFinder& Workbench::Impl::finder() {
  if (!networks) networks = std::make_unique<FaceFinder>();
  return *networks;
}

// The largest face; its landmarks go to the scene.
DetectedFace Workbench::Impl::detectFace(const std::shared_ptr<WorkItem>& item, const Photo& photo,
                                         Session& own) {
  const std::string name = photo.path.filename().string();
  own.console.progress(name, "detect face", 0.05);
  std::vector<DetectedFace> faces = finder().find(photo);
  throwIfInterrupted();
  if (faces.size() > 1) {
    own.console.warn(name + ": " + std::to_string(faces.size()) + " faces found, the largest is taken");
  }
  auto face = std::make_shared<DetectedFace>(std::move(faces[0]));
  send([item, face] {
    item->face = *face;
    PhotoLandmarks& landmarks = item->subject().landmarks;
    landmarks.ibug68 = face->prediction.ibug68;
    landmarks.dense = face->prediction.dense;
    landmarks.moved.clear();
  });
  return *face;
}

void Workbench::Impl::detectLater(const std::shared_ptr<WorkItem>& item) {
  const fs::path path = photoOf(item->subject());
  addJob("find the face in " + path.filename().string(), [this, item, photo = item->photo](Session& own) {
    try {
      detectFace(item, *photo, own);
    } catch (const Error& error) {
      // Nobody has asked for a face yet.
      if (error.kind() != ErrorKind::kNoFace) throw;
      own.console.warn(error.what());
    }
  });
}

void Workbench::Impl::detect() {
  const std::shared_ptr<WorkItem> item = currentItem();
  const fs::path path = item ? photoOf(item->subject()) : fs::path();
  if (path.empty()) fail(ErrorKind::kUsage, "there is no photo to find a face in; open one");
  addJob("find the face in " + path.filename().string(),
         [this, item, path, known = item->photo](Session& own) {
           const auto photo = known ? known : std::make_shared<const Photo>(readPhotoFile(path));
           send([item, photo] { item->photo = photo; });
           detectFace(item, *photo, own);
         });
}

void Workbench::Impl::fit(const FitRequest& request) {
  const std::shared_ptr<WorkItem> item = currentItem();
  if (item && !item->opened.clip.empty()) return track(request);
  const fs::path path = item ? photoOf(item->subject()) : fs::path();
  if (path.empty()) fail(ErrorKind::kUsage, "there is no photo to fit a head to; open one, then press Fit");
  stopAfter(request.stop_after);
  std::shared_ptr<WorkItem> target = item;
  if (!item->subject().unsaved && item->subject().kind != "photo" && request.stop_after != "detect") {
    // A result that was opened stays as it is, to compare with.
    OpenedSubject opened;
    opened.subject = std::make_shared<Subject>();
    Subject& subject = *opened.subject;
    const Subject& before = item->subject();
    subject.name = before.name + ", fitted again";
    subject.kind = "photo";
    subject.source = path;
    subject.frames.emplace_back().picture = path;
    subject.photo = before.photo;
    subject.landmarks = before.landmarks;
    subject.facts.push_back("photo: " + path.string());
    target = std::make_shared<WorkItem>();
    target->opened = std::move(opened);
    items[&target->subject()] = target;
    scene.add(target->opened.subject);
  }
  addJob("fit " + path.filename().string(), [this, target, request, path, seen = item->subject().landmarks,
                                             known = item->photo, face = item->face](Session& own) {
    own.console.progress(path.filename().string(), "read photo", 0);
    const auto photo = known ? known : std::make_shared<const Photo>(readPhotoFile(path));
    throwIfInterrupted();
    runFit(target, request, seen, photo, face, own);
  });
}

void Workbench::Impl::runFit(const std::shared_ptr<WorkItem>& item, const FitRequest& request,
                             const PhotoLandmarks& seen, std::shared_ptr<const Photo> photo,
                             std::optional<DetectedFace> face, Session& own) {
  const std::string name = photo->path.filename().string();
  send([this, item, photo] {
    worked_on = item->opened.subject;
    item->photo = photo;
    if (!item->subject().photo) item->subject().photo = std::make_shared<const Image8>(photo->pixels);
  });
  const auto detect_start = Clock::now();
  const bool detects_anew = !face || !request.use_moved_landmarks;
  if (detects_anew) face = detectFace(item, *photo, own);
  const StopAfter stop_after = stopAfter(request.stop_after);
  if (stop_after == StopAfter::kDetect) return;

  const std::shared_ptr<const FitModel> fit_model = fitModel(request.model, own);
  throwIfInterrupted();
  const MorphableModel& model = fit_model->model;
  FaceReading reading = readingOf(model, fit_model->builtin ? *fit_model->builtin : model, face->prediction);
  reading.clues.parsing = finder().parse(*photo, *face);
  StageReport detection{"detect"};
  detection.seconds = std::chrono::duration<double>(Clock::now() - detect_start).count();
  if (request.use_moved_landmarks && anyMoved(seen)) {
    moveLandmarks(seen.ibug68.positions_px, seen.moved, reading.landmarks);
    if (detects_anew) {
      send([item, seen] { item->subject().landmarks = seen; });  // the detection went over them
    }
  }

  const auto before = std::make_shared<Before>();
  send([this, item, fit_model, before] {
    *before = stateOf(*item);
    beginFit(item, fit_model);
  });
  ReconstructOptions options;
  options.stop_after = stop_after;
  options.texture_size_px = request.texture_size_px;
  options.focal_px = request.focal_px;
  options.fast = request.fast;
  options.on_stage = [&](const std::string& stage, double done) { own.console.progress(name, stage, done); };
  options.on_iteration = [&](const FitIteration& iteration) {
    const auto shown_until = Clock::now() + kIterationShown;
    send([this, item, iteration] {
      showShape(item->subject(), iteration.camera, iteration.identity, iteration.expression, iteration.pose);
      scene.job.cost.push_back(static_cast<float>(iteration.cost));
      scene.job.iteration = static_cast<int>(scene.job.cost.size());
    });
    while (Clock::now() < shown_until && !interrupted())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  options.on_stage_done = [&](const Reconstruction& result) {
    auto record = std::make_shared<Head>(recordOf(*fit_model, *photo, result));
    send([this, item, record] { showStage(item, std::move(*record)); });
  };
  Reconstruction result;
  try {
    result = reconstruct(model, *photo, reading, options);
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool given_up = known != nullptr && known->kind() == ErrorKind::kInterrupted;
    send([this, item, before, given_up] {
      // The last state of a first fit that the user gave up stays; a finished one is not lost to another.
      if (given_up && !before->fit) return;
      restore(item, *before);
    });
    throw;
  }
  result.stages.insert(result.stages.begin(), detection);
  for (const std::string& warning : result.warnings) own.console.warn(name + ": " + warning);
  auto record = std::make_shared<Head>(recordOf(*fit_model, *photo, result));
  auto fit = std::make_shared<const UnsavedFit>(UnsavedFit{fit_model, photo, std::move(result)});
  send([this, item, record, fit] {
    showStage(item, std::move(*record));
    endFit(item, fit);
  });
  own.console.say(name + ": fitted, landmark residual " + fixed(fit->result.fit.residual_px, 2) + " px");
}

Before Workbench::Impl::stateOf(const WorkItem& item) const {
  Before before{item.subject(), item.opened.record, item.fit, item.fit_with, {}, {}};
  if (!before.subject.head) return before;
  before.identity = before.subject.head->values(ShapeGroup::kIdentity);
  before.albedo = before.subject.head->values(ShapeGroup::kAlbedo);
  return before;
}

void Workbench::Impl::restore(const std::shared_ptr<WorkItem>& item, const Before& before) {
  Subject& subject = item->subject();
  PhotoLandmarks landmarks = std::move(subject.landmarks);
  setHead(subject, before.subject.head);
  ++item->materials_revision;
  subject = before.subject;
  subject.landmarks = std::move(landmarks);
  item->opened.record = before.record;
  item->fit = before.fit;
  item->fit_with = before.fit_with;
  if (!subject.head) return;
  subject.head->setAll(ShapeGroup::kIdentity, before.identity);
  subject.head->setAll(ShapeGroup::kAlbedo, before.albedo);
  if (!subject.frames.empty()) applyTo(*subject.head, subject.frames[0]);
  if (scene.subject() == &subject) scene.applyFrame();
  subject.head->keepAsHome();
  finishLater(item);
}

// A head to watch. The first iteration brings it to the face.
void Workbench::Impl::beginFit(const std::shared_ptr<WorkItem>& item,
                               const std::shared_ptr<const FitModel>& fit_model) {
  Subject& subject = item->subject();
  const bool had_head = subject.head != nullptr;
  if (!had_head || item->fit_with != fit_model) {
    setHead(subject, std::make_shared<ShapedHead>(fit_model->model));
    subject.model_reference = modelReference(fit_model->name);
  }
  item->fit_with = fit_model;
  item->fit = nullptr;
  Head plain;
  plain.model = fit_model->model;
  plain.model_reference = subject.model_reference;
  item->setMaterials(plainMaterials(plain));
  subject.triangle_material = fit_model->model.material_names.empty() ? std::vector<std::uint8_t>()
                                                                      : fit_model->model.triangle_material;
  item->opened.record = std::move(plain);
  subject.unsaved = true;
  scene.view.through_photo = true;
  // Not frameCamera(), which would leave the place in the photo that the user looks at.
  if (!had_head && scene.subject() == &subject) scene.camera.fit(subject.head->vertices());
}

// Takes over what the stages so far have brought.
void Workbench::Impl::showStage(const std::shared_ptr<WorkItem>& item, Head record) {
  Subject& subject = item->subject();
  const HeadFrame& frame = record.frames[0];
  showShape(subject, frame.camera, record.identity, frame.expression, frame.pose);
  subject.head->setAll(ShapeGroup::kAlbedo, record.albedo);
  subject.photo_light = record.light;
  item->setMaterials(plainMaterials(record));
  item->opened.record = std::move(record);
}

void Workbench::Impl::endFit(const std::shared_ptr<WorkItem>& item,
                             const std::shared_ptr<const UnsavedFit>& fit) {
  Subject& subject = item->subject();
  subject.kind = "reconstruction";
  subject.facts.resize(std::min<std::size_t>(subject.facts.size(), 2));  // of the photo
  const std::vector<std::string> facts = reportOf(fit->result);
  subject.facts.insert(subject.facts.end(), facts.begin(), facts.end());
  subject.facts.push_back("licence: " + item->opened.record.model.licence);
  item->fit = fit;
  subject.head->keepAsHome();
  subject.edited = false;
  finishLater(item);
}

void Workbench::Impl::saveResult(const fs::path& path) {
  const std::shared_ptr<WorkItem> item = currentItem();
  if (!item || (!item->fit && item->tracked.empty())) {
    fail(ErrorKind::kUsage,
         "there is no new fit to save: open a photo or a clip, press Fit, and let it come to its end");
  }
  if (fs::exists(path) && !fs::is_empty(path)) {
    fail(ErrorKind::kUsage, path.string(),
         ": is there already and is not replaced; save the result under another name, or remove it first");
  }
  const auto saved = [this, item, path, fit = item->fit, tracked = item->tracked] {
    // Another fit that has begun meanwhile is not what was saved.
    if (item->fit == fit && item->tracked == tracked) {
      item->subject().source = path;
      item->subject().unsaved = false;
    }
    remember(fs::absolute(path));
    scene.say(MessageKind::kInfo, "saved in " + path.string());
  };
  addJob("save " + path.filename().string(),
         [this, item, path, saved, fit = item->fit, tracked = item->tracked](Session& own) {
           OutputFolder output(path, false);
           if (!tracked.empty()) {
             own.console.progress(path.filename().string(), "copy the clip's result", 0);
             fs::copy(tracked, output.temporary(), fs::copy_options::recursive);
           } else {
             writeResult(output.temporary(), fit->model->model, modelReference(fit->model->name), *fit->photo,
                         fit->result, 0, [&](double done) {
                           own.console.progress(path.filename().string(), "write files", done);
                           throwIfInterrupted();
                         });
           }
           throwIfInterrupted();
           output.commit();
           send(saved);
         });
}

}  // namespace facet
