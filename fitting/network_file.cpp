#include "fitting/network_file.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"

namespace facet {

NetworkFile findNetwork(const std::filesystem::path& given, const std::string& name,
                        const std::string& what) {
  NetworkFile file;
  file.path = given.empty() ? dataDirectory() / "networks" / (name + ".onnx") : given;
  file.description_path = file.path;
  file.description_path.replace_extension(".json");
  for (const auto& needed : {file.path, file.description_path})
    if (!std::filesystem::is_regular_file(needed))
      fail(ErrorKind::kModel, needed.string(), ": ", what, " is missing; it comes with facet's data folder ",
           "(set FACET_DATA_DIR), or train one with tools/train/train.py");
  return file;
}

nlohmann::json readDescription(const NetworkFile& file, const std::string& what) {
  try {
    return nlohmann::json::parse(readText(file.description_path));
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::kModel, file.description_path.string(), ": not the description of ", what, ": ",
         error.what());
  }
}

cv::dnn::Net readNetwork(const NetworkFile& file, int input_px, const std::vector<int>& output_shape) {
  try {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(file.path.string());
    const cv::Mat grey(input_px, input_px, CV_8UC3, cv::Scalar::all(128));
    net.setInput(cv::dnn::blobFromImage(grey));
    const cv::Mat output = net.forward();
    bool fits = output.dims == static_cast<int>(output_shape.size()) + 1;
    for (std::size_t i = 0; fits && i < output_shape.size(); ++i)
      fits = output.size[static_cast<int>(i) + 1] == output_shape[i];
    if (fits) return net;
  } catch (const cv::Exception& error) {
    fail(ErrorKind::kModel, file.path.string(),
         ": not a network that OpenCV can read (ONNX, opset 11): ", error.err);
  }
  std::ostringstream shape;
  for (std::size_t i = 0; i < output_shape.size(); ++i) shape << (i > 0 ? " x " : "") << output_shape[i];
  fail(ErrorKind::kModel, file.path.string(), ": the network's output is not ", shape.str(), " numbers as ",
       file.description_path.filename().string(), " says");
}

}  // namespace facet
