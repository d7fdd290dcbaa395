// facet: from photographs of a face to a 3D face. The contract of this program is docs/cli.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>
#include <string>

#include "apps/common/interrupt.h"
#include "apps/facet/command.h"
#include "apps/facet/config_file.h"
#include "core/error.h"
#include "core/parallel.h"

namespace {

constexpr const char* kExamples = R"(Examples:
  facet reconstruct portrait.jpg -o portrait     a textured 3D face in portrait/face.glb
  facet detect group.jpg --json                  faces and their 68 landmarks
  facet track take3.mp4 -o take3                 pose and expression of each frame of a video
  facet render builtin -o model.png              a picture of the built-in model
  facet model import ict ~/ICT-FaceKit           use the ICT-FaceKit model from then on: --model ict
  facet doctor                                   what this build and this machine can do
Exit codes: 0 ok, 1 failure while running, 2 usage, 3 input unreadable, 4 model file missing or invalid,
  5 no face found, 6 fit did not converge, 130 interrupted.)";

// Without the help text that CLI11 would add: one clear line.
int reportUsage(facet::CommandSession& session, const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
  std::string message = error.what();
  if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr)
    message += " (unknown key in the config file)";
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  session.console.error(message + "; see facet --help");
  return static_cast<int>(facet::ErrorKind::kUsage);
}

}  // namespace

int main(int argc, char** argv) {
  facet::CommandSession session;
  CLI::App app("facet turns photographs of a face into a 3D face.", "facet");
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("facet ") + FACET_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  bool quiet = false, verbose = false;
  app.add_flag("-q,--quiet", quiet, "Say nothing but errors")->envname("FACET_QUIET");
  app.add_flag("-v,--verbose", verbose, "Say more: licences, residuals, timings")->envname("FACET_VERBOSE");
  app.add_flag("--json", session.json, "Print the result as JSON on stdout")->envname("FACET_JSON");
  app.add_option("--threads", session.threads, "Worker threads; 0 = one per core")
      ->check(CLI::Range(0, 1024))
      ->envname("FACET_THREADS");
  app.config_formatter(std::make_shared<facet::ConfigFile>());
  app.set_config("--config", "", "Options from a TOML or JSON file; unknown keys are errors")
      ->envname("FACET_CONFIG");
  app.allow_config_extras(CLI::config_extras_mode::error);
  for (auto add :
       {facet::addReconstruct, facet::addDetect, facet::addTrack, facet::addRender, facet::addModel,
        facet::addExport, facet::addEvaluate, facet::addSynth, facet::addDoctor}) {
    add(app, session);
  }

  try {
    app.parse(argc, argv);
    session.console.setQuiet(quiet);
    session.console.setVerbose(verbose);
    if (session.threads > 0) facet::setNumThreads(session.threads);
    facet::catchInterrupts();
    const int exit_code = session.run();
    if (!std::cout.flush())
      facet::fail(facet::ErrorKind::kRuntime, "standard output: cannot be written; is the disk full?");
    return exit_code;
  } catch (const CLI::ParseError& error) {
    return reportUsage(session, app, error);
  } catch (const facet::Error& error) {
    session.console.error(error.what());
    return static_cast<int>(error.kind());
  } catch (const std::bad_alloc&) {
    session.console.error("out of memory; try a smaller photo or --texture-size");
  } catch (const std::exception& error) {
    session.console.error(error.what());
  }
  return static_cast<int>(facet::ErrorKind::kRuntime);
}
