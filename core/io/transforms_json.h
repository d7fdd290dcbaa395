#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/camera.h"

namespace facet {

// One image and its camera.
struct TransformsFrame {
  std::string file_path;  // of the image, relative to the JSON
  Camera camera;          // perspective; camera_from_model is camera_from_world where the head moves
  int timestep_index = 0;
  std::string flame_param_path = {};  // of the frame's coefficients (VHAP), or empty
};

// Cameras for NeRF and Gaussian splatting tools: the transforms.json of instant-ngp and nerfstudio with the
// fields that VHAP and GaussianAvatars add (camera_index, timestep_index, their lists).
//   transform_matrix = world_from_camera, 4×4, row by row; metres; camera axes of OpenGL (x right, y up, the
//   camera looks along -z); the world is the model frame
//   x_px = cx - fl_x X / Z,   y_px = cy + fl_y Y / Z,   the centre of the top-left pixel at (0.5, 0.5)
// Intrinsics stand in each frame and, from the last one, at the top. Error(kUsage) for a scaled orthographic
// camera, which the format cannot hold; throws std::invalid_argument without frames.
void writeTransformsJson(const std::filesystem::path& path, const std::vector<TransformsFrame>& frames);

}  // namespace facet
