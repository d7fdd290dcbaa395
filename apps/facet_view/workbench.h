#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/common/session.h"
#include "viewer/actions.h"
#include "viewer/scene.h"

namespace facet {

// Does what the panels ask for: opens, detects, fits, exports. Long work runs on one thread, one piece at a
// time; a piece that is asked for while another runs waits for it, but opening never waits for a fit. What
// the console says becomes messages of the scene.
//
// A photo that is opened is searched for a face at once. A fit changes the photo's subject as it goes on; of
// a result that was opened, it makes a new subject, so that both can be compared.
class Workbench {
 public:
  // `wake` is called on the working thread when update() has something to do.
  Workbench(Scene& scene, Session& session, std::function<void()> wake);
  ~Workbench();  // gives up running work and waits for its end; nothing half-written stays

  // All but save_picture, save_turntable and quit, which belong to whoever draws.
  Actions& actions();
  // On the main thread, once per frame: takes over what the work has brought. Whether the scene changed.
  bool update();
  bool busy() const;
  // Opens at once, on this thread; errors are thrown. For the command line and --headless.
  void openNow(const std::string& input, const std::string& model_name = "");
  // In the background: a file that changed takes the place of what was opened from it; how it is looked at
  // stays. Opens it beside the others if none was.
  void openAgain(const std::string& input, const std::string& model_name = "");
  // All work done, textures finished, picture of the frame loaded: for pictures without a window.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
