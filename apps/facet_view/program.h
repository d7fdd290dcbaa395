#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/session.h"
#include "apps/facet_view/arguments.h"
#include "apps/facet_view/file_watch.h"
#include "apps/facet_view/turntable.h"
#include "apps/facet_view/workbench.h"
#include "viewer/frame_builder.h"
#include "viewer/gl/context.h"
#include "viewer/gl/gl_renderer.h"
#include "viewer/gl/ui_drawing.h"
#include "viewer/panels/user_interface.h"
#include "viewer/scene.h"

namespace facet {

// facet-view: joins scene, panels, OpenGL and the workbench, in a window or without one.
class ViewProgram {
 public:
  ViewProgram(const ViewArguments& arguments, Session& session);
  ~ViewProgram();
  // The exit code. Errors that leave nothing to look at are thrown.
  int run();

 private:
  // What lies on the graphics card; made anew when its context is lost.
  struct Graphics {
    std::optional<Window> window;  // one of these two
    std::optional<HeadlessContext> headless;
    std::optional<GlRenderer> renderer;
    std::optional<Offscreen> offscreen;  // without a window: of its size
    std::optional<UiDrawing> drawing;
  };

  void openGraphics();
  void joinPanels();
  void openInputs();
  void applyArguments();
  void setSliders();
  int runWindow();
  int runHeadless();

  // One picture of the window: panels and, where it has changed, the scene. `seconds` since the last one.
  void drawFrame(double seconds);
  void playFrame(double seconds);  // the same with what moves by itself, and the workbench's news
  void handle(const std::vector<InputEvent>& events);
  void openAgain(const std::vector<std::string>& inputs);
  bool recoverGraphics();
  bool playOrRecover(double seconds);
  void drawStill();            // until nothing settles any more
  Image8 windowImage() const;  // RGB of the last drawFrame()
  Image8 pictureOnly() const;  // of the scene; RGBA if it is to be transparent
  void writePicture(const std::filesystem::path& path);
  void stepTurntable();
  void doDeferred();  // pictures that the panels asked for
  int compareWithReference(const Image8& picture) const;
  void noteFrameTime(double seconds);
  void tellFrameTimes();
  void keepState();
  void writeWidgets() const;

  const ViewArguments& arguments_;
  Session& session_;
  Scene scene_;
  std::unique_ptr<Workbench> workbench_;
  std::unique_ptr<UserInterface> panels_;
  FrameBuilder builder_;
  Graphics graphics_;
  std::optional<ScriptPlayer> player_;
  std::optional<ScriptRecorder> recorder_;
  std::filesystem::path state_file_;  // empty = none is kept
  int width_px_ = 0, height_px_ = 0;
  int num_frames_ = 0;
  int unsettled_frames_ = 0;  // so many more must be drawn after something happened
  std::uint64_t wanted_signature_ = 0, drawn_signature_ = 0;  // of pictures of the scene
  Frame drawn_frame_;     // keeps its images alive, by whose addresses the signature tells them apart
  bool is_kept_ = false;  // the coming picture goes into a file
  bool had_changed_ = false, is_rough_ = false;  // of the last one
  double full_picture_s_ = 0;                    // what the last one with all samples took
  double started_s_ = 0;
  bool scene_drawn_ = false;                          // in the last frame
  std::array<std::vector<double>, 2> frame_times_s_;  // of frames without and with the scene drawn
  int num_close_requests_ = 0;                        // without an answer
  int num_failed_frames_ = 0;                         // one after the other
  bool quit_ = false;
  std::vector<std::filesystem::path> pictures_to_write_;
  std::filesystem::path turntable_to_write_;
  std::optional<Turntable> turntable_;  // being written
  std::mutex wake_mutex_;
  Window* window_to_wake_ = nullptr;  // under wake_mutex_
};

}  // namespace facet
