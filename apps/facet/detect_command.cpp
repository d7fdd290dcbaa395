// facet detect PHOTO… [--json] [--overlay DIR] [--pts DIR]
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/facet/command.h"
#include "apps/facet/interrupt.h"
#include "apps/facet/json_text.h"
#include "apps/facet/output_folder.h"
#include "apps/facet/photo_list.h"
#include "apps/facet/reconstruct.h"
#include "apps/facet/result_files.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/landmark_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> photos;
  std::string overlay_folder, pts_folder;
  bool force = false;
};

json describe(const DetectedFace& face) {
  const Points2& points = face.prediction.ibug68.positions_px;
  const Eigen::RowVector2f low = points.colwise().minCoeff(), high = points.colwise().maxCoeff();
  return {{"box", {jsonNumber(low[0]), jsonNumber(low[1]), jsonNumber(high[0]), jsonNumber(high[1])}},
          {"confidence", jsonNumber(face.confidence)},
          {"landmarks68", jsonRows(points)},
          {"sigma_px", jsonRows(face.prediction.ibug68.sigma_px)}};
}

int detect(const Arguments& arguments, Session& session) {
  const FaceFinder finder;
  const std::vector<fs::path> photos = listPhotos(arguments.photos);
  json results = json::object();
  int exit_code = 0;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const fs::path& path = photos[i];
    throwIfInterrupted();
    session.console.progress(path.filename().string(), "detect faces",
                             static_cast<double>(i) / static_cast<double>(photos.size()));
    try {
      const Photo photo = readPhotoFile(path);
      const std::vector<DetectedFace> faces = finder.find(photo);
      // The largest face stands at the top, where evaluate landmarks looks for it.
      json result = describe(faces.front());
      result["width"] = photo.pixels.width();
      result["height"] = photo.pixels.height();
      result["faces"] = json::array();
      for (const DetectedFace& face : faces) result["faces"].push_back(describe(face));
      results[path.string()] = result;
      if (!arguments.overlay_folder.empty()) {
        const fs::path picture = fs::path(arguments.overlay_folder) / (path.stem().string() + ".png");
        prepareOutputFile(picture, arguments.force);
        Image8 drawn = photo.pixels;
        for (const DetectedFace& face : faces)
          drawn = drawLandmarks(drawn, face.prediction.ibug68.positions_px);
        writePng(picture, drawn);
      }
      if (!arguments.pts_folder.empty()) {
        const fs::path points = fs::path(arguments.pts_folder) / (path.stem().string() + ".pts");
        prepareOutputFile(points, arguments.force);
        writePts(points, faces.front().prediction.ibug68);
      }
      session.console.say(path.string() + ": " + std::to_string(faces.size()) +
                          (faces.size() == 1 ? " face" : " faces"));
    } catch (const Error& error) {
      if (photos.size() == 1 || error.kind() == ErrorKind::kUsage) throw;
      if (exit_code == 0) exit_code = static_cast<int>(error.kind());
      session.console.error(error.what());
    }
  }
  session.console.endProgress();
  if (session.json) std::cout << jsonText(results);
  return exit_code;
}

}  // namespace

void addDetect(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("detect", "Faces of photos and their 68 landmarks");
  verb->fallthrough();
  verb->add_option("PHOTO", arguments->photos, "photos and folders of photos")->required();
  verb->add_option("--overlay", arguments->overlay_folder,
                   "write each photo with its landmarks into this folder");
  verb->add_option("--pts", arguments->pts_folder,
                   "write the largest face's points as <photo name>.pts into this folder");
  verb->add_flag("--force", arguments->force, "overwrite existing files");
  verb->footer(
      "Examples:\n  facet detect group.jpg --json > faces.json\n  facet detect photos/ --overlay marked "
      "--pts marked");
  verb->callback(
      [&session, arguments] { session.run = [&session, arguments] { return detect(*arguments, session); }; });
}

}  // namespace facet
