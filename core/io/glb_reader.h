#pragma once

#include <filesystem>

#include "core/face_asset.h"
#include "core/io/shared_bytes.h"

namespace facet {

// A head from a .glb or .gltf, whoever wrote it: the reverse of writeGlb(). Metres become millimetres, the
// default scene's meshes are joined under their nodes' transforms in the order of the nodes, and vertices
// that were split where texture coordinates, normals or materials meet are one again (same position, same
// displacements, same joints); vertices stand in the order in which the file first has them, unused ones are
// dropped. A file from writeGlb() gives its mesh back in its own vertex order; Blender sorts vertices, see
// orderLike() in glb_model.h. Targets are named by mesh.extras.targetNames, else
// primitive.extras.targetNames, else the accessors' names. Sparse accessors, integers
// (KHR_mesh_quantization), KHR_texture_transform of the base colour and images inside and beside the file are
// read. Joints turn about axes of the model frame whatever the file's bones look like. The first animation
// that moves the head becomes the motion. Not read: camera, normal deltas, vertex colours, animated scale,
// and translation of joints. Errors: Error(kInput) naming the file and the rule that it breaks; compressed
// files (Draco, meshopt, KTX2) are refused by the extension's name.
FaceAsset readGlb(const std::filesystem::path& path);
// The same from the bytes of the file at `path`, which leads the messages and says where its companions lie.
FaceAsset glbFrom(const SharedBytes& bytes, const std::filesystem::path& path);

// Whether the bytes are a GLB or the JSON of a .gltf.
bool isGltf(ByteSpan bytes);

}  // namespace facet
