#include "core/io/transforms_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"

namespace facet {
namespace {

using Json = nlohmann::ordered_json;

Json intrinsicsOf(const Camera& camera) {
  const auto fieldOfView = [&camera](int length_px) {
    return 2 * std::atan(length_px / (2.0 * camera.focal_px));
  };
  return {{"camera_angle_x", fieldOfView(camera.width_px)},
          {"camera_angle_y", fieldOfView(camera.height_px)},
          {"fl_x", camera.focal_px},
          {"fl_y", camera.focal_px},
          {"cx", camera.principal_px.x()},
          {"cy", camera.principal_px.y()},
          {"w", camera.width_px},
          {"h", camera.height_px}};
}

// world_from_camera with OpenGL's camera axes, metres.
Json transformMatrix(const Camera& camera) {
  Eigen::Isometry3d world_from_camera = camera.camera_from_model.cast<double>().inverse();
  world_from_camera.translation() /= 1000;
  world_from_camera.linear() *= Eigen::Vector3d(1, -1, -1).asDiagonal();
  Json rows = Json::array();
  for (int r = 0; r < 4; ++r) {
    Json row = Json::array();
    for (int c = 0; c < 4; ++c) row.push_back(world_from_camera.matrix()(r, c));
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

void writeTransformsJson(const std::filesystem::path& path, const std::vector<TransformsFrame>& frames) {
  require(!frames.empty(), "writeTransformsJson: there are no frames");
  Json list = Json::array();
  std::set<int> timesteps;
  for (const TransformsFrame& frame : frames) {
    if (frame.camera.projection != Camera::Projection::kPerspective) {
      fail(ErrorKind::kUsage, path.string(), ": the camera of ", frame.file_path,
           " is scaled orthographic, and transforms.json holds perspective cameras only; fit with a "
           "perspective one");
    }
    require(frame.camera.focal_px > 0 && frame.camera.width_px > 0 && frame.camera.height_px > 0,
            "writeTransformsJson: the camera of ", frame.file_path, " has no focal length or image size");
    Json item = {{"file_path", frame.file_path},
                 {"timestep_index", frame.timestep_index},
                 {"camera_index", 0},
                 {"transform_matrix", transformMatrix(frame.camera)}};
    if (!frame.flame_param_path.empty()) item["flame_param_path"] = frame.flame_param_path;
    item.update(intrinsicsOf(frame.camera));
    list.push_back(std::move(item));
    timesteps.insert(frame.timestep_index);
  }
  Json json = intrinsicsOf(frames.back().camera);
  json["timestep_indices"] = timesteps;
  json["camera_indices"] = {0};
  json["frames"] = std::move(list);
  writeText(path, json.dump(1) + "\n");
}

}  // namespace facet
