// facet evaluate landmarks | scan | transfer
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/common/json_text.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/facet/command.h"
#include "core/correspondence.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/mesh_io.h"
#include "core/transfer_error.h"
#include "fitting/scan_error.h"

namespace facet {
namespace {

using nlohmann::json;
using Point = Eigen::Vector2d;

json readJson(const std::string& path) {
  try {
    return json::parse(readText(path));
  } catch (const json::parse_error& error) {
    fail(ErrorKind::kInput, path, ": is not valid JSON (", error.what(), ")");
  }
}

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

// --- landmarks: normalised mean error against hand-picked points
// -----------------------------------------------------

// Hand points without an iBUG index lie between two of them: the lid margins above and below the pupil.
const std::map<std::string, std::array<int, 2>> kLidPairs = {{"right_eye_top", {37, 38}},
                                                             {"right_eye_bottom", {41, 40}},
                                                             {"left_eye_top", {43, 44}},
                                                             {"left_eye_bottom", {47, 46}}};
// Columns of the table; a point belongs to each group whose keyword its name contains.
struct Group {
  const char* name;
  std::vector<const char*> keywords;
};
const std::vector<Group> kGroups = {{"all", {""}},
                                    {"eyes", {"_eye_"}},
                                    {"brows", {"brow"}},
                                    {"nose", {"nose", "alar"}},
                                    {"mouth", {"mouth", "lip"}},
                                    {"chin", {"chin"}}};

// The 68 points of a prediction, or nothing unless they are 68 finite pairs.
std::optional<std::vector<Point>> predictedPoints(const json& predictions, const std::string& photo) {
  const auto entry = predictions.find(photo);
  if (entry == predictions.end() || !entry->is_object() || !entry->contains("landmarks68"))
    return std::nullopt;
  const json& rows = entry->at("landmarks68");
  if (!rows.is_array() || rows.size() != 68) return std::nullopt;
  std::vector<Point> points;
  for (const json& row : rows) {
    if (!row.is_array() || row.size() != 2 || !row[0].is_number() || !row[1].is_number()) return std::nullopt;
    points.emplace_back(row[0].get<double>(), row[1].get<double>());
    if (!points.back().allFinite()) return std::nullopt;
  }
  return points;
}

// Error of each hand point in percent of the distance between the outer eye corners.
std::map<std::string, double> photoErrors(const std::vector<Point>& predicted, const json& hand_points,
                                          const json& index_by_name) {
  const auto hand = [&](const std::string& name) {
    return Point(hand_points.at(name).at(0).get<double>(), hand_points.at(name).at(1).get<double>());
  };
  const double eyes_px = (hand("left_eye_outer") - hand("right_eye_outer")).norm();
  std::map<std::string, double> errors;
  for (const auto& [name, position] : hand_points.items()) {
    Point point;
    if (const auto index = index_by_name.find(name); index != index_by_name.end() && !index->is_null()) {
      const auto landmark = index->get<std::size_t>();
      if (landmark >= predicted.size()) {
        fail(ErrorKind::kInput, "evaluate landmarks: the hand-picked points ask for landmark ", landmark,
             " (", name, "), but iBUG has 0 to 67");
      }
      point = predicted[landmark];
    } else if (const auto pair = kLidPairs.find(name); pair != kLidPairs.end()) {
      point = (predicted[pair->second[0]] + predicted[pair->second[1]]) / 2;
    } else {
      continue;
    }
    errors[name] = 100 * (point - hand(name)).norm() / eyes_px;
  }
  return errors;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::optional<double> groupMean(const std::map<std::string, double>& errors, const Group& group) {
  std::vector<double> values;
  for (const auto& [name, error] : errors) {
    const bool belongs = std::any_of(group.keywords.begin(), group.keywords.end(), [&](const char* keyword) {
      return name.find(keyword) != std::string::npos;
    });
    if (belongs) values.push_back(error);
  }
  if (values.empty()) return std::nullopt;
  return mean(values);
}

int evaluateLandmarks(const std::string& predicted_path, const std::string& hand_path, Session& session) {
  const json predictions = readJson(predicted_path), hand = readJson(hand_path);
  if (!hand.is_object() || !hand.contains("photos") || !hand.contains("points")) {
    fail(ErrorKind::kInput, hand_path, ": lacks \"photos\" or \"points\"; expected hand-picked landmarks");
  }
  if (!predictions.is_object()) {
    fail(ErrorKind::kInput, predicted_path,
         ": must be {photo: {\"landmarks68\": 68 pairs}}, as facet detect --json prints");
  }
  json photos = json::object(), failures = json::object(), summary;
  std::map<std::string, std::vector<double>> columns;
  const auto row = [](const json& values) {
    std::string text;
    for (const Group& group : kGroups) {
      text += values[group.name].is_null() ? "      -" : format(" %6.2f", values[group.name].get<double>());
    }
    return text;
  };
  Console& console = session.console;
  std::string header = format("%-24s", "photo");
  for (const Group& group : kGroups) header += format(" %6s", group.name);
  console.say("NME, % of the distance between the outer eye corners");
  console.say(header);
  try {
    for (const auto& [photo, entry] : hand.at("photos").items()) {
      const auto points = predictedPoints(predictions, photo);
      if (!points) {
        failures[photo] = predictions.contains(photo) ? "not 68 finite points" : "missing";
        continue;
      }
      const auto errors = photoErrors(*points, entry.at("landmarks"), hand.at("points"));
      json values;
      for (const Group& group : kGroups) {
        const auto error = groupMean(errors, group);
        values[group.name] = error ? json(*error) : json();
        if (error) columns[group.name].push_back(*error);
      }
      photos[photo] = values;
      console.say(format("%-24s", photo.c_str()) + row(values));
    }
  } catch (const json::exception& error) {
    fail(ErrorKind::kInput, hand_path, ": is not a file of hand-picked landmarks (", error.what(), ")");
  }
  for (const Group& group : kGroups) {
    const std::vector<double>& values = columns[group.name];
    summary["mean"][group.name] = values.empty() ? json() : json(mean(values));
    summary["median"][group.name] = values.empty() ? json() : json(median(values));
  }
  console.say(format("%-24s", "mean") + row(summary["mean"]));
  console.say(format("%-24s", "median") + row(summary["median"]));
  console.say(format("failures: %zu of %zu", failures.size(), hand["photos"].size()));
  for (const auto& [photo, reason] : failures.items())
    console.say("  " + photo + ": " + reason.get<std::string>());
  if (session.json) {
    std::cout << jsonText(json{{"photos", photos}, {"summary", summary}, {"failures", failures}});
  }
  return 0;
}

// --- scan: distance from a scan to the mesh after alignment
// ----------------------------------------------------------

struct ScanArguments {
  std::string mesh, mesh_landmarks, fit, scan, scan_landmarks, output;
  bool force = false;
  ScanErrorOptions options;
};

ScanLandmarks readScanLandmarks(const std::string& path) {
  const json named = readJson(path);
  ScanLandmarks landmarks;
  for (std::size_t i = 0; i < kScanLandmarkNames.size(); ++i) {
    const char* name = kScanLandmarkNames[i];
    const json point = named.is_object() ? named.value(name, json()) : json();
    if (!point.is_array() || point.size() != 3 ||
        !std::all_of(point.begin(), point.end(), [](const json& x) { return x.is_number(); })) {
      fail(ErrorKind::kInput, path, ": lacks the landmark \"", name, "\" as [x, y, z]");
    }
    for (int k = 0; k < 3; ++k) landmarks(static_cast<Eigen::Index>(i), k) = point[k].get<double>();
  }
  return landmarks;
}

// The seven landmarks of a reconstruction: its fit.json embeds the 68 on mesh/neutral.obj.
ScanLandmarks embeddedLandmarks(const std::string& fit_path, const Mesh& neutral) {
  const json fit = readJson(fit_path);
  const json embedding = fit.is_object() ? fit.value("landmark_embedding68", json()) : json();
  if (!embedding.is_array() || embedding.size() != 68) {
    fail(ErrorKind::kInput, fit_path,
         ": has no landmark_embedding68 of 68 entries; was it made with --stop-after detect?");
  }
  ScanLandmarks landmarks;
  try {
    for (std::size_t i = 0; i < kScanLandmarksInIbug.size(); ++i) {
      const json& entry = embedding.at(kScanLandmarksInIbug[i]);
      const int triangle = entry.at(0).get<int>();
      if (triangle < 0 || triangle >= neutral.triangles.rows()) {
        fail(ErrorKind::kInput, fit_path, ": landmark_embedding68 names triangle ", triangle,
             ", mesh/neutral.obj has ", neutral.triangles.rows());
      }
      Eigen::RowVector3d point(0, 0, 0);
      for (int k = 0; k < 3; ++k) {
        point += entry.at(k + 1).get<double>() *
                 neutral.vertices.row(neutral.triangles(triangle, k)).cast<double>();
      }
      landmarks.row(static_cast<Eigen::Index>(i)) = point;
    }
  } catch (const json::exception& error) {
    fail(ErrorKind::kInput, fit_path, ": landmark_embedding68 is not 68 × [triangle, b0, b1, b2] (",
         error.what(), ")");
  }
  return landmarks;
}

Mesh readSurface(const std::string& path) {
  Mesh mesh = readObj(path);
  if (mesh.triangles.rows() == 0)
    fail(ErrorKind::kInput, path, ": has no faces, so there is no surface to measure to");
  return mesh;
}

int evaluateScan(const ScanArguments& arguments, Session& session) {
  const bool from_fit = !arguments.fit.empty();
  if (from_fit == (!arguments.mesh.empty() && !arguments.mesh_landmarks.empty())) {
    fail(ErrorKind::kUsage, "evaluate scan: give either --fit DIR or both --mesh and --mesh-landmarks");
  }
  const Mesh mesh = readSurface(from_fit ? arguments.fit + "/mesh/neutral.obj" : arguments.mesh);
  const ScanLandmarks mesh_landmarks = from_fit ? embeddedLandmarks(arguments.fit + "/fit.json", mesh)
                                                : readScanLandmarks(arguments.mesh_landmarks);
  const Mesh scan = readObj(arguments.scan);
  const ScanError error =
      scanError(mesh, mesh_landmarks, scan, readScanLandmarks(arguments.scan_landmarks), arguments.options);

  json rotation = json::array();
  for (int i = 0; i < 3; ++i)
    rotation.push_back({error.rotation(i, 0), error.rotation(i, 1), error.rotation(i, 2)});
  const std::vector<std::pair<const char*, double>> numbers = {
      {"mean_mm", error.mean_mm}, {"median_mm", error.median_mm},
      {"std_mm", error.std_mm},   {"p95_mm", error.p95_mm},
      {"max_mm", error.max_mm},   {"mean_after_landmarks_mm", error.mean_after_landmarks_mm},
      {"scale", error.scale},     {"radius_mm", error.radius_mm}};
  json result;
  for (const auto& [name, value] : numbers) {
    session.console.say(format("%-24s %.4f", name, value));
    result[name] = value;
  }
  session.console.say(
      format("%-24s %d within %.1f mm", "scan points", error.num_scan_points, error.radius_mm));
  result["num_scan_points"] = error.num_scan_points;
  result["rotation"] = rotation;  // scan = scale rotation mesh + translation
  result["translation"] = {error.translation[0], error.translation[1], error.translation[2]};
  if (session.json) std::cout << jsonText(result);
  if (!arguments.output.empty()) {
    prepareOutputFile(arguments.output, arguments.force);
    writeText(arguments.output, jsonText(result));
  }
  return 0;
}

// --- transfer: one model laid onto another, there and back, and its shapes against the other's own

int evaluateTransfer(const std::string& from_name, const std::string& to_name, Session& session) {
  const MorphableModel from = loadNamedModel(from_name, session), to = loadNamedModel(to_name, session);
  const auto start = std::chrono::steady_clock::now();
  const Correspondence correspondence = layOnto(from, to, session);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const TransferError error = measureTransfer(from, to, correspondence);
  Console& console = session.console;
  console.say(
      format("round trip on the face: mean %.3f mm, 95 %% below %.2f, largest %.2f; %d of %d vertices have a "
             "counterpart (%.1f s)",
             error.round_trip_mean_mm, error.round_trip_p95_mm, error.round_trip_max_mm, error.num_covered,
             error.num_face, seconds));
  json shapes = json::array();
  for (const ShapeError& shape : error.shapes) {
    console.say(format("%-20s %.2f mm on the face, %.2f mm on the %d vertices that move", shape.name.c_str(),
                       shape.face_mm, shape.moving_mm, shape.num_moving));
    shapes.push_back({{"name", shape.name},
                      {"face_mm", shape.face_mm},
                      {"moving_mm", shape.moving_mm},
                      {"num_moving", shape.num_moving}});
  }
  if (session.json) {
    std::cout << jsonText(json{{"round_trip_mean_mm", error.round_trip_mean_mm},
                               {"round_trip_p95_mm", error.round_trip_p95_mm},
                               {"round_trip_max_mm", error.round_trip_max_mm},
                               {"covered", error.num_covered},
                               {"face_vertices", error.num_face},
                               {"shapes", shapes}});
  }
  return 0;
}

}  // namespace

void addEvaluate(CLI::App& app, CommandSession& session) {
  CLI::App* verb =
      app.add_subcommand("evaluate", "Numbers against hand-picked landmarks, a 3D scan or another model");
  verb->require_subcommand(1);
  verb->fallthrough();

  auto files = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* landmarks =
      verb->add_subcommand("landmarks", "NME of predicted landmarks, % of the outer-eye distance");
  landmarks->fallthrough();
  landmarks->add_option("PRED", files->first, "{photo: {landmarks68}}, as facet detect --json prints")
      ->required();
  landmarks->add_option("HAND", files->second, "hand-picked points")->required();
  landmarks->footer(
      "Example:\n  facet detect photos/*.jpg --json > pred.json && facet evaluate landmarks pred.json "
      "hand.json");
  landmarks->callback([&session, files] {
    session.run = [&session, files] { return evaluateLandmarks(files->first, files->second, session); };
  });

  auto models = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* transfer = verb->add_subcommand(
      "transfer", "One model laid onto another: round trip, and its shapes against the other's own");
  transfer->fallthrough();
  transfer->add_option("FROM", models->first, "model with regions and shapes: builtin")->required();
  transfer->add_option("TO", models->second, "model with shapes of its own")->required();
  transfer->callback([&session, models] {
    session.run = [&session, models] { return evaluateTransfer(models->first, models->second, session); };
  });

  auto arguments = std::make_shared<ScanArguments>();
  CLI::App* scan = verb->add_subcommand("scan", "Distance from a scan to a mesh in mm, the protocol of NoW");
  scan->fallthrough();
  scan->add_option("--fit", arguments->fit, "result folder: its neutral mesh and landmark embedding");
  scan->add_option("--mesh", arguments->mesh, "predicted mesh (OBJ, any unit)");
  scan->add_option("--mesh-landmarks", arguments->mesh_landmarks, "its seven landmarks (JSON, same unit)");
  scan->add_option("--scan", arguments->scan, "scan (OBJ, millimetres)")->required();
  scan->add_option("--scan-landmarks", arguments->scan_landmarks, "its seven landmarks (JSON)")->required();
  scan->add_flag("--outer", arguments->options.outer, "drop scan points that cannot be seen from outside");
  scan->add_option("--samples", arguments->options.num_samples,
                   "even surface samples in place of the scan's vertices")
      ->check(CLI::Range(0, 100'000'000));
  scan->add_flag("--metric", arguments->options.metric, "no scale: the mesh is in millimetres");
  scan->add_option("--trim", arguments->options.trim, "fraction of far scan points the alignment leaves out")
      ->check(CLI::Range(0.0, 0.99));
  scan->add_option("--seed", arguments->options.seed, "seed of the surface samples");
  scan->add_option("-o,--output", arguments->output, "write the numbers as JSON");
  scan->add_flag("--force", arguments->force, "overwrite the output file");
  scan->footer(R"(Examples:
  facet evaluate scan --fit portrait --scan scan.obj --scan-landmarks scan.json
  facet evaluate scan --mesh face.obj --mesh-landmarks face.json --scan scan.obj --scan-landmarks scan.json --outer)");
  scan->callback([&session, arguments] {
    session.run = [&session, arguments] { return evaluateScan(*arguments, session); };
  });
}

}  // namespace facet
