#pragma once

#include <filesystem>
#include <string>

#include "core/io/facet_model.h"
#include "core/morphable_model.h"

namespace facet {

// ICT-FaceKit light (MIT, USC Institute for Creative Technologies): the published folder of OBJ files (its
// FaceXModel folder or the one above) or the packed ict_facekit_light.npz. Centimetres become millimetres.
// 100 identity modes, 53 expression shapes under ARKit-style names.
MorphableModel readIctModel(const std::filesystem::path& path);

// Any model: "builtin" (or empty), or the path of a file or folder as published, chosen by its content:
// facet's own files, the families of model_families.h, a .glb or .gltf, which is a model without identity
// modes, and an .obj, which has none at all. Errors: Error(kModel) naming the file and, for the name of a
// family, where to get it.
MorphableModel loadModel(const std::string& name_or_path);

// A mesh without modes as a model: something to look at, or to lay another model's shapes onto. Its unit is
// made out by its size. `path` leads messages and names the model. Error(kModel) for what is no head.
MorphableModel modelFromMesh(Mesh mesh, const std::filesystem::path& path);

// The data folder: FACET_DATA_DIR, else data/ beside the source, else share/facet beside the install prefix.
// Error(kModel) if none exists.
std::filesystem::path dataDirectory();

}  // namespace facet
