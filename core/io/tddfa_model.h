#pragma once

#include <filesystem>
#include <optional>

#include "core/io/pickle.h"
#include "core/morphable_model.h"

namespace facet {

// The face models that 3DDFA's three versions carry; all are made from BFM 2009.
// - 3DDFA_V2 (Guo et al., ECCV 2020): bfm_noneck_v3.pkl (u, w_shp, w_exp, keypoints), micrometres; its
//   triangles are in tri.pkl and its standard deviations in param_mean_std_62d_120x120.pkl, in the same
//   folder.
// - 3DDFA (Zhu et al., TPAMI 2019; Guo's PyTorch code): a folder of .npy (u_shp, u_exp, w_shp_sim, w_exp_sim,
//   keypoints_sim) with param_whitening.pkl; triangles in tri.mat, there or in ../visualize.
// - 3DDFA-V3 (Wang et al., CVPR 2024): face_model.npy, decimetres, all in one, with UVs and eight regions.
bool isTddfaModel(const PickleValue& file);

// What versions 1 and 2 keep in other files.
struct TddfaCompanions {
  std::optional<Triangles> triangles;         // from 0
  std::optional<Eigen::VectorXf> deviations;  // of pose (12), identity and expression
};
MorphableModel tddfaModelFrom(const PickleValue& file, const TddfaCompanions& companions = {});

// `path` is the file, or the folder of version 1. Errors: Error(kModel) naming the file that is broken or
// missing.
MorphableModel readTddfaModel(const std::filesystem::path& path);

}  // namespace facet
