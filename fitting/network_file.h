#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <opencv2/dnn/dnn.hpp>
#include <string>
#include <vector>

namespace facet {

// One of facet's own networks: NAME.onnx in data/networks, or the given file, with its description NAME.json
// beside it.
struct NetworkFile {
  std::filesystem::path path, description_path;
};
// Error(kModel) that says `what` is missing when one of the two is not there.
NetworkFile findNetwork(const std::filesystem::path& given, const std::string& name, const std::string& what);

// The description's JSON. Error(kModel) when it is none.
nlohmann::json readDescription(const NetworkFile& file, const std::string& what);

// The network, tried on a grey picture of the side it says: its output must have this shape (the first
// dimension, the batch, not counted). Error(kModel) otherwise.
cv::dnn::Net readNetwork(const NetworkFile& file, int input_px, const std::vector<int>& output_shape);

}  // namespace facet
