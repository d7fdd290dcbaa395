// facet-view: the desktop viewer. The contract of this program is docs/viewer.md.
#include <CLI/CLI.hpp>
#include <new>

#include "apps/common/interrupt.h"
#include "apps/common/session.h"
#include "apps/facet_view/arguments.h"
#include "apps/facet_view/program.h"
#include "core/error.h"
#include "core/parallel.h"

namespace {

constexpr const char* kExamples = R"(Examples:
  facet-view                                     a first look: drop a photo into the window
  facet-view portrait                            the result of facet reconstruct
  facet-view portrait other --compare wipe       two results, one beside the other
  facet-view portrait --scan scan.obj            where the face differs from a scan
  facet-view take3                               a clip of facet track, with its timeline
  facet-view --headless portrait -o head.png --mode normals --yaw 40
  facet-view --headless portrait -o turn.mp4     the camera once round the head
Exit codes: 0 ok, 1 failure while running (no display, no OpenGL 3.3, another picture than --reference), 2 usage,
  3 input unreadable, 4 model file missing or invalid, 130 interrupted.)";

}  // namespace

int main(int argc, char** argv) {
  facet::Session session;
  facet::ViewArguments arguments;
  CLI::App app("facet-view shows 3D faces: to judge, to shape, to fit to photos and to export.",
               "facet-view");
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("facet-view ") + FACET_VERSION);
  bool quiet = false, verbose = false;
  app.add_flag("-q,--quiet", quiet, "say nothing but errors");
  app.add_flag("-v,--verbose", verbose, "say more");
  app.add_option("--threads", session.threads, "threads to use; 0 = all cores")
      ->check(CLI::Range(0, 1024))
      ->envname("FACET_THREADS");
  facet::addViewOptions(app, arguments);
  try {
    app.parse(argc, argv);
    session.console.setQuiet(quiet);
    session.console.setVerbose(verbose);
    if (session.threads > 0) facet::setNumThreads(session.threads);
    facet::checkViewArguments(arguments);
    facet::catchInterrupts();
    return facet::ViewProgram(arguments, session).run();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    session.console.error(std::string(error.what()) + "; see facet-view --help");
    return static_cast<int>(facet::ErrorKind::kUsage);
  } catch (const facet::Error& error) {
    session.console.error(error.what());
    return static_cast<int>(error.kind());
  } catch (const std::bad_alloc&) {
    session.console.error("out of memory; try smaller textures");
  } catch (const std::exception& error) {
    session.console.error(error.what());
  }
  return static_cast<int>(facet::ErrorKind::kRuntime);
}
