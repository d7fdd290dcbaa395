#include "core/io/take_io.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "core/arkit.h"
#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"

namespace facet {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr double kDegrees = 180 / M_PI;
constexpr double kLiveLinkFps = 60;
constexpr double kDay_s = 24 * 3600;
constexpr int kNumRotations = 9;  // yaw, pitch and roll of the head, the left and the right eye
constexpr std::array<const char*, kNumRotations> kRotationNames = {
    "HeadYaw",     "HeadPitch",   "HeadRoll",      "LeftEyeYaw",  "LeftEyePitch",
    "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll"};

std::string lowerCase(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// Without blanks and quotes around it.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\"";
  const std::size_t first = text.find_first_not_of(kAround);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kAround) - first + 1);
}

std::vector<std::string_view> cells(std::string_view line) {
  std::vector<std::string_view> result;
  while (true) {
    const std::size_t comma = line.find(',');
    result.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return result;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// A timecode as it stands: whole seconds and frames, or a frame number alone.
struct Timecode {
  double seconds = 0, frame = 0;
  bool is_frame_number = false;
};

std::optional<Timecode> parseTimecode(std::string_view text) {
  std::array<double, 4> parts{};
  std::size_t count = 0;
  while (true) {
    // Drop-frame timecodes part the frames with a semicolon.
    const std::size_t colon = text.find_first_of(":;");
    const std::optional<double> part = number(text.substr(0, colon));
    if (!part || *part < 0 || count == parts.size()) return std::nullopt;
    parts[count++] = *part;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (count == 1) return Timecode{0, parts[0], true};
  if (count != 4 || parts[1] >= 60 || parts[2] >= 60) return std::nullopt;
  return Timecode{3600 * parts[0] + 60 * parts[1] + parts[2], parts[3], false};
}

// Reads one file; its members are what its steps share.
class CsvReader {
 public:
  CsvReader(const fs::path& path, double timecode_fps) : path_(path), timecode_fps_(timecode_fps) {}

  ReadTake read() {
    const std::string text = readText(path_);
    std::string_view rest = text;
    if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    bool has_header = false;
    for (int line_number = 1; !rest.empty(); ++line_number) {
      const std::size_t end = rest.find_first_of("\r\n");
      const std::string_view line = rest.substr(0, end);
      // CR LF counts as one.
      const bool is_crlf = end != std::string_view::npos && rest.substr(end, 2) == "\r\n";
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + (is_crlf ? 2 : 1));
      if (trimmed(line).empty()) continue;
      line_ = line_number;
      if (has_header) {
        readRow(line);
      } else {
        readHeader(line);
        has_header = true;
      }
    }
    if (!has_header) bad("is empty");
    if (known_.empty()) bad("has a header but no frames");
    if (std::find(known_.begin(), known_.end(), true) == known_.end()) {
      bad("has no frame with a face: every BlendShapeCount is 0");
    }
    finish();
    return std::move(result_);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... what) const {
    fail(ErrorKind::kInput, path_.string(), line_ > 0 ? ", line " + std::to_string(line_) : std::string(),
         ": ", what...,
         "; expected the CSV of Live Link Face: Timecode, BlendShapeCount, and curves such as EyeBlinkLeft");
  }

  void readHeader(std::string_view line) {
    std::vector<std::string_view> names = cells(line);
    if (names.size() < 2 && line.find(';') != std::string_view::npos) {
      bad("its columns are parted by semicolons; export it with commas");
    }
    num_columns_ = names.size();
    std::string ignored;
    for (std::size_t c = 0; c < names.size(); ++c) {
      const std::string name = lowerCase(names[c]);
      if (name == "timecode") {
        take(timecode_column_, c, names[c]);
      } else if (name == "blendshapecount") {
        take(count_column_, c, names[c]);
      } else if (const auto shape = arkitShape(name); shape && shape->side == ArkitShape::Side::kWhole) {
        take(shape_column_[shape->index], c, names[c]);
      } else if (const int rotation = rotationIndex(name); rotation >= 0) {
        take(rotation_column_[rotation], c, names[c]);
      } else if (!name.empty()) {
        ignored += (ignored.empty() ? "" : ", ") + std::string(names[c]);
      }
    }
    if (!ignored.empty()) note("columns that are no ARKit curves are left out: " + ignored);
    Take& result = result_.take;
    std::string absent;
    for (int s = 0; s < kNumArkitShapes; ++s) {
      const std::string name(kArkitNames[static_cast<std::size_t>(s)]);
      if (shape_column_[s]) {
        result.names.push_back(name);
      } else {
        absent += (absent.empty() ? "" : ", ") + name;
      }
    }
    if (result.names.empty()) bad("its first line names none of ARKit's curves");
    if (!absent.empty()) note("curves without a column stay 0: " + absent);
  }

  void take(std::optional<std::size_t>& column, std::size_t c, std::string_view name) const {
    if (column) bad("column ", c + 1, " is \"", name, "\", which column ", *column + 1, " is, too");
    column = c;
  }

  static int rotationIndex(const std::string& lower_name) {
    for (int r = 0; r < kNumRotations; ++r) {
      if (lower_name == lowerCase(kRotationNames[r])) return r;
    }
    return -1;
  }

  void readRow(std::string_view line) {
    std::vector<std::string_view> row = cells(line);
    while (row.size() > num_columns_ && row.back().empty()) row.pop_back();
    const auto cell = [&](const std::optional<std::size_t>& column) {
      return column && *column < row.size() ? row[*column] : std::string_view();
    };
    // The app writes such a row, with or without the curves, where it lost the face.
    const bool has_face = number(cell(count_column_)) != 0.0;
    if (row.size() > num_columns_ || (has_face && row.size() < num_columns_)) {
      bad("has ", row.size(), " cells, the header ", num_columns_);
    }
    if (timecode_column_) {
      const auto timecode = parseTimecode(cell(timecode_column_));
      if (!timecode) bad("\"", cell(timecode_column_), "\" is no timecode HH:MM:SS:FF.sub");
      if (!timecodes_.empty() && timecode->is_frame_number != timecodes_.front().is_frame_number) {
        bad("\"", cell(timecode_column_), "\": timecodes and frame numbers are mixed");
      }
      timecodes_.push_back(*timecode);
    }
    const auto value = [&](const std::optional<std::size_t>& column, std::string_view name) -> double {
      const std::string_view text = cell(column);
      if (!has_face || text.empty()) return 0;
      const std::optional<double> parsed = number(text);
      if (!parsed) bad(name, " is \"", text.substr(0, 40), "\", which is not a finite number");
      return *parsed;
    };
    for (int s = 0; s < kNumArkitShapes; ++s) {
      if (!shape_column_[s]) continue;
      const double weight = value(shape_column_[s], kArkitNames[static_cast<std::size_t>(s)]);
      if (weight < 0 || weight > 1) ++num_clamped_;
      weights_.push_back(static_cast<float>(std::clamp(weight, 0.0, 1.0)));
    }
    for (int r = 0; r < kNumRotations; ++r) {
      const double angle = value(rotation_column_[r], kRotationNames[r]);
      if (std::abs(angle) > 1e5) bad(kRotationNames[r], " is ", angle, ", which is no angle");
      rotations_.push_back(angle);
    }
    known_.push_back(has_face);
    lines_.push_back(line_);
  }

  void finish() {
    Take& result = result_.take;
    const auto num_frames = static_cast<Eigen::Index>(known_.size());
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    result.weights = Eigen::Map<const Rows>(weights_.data(), num_frames, result.numShapes());
    if (num_clamped_ > 0) note(std::to_string(num_clamped_) + " weights outside [0, 1] are clamped to it");
    setTimes();
    setRotations();
    const auto unseen = std::count(known_.begin(), known_.end(), false);
    if (unseen > 0) {
      note(std::to_string(unseen) + " of " + std::to_string(known_.size()) +
           " frames saw no face; they are filled from their neighbours");
      fillGaps(result, known_);
    }
    result.check("readTakeCsv");
  }

  void setTimes() {
    std::vector<double>& time_s = result_.take.time_s;
    if (!timecode_column_) {
      const double fps = timecode_fps_ > 0 ? timecode_fps_ : kLiveLinkFps;
      note("has no timecodes; its rows are taken as " + text(fps) + " frames per second");
      for (std::size_t f = 0; f < known_.size(); ++f) time_s.push_back(static_cast<double>(f) / fps);
      result_.take.fps = fps;
      return;
    }
    const double fps = timecodeFps();
    double days_s = 0;
    for (std::size_t f = 0; f < timecodes_.size(); ++f) {
      const Timecode& timecode = timecodes_[f];
      line_ = lines_[f];
      if (!timecode.is_frame_number && timecode.frame >= fps) {
        bad("frame ", timecode.frame, " of a second, but ", fps,
            " frames per second; say how many there are");
      }
      double time = timecode.seconds + timecode.frame / fps + days_s;
      if (f > 0 && time < time_s.back() - kDay_s / 2) {  // midnight
        days_s += kDay_s;
        time += kDay_s;
      }
      if (f > 0 && time <= time_s.back()) bad("its timecode is not later than that of the frame before");
      time_s.push_back(time);
    }
    const double start_s = time_s.front();
    for (double& time : time_s) time -= start_s;
    std::vector<double> steps_s;
    for (std::size_t f = 1; f < time_s.size(); ++f) steps_s.push_back(time_s[f] - time_s[f - 1]);
    result_.take.fps = fps;
    if (steps_s.empty()) return;
    std::nth_element(steps_s.begin(), steps_s.begin() + static_cast<long>(steps_s.size() / 2), steps_s.end());
    // Hundredths: timecodes hold thousandths of a frame.
    result_.take.fps = std::max(0.01, std::round(100 / steps_s[steps_s.size() / 2]) / 100);
  }

  // What FF counts by.
  double timecodeFps() {
    if (timecode_fps_ > 0) return timecode_fps_;
    constexpr double kEnough_s = 2;
    double largest = 0;
    for (const Timecode& timecode : timecodes_) largest = std::max(largest, timecode.frame);
    if (timecodes_.front().is_frame_number ||
        std::abs(timecodes_.back().seconds - timecodes_.front().seconds) < kEnough_s) {
      return kLiveLinkFps;
    }
    double fps = kLiveLinkFps;
    for (const double standard : {24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 100.0, 120.0}) {
      if (largest >= standard) continue;
      fps = standard;
      break;
    }
    // Rows further apart than a frame leave the last frames of a second out.
    if (fps < kLiveLinkFps && largest + 1 < fps) fps = kLiveLinkFps;
    if (fps != kLiveLinkFps) note("its timecodes count " + text(fps) + " frames per second");
    return fps;
  }

  void setRotations() {
    const bool has_any = std::any_of(rotations_.begin(), rotations_.end(), [](double a) { return a != 0; });
    if (!has_any) return;
    const bool is_in_degrees =
        std::any_of(rotations_.begin(), rotations_.end(), [](double a) { return std::abs(a) > M_PI; });
    if (is_in_degrees) note("its rotations exceed π and are taken as degrees");
    const auto num_frames = static_cast<Eigen::Index>(known_.size());
    Take& result = result_.take;
    int first = 0;
    for (Points3* angles : {&result.head_deg, &result.left_eye_deg, &result.right_eye_deg}) {
      if (rotation_column_[first] || rotation_column_[first + 1] || rotation_column_[first + 2]) {
        angles->resize(num_frames, 3);
        for (Eigen::Index f = 0; f < num_frames; ++f) {
          for (int axis = 0; axis < 3; ++axis) {
            const double angle = rotations_[static_cast<std::size_t>(f) * kNumRotations + first + axis];
            (*angles)(f, axis) = static_cast<float>(is_in_degrees ? angle : angle * kDegrees);
          }
        }
      }
      first += 3;
    }
  }

  static std::string text(double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%g", value);
    return digits;
  }

  void note(const std::string& sentence) { result_.notes.push_back(sentence); }

  const fs::path& path_;
  double timecode_fps_;
  int line_ = 0;
  std::size_t num_columns_ = 0;
  std::optional<std::size_t> timecode_column_, count_column_;
  std::array<std::optional<std::size_t>, kNumArkitShapes> shape_column_;
  std::array<std::optional<std::size_t>, kNumRotations> rotation_column_;
  std::vector<Timecode> timecodes_;
  std::vector<float> weights_;     // row by row
  std::vector<double> rotations_;  // row by row, as they stand
  std::vector<bool> known_;
  std::vector<int> lines_;
  long num_clamped_ = 0;
  ReadTake result_;
};

// The fewest digits that give the same value.
void append(std::string& text, float value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  text.append(digits, end);
}

json rows(const Eigen::Ref<const Eigen::MatrixXf>& matrix) {
  json result = json::array();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    json row = json::array();
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
      std::string digits;
      append(digits, matrix(i, j));
      row.push_back(std::strtod(digits.c_str(), nullptr));  // 0.1, not 0.10000000149011612
    }
    result.push_back(std::move(row));
  }
  return result;
}

Eigen::MatrixXf matrixOf(const json& values, std::size_t num_rows, std::size_t num_columns, const char* what,
                         const std::string& path) {
  const auto matrix = values.get<std::vector<std::vector<double>>>();
  if (matrix.size() != num_rows) {
    fail(ErrorKind::kInput, path, ": ", what, " has ", matrix.size(), " rows for ", num_rows, " frames");
  }
  Eigen::MatrixXf result(num_rows, num_columns);
  for (std::size_t i = 0; i < num_rows; ++i) {
    if (matrix[i].size() != num_columns) {
      fail(ErrorKind::kInput, path, ": ", what, " has ", matrix[i].size(), " numbers in frame ", i, ", not ",
           num_columns);
    }
    for (std::size_t j = 0; j < num_columns; ++j) {
      result(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = static_cast<float>(matrix[i][j]);
    }
  }
  return result;
}

}  // namespace

ReadTake readTakeCsv(const fs::path& path, double timecode_fps) {
  require(timecode_fps >= 0 && std::isfinite(timecode_fps), "readTakeCsv: ", timecode_fps,
          " frames per second");
  return CsvReader(path, timecode_fps).read();
}

void writeTakeCsv(const fs::path& path, const Take& take, double timecode_fps) {
  take.check("writeTakeCsv");
  const long fps = std::lround(timecode_fps);
  require(fps >= 1 && static_cast<double>(fps) == timecode_fps, "writeTakeCsv: ", timecode_fps,
          " frames per second; a timecode counts whole frames");
  std::string text = "Timecode,BlendShapeCount";
  std::vector<std::string> names;
  for (const std::string_view name : kArkitNames) {
    names.emplace_back(name);
    text += ',';
    text += shapeName(name, ShapeNaming::kPascal);
  }
  for (const char* name : kRotationNames) {
    text += ',';
    text += name;
  }
  text += '\n';
  const Eigen::MatrixXf weights = weightsFor(take, names).weights;
  for (int f = 0; f < take.numFrames(); ++f) {
    const long long thousandths = std::llround(take.time_s[f] * static_cast<double>(fps) * 1000);
    const long long frame = thousandths / 1000, second = frame / fps;
    char timecode[80];
    std::snprintf(timecode, sizeof timecode, "%02lld:%02lld:%02lld:%02lld.%03lld", second / 3600,
                  second / 60 % 60, second % 60, frame % fps, thousandths % 1000);
    text += timecode;
    text += ',';
    text += std::to_string(kNumArkitShapes + kNumRotations);
    for (Eigen::Index s = 0; s < kNumArkitShapes; ++s) {
      text += ',';
      append(text, weights(f, s));
    }
    for (const Points3* angles : {&take.head_deg, &take.left_eye_deg, &take.right_eye_deg}) {
      for (int axis = 0; axis < 3; ++axis) {
        text += ',';
        append(text, angles->rows() > 0 ? static_cast<float>((*angles)(f, axis) / kDegrees) : 0.0F);
      }
    }
    text += '\n';
  }
  writeText(path, text);
}

ReadTake readTakeJson(const fs::path& path) try {
  const std::string name = path.string();
  const json document = json::parse(readText(path));
  if (!document.is_object() || document.value("facet_take", 0) != 1) {
    fail(ErrorKind::kInput, name, ": is no take of facet's: \"facet_take\": 1 is missing");
  }
  ReadTake result;
  Take& take = result.take;
  take.names = document.at("names").get<std::vector<std::string>>();
  take.time_s = document.at("time_s").get<std::vector<double>>();
  for (std::size_t f = take.time_s.size(); f-- > 0;) take.time_s[f] -= take.time_s[0];  // the first is at 0
  take.fps = document.at("fps").get<double>();
  const std::size_t num_frames = take.time_s.size();
  take.weights = matrixOf(document.at("weights"), num_frames, take.names.size(), "weights", name);
  const auto angles = [&](const char* key) {
    if (!document.contains(key)) return Points3();
    return Points3(matrixOf(document.at(key), num_frames, 3, key, name));
  };
  take.head_deg = angles("head_deg");
  take.left_eye_deg = angles("left_eye_deg");
  take.right_eye_deg = angles("right_eye_deg");
  if (document.contains("notes")) result.notes = document.at("notes").get<std::vector<std::string>>();
  try {
    take.check(name.c_str());
  } catch (const std::invalid_argument& error) {
    fail(ErrorKind::kInput, error.what());
  }
  return result;
} catch (const json::exception& error) {
  fail(ErrorKind::kInput, path.string(), ": ", error.what(), "; docs/takes.md has the layout of a take");
}

void writeTakeJson(const fs::path& path, const Take& take, const std::vector<std::string>& notes) {
  take.check("writeTakeJson");
  // Line by line, so that it can be looked at: one line per frame.
  const auto lines = [](const json& array) {
    std::string text = "[";
    for (std::size_t i = 0; i < array.size(); ++i) text += (i == 0 ? "\n    " : ",\n    ") + array[i].dump();
    return text + "\n  ]";
  };
  std::string text = "{\n  \"facet_take\": 1,\n  \"fps\": " + json(take.fps).dump() +
                     ",\n  \"names\": " + json(take.names).dump() +
                     ",\n  \"time_s\": " + json(take.time_s).dump() +
                     ",\n  \"weights\": " + lines(rows(take.weights));
  const auto add = [&](const char* key, const Points3& angles) {
    if (angles.rows() > 0) text += std::string(",\n  \"") + key + "\": " + lines(rows(angles));
  };
  add("head_deg", take.head_deg);
  add("left_eye_deg", take.left_eye_deg);
  add("right_eye_deg", take.right_eye_deg);
  if (!notes.empty()) text += ",\n  \"notes\": " + json(notes).dump();
  writeText(path, text + "\n}\n");
}

bool isTakeName(const fs::path& path) {
  const std::string extension = lowerCase(path.extension().string());
  return extension == ".csv" || extension == ".json";
}

ReadTake readTake(const fs::path& path, double timecode_fps) {
  if (!isTakeName(path)) fail(ErrorKind::kUsage, path.string(), ": a take's name ends in .csv or .json");
  return lowerCase(path.extension().string()) == ".csv" ? readTakeCsv(path, timecode_fps)
                                                        : readTakeJson(path);
}

void writeTake(const fs::path& path, const Take& take, const std::vector<std::string>& notes) {
  if (!isTakeName(path)) fail(ErrorKind::kUsage, path.string(), ": a take's name ends in .csv or .json");
  if (lowerCase(path.extension().string()) == ".csv") {
    writeTakeCsv(path, take);
  } else {
    writeTakeJson(path, take, notes);
  }
}

}  // namespace facet
