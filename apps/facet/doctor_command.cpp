// facet doctor: what this build and this machine can do
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/core/version.hpp>
#include <thread>

#include "apps/common/blender.h"
#include "apps/common/json_text.h"
#include "apps/common/model_library.h"
#include "apps/facet/command.h"
#include "core/error.h"
#include "core/io/model_io.h"
#include "core/parallel.h"
#include "fitting/face_detector.h"
#include "fitting/face_parser.h"
#include "fitting/landmark_regressor.h"
#include "render/ops/cuda.h"

namespace facet {
namespace {

using nlohmann::json;

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

int examine(Session& session) {
  std::string no_cuda;
  json report = {{"facet", FACET_VERSION},
                 {"compiler", std::string("g++ ") + __VERSION__},
                 {"build_type", FACET_BUILD_TYPE},
                 {"opencv", CV_VERSION},
                 {"processor", processorName()},
                 {"cores", std::thread::hardware_concurrency()},
                 {"threads", numThreads()},
                 {"cuda", ops::cudaAvailable(&no_cuda) ? "usable" : no_cuda + "; everything runs on the CPU"},
                 {"user_models", userModelFolder().string()}};
  int exit_code = 0;
  // Each part either says what it found or becomes the reason why reconstruct cannot run.
  const auto check = [&](const char* name, const auto& find) {
    try {
      report[name] = find();
    } catch (const std::exception& error) {
      report[name] = nullptr;
      report["problems"].push_back(error.what());
      exit_code = static_cast<int>(ErrorKind::kModel);
    }
  };
  check("data", [] { return dataDirectory().string(); });
  check("model", [&] {
    const MorphableModel model = loadNamedModel("builtin", session);
    return model.name + ", " + std::to_string(model.numVertices()) + " vertices, licence: " + model.licence;
  });
  const auto network = [](const char* name) {
    return (dataDirectory() / "networks" / (std::string(name) + ".onnx")).string();
  };
  check("face_detector", [&] {
    const FaceDetector detector;
    return network("detector");
  });
  check("face_network", [&] {
    const LandmarkRegressor regressor;
    return network("landmarks");
  });
  check("parsing_network", [&] {
    const FaceParser parser;
    return network("parsing");
  });
  const std::string blender = blenderProgram();
  report["blender"] = blender == "blender" ? "none; only FBX and .blend need it" : blender;
  if (session.json) {
    std::cout << jsonText(report);
    return exit_code;
  }
  for (const auto& [name, value] : report.items()) {
    if (name == "problems") continue;
    session.console.say(name + ": " +
                        (value.is_null()     ? "MISSING"
                         : value.is_string() ? value.get<std::string>()
                                             : value.dump()));
  }
  if (exit_code == 0) {
    session.console.say("all is well: facet reconstruct PHOTO -o DIR can run");
  } else {
    for (const json& problem : report["problems"]) session.console.error(problem.get<std::string>());
  }
  return exit_code;
}

}  // namespace

void addDoctor(CLI::App& app, CommandSession& session) {
  CLI::App* verb =
      app.add_subcommand("doctor", "What this build and this machine can do, and what is missing");
  verb->fallthrough();
  verb->callback([&session] { session.run = [&session] { return examine(session); }; });
}

}  // namespace facet
