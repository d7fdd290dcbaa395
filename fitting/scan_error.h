#pragma once

#include <Eigen/Core>
#include <array>
#include <vector>

#include "core/mesh.h"

namespace facet {

// The seven landmarks of the NoW protocol, one row each, right/left = the subject's own: right eye outer and
// inner corner, left eye inner and outer corner, bottom of the nose (subnasale), right and left corner of the
// mouth.
using ScanLandmarks = Eigen::Matrix<double, 7, 3, Eigen::RowMajor>;
inline constexpr std::array<const char*, 7> kScanLandmarkNames = {
    "right_eye_outer", "right_eye_inner", "left_eye_inner", "left_eye_outer",
    "nose_bottom",     "mouth_right",     "mouth_left"};
// The same seven among the iBUG-68 landmarks.
inline constexpr std::array<int, 7> kScanLandmarksInIbug = {36, 39, 42, 45, 33, 48, 54};

struct ScanErrorOptions {
  bool outer = false;   // drop scan points that cannot be seen from outside (mouth bag, eye sockets)
  int num_samples = 0;  // > 0: that many points spread evenly over the scan replace its vertices
  bool metric = false;  // no scale: the mesh is in millimetres
  double trim = 0;      // fraction of the farthest scan points that the alignment leaves out, in [0, 1)
  unsigned seed = 0;    // of the surface samples

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// Distances from the scan points inside the face crop to the mesh surface after alignment, mm.
struct ScanError {
  double mean_mm = 0, median_mm = 0, std_mm = 0, p95_mm = 0, max_mm = 0;
  double mean_after_landmarks_mm = 0;  // before the surface alignment
  double radius_mm = 0;                // of the face crop
  int num_scan_points = 0;
  // scan = scale * rotation * mesh + translation
  double scale = 1;
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();
  Eigen::Vector3d translation = Eigen::Vector3d::Zero();
};

// Geometric error of a predicted face against a scan (millimetres), the protocol of NoW: Sanyal et al.,
// "Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision", CVPR 2019.
//   1. similarity that takes the mesh's seven landmarks to the scan's (Umeyama, PAMI 1991);
//   2. face crop: scan points within 1.4 (outer-eye distance + nose length) / 2 of a point near the nose's
//   bottom;
//   3. scale, rotation and translation that minimise the sum of squared scan-to-surface distances;
//   4. statistics of the unsigned distances of all points of the crop.
// Mesh and mesh landmarks share a unit of their own; the scan's is the millimetre.
ScanError scanError(const Mesh& mesh, const ScanLandmarks& mesh_landmarks, const Mesh& scan,
                    const ScanLandmarks& scan_landmarks, const ScanErrorOptions& options = {});

}  // namespace facet
