#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "apps/facet/console.h"

namespace facet {

// What all verbs share: the global options, where messages go, and the verb that was chosen.
struct Session {
  Console console;
  bool json = false;
  int threads = 0;           // 0 = all cores
  std::function<int()> run;  // set by the chosen verb; returns the exit code
};

// Each verb adds its options to the command line and, when chosen, sets session.run.
void addReconstruct(CLI::App& app, Session& session);
void addDetect(CLI::App& app, Session& session);
void addRender(CLI::App& app, Session& session);
void addModel(CLI::App& app, Session& session);
void addExport(CLI::App& app, Session& session);
void addEvaluate(CLI::App& app, Session& session);
void addTrack(CLI::App& app, Session& session);
void addSynth(CLI::App& app, Session& session);
void addDoctor(CLI::App& app, Session& session);

// An option that environment and config file can set too: --texture-size is FACET_TEXTURE_SIZE there.
std::string environmentName(const std::string& option);

}  // namespace facet
