#include "apps/common/landmark_spool.h"

#include <stdlib.h>  // mkstemp
#include <unistd.h>

#include <string>

#include "core/check.h"
#include "core/error.h"

namespace facet {
namespace {

constexpr std::size_t kHeader = 5;  // confidence, crop

[[noreturn]] void failToWrite(const std::filesystem::path& folder) {
  fail(ErrorKind::kRuntime, folder.string(),
       ": the landmarks of the clip cannot be kept there; is the disk full?");
}

}  // namespace

LandmarkSpool::LandmarkSpool(const std::filesystem::path& folder) : folder_(folder) {
  std::string pattern = (folder / "landmarks-XXXXXX").string();
  const int descriptor = mkstemp(pattern.data());
  if (descriptor < 0) failToWrite(folder);
  unlink(pattern.c_str());
  file_.reset(fdopen(descriptor, "w+b"));
  if (!file_) failToWrite(folder);
}

std::size_t LandmarkSpool::recordSize() const {
  return kHeader + 3 * static_cast<std::size_t>(kNumIbugLandmarks + num_dense_) +
         2 * static_cast<std::size_t>(num_identity_ + num_expression_);
}

int LandmarkSpool::append(const FacePrediction& prediction) {
  if (count_ == 0) {
    num_dense_ = prediction.dense.size();
    num_identity_ = static_cast<int>(prediction.identity.values.size());
    num_expression_ = static_cast<int>(prediction.expression.values.size());
  }
  require(prediction.ibug68.size() == kNumIbugLandmarks && prediction.dense.size() == num_dense_ &&
              prediction.identity.values.size() == num_identity_ &&
              prediction.expression.values.size() == num_expression_,
          "LandmarkSpool: predictions of different networks");
  std::vector<float> record = {prediction.confidence, prediction.crop.center_px.x(),
                               prediction.crop.center_px.y(), prediction.crop.side_px,
                               prediction.crop.roll_rad};
  const auto add = [&](const auto& values) {
    record.insert(record.end(), values.data(), values.data() + values.size());
  };
  for (const LandmarkSet* set : {&prediction.ibug68, &prediction.dense}) {
    add(set->positions_px);
    add(set->sigma_px);
  }
  for (const CoefficientGuess* guess : {&prediction.identity, &prediction.expression}) {
    add(guess->values);
    add(guess->sigma);
  }
  const long at = static_cast<long>(recordSize() * sizeof(float)) * count_;
  if (std::fseek(file_.get(), at, SEEK_SET) != 0 ||
      std::fwrite(record.data(), sizeof(float), record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0)
    failToWrite(folder_);
  return count_++;
}

FacePrediction LandmarkSpool::read(int number) const {
  require(number >= 0 && number < count_, "LandmarkSpool: record ", number, " of ", count_);
  std::vector<float> record(recordSize());
  const long at = static_cast<long>(recordSize() * sizeof(float)) * number;
  if (std::fseek(file_.get(), at, SEEK_SET) != 0 ||
      std::fread(record.data(), sizeof(float), record.size(), file_.get()) != record.size())
    fail(ErrorKind::kRuntime, folder_.string(), ": the landmarks of the clip cannot be read back");
  FacePrediction prediction;
  prediction.confidence = record[0];
  prediction.crop = {{record[1], record[2]}, record[3], record[4]};
  const float* next = record.data() + kHeader;
  const auto take = [&](auto& values) {
    std::copy_n(next, values.size(), values.data());
    next += values.size();
  };
  const auto takeSet = [&](LandmarkSet& set, int count) {
    set.positions_px.resize(count, 2);
    set.sigma_px.resize(count);
    take(set.positions_px);
    take(set.sigma_px);
  };
  takeSet(prediction.ibug68, kNumIbugLandmarks);
  takeSet(prediction.dense, num_dense_);
  const auto takeGuess = [&](CoefficientGuess& guess, int count) {
    guess.values.resize(count);
    guess.sigma.resize(count);
    take(guess.values);
    take(guess.sigma);
  };
  takeGuess(prediction.identity, num_identity_);
  takeGuess(prediction.expression, num_expression_);
  return prediction;
}

}  // namespace facet
