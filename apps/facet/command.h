#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "apps/common/session.h"

namespace facet {

// The session and the verb that was chosen.
struct CommandSession : Session {
  std::function<int()> run;  // set by the chosen verb; returns the exit code
};

// Each verb adds its options to the command line and, when chosen, sets session.run.
void addReconstruct(CLI::App& app, CommandSession& session);
void addDetect(CLI::App& app, CommandSession& session);
void addRender(CLI::App& app, CommandSession& session);
void addModel(CLI::App& app, CommandSession& session);
void addExport(CLI::App& app, CommandSession& session);
void addEvaluate(CLI::App& app, CommandSession& session);
void addTrack(CLI::App& app, CommandSession& session);
void addSynth(CLI::App& app, CommandSession& session);
void addDoctor(CLI::App& app, CommandSession& session);

// An option that environment and config file can set too: --texture-size is FACET_TEXTURE_SIZE there.
std::string environmentName(const std::string& option);

}  // namespace facet
