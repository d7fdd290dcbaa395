#include "apps/facet_view/workbench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <thread>

#include "apps/common/exporter.h"
#include "apps/common/interrupt.h"
#include "apps/common/model_library.h"
#include "apps/common/take_source.h"
#include "apps/facet_view/workbench_impl.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/npz.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr std::size_t kMaxOpened = 50;  // of a folder of results or photos
constexpr std::size_t kMaxRecent = 12;

// The built-in model and those that the user has imported.
std::vector<std::string> modelNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(userModelFolder(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".npz") names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  names.insert(names.begin(), "builtin");
  return names;
}

// Hints of facet's programs name options; a window has fields and dialogs instead.
std::string inWindowWords(std::string text) {
  static const std::vector<std::pair<std::string, std::string>> kWords = {
      {"; give a photo where it is larger, or its 68 points with --landmarks FILE.pts",
       "; give a photo where the face is larger"},
      {", or give the landmarks with --landmarks", ""},
      {"; give --force to replace it, or another -o", "; choose another name, or let it be replaced"},
      {"; give --force, or another name with -o", "; choose another name, or let it be replaced"},
      {"; give --force to overwrite it", "; choose another name, or let it be replaced"},
      {"choose another -o", "choose another name"}};
  for (const auto& [option, words] : kWords) {
    const std::size_t at = text.find(option);
    if (at != std::string::npos) text.replace(at, option.size(), words);
  }
  return text;
}

// Landmarks of a tracked clip's frame, as facet track stores them.
std::optional<PhotoLandmarks> trackedLandmarks(const fs::path& folder, int number) {
  char name[32];
  std::snprintf(name, sizeof name, "frames/%06d.npz", number);
  if (folder.empty() || !fs::exists(folder / name)) return std::nullopt;
  const Npz arrays = readNpz(folder / name);
  PhotoLandmarks landmarks;
  landmarks.ibug68 = landmarksFrom(arrays, "landmarks68");
  landmarks.dense = landmarksFrom(arrays, "dense");
  return landmarks;
}

// A panorama's sun stands anywhere: turned so that its brightest side is half left in front of the face.
float yawThatLightsTheFace(const Environment& environment) {
  constexpr float kHalfLeft_deg = 35;
  // Luminance of the terms in z and x, which point at the brightest side.
  const Eigen::Vector3f to_luminance(0.2126F, 0.7152F, 0.0722F);
  const Eigen::VectorXf terms = environment.diffuse.coefficients * to_luminance;
  const float azimuth_deg = std::atan2(terms[3], terms[2]) * 180 / std::numbers::pi_v<float>;
  return std::remainder(kHalfLeft_deg - azimuth_deg, 360.0F);
}

}  // namespace

Workbench::Impl::Impl(Scene& scene_, Session& session_, std::function<void()> wake)
    : scene(scene_), session(session_), prototype(session_), queue(std::move(wake)) {
  session.console.setListener([this](const ConsoleMessage& message) { tell(message); });
  const auto action = [this](auto member) {
    return [this, member](const auto&... arguments) { guarded([&] { (this->*member)(arguments...); }); };
  };
  actions.open = action(&Impl::open);
  actions.open_demo = [this] { open("builtin"); };
  actions.open_scan = action(&Impl::openScan);
  actions.fit = action(&Impl::fit);
  actions.detect = action(&Impl::detect);
  actions.cancel = action(&Impl::cancel);
  actions.export_head = action(&Impl::exportHead);
  actions.save_result = action(&Impl::saveResult);
  actions.save_parameters = action(&Impl::saveParameters);
  actions.load_parameters = action(&Impl::loadParameters);
  actions.measure_scan = action(&Impl::measureScan);
  actions.load_frame_picture = action(&Impl::loadFramePicture);
  for (const ExportFormat& format : exportFormats()) {
    actions.export_formats.push_back({format.name, format.extension, format.description, format.is_scene,
                                      format.has_unit, format.write_asset != nullptr});
  }
  actions.models = modelNames();
}

Workbench::Impl::~Impl() {
  {
    // A job that ends right now must not allow what is given up here.
    const std::lock_guard lock(cancel_mutex);
    closing = true;
    cancelWork();
  }
  jobs.stop();
  opener.stop();
  picture_reader.stop();
  allowWork();
  session.console.setListener(nullptr);
  std::error_code ignored;
  if (!temporary.empty()) fs::remove_all(temporary, ignored);
}

// ---- Messages and the main thread's turn ----

void Workbench::Impl::say(MessageKind kind, const std::string& text, ErrorKind error) {
  send([this, kind, text, error] { sayOnce(kind, text, error); });
}

void Workbench::Impl::sayOnce(MessageKind kind, const std::string& text, ErrorKind error) {
  const std::string words = inWindowWords(text);
  std::erase_if(scene.messages, [&](const Message& message) { return message.text == words; });
  scene.say(kind, words, error);
}

void Workbench::Impl::tell(const ConsoleMessage& message) {
  if (message.kind == ConsoleMessage::Kind::kSay) say(MessageKind::kInfo, message.text);
  if (message.kind == ConsoleMessage::Kind::kWarning) say(MessageKind::kWarning, message.text);
  if (message.kind == ConsoleMessage::Kind::kError) say(MessageKind::kError, message.text);
}

Session Workbench::Impl::sessionFor(std::function<void(const ConsoleMessage&)> on_progress) {
  Session own = prototype;
  own.console.setListener([this, on_progress = std::move(on_progress)](const ConsoleMessage& message) {
    if (message.kind == ConsoleMessage::Kind::kProgress) on_progress(message);
    tell(message);
  });
  return own;
}

void Workbench::Impl::guarded(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    sayOnce(MessageKind::kError, error.what(), error.kind());
  } catch (const std::exception& error) {
    sayOnce(MessageKind::kError, error.what());
  }
}

bool Workbench::Impl::update() {
  const std::vector<std::function<void()>> closures = queue.takeAll();
  for (const auto& closure : closures) guarded(closure);
  std::erase_if(items, [this](const auto& entry) { return !isOpen(*entry.first); });
  readShownPhoto(scene.subject());
  readShownPhoto(scene.secondSubject());
  const std::shared_ptr<Subject> worked = worked_on.lock();
  if (worked && scene.job.running && !scene.job.cancelling && !isOpen(*worked)) cancel();
  return !closures.empty();
}

bool Workbench::Impl::busy() const {
  return jobs.busy() || opener.busy() || picture_reader.busy() || !queue.empty();
}

void Workbench::Impl::finish() {
  update();
  while (busy()) {
    queue.wait(0.005);
    update();
  }
}

bool Workbench::Impl::isOpen(const Subject& subject) const {
  return std::any_of(scene.subjects.begin(), scene.subjects.end(),
                     [&](const std::shared_ptr<Subject>& open) { return open.get() == &subject; });
}

std::shared_ptr<WorkItem> Workbench::Impl::itemOf(const Subject* subject) {
  if (subject == nullptr) return nullptr;
  const auto found = items.find(subject);
  if (found != items.end()) return found->second;
  // Added to the scene by somebody else.
  const auto open = std::find_if(scene.subjects.begin(), scene.subjects.end(),
                                 [&](const std::shared_ptr<Subject>& each) { return each.get() == subject; });
  if (open == scene.subjects.end()) return nullptr;
  auto item = std::make_shared<WorkItem>();
  item->opened.subject = *open;
  if (subject->head) item->opened.record.model = subject->head->model();
  return items[subject] = std::move(item);
}

// ---- Jobs ----

void Workbench::Impl::addJob(const std::string& title, std::function<void(Session&)> work) {
  jobs.add([this, title, work = std::move(work)] {
    {
      const std::lock_guard lock(cancel_mutex);
      if (closing) return;
      job_active = true;
    }
    send([this, title] {
      job_shown = true;
      scene.job = {};
      scene.job.running = true;
      scene.job.title = title;
      scene.job.done = -1;
    });
    Session own = sessionFor([this](const ConsoleMessage& message) {
      send([this, message] {
        scene.job.stage = message.text;
        scene.job.done = message.done;
      });
    });
    try {
      work(own);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) {
        if (!closing) say(MessageKind::kInfo, "stopped: " + title);
      } else {
        say(MessageKind::kError, error.what(), error.kind());
      }
    } catch (const std::exception& error) {
      say(MessageKind::kError, title + ": " + error.what());
    }
    own.console.endProgress();
    {
      const std::lock_guard lock(cancel_mutex);
      job_active = false;
      if (!closing) allowWork();
    }
    send([this] {
      job_shown = false;
      endShownJob();
      worked_on.reset();
    });
  });
}

void Workbench::Impl::endShownJob() {
  JobState ended;
  ended.cost = std::move(scene.job.cost);
  ended.iteration = scene.job.iteration;
  scene.job = std::move(ended);
}

void Workbench::Impl::cancel() {
  const std::lock_guard lock(cancel_mutex);
  if (!job_active) return;
  cancelWork();
  scene.job.cancelling = true;
}

// ---- Opening ----

void Workbench::Impl::open(const fs::path& path) {
  opener.add(
      [this, path] {
        const std::string title = "open " + path.filename().string();
        Session own = sessionFor([this, title](const ConsoleMessage& message) {
          send([this, title, message] {
            if (job_shown) return;
            scene.job.running = true;
            scene.job.title = title;
            scene.job.stage = message.text;
            scene.job.done = message.done;
          });
        });
        tryToOpen(path.string(), [&] {
          load(path.string(), "", own, [this](std::function<void()> closure) { send(std::move(closure)); });
        });
        own.console.endProgress();
        send([this] {
          if (!job_shown) endShownJob();
        });
      },
      /*urgent=*/true);
}

bool Workbench::Impl::tryToOpen(const std::string& input, const std::function<void()>& opening) {
  while (!closing) {
    try {
      opening();
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInterrupted) {
        say(MessageKind::kError, error.what(), error.kind());
        return false;
      }
      // A fit was given up, not this: again, once that is over.
      while (interrupted() && !closing && !signalReceived())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (signalReceived()) return false;
    } catch (const std::exception& error) {
      say(MessageKind::kError, input + ": " + error.what());
      return false;
    }
  }
  return false;
}

void Workbench::Impl::openNow(const std::string& input, const std::string& model_name) {
  load(input, model_name, session, [](const std::function<void()>& closure) { closure(); });
}

void Workbench::Impl::openAgain(const std::string& input, const std::string& model_name) {
  opener.add([this, input, model_name] {
    Session own = sessionFor([](const ConsoleMessage&) {});
    tryToOpen(input, [&] {
      auto opened = std::make_shared<OpenedSubject>(openSubject(input, model_name, own));
      send([this, opened] {
        for (const auto& [subject, item] : items) {
          // What was made of the file and is not saved stays beside what the file is now.
          if (subject->unsaved || worked_on.lock().get() == subject) continue;
          std::error_code missing;
          if (!fs::equivalent(subject->source, opened->subject->source, missing)) continue;
          const std::shared_ptr<WorkItem> before = item;  // which replace() takes out of the list
          return replace(before, std::move(*opened));
        }
        adopt(std::move(*opened));
      });
    });
  });
}

void Workbench::Impl::load(const std::string& input, const std::string& model_name, Session& own,
                           const Deliver& deliver) {
  const fs::path path = input;
  const InputKind kind = inputKind(path);
  // One that cannot be opened does not keep the others from it.
  const auto orSay = [&](const fs::path& one, const auto& opening) {
    try {
      opening();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      own.console.error(error.what());
    } catch (const std::exception& error) {
      own.console.error(one.string() + ": " + error.what());
    }
  };
  const auto limited = [&](std::vector<fs::path> all, const std::string& what) {
    if (all.size() <= kMaxOpened) return all;
    own.console.warn(input + ": holds " + std::to_string(all.size()) + " " + what + "; the first " +
                     std::to_string(kMaxOpened) + " are open");
    all.resize(kMaxOpened);
    return all;
  };
  const auto openOne = [&](const std::string& one) {
    auto opened = std::make_shared<OpenedSubject>(openSubject(one, model_name, own));
    deliver([this, opened] { adopt(std::move(*opened)); });
  };
  switch (kind) {
    case InputKind::kResults: {
      auto before = std::make_shared<int>(0);
      deliver([this, before] { *before = static_cast<int>(scene.subjects.size()); });
      for (const fs::path& result : limited(resultsIn(path), "results")) {
        if (closing) return;
        orSay(result, [&] { openOne(result.string()); });
      }
      deliver([this, before] {
        if (*before < static_cast<int>(scene.subjects.size())) scene.show(*before);
      });
      break;
    }
    case InputKind::kPhotos: {
      auto others = std::make_shared<std::vector<OpenedSubject>>();
      bool is_first_open = false;
      for (const fs::path& photo : limited(photosInFolder(path), "photos of several sizes")) {
        if (closing) return;
        orSay(photo, [&] {
          if (is_first_open) {
            others->push_back(waitingPhoto(photo));
          } else {
            openOne(photo.string());
            is_first_open = true;
          }
        });
      }
      deliver([this, others] { adoptWaiting(std::move(*others)); });
      break;
    }
    case InputKind::kTake: {
      auto source = std::make_shared<TakeSource>(loadTake(path, {}, own));
      for (const std::string& note : source->notes) own.console.say(path.filename().string() + ": " + note);
      deliver([this, path, source] { addTake(path.filename().string(), std::move(source->take)); });
      break;
    }
    case InputKind::kParameters:
      deliver([this, path] { loadParameters(path); });
      break;
    case InputKind::kEnvironment: {
      auto environment = std::make_shared<const Environment>(readEnvironment(path));
      deliver([this, environment] {
        scene.environment = environment;
        scene.view.light = LightKind::kEnvironment;
        scene.view.environment_yaw_deg = yawThatLightsTheFace(*environment);
      });
      break;
    }
    default:
      openOne(input);
  }
  deliver([this, path, kind] {
    if (kind != InputKind::kModel || fs::exists(path)) remember(fs::absolute(path));
  });
}

void Workbench::Impl::adopt(OpenedSubject opened) {
  auto item = std::make_shared<WorkItem>();
  item->photo = opened.photo;
  item->opened = std::move(opened);
  const std::shared_ptr<Subject> subject = item->opened.subject;
  items[subject.get()] = item;
  const bool is_first_head = subject->head && std::none_of(scene.subjects.begin(), scene.subjects.end(),
                                                           [](const std::shared_ptr<Subject>& open) {
                                                             return open->head != nullptr;
                                                           });
  scene.add(subject);
  if (is_first_head) scene.frameCamera();
  if (!subject->head && !subject->frames.empty()) scene.view.through_photo = true;
  if (subject->kind == "photo") {
    detectLater(item);
  } else if (!subject->frames.empty() && item->opened.take == std::nullopt) {
    requestPicture(item, 0);
  }
  finishLater(item);
}

// Beside what is shown, which stays the one that is.
void Workbench::Impl::adoptWaiting(std::vector<OpenedSubject> photos) {
  const int shown = scene.current;
  for (OpenedSubject& opened : photos) {
    auto item = std::make_shared<WorkItem>();
    item->opened = std::move(opened);
    item->photo_waits = true;
    items[&item->subject()] = item;
    scene.add(item->opened.subject);
  }
  if (!photos.empty()) scene.show(std::max(shown, 0));
}

void Workbench::Impl::readShownPhoto(const Subject* subject) {
  const auto found = items.find(subject);
  if (found == items.end() || !found->second->photo_waits) return;
  const std::shared_ptr<WorkItem> item = found->second;
  item->photo_waits = false;
  const fs::path path = subject->source;
  opener.add(
      [this, item, path] {
        const bool is_read = tryToOpen(path.string(), [&] {
          auto photo = std::make_shared<const Photo>(readPhotoFile(path));
          send([this, item, photo] {
            item->photo = photo;
            setPhoto(item->subject(), photo);
            if (isOpen(item->subject())) detectLater(item);
          });
        });
        if (is_read) return;
        send([this, item] {
          const auto place = std::find(scene.subjects.begin(), scene.subjects.end(), item->opened.subject);
          if (place != scene.subjects.end()) scene.close(static_cast<int>(place - scene.subjects.begin()));
        });
      },
      /*urgent=*/true);
}

void Workbench::Impl::replace(const std::shared_ptr<WorkItem>& item, OpenedSubject opened) {
  const auto place = std::find(scene.subjects.begin(), scene.subjects.end(), item->opened.subject);
  if (place == scene.subjects.end()) return adopt(std::move(opened));
  const int index = static_cast<int>(place - scene.subjects.begin());
  items.erase(item->opened.subject.get());
  auto next = std::make_shared<WorkItem>();
  next->photo = opened.photo;
  next->opened = std::move(opened);
  items[next->opened.subject.get()] = next;
  *place = next->opened.subject;
  if (scene.current == index) scene.show(index);
  if (next->subject().kind == "photo") {
    detectLater(next);
  } else {
    requestPicture(next, 0);
  }
  finishLater(next);
}

void Workbench::Impl::remember(const fs::path& path) {
  std::erase(actions.recent, path);
  actions.recent.insert(actions.recent.begin(), path);
  if (actions.recent.size() > kMaxRecent) actions.recent.resize(kMaxRecent);
}

void Workbench::Impl::finishLater(const std::shared_ptr<WorkItem>& item) {
  const Subject& subject = item->subject();
  const bool has_own_materials = subject.kind == "GLB" || subject.kind == "OBJ" || subject.kind == "PLY";
  if (!subject.head || has_own_materials) return;
  auto record = std::make_shared<const Head>(item->opened.record);
  const auto base_colour = subject.materials.empty() ? nullptr : subject.materials[0].base_colour;
  opener.add([this, item, record, base_colour, revision = item->materials_revision] {
    if (closing) return;
    try {
      auto materials = std::make_shared<std::vector<AssetMaterial>>(finishedMaterials(*record));
      send([item, materials, base_colour, revision] {
        if (item->materials_revision != revision) return;  // another fit has brought others meanwhile
        for (AssetMaterial& material : *materials) {
          if (material.base_colour && base_colour) material.base_colour = base_colour;  // uploaded already
        }
        item->subject().materials = std::move(*materials);
      });
    } catch (const std::exception& error) {
      say(MessageKind::kWarning,
          record->model.name + ": its textures could not be finished: " + error.what());
    }
  });
}

void Workbench::Impl::setHead(Subject& subject, std::shared_ptr<ShapedHead> head) {
  if (subject.head == head) return;
  subject.head = std::move(head);
  if (scene.subject() != &subject) return;
  scene.picks.clear();
  scene.scan_distance.reset();
}

void Workbench::Impl::addTake(const std::string& name, Take take) {
  const std::shared_ptr<WorkItem> item = currentItem();
  if (!item || !item->subject().head) {
    fail(ErrorKind::kUsage, name, ": a take moves a head; open one first, then the take");
  }
  const Subject& still = item->subject();
  auto head = std::make_shared<ShapedHead>(still.head->model());
  head->setAll(ShapeGroup::kIdentity, still.head->values(ShapeGroup::kIdentity));
  head->setAll(ShapeGroup::kAlbedo, still.head->values(ShapeGroup::kAlbedo));
  std::vector<std::string> missing;
  std::vector<SubjectFrame> frames = framesOf(take, *head, &missing);
  OpenedSubject opened;
  opened.record = item->opened.record;
  opened.record.identity = head->identity();
  opened.record.frames.clear();
  opened.record.time_s.clear();
  opened.record.is_clip = false;
  opened.completes_on_export = item->opened.completes_on_export;
  opened.subject = std::make_shared<Subject>(still);
  Subject& subject = *opened.subject;
  subject.name = still.name + " with " + name;
  subject.kind = "clip";
  subject.head = std::move(head);
  subject.photo = nullptr;
  subject.landmarks = {};
  subject.frames = std::move(frames);
  subject.is_clip = true;
  subject.unsaved = false;
  subject.frames_per_second = take.fps;
  subject.facts.push_back("take: " + name + ", " + grouped(take.numFrames()) + " frames, " +
                          grouped(take.numShapes()) + " curves");
  opened.take = std::move(take);
  adopt(std::move(opened));
  std::string list;
  for (const std::string& shape : missing) list += (list.empty() ? "" : ", ") + shape;
  if (!list.empty()) scene.say(MessageKind::kWarning, still.name + " has no shape for the take's " + list);
  scene.applyFrame();
}

// ---- Pictures ----

void Workbench::Impl::loadFramePicture(int frame) {
  if (const std::shared_ptr<WorkItem> item = currentItem()) requestPicture(item, frame);
}

void Workbench::Impl::requestPicture(const std::shared_ptr<WorkItem>& item, int frame) {
  const Subject& subject = item->subject();
  if (frame < 0 || frame >= static_cast<int>(subject.frames.size())) return;
  const SubjectFrame& seen = subject.frames[static_cast<std::size_t>(frame)];
  const fs::path picture = seen.picture;
  if (picture.empty() || !fs::exists(picture)) return;
  const int number = seen.number;
  const fs::path folder = !item->tracked.empty() ? item->tracked
                          : subject.is_clip      ? subject.source
                                                 : fs::path();
  item->wanted_frame = frame;
  picture_reader.add([this, item, frame, number, picture, folder] {
    if (item->wanted_frame != frame || closing) return;
    try {
      std::shared_ptr<const Image8> image;
      if (picture == item->opened.clip) {
        if (!item->pictures) item->pictures = std::make_unique<ClipPictures>(picture);
        image =
            item->pictures->picture(number, [&] { return closing.load() || item->wanted_frame != frame; });
        if (!image && item->wanted_frame != frame) return;
        for (int i = 0; i < 2 && item->wanted_frame == frame && !closing; ++i)
          if (!item->pictures->readAhead(number)) break;
      } else {
        image = std::make_shared<const Image8>(readPhoto(picture));
      }
      const std::optional<PhotoLandmarks> landmarks =
          fs::exists(folder / "track.json") ? trackedLandmarks(folder, number) : std::nullopt;
      send([this, item, frame, image, landmarks] { showPicture(item, frame, image, landmarks); });
    } catch (const std::exception& error) {
      const std::string text = error.what();
      send([this, item, text] {
        if (!item->told_missing_picture) scene.say(MessageKind::kWarning, text);
        item->told_missing_picture = true;
      });
    }
  });
}

void Workbench::Impl::showPicture(const std::shared_ptr<WorkItem>& item, int frame,
                                  std::shared_ptr<const Image8> picture,
                                  const std::optional<PhotoLandmarks>& landmarks) {
  if (item->wanted_frame != frame) return;  // another one is shown since it was read
  item->subject().photo = std::move(picture);
  if (landmarks) item->subject().landmarks = *landmarks;
}

// ---- Parameters ----

void Workbench::Impl::saveParameters(const fs::path& path) {
  Subject* subject = scene.subject();
  if (subject == nullptr || !subject->head)
    fail(ErrorKind::kUsage, "there is no head whose parameters could be saved; open one");
  writeText(path, subject->head->toJson() + "\n");
  subject->edited = false;
  scene.say(MessageKind::kInfo, "wrote " + path.string());
}

void Workbench::Impl::loadParameters(const fs::path& path) {
  const Subject* subject = scene.subject();
  if (subject == nullptr || !subject->head)
    fail(ErrorKind::kUsage, path.string(), ": parameters belong to a head; open one first");
  const std::vector<std::string> unknown = subject->head->fromJson(readText(path), path.string());
  if (unknown.empty()) return;
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(unknown.size(), 5); ++i)
    names += (i == 0 ? "" : ", ") + unknown[i];
  scene.say(MessageKind::kWarning, path.filename().string() + ": " + subject->name + " has no " + names +
                                       (unknown.size() > 5 ? " and others" : ""));
}

// ---- Workbench ----

Workbench::Workbench(Scene& scene, Session& session, std::function<void()> wake)
    : impl_(std::make_unique<Impl>(scene, session, std::move(wake))) {}
Workbench::~Workbench() = default;

Actions& Workbench::actions() { return impl_->actions; }
bool Workbench::update() { return impl_->update(); }
bool Workbench::busy() const { return impl_->busy(); }
void Workbench::openNow(const std::string& input, const std::string& model_name) {
  impl_->openNow(input, model_name);
}
void Workbench::openAgain(const std::string& input, const std::string& model_name) {
  impl_->openAgain(input, model_name);
}
void Workbench::finish() { impl_->finish(); }

}  // namespace facet
