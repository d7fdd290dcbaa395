// facet reconstruct PHOTO… -o DIR
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/common/photo_list.h"
#include "apps/common/reconstruct.h"
#include "apps/common/result_files.h"
#include "apps/facet/command.h"
#include "core/error.h"
#include "core/io/landmark_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> photos;
  std::string output, model = "builtin", landmarks, regressor;
  std::string stop_after = "texture";
  int texture_size_px = 1024;
  double focal_px = 0;
  unsigned seed = 0;
  bool batch = false, all_faces = false, force = false, fast = false;
  bool regressor_only = false;
};

StopAfter stopAfter(const std::string& name) {
  return name == "detect" ? StopAfter::kDetect : name == "fit" ? StopAfter::kFit : StopAfter::kTexture;
}

// Everything that does not change from photo to photo.
class Work {
 public:
  Work(const Arguments& arguments, Session& session)
      : arguments_(arguments), session_(session), model_(loadNamedModel(arguments.model, session)) {
    if (model_.numIdentity() == 0) {
      fail(ErrorKind::kModel, arguments.model,
           ": the model has no identity modes, so it cannot be fitted to a photo");
    }
    if (!arguments.regressor.empty()) {
      regressor_.emplace(arguments.regressor, model_, arguments.model);
      session.console.say(arguments.regressor + ": " + regressor_->howDescribed() + ", " +
                          regressor_->description().title);
    }
    builtin_ = completeFromBuiltin(arguments.model, model_, session);
    if (arguments.landmarks.empty()) finder_.emplace();
  }

  // Reconstructs the face, or all faces, of one photo into a folder; returns what --json prints of it.
  json run(const fs::path& photo_path, const fs::path& target) {
    const auto start = std::chrono::steady_clock::now();
    const std::string item = photo_path.filename().string();
    session_.console.progress(item, "read photo", 0.0);
    const Photo photo = readPhotoFile(photo_path);
    OutputFolder output(target, arguments_.force);
    throwIfInterrupted();

    const auto detect_start = std::chrono::steady_clock::now();
    std::vector<FaceReading> faces;
    StageReport detection{"detect"};
    if (finder_) {
      session_.console.progress(item, "detect face", 0.05);
      const std::vector<DetectedFace> found = finder_->find(photo);
      for (const DetectedFace& face : found) {
        faces.push_back(readingOf(model_, builtin_ ? *builtin_ : model_, face.prediction));
        faces.back().clues.parsing = finder_->parse(photo, face);
      }
      throwIfInterrupted();
    } else {
      faces.push_back({{readPts(arguments_.landmarks), {}, /*jaw_is_outline=*/true}, {}, {}});
    }
    detection.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - detect_start).count();
    std::vector<std::string> warnings;
    if (faces.size() > 1 && !arguments_.all_faces) {
      warnings.push_back(std::to_string(faces.size()) +
                         " faces found, the largest is taken; --all-faces takes all of them");
      session_.console.warn(photo_path.string() + ": " + warnings.back());
      faces.resize(1);
    }

    json summary = {{"photo", photo_path.string()}, {"output", target.string()}, {"faces", json::array()}};
    for (std::size_t i = 0; i < faces.size(); ++i) {
      const std::string name = faces.size() > 1 ? item + ", face " + std::to_string(i) : item;
      ReconstructOptions options;
      options.stop_after = stopAfter(arguments_.stop_after);
      options.texture_size_px = arguments_.texture_size_px;
      options.focal_px = arguments_.focal_px;
      options.seed = arguments_.seed;
      options.fast = arguments_.fast;
      if (regressor_) options.regressor = &*regressor_;
      options.refine_regressed = !arguments_.regressor_only;
      const auto overall = [&](double done) {
        return (static_cast<double>(i) + done) / static_cast<double>(faces.size());
      };
      options.on_stage = [&](const std::string& stage, double done) {
        session_.console.progress(name, stage, overall(done));
      };
      Reconstruction result = reconstruct(model_, photo, faces[i], options);
      result.stages.insert(result.stages.begin(), detection);
      for (const std::string& warning : result.warnings) session_.console.warn(item + ": " + warning);
      result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());

      session_.console.progress(name, "write files", overall(0.6));
      const fs::path part = arguments_.all_faces ? "face" + std::to_string(i) : "";
      fs::create_directories(output.temporary() / part);
      writeResult(output.temporary() / part, model_, modelReference(arguments_.model), photo, result,
                  arguments_.seed, [](double) { throwIfInterrupted(); });
      summary["faces"].push_back({{"fit", (target / part / "fit.json").string()},
                                  {"residual_px", jsonNumber(result.fit.residual_px)},
                                  {"warnings", result.warnings}});
      for (const StageReport& stage : result.stages) {
        session_.console.detail(
            name + ": " + stage.name + " " + fixed(1000 * stage.seconds, 0) + " ms" +
            (stage.residual_px > 0 ? ", residual " + fixed(stage.residual_px, 2) + " px" : ""));
      }
    }
    throwIfInterrupted();
    output.commit();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    summary["seconds"] = jsonNumber(seconds);
    session_.console.say(photo_path.string() + " -> " + target.string() + " (" + fixed(seconds, 1) + " s)");
    return summary;
  }

 private:
  const Arguments& arguments_;
  Session& session_;
  MorphableModel model_;
  std::optional<MorphableModel> builtin_;  // when model_ is another one
  std::optional<FaceFinder> finder_;
  std::optional<CoefficientRegressor> regressor_;
};

int runOne(const Arguments& arguments, Session& session) {
  if (arguments.photos.size() > 1) {
    fail(ErrorKind::kUsage, arguments.photos.size(),
         " photos given: with --batch each becomes a face of its own in ", arguments.output,
         "/<photo name>; several photos of one person cannot be combined yet");
  }
  if (std::filesystem::is_directory(arguments.photos.front())) {
    fail(ErrorKind::kInput, arguments.photos.front(),
         ": is a directory, expected a photo; add --batch to make a face of every photo in it");
  }
  Work work(arguments, session);
  const json summary = work.run(arguments.photos.front(), arguments.output);
  if (session.json) std::cout << jsonText(summary);
  return 0;
}

// Goes on after a bad photo, reports it at the end, and ends with the first failure's exit code.
int runBatch(const Arguments& arguments, Session& session) {
  const std::vector<fs::path> photos = listPhotos(arguments.photos);
  std::map<std::string, fs::path> photo_by_stem;
  for (const fs::path& photo : photos) {
    const auto [other, is_new] = photo_by_stem.emplace(photo.stem().string(), photo);
    if (!is_new) {
      fail(ErrorKind::kUsage, photo.string(), " and ", other->second.string(), " would both be written to ",
           arguments.output, "/", photo.stem().string(), "; rename one of them");
    }
  }
  Work work(arguments, session);
  json results = json::array();
  std::vector<std::string> failures;
  int exit_code = 0;
  for (const fs::path& photo : photos) {
    ErrorKind kind = ErrorKind::kRuntime;
    std::string message;
    try {
      results.push_back(work.run(photo, fs::path(arguments.output) / photo.stem()));
      continue;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      kind = error.kind();
      message = error.what();
    } catch (const std::exception& error) {
      message = photo.string() + ": " + error.what();
    }
    if (exit_code == 0) exit_code = static_cast<int>(kind);
    session.console.error(message);
    failures.push_back(message);
    results.push_back({{"photo", photo.string()}, {"error", message}, {"exit_code", static_cast<int>(kind)}});
  }
  session.console.endProgress();
  session.console.say(std::to_string(photos.size() - failures.size()) + " of " +
                      std::to_string(photos.size()) + " photos reconstructed");
  for (const std::string& message : failures) session.console.say("failed: " + message);
  if (session.json) std::cout << jsonText(results);
  return exit_code;
}

}  // namespace

void addReconstruct(CLI::App& app, CommandSession& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("reconstruct", "A photo in, a textured 3D face out");
  verb->fallthrough();
  verb->add_option("PHOTO", arguments->photos, "the photo; with --batch photos and folders of photos")
      ->required();
  verb->add_option("-o,--output", arguments->output, "result folder; appears whole or not at all")
      ->required();
  verb->add_option("--model", arguments->model, "builtin, an imported model's name, or a model file")
      ->envname(environmentName("model"))
      ->capture_default_str();
  verb->add_option("--landmarks", arguments->landmarks, "68 points (.pts) in place of the detector");
  verb->add_option("--regressor", arguments->regressor,
                   "a network of your own (ONNX) that reads the model's coefficients; the fit starts there");
  verb->add_flag("--regressor-only", arguments->regressor_only, "no fit: the face is as the network says");
  verb->add_option("--texture-size", arguments->texture_size_px, "side of the texture maps, pixels")
      ->check(CLI::Range(64, 8192))
      ->envname(environmentName("texture-size"))
      ->capture_default_str();
  verb->add_option("--stop-after", arguments->stop_after, "last stage: detect, fit or texture")
      ->check(CLI::IsMember({"detect", "fit", "texture"}))
      ->envname(environmentName("stop-after"))
      ->capture_default_str();
  verb->add_option("--focal-px", arguments->focal_px,
                   "known focal length, pixels of the photo; 0 = estimate it")
      ->check(CLI::Range(0.0, 1e6))
      ->envname(environmentName("focal-px"));
  verb->add_option("--seed", arguments->seed, "seed of everything random")->envname(environmentName("seed"));
  verb->add_flag("--fast", arguments->fast,
                 "one short fit from what the network reads; light and skin colour as it reads them");
  verb->add_flag("--all-faces", arguments->all_faces, "every face, into DIR/face0, DIR/face1, … by size");
  verb->add_flag("--batch", arguments->batch, "each photo a face of its own, in DIR/<photo name>");
  verb->add_flag("--force", arguments->force, "replace an earlier result in the output folder");
  verb->footer(R"(Examples:
  facet reconstruct portrait.jpg -o portrait
  facet reconstruct portrait.jpg -o portrait --force --texture-size 2048
  facet reconstruct face.png -o out --landmarks face.pts
  facet reconstruct photos/ -o faces --batch
  facet reconstruct portrait.jpg -o out --model BFM_model_front.mat --regressor deep3d.onnx)");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] {
      if (arguments->batch && !arguments->landmarks.empty()) {
        fail(ErrorKind::kUsage, "--landmarks belongs to one photo; it cannot be used with --batch");
      }
      if (arguments->all_faces && !arguments->landmarks.empty()) {
        fail(ErrorKind::kUsage, "--landmarks marks one face; it cannot be used with --all-faces");
      }
      if (arguments->regressor_only && arguments->regressor.empty()) {
        fail(ErrorKind::kUsage, "--regressor-only needs a network; give it with --regressor FILE.onnx");
      }
      if (arguments->regressor_only && arguments->focal_px > 0) {
        fail(ErrorKind::kUsage,
             "--focal-px belongs to the fit, which --regressor-only leaves out; drop one of them");
      }
      return arguments->batch ? runBatch(*arguments, session) : runOne(*arguments, session);
    };
  });
}

}  // namespace facet
