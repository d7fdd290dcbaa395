#pragma once

#include <filesystem>

#include "core/io/byte_reader.h"
#include "core/morphable_model.h"

namespace facet {

// The Basel Face Model and the models made from it, in their original files; which one it is, is told from
// the arrays in the file. Companions are looked for, by their usual names, in the same folder.
//
// MATLAB:
// - BFM 2009, 01_MorphableModel.mat: 199 modes, micrometres, standard deviations, triangles from 1 and wound
//   inwards. With Exp_Pca.bin, std_exp.txt and BFM_exp_idx.mat beside it, 79 expression modes; these cover
//   53,215 of the 53,490 vertices, to which the model is then trimmed, as is usual (Deng et al., "Accurate 3D
//   Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019; Guo et al., "CNN-based Real-time Dense
//   Face Reconstruction", TPAMI 2019). The mean is shapeMU alone, as there. With facemodel_info.mat and
//   BFM_front_idx.mat, 68 landmarks.
// - Deep3DFaceReconstruction, BFM_model_front.mat: 80 + 64 modes, decimetres, scaled already. The mean is
//   moved to the origin.
// - face3d, BFM.mat: mean = shapeMU + expMU, with the texture coordinates of BFM_UV.mat.
// HDF5 (scalismo, statismo):
// - BFM 2017 and 2019: variances, millimetres, mean = shape mean + expression mean. The named points in the
//   file are fewer than 68; eos's ibug_to_*.txt beside the model gives landmarks.
// - the 2020 albedo model: its diffuse part becomes the albedo and its specular part `specular`, of the
//   face12 model beside it. Reading that model finds the albedo beside it, too. Smith et al., "A Morphable
//   Face Albedo Model", CVPR 2020.
//
// Companions are looked for beside `path`. Errors: Error(kModel) naming the file, the array and the way out.
MorphableModel bfmModelFrom(ByteSpan file, const std::filesystem::path& path);

}  // namespace facet
