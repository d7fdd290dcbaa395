#include "apps/common/model_library.h"

#include <cstdio>
#include <cstdlib>

#include "apps/common/interrupt.h"
#include "core/complete_model.h"
#include "core/error.h"
#include "core/io/model_io.h"
#include "fitting/model_landmarks.h"

namespace fs = std::filesystem;

namespace facet {

fs::path userModelFolder() {
  const char* data_home = std::getenv("XDG_DATA_HOME");
  if (data_home != nullptr && *data_home != '\0') return fs::path(data_home) / "facet/models";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : ".") / ".local/share/facet/models";
}

namespace {

// The file of an imported model's name, or nothing. A name is a name, also where a file or folder of that
// name lies about; ./name is the file.
std::optional<fs::path> importedModel(const std::string& name) {
  if (name == "builtin" || name.find('/') != std::string::npos) return std::nullopt;
  fs::path imported = userModelFolder() / (name + ".npz");
  if (!fs::exists(imported)) return std::nullopt;
  return imported;
}

}  // namespace

MorphableModel loadNamedModel(const std::string& name, Session& session) {
  if (name.empty()) fail(ErrorKind::kUsage, "a model's name is empty; facet model list names what there is");
  MorphableModel model = loadModel(importedModel(name).value_or(name).string());
  const std::string licence = model.name + ", licence: " + model.licence;
  if (name == "builtin") {
    session.console.detail(licence);
  } else {
    session.console.say(licence + (model.source.empty() ? "" : "; from " + model.source));
  }
  return model;
}

std::string modelReference(const std::string& name) {
  if (name == "builtin" || importedModel(name)) return name;
  return fs::absolute(name).lexically_normal().string();
}

std::optional<MorphableModel> completeFromBuiltin(const std::string& name, MorphableModel& model,
                                                  Session& session) {
  if (name == "builtin") return std::nullopt;
  MorphableModel builtin = loadModel("builtin");
  if (!missingParts(model).empty()) {
    completeFrom(builtin, model, layOnto(builtin, model, session), session);
    session.console.say("to do that only once: facet model import " + name + " --name NAME");
  }
  return builtin;
}

std::vector<std::string> missingParts(const MorphableModel& model) {
  std::vector<std::string> missing;
  const auto note = [&missing](bool is_there, const char* part) {
    if (!is_there) missing.emplace_back(part);
  };
  note(model.landmarks68.size() > 0, "landmarks");
  note(model.dense.size() > 0, "dense landmarks");
  note(model.hasUsableUv(),
       model.uv.rows() == 0 ? "texture coordinates" : "texture coordinates without overlaps");
  note(model.albedo_mean.rows() > 0, "skin colour");
  note(model.hasNamedShapes(), "named shapes");
  return missing;
}

Points3 landmarksOnMean(const MorphableModel& model, Session& session) {
  if (model.landmarks68.size() > 0) return model.landmarks68.points(model.mean, model.triangles);
  session.console.progress(model.name, "find landmarks", 0.1);
  const auto found = findModelLandmarks(model, FaceDetector(), LandmarkRegressor());
  if (!found) {
    fail(ErrorKind::kModel, model.name,
         ": its file names no landmarks, and no face was found on pictures of its ",
         "mean; it must look along +Z with +Y up");
  }
  char spread[32];
  std::snprintf(spread, sizeof spread, "%.1f mm", found->spread_mm);
  session.console.detail(model.name + ": landmarks found on pictures of its mean, which agree to " + spread);
  return found->ibug68;
}

Correspondence layOnto(const MorphableModel& source, const MorphableModel& model, Session& session) {
  const Points3 landmarks = landmarksOnMean(model, session);
  throwIfInterrupted();
  session.console.progress(model.name, "lay " + source.name + " onto it", 0.4);
  Correspondence correspondence = correspond(source, model, landmarks);
  throwIfInterrupted();
  return correspondence;
}

void completeFrom(const MorphableModel& source, MorphableModel& model, const Correspondence& correspondence,
                  Session& session) {
  session.console.progress(model.name, "take over what it lacks", 0.7);
  std::string filled;
  for (const std::string& part : completeModel(model, source, correspondence))
    filled += (filled.empty() ? "" : ", ") + part;
  throwIfInterrupted();
  session.console.endProgress();
  session.console.say(model.name + ": taken over from " + source.name + ": " +
                      (filled.empty() ? "nothing" : filled));
}

}  // namespace facet
