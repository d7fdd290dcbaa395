#include "apps/facet_view/program.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/common/interrupt.h"
#include "apps/common/output_folder.h"
#include "apps/facet_view/state_file.h"
#include "apps/facet_view/subject_files.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "viewer/frame_signature.h"
#include "viewer/settings_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

// Panels need a frame to lay out what changed and one to show it.
constexpr int kSettlingFrames = 3;
constexpr double kSlowPicture_s = 0.025;
// No display shows more, and some drivers do not wait for the display.
constexpr double kShortestFrame_s = 1.0 / 120;
constexpr double kIdleWait_s = 0.25;
constexpr double kWatchEvery_s = 0.5;
// Without a window time passes evenly, so that scripts give the same pictures every time.
constexpr double kScriptFrame_s = 1.0 / 30;

double secondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Image8 withoutAlpha(const Image8& rgba) {
  Image8 rgb(rgba.width(), rgba.height(), 3);
  for (int y = 0; y < rgba.height(); ++y) {
    for (int x = 0; x < rgba.width(); ++x) std::copy_n(rgba.at(x, y), 3, rgb.at(x, y));
  }
  return rgb;
}

}  // namespace

ViewProgram::ViewProgram(const ViewArguments& arguments, Session& session)
    : arguments_(arguments), session_(session), started_s_(secondsNow()) {
  ViewState state;
  if (!arguments.state.empty()) {
    state_file_ = arguments.state;
  } else if (!arguments.no_state && !arguments.headless && arguments.replay.empty()) {
    state_file_ = userStateFile();
  }
  if (!state_file_.empty()) {
    try {
      state = readState(state_file_);
    } catch (const std::exception& error) {
      // Settings are not worth refusing to start; the file is left as it is for whoever can mend it.
      session.console.warn(error.what());
      state_file_.clear();
    }
  }
  scene_.view = state.view;
  width_px_ = arguments.width_px > 0 ? arguments.width_px : state.width_px > 0 ? state.width_px : 1280;
  height_px_ = arguments.height_px > 0 ? arguments.height_px : state.height_px > 0 ? state.height_px : 800;

  openGraphics();
  const float display_scale = graphics_.window ? graphics_.window->scale() : 1;
  panels_ = std::make_unique<UserInterface>(arguments.scale > 0 ? arguments.scale : display_scale);
  if (!state.panels.empty()) panels_->fromJson(state.panels);
  joinPanels();
  workbench_ = std::make_unique<Workbench>(scene_, session, [this] {
    const std::lock_guard lock(wake_mutex_);
    if (window_to_wake_ != nullptr) window_to_wake_->wake();
  });
  Actions& actions = workbench_->actions();
  actions.recent = state.recent;
  actions.quit = [this] { quit_ = true; };
  actions.save_picture = [this](const fs::path& path) { pictures_to_write_.push_back(path); };
  actions.save_turntable = [this](const fs::path& path) { turntable_to_write_ = path; };
  if (!arguments.replay.empty()) player_.emplace(readScript(arguments.replay));
  if (!arguments.record.empty()) recorder_.emplace(arguments.record);
}

// Its threads wake the window, so they end first.
ViewProgram::~ViewProgram() { workbench_.reset(); }

void ViewProgram::openGraphics() {
  if (arguments_.headless) {
    graphics_.headless.emplace();
  } else {
    graphics_.window.emplace("facet", width_px_, height_px_);
    width_px_ = graphics_.window->width_px();
    height_px_ = graphics_.window->height_px();
  }
  graphics_.renderer.emplace();
}

// What the panels and OpenGL need of each other, once both are there.
void ViewProgram::joinPanels() {
  graphics_.drawing.emplace();
  const std::string backend =
      graphics_.window ? graphics_.window->description() : graphics_.headless->description();
  session_.console.detail(backend);
  panels_->setBackend(backend);
  if (!graphics_.window) return;
  {
    const std::lock_guard lock(wake_mutex_);
    window_to_wake_ = &*graphics_.window;
  }
  panels_->setHooks({[this] { return graphics_.window->clipboard(); },
                     [this](const std::string& text) { graphics_.window->setClipboard(text); },
                     [this](int cursor) { graphics_.window->setCursor(cursor); }});
}

void ViewProgram::openInputs() {
  // In a window an input that cannot be opened is a message in it; the others are there.
  const auto open = [&](const auto& work) {
    if (arguments_.headless) return work();
    try {
      work();
    } catch (const std::exception& error) {
      session_.console.error(error.what());
    }
  };
  for (const std::string& input : arguments_.inputs)
    open([&] { workbench_->openNow(input, arguments_.model); });
  // Of several heads the first one; a take has become a head that moves, which is what is to be seen.
  const bool has_take =
      std::any_of(arguments_.inputs.begin(), arguments_.inputs.end(),
                  [](const std::string& input) { return inputKind(input) == InputKind::kTake; });
  if (scene_.subjects.size() > 1) {
    if (!has_take) scene_.show(0);
    scene_.second = scene_.current == 0 ? 1 : 0;
  }
  if (!arguments_.environment.empty()) open([&] { workbench_->openNow(arguments_.environment); });
  if (!arguments_.scan.empty()) workbench_->actions().open_scan(arguments_.scan);
  if (!arguments_.parameters.empty()) workbench_->actions().load_parameters(arguments_.parameters);
}

void ViewProgram::applyArguments() {
  const bool with_second = arguments_.compare == nameOf(CompareMode::kWipe) ||
                           arguments_.compare == nameOf(CompareMode::kSideBySide);
  if (with_second && scene_.secondSubject() == nullptr)
    fail(ErrorKind::kUsage, "--compare ", arguments_.compare, " needs a second head: name two inputs");
  if (arguments_.compare == nameOf(CompareMode::kWipePhoto) &&
      (scene_.subject() == nullptr || scene_.subject()->frames.empty()))
    fail(ErrorKind::kUsage,
         "--compare wipe-photo needs a head with its photo, a result of facet reconstruct or track");
  arguments_.apply(scene_.view);
  arguments_.apply(scene_.camera);
  if (arguments_.frame >= 0) {
    if (arguments_.frame >= scene_.timeline.numFrames())
      fail(ErrorKind::kUsage, "--frame ", arguments_.frame, ": there are frames 0 to ",
           scene_.timeline.numFrames() - 1);
    scene_.timeline.seek(arguments_.frame);
    scene_.applyFrame();
  }
  if (!arguments_.values.empty()) setSliders();
}

// --set NAME=VALUE
void ViewProgram::setSliders() {
  Subject* subject = scene_.subject();
  if (subject == nullptr || !subject->head) fail(ErrorKind::kUsage, "--set needs a head to shape");
  for (const std::string& setting : arguments_.values) {
    const std::size_t equals = setting.find('=');
    char* end = nullptr;
    const float value = equals == std::string::npos ? 0 : std::strtof(setting.c_str() + equals + 1, &end);
    if (end == nullptr || end == setting.c_str() + equals + 1 || *end != '\0' || !std::isfinite(value))
      fail(ErrorKind::kUsage, "--set ", setting, ": expected NAME=VALUE");
    bool found = false;
    for (int group = 0; group < kNumShapeGroups && !found; ++group) {
      const auto& controls = subject->head->controls(static_cast<ShapeGroup>(group));
      for (std::size_t i = 0; i < controls.size() && !found; ++i) {
        found = controls[i].name == setting.substr(0, equals);
        if (found) subject->head->set(static_cast<ShapeGroup>(group), static_cast<int>(i), value);
      }
    }
    if (!found)
      fail(ErrorKind::kUsage, "--set ", setting, ": ", subject->name,
           " has no slider of that name; the shape panel and facet model info list them");
  }
}

int ViewProgram::run() {
  openInputs();
  if (arguments_.headless) return runHeadless();
  return runWindow();
}

// ---- One picture ----

void ViewProgram::handle(const std::vector<InputEvent>& events) {
  for (const InputEvent& event : events) {
    if (recorder_) recorder_->add(num_frames_, event);
    unsettled_frames_ = kSettlingFrames;
    if (event.kind == InputEvent::Kind::kResize) {
      width_px_ = static_cast<int>(event.x);
      height_px_ = static_cast<int>(event.y);
    }
    // The panels may ask first; who closes the window once more, without a click or key, has answered.
    if (event.kind == InputEvent::Kind::kButton || event.kind == InputEvent::Kind::kKey)
      num_close_requests_ = 0;
    if (event.kind == InputEvent::Kind::kClose && ++num_close_requests_ > 1) quit_ = true;
    panels_->handle(event);
  }
}

void ViewProgram::drawFrame(double seconds) {
  ++num_frames_;
  scene_drawn_ = false;
  const PixelRect rect = panels_->viewport(width_px_, height_px_);
  if (rect.width > 0 && rect.height > 0) {
    Frame frame = builder_.build(scene_, rect.width, rect.height);
    const bool has_changed = signature(frame) != wanted_signature_;
    wanted_signature_ = signature(frame);
    // While it moves, a slow graphics card draws rough edges; the picture is finished as soon as it rests.
    is_rough_ = graphics_.window && !turntable_ && !is_kept_ && has_changed && had_changed_ &&
                full_picture_s_ > kSlowPicture_s;
    had_changed_ = has_changed;
    if (is_rough_) {
      frame.samples = 1;
      unsettled_frames_ = std::max(unsettled_frames_, 2);
    }
    const std::uint64_t now = signature(frame);
    if (now != drawn_signature_) {
      graphics_.renderer->draw(frame);
      scene_drawn_ = true;
      drawn_signature_ = now;
      drawn_frame_ = std::move(frame);
      for (const std::string& note : graphics_.renderer->takeNotes()) session_.console.warn(note);
    }
  }
  // ImGui takes the name of a texture as a pointer.
  void* const texture = reinterpret_cast<void*>(static_cast<std::uintptr_t>(graphics_.renderer->texture()));
  panels_->draw(scene_, workbench_->actions(), builder_, texture, width_px_, height_px_, seconds);
  if (graphics_.headless) {
    if (!graphics_.offscreen || graphics_.offscreen->width_px() != width_px_ ||
        graphics_.offscreen->height_px() != height_px_)
      graphics_.offscreen.emplace(width_px_, height_px_);
    graphics_.offscreen->bind();
  }
  graphics_.drawing->draw(panels_->drawData(), width_px_, height_px_);
}

void ViewProgram::playFrame(double seconds) {
  drawFrame(seconds);
  unsettled_frames_ = std::max(0, unsettled_frames_ - 1);
  doDeferred();
}

void ViewProgram::drawStill() {
  for (int i = 0; i < kSettlingFrames; ++i) playFrame(kScriptFrame_s);
}

Image8 ViewProgram::windowImage() const { return graphics_.drawing->readWindow(width_px_, height_px_); }

Image8 ViewProgram::pictureOnly() const {
  Image8 rgba = graphics_.renderer->read();
  return scene_.view.transparent ? rgba : withoutAlpha(rgba);
}

void ViewProgram::writePicture(const fs::path& path) {
  prepareOutputFile(path, /*force=*/true);
  writePng(path, pictureOnly());
  session_.console.say("wrote " + path.string());
}

// One frame of the clip that is being written; the scene's camera turns meanwhile.
void ViewProgram::stepTurntable() {
  try {
    const Image8 picture = withoutAlpha(graphics_.renderer->read());
    session_.console.progress(turntable_->path().filename().string(), "turn", turntable_->done());
    if (turntable_->add(picture)) {
      session_.console.endProgress();
      session_.console.say("wrote " + turntable_->path().string());
    } else {
      scene_.camera = turntable_->camera();
      unsettled_frames_ = kSettlingFrames;
      return;
    }
  } catch (const std::exception& error) {
    session_.console.endProgress();
    if (arguments_.headless) throw;
    session_.console.error(error.what());
  }
  scene_.camera = turntable_->start();
  unsettled_frames_ = kSettlingFrames;
  turntable_.reset();
}

void ViewProgram::doDeferred() {
  if (is_rough_) return;  // the next picture is better
  const auto attempt = [&](const auto& work) {
    unsettled_frames_ = kSettlingFrames;
    try {
      work();
    } catch (const std::exception& error) {
      session_.console.error(error.what());
    }
  };
  for (const fs::path& path : std::exchange(pictures_to_write_, {})) attempt([&] { writePicture(path); });
  if (turntable_) stepTurntable();
  if (turntable_to_write_.empty() || turntable_) return;
  const fs::path path = std::exchange(turntable_to_write_, {});
  attempt([&] { turntable_.emplace(path, scene_.camera, arguments_.turn_seconds, /*force=*/true); });
}

// ---- In a window ----

// After a reset of the graphics driver: everything is still in memory, only what lay on the card is made
// anew.
bool ViewProgram::recoverGraphics() {
  session_.console.warn("the graphics driver was reset; the window is made anew");
  {
    const std::lock_guard lock(wake_mutex_);
    window_to_wake_ = nullptr;
  }
  graphics_.drawing.reset();
  graphics_.offscreen.reset();
  graphics_.renderer.reset();
  graphics_.window.reset();
  graphics_.headless.reset();
  try {
    openGraphics();
    joinPanels();
  } catch (const Error& error) {
    session_.console.error(error.what());
    return false;
  }
  drawn_signature_ = 0;
  unsettled_frames_ = kSettlingFrames;
  return true;
}

void ViewProgram::openAgain(const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    session_.console.say(input + " has changed: opened again");
    workbench_->openAgain(input, arguments_.model);
  }
}

// A picture that cannot be drawn is said, and the plainest look tried; heads that are not saved stay. False
// when that does not help either.
bool ViewProgram::playOrRecover(double seconds) {
  try {
    playFrame(seconds);
    num_failed_frames_ = 0;
    return true;
  } catch (const std::exception& error) {
    session_.console.error(error.what());
    if (++num_failed_frames_ > 2) {
      keepState();
      return false;
    }
    scene_.view = ViewSettings{};
    drawn_signature_ = 0;
    unsettled_frames_ = kSettlingFrames;
    return true;
  }
}

int ViewProgram::runWindow() {
  try {
    applyArguments();
  } catch (const Error& error) {
    session_.console.error(error.what());
  }
  std::optional<FileWatch> watch;
  if (arguments_.watch) watch.emplace(arguments_.inputs);
  unsettled_frames_ = kSettlingFrames;
  double last_s = secondsNow(), last_watch_s = last_s;
  while (!quit_ && !signalReceived()) {
    const bool moves = unsettled_frames_ > 0 || panels_->animates() || scene_.timeline.playing() || player_;
    handle(graphics_.window->poll(moves ? std::max(0.0, last_s + kShortestFrame_s - secondsNow())
                                        : kIdleWait_s));
    ScriptPlayer::Output script;
    if (player_) {
      script = player_->next(panels_->widgets(), scene_.job.running || workbench_->busy());
      handle(script.events);
    }
    is_kept_ = !script.screenshots.empty();
    const double now_s = secondsNow();
    if (watch && now_s - last_watch_s > kWatchEvery_s) {
      last_watch_s = now_s;
      openAgain(watch->changed());
    }
    if (workbench_->update()) unsettled_frames_ = kSettlingFrames;
    if (unsettled_frames_ == 0 && !moves) continue;
    if (!playOrRecover(now_s - last_s)) return static_cast<int>(ErrorKind::kRuntime);
    last_s = now_s;
    for (const fs::path& path : script.screenshots) writePng(path, windowImage());
    if (graphics_.renderer->lost() || num_frames_ == arguments_.lose_context_at_frame) {
      if (!recoverGraphics()) {
        keepState();
        return static_cast<int>(ErrorKind::kRuntime);
      }
      continue;
    }
    graphics_.window->swap();
    noteFrameTime(secondsNow() - now_s);
    if (player_ && player_->finished()) quit_ = true;
  }
  tellFrameTimes();
  keepState();
  writeWidgets();
  return signalReceived() ? static_cast<int>(ErrorKind::kInterrupted) : 0;
}

void ViewProgram::noteFrameTime(double seconds) {
  panels_->setFrameTime(seconds);
  if (scene_drawn_ && !is_rough_) full_picture_s_ = seconds;
  if (frame_times_s_[0].empty() && frame_times_s_[1].empty())
    session_.console.detail("first picture " + fixed(secondsNow() - started_s_, 2) + " s after the start");
  frame_times_s_[scene_drawn_ ? 1 : 0].push_back(seconds);
}

void ViewProgram::tellFrameTimes() {
  for (const bool is_scene_drawn : {true, false}) {
    std::vector<double>& times_s = frame_times_s_[is_scene_drawn ? 1 : 0];
    if (times_s.empty()) continue;
    std::sort(times_s.begin(), times_s.end());
    const auto quantile = [&](double share) {
      return fixed(1000 * times_s[static_cast<std::size_t>(share * static_cast<double>(times_s.size() - 1))],
                   1);
    };
    session_.console.detail(std::to_string(times_s.size()) + " pictures with the " +
                            (is_scene_drawn ? "head drawn anew" : "head as it was") + ", each " +
                            quantile(0.5) + " ms (median), " + quantile(0.95) + " ms (95 %), " + quantile(1) +
                            " ms (longest)");
  }
}

void ViewProgram::keepState() {
  if (state_file_.empty()) return;
  try {
    writeState(state_file_,
               {scene_.view, panels_->toJson(), workbench_->actions().recent, width_px_, height_px_});
  } catch (const std::exception& error) {
    session_.console.warn(error.what());
  }
}

void ViewProgram::writeWidgets() const {
  if (arguments_.widgets.empty()) return;
  nlohmann::json rects = nlohmann::json::object();
  for (const auto& [name, rect] : panels_->widgets()) rects[name] = {rect.x, rect.y, rect.width, rect.height};
  writeText(arguments_.widgets, rects.dump(1) + "\n");
}

// ---- Without one ----

int ViewProgram::compareWithReference(const Image8& picture) const {
  if (arguments_.reference.empty()) return 0;
  const Image8 reference = readPhoto(arguments_.reference, {.is_texture = true});
  if (reference.width() != picture.width() || reference.height() != picture.height() ||
      reference.channels() != picture.channels()) {
    session_.console.error(arguments_.reference + ": is " + std::to_string(reference.width()) + "x" +
                           std::to_string(reference.height()) + " with " +
                           std::to_string(reference.channels()) + " channels, the picture " +
                           std::to_string(picture.width()) + "x" + std::to_string(picture.height()) +
                           " with " + std::to_string(picture.channels()));
    return static_cast<int>(ErrorKind::kRuntime);
  }
  double sum = 0;
  for (std::size_t i = 0; i < picture.size(); ++i) sum += std::abs(picture.data()[i] - reference.data()[i]);
  const double mean = sum / static_cast<double>(picture.size());
  const std::string told = "mean difference from " + arguments_.reference + ": " + fixed(mean, 3) + " of 255";
  if (mean <= arguments_.reference_threshold) {
    session_.console.say(told);
    return 0;
  }
  session_.console.error(told + ", more than " + fixed(arguments_.reference_threshold, 3));
  return static_cast<int>(ErrorKind::kRuntime);
}

int ViewProgram::runHeadless() {
  workbench_->finish();
  throwIfInterrupted();
  applyArguments();
  for (const Message& message : scene_.messages) {
    if (message.kind == MessageKind::kError) fail(message.error, message.text);
  }
  scene_.messages.clear();  // they were said on the terminal
  panels_->setPanelsVisible(arguments_.with_panels || player_.has_value());
  if (player_) {
    while (!player_->finished() && !quit_) {
      throwIfInterrupted();
      const ScriptPlayer::Output script = player_->next(panels_->widgets(), workbench_->busy());
      handle(script.events);
      workbench_->update();
      playFrame(kScriptFrame_s);
      for (const fs::path& path : script.screenshots) writePng(path, windowImage());
    }
    writeWidgets();
    return 0;
  }
  prepareOutputFile(arguments_.output, arguments_.force);
  drawStill();
  workbench_->finish();  // the picture of a clip's frame
  throwIfInterrupted();
  drawStill();
  writeWidgets();
  if (fs::path(arguments_.output).extension() == ".mp4") {
    turntable_.emplace(arguments_.output, scene_.camera, arguments_.turn_seconds, arguments_.force);
    while (turntable_) {
      throwIfInterrupted();
      playFrame(kScriptFrame_s);
    }
    return 0;
  }
  const Image8 picture = scene_.view.transparent && !arguments_.with_panels ? pictureOnly() : windowImage();
  writePng(arguments_.output, picture);
  session_.console.say("wrote " + arguments_.output);
  return compareWithReference(picture);
}

}  // namespace facet
