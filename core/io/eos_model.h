#pragma once

#include <filesystem>

#include "core/io/byte_reader.h"
#include "core/morphable_model.h"

namespace facet {

// Models of eos (https://github.com/patrikhuber/eos): its .bin files of versions 1 to 4, such as the Surrey
// Face Model sfm_shape_3448.bin (Huber et al., "A Multiresolution 3D Morphable Face Model and Fitting
// Framework", VISAPP 2016) and Basel models converted by its scripts. Expressions are the model's own (PCA
// modes in standard deviations, or blendshapes with weights in [0, 1]) or, if it has none, those of a file
// of blendshapes (expression_blendshapes_….bin) beside it. 68 landmarks come from ibug_to_….txt and
// …_model_contours.json beside it. The edge topology file is not read: what it lists follows from the
// triangles.
//
// Companions are looked for beside `path`. Errors: Error(kModel) naming the file, the part and the way out.
MorphableModel eosModelFrom(ByteSpan file, const std::filesystem::path& path);

// By content: a version from 1 to 4, then a mean of 3V×1 numbers and a basis of as many rows.
bool isEosModel(ByteSpan file);

}  // namespace facet
