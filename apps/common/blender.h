#pragma once

#include <filesystem>
#include <string>

namespace facet {

// FACET_BLENDER, else the blender on the PATH with its folder, else just "blender": there is none.
std::string blenderProgram();

// Turns a GLB into an FBX or a .blend, by the ending of `output`, with Blender and our script
// data/blender/convert.py. Blender is FACET_BLENDER or the `blender` on the PATH, 3.4 or later.
// FBX: centimetres, textures embedded, shapes and animation kept. .blend: images packed, a camera (the GLB's,
// else a portrait's), lights, shape keys in [0, 1].
//
// The output is whole or not there. Error(kUsage) for another ending; Error(kRuntime) when there is no
// Blender, or it fails: one line with what it said last and the way out. Error(kInterrupted) after Ctrl-C,
// which ends Blender, too.
void convertWithBlender(const std::filesystem::path& glb, const std::filesystem::path& output);

}  // namespace facet
