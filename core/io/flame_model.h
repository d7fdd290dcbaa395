#pragma once

#include <filesystem>

#include "core/io/pickle.h"
#include "core/morphable_model.h"

namespace facet {

// FLAME (Li, Bolkart, Black, Li and Romero, SIGGRAPH Asia 2017), releases 2017 to 2023: generic_model.pkl and
// its kin, or the same arrays in an .npz. Metres become millimetres; `shapedirs` splits into identity and
// expression (300 + 100, or 100 + 50 in shortened files); joints are root, neck, jaw, left_eye, right_eye.
// Triangles of vertices that follow an eye wholly have the material "eye".
bool isFlameModel(const PickleValue& file);
// `companions` are files as those that readFlameModel() looks for.
MorphableModel flameModelFrom(const PickleValue& file, const std::vector<PickleValue>& companions = {});

// The same, with what lies in the same folder, recognized by its content: landmark embeddings (static 51 or
// 68, dynamic contour; with_eyes variants), vertex masks (regions), the eyelid shapes of metrical-tracker and
// SMIRK (expressions eyelidLeft and eyelidRight, weights in [0, 1]), UVs (an .npz or OBJ), texture and albedo
// models (FLAME_texture.npz, FLAME_albedo_from_BFM.npz, AlbedoMM's for FLAME: the first 50 modes, sampled at
// the vertices). Files that do not belong are passed over. Errors: Error(kModel) naming the file.
MorphableModel readFlameModel(const std::filesystem::path& path);

}  // namespace facet
