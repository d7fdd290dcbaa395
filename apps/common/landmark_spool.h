#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "fitting/tracker.h"

namespace facet {

// Landmarks and guesses of identity and expression of the faces of a clip's frames, kept on disk: a clip of
// an hour takes no more memory than one of a second. The file has no name and goes with the object.
class LandmarkSpool {
 public:
  // Error(kRuntime) when a file cannot be made in the folder.
  explicit LandmarkSpool(const std::filesystem::path& folder);

  // Returns the number to read it by. All faces come from one network. Error(kRuntime) when the disk is full.
  int append(const FacePrediction& prediction);
  FacePrediction read(int number) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path folder_;
  std::unique_ptr<std::FILE, Close> file_;
  int num_dense_ = 0, num_identity_ = 0, num_expression_ = 0, count_ = 0;

  std::size_t recordSize() const;  // floats
};

}  // namespace facet
