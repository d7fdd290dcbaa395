#pragma once

#include <filesystem>

#include "core/io/shared_bytes.h"

namespace facet {

// What a file is by its first bytes, whatever its name says.
enum class FileKind {
  kUnknown,
  kText,
  kHtml,           // a web page
  kGitLfsPointer,  // the stand-in that git leaves when Git LFS is not installed
  kZip,            // .npz, and torch files since 2020
  kGzip,
  kHdf5,    // .h5, and MATLAB files since version 7.3
  kMat5,    // MATLAB 5 to 7.2
  kNumpy,   // .npy
  kPickle,  // Python's pickle, protocol 0 to 5
  kGltf,    // .glb, and .gltf, which is JSON
};

FileKind fileKind(ByteSpan file);

// Error(kModel) when the bytes are a web page or a Git LFS pointer, which is what a download without a login,
// or a clone without Git LFS, leaves under a model's name. `path` leads the message.
void refuseLookalikes(ByteSpan file, const std::filesystem::path& path);

}  // namespace facet
