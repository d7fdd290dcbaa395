#include "core/model_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace facet {
namespace {

using Verdict = ModelFinding::Verdict;

// Outer corners of adult eyes lie 80 to 105 mm apart (Farkas, "Anthropometry of the Head and Face", 1994); a
// little more is left for children and cartoons.
constexpr float kMinEyes_mm = 65, kMaxEyes_mm = 120;
// Longest side of a face mask or a head with its neck.
constexpr float kMinExtent_mm = 100, kMaxExtent_mm = 600;
// Root mean square distance of one standard deviation over all identity modes: faces differ by 3 to 6 mm.
constexpr double kMinSpread_mm = 0.5, kMaxSpread_mm = 20;
// Modes compared with each other; the leading ones carry nearly all of the shape.
constexpr int kMaxCompared = 60;
constexpr double kOrthogonal = 0.02;  // largest cosine between modes that rounding to half floats leaves

std::string rounded(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

template <typename... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

class Report {
 public:
  explicit Report(const MorphableModel& model) : model_(model) {}

  std::vector<ModelFinding> findings() {
    describeUnit();
    describeWinding();
    describeMesh();
    describeBasis(model_.identity, "identity");
    if (model_.numExpression() > 0) describeExpressions();
    describeLandmarks();
    describeMissing();
    return std::move(findings_);
  }

 private:
  template <typename... Parts>
  void add(Verdict verdict, const char* topic, const Parts&... parts) {
    findings_.push_back({verdict, topic, sentence(parts...)});
  }

  void describeUnit() {
    const Eigen::RowVector3f size = model_.mean.colwise().maxCoeff() - model_.mean.colwise().minCoeff();
    const std::string extent = sentence("the mean is ", rounded(size.x(), 0), " x ", rounded(size.y(), 0),
                                        " x ", rounded(size.z(), 0), " mm");
    const bool is_plausible = size.maxCoeff() >= kMinExtent_mm && size.maxCoeff() <= kMaxExtent_mm;
    if (model_.landmarks68.size() != kNumIbugLandmarks) {
      add(is_plausible ? Verdict::kGood : Verdict::kDoubtful, "unit", extent,
          is_plausible ? "" : ", which is no head; is its unit known?");
      return;
    }
    const Points3 points = model_.landmarks68.points(model_.mean, model_.triangles);
    const float eyes_mm = (points.row(45) - points.row(36)).norm();
    const bool eyes_fit = eyes_mm >= kMinEyes_mm && eyes_mm <= kMaxEyes_mm;
    add(is_plausible && eyes_fit ? Verdict::kGood : Verdict::kDoubtful, "unit", extent,
        ", the outer eye corners ", rounded(eyes_mm, 0), " mm apart",
        is_plausible && eyes_fit ? "" : ", which is no head; is its unit known?");
  }

  void describeWinding() {
    const Eigen::RowVector3d centre = model_.mean.cast<double>().colwise().mean();
    double volume = 0, inward = 0, area = 0;
    for (Eigen::Index f = 0; f < model_.triangles.rows(); ++f) {
      Eigen::Matrix3d corner;
      for (int k = 0; k < 3; ++k)
        corner.row(k) = model_.mean.row(model_.triangles(f, k)).cast<double>() - centre;
      const double signed_volume = corner.determinant() / 6;
      volume += signed_volume;
      area += std::abs(signed_volume);
      if (signed_volume < 0) inward -= signed_volume;
    }
    add(volume > 0 ? Verdict::kGood : Verdict::kWrong, "winding",
        volume > 0 ? "the triangles face outwards" : "the triangles face inwards", " (",
        rounded(100 * inward / area, 0),
        " % of the surface faces its centre, as the inside of a mouth does)");
  }

  void describeMesh() {
    std::map<std::pair<int, int>, int> sides;  // directed edge -> triangles that have it
    int num_flat = 0;
    std::vector<bool> is_used(static_cast<std::size_t>(model_.numVertices()), false);
    for (Eigen::Index f = 0; f < model_.triangles.rows(); ++f) {
      const Eigen::RowVector3f a = model_.mean.row(model_.triangles(f, 0)),
                               b = model_.mean.row(model_.triangles(f, 1)),
                               c = model_.mean.row(model_.triangles(f, 2));
      if ((b - a).cross(c - a).norm() < 1e-6F) ++num_flat;
      for (int k = 0; k < 3; ++k) {
        is_used[model_.triangles(f, k)] = true;
        ++sides[{model_.triangles(f, k), model_.triangles(f, (k + 1) % 3)}];
      }
    }
    const auto num_torn =
        std::count_if(sides.begin(), sides.end(), [](const auto& side) { return side.second > 1; });
    const auto num_unused = std::count(is_used.begin(), is_used.end(), false);
    const auto share =
        static_cast<double>(num_torn) / static_cast<double>(std::max<std::size_t>(1, sides.size()));
    add(share < 0.01 ? Verdict::kGood : Verdict::kDoubtful, "mesh", model_.numVertices(), " vertices, ",
        model_.triangles.rows(), " triangles; ", num_torn,
        " edges have neighbours wound against each other, ", num_flat, " triangles have no area, ",
        num_unused, " vertices no triangle");
  }

  void describeBasis(const Basis& basis, const char* topic) {
    if (basis.cols() == 0) {
      add(Verdict::kMissing, topic, "there are no ", topic, " modes");
      return;
    }
    const auto num_compared = static_cast<Eigen::Index>(std::min<Eigen::Index>(kMaxCompared, basis.cols()));
    Eigen::MatrixXf leading(basis.rows(), num_compared);
    for (Eigen::Index k = 0; k < num_compared; ++k) leading.col(k) = basis.col(k);
    const Eigen::MatrixXf gram = leading.transpose() * leading;
    double largest_cosine = 0;
    for (Eigen::Index i = 0; i < num_compared; ++i) {
      for (Eigen::Index j = 0; j < i; ++j) {
        const double norm = std::sqrt(static_cast<double>(gram(i, i)) * gram(j, j));
        if (norm > 0) largest_cosine = std::max(largest_cosine, std::abs(gram(i, j)) / norm);
      }
    }
    const auto rms = [&](Eigen::Index k) {
      return std::sqrt(static_cast<double>(gram(k, k)) / static_cast<double>(model_.numVertices()));
    };
    const double spread =
        std::sqrt(static_cast<double>(gram.diagonal().sum()) / static_cast<double>(model_.numVertices()));
    const bool scale_fits = spread >= kMinSpread_mm && spread <= kMaxSpread_mm;
    add(scale_fits ? Verdict::kGood : Verdict::kDoubtful, topic, basis.cols(),
        " modes; one standard deviation moves a ", "vertex by ", rounded(rms(0), 2), " mm (first mode) to ",
        rounded(rms(num_compared - 1), 3), " mm (mode ", num_compared, "), ", rounded(spread, 1),
        " mm together",
        scale_fits ? ""
                   : "; that is no scale of faces: are the modes multiplied by their standard deviations?");
    add(Verdict::kGood, topic, "its leading modes are ",
        largest_cosine < kOrthogonal ? "orthogonal" : "not orthogonal, as sculpted ones are not",
        " (largest cosine ", rounded(largest_cosine, 3), ")");
  }

  void describeExpressions() {
    const int num_pca = model_.numExpression() - model_.num_blendshapes;
    double largest_mm = 0;
    for (int e = 0; e < model_.numExpression(); ++e) {
      const float moves_mm = model_.expression.points(e).rowwise().norm().maxCoeff();
      largest_mm = std::max(largest_mm, static_cast<double>(moves_mm));
    }
    const bool scale_fits = largest_mm > 1 && largest_mm < 80;
    add(scale_fits ? Verdict::kGood : Verdict::kDoubtful, "expression", num_pca,
        " modes in standard deviations, ", model_.num_blendshapes,
        " shapes with weights from 0 to 1; the largest moves a vertex by ", rounded(largest_mm, 1), " mm",
        scale_fits ? "" : ", which no face does");
  }

  void describeLandmarks() {
    if (model_.landmarks68.size() != kNumIbugLandmarks) {
      add(Verdict::kMissing, "landmarks",
          "there are no 68 landmarks; facet finds them by rendering the mean");
      return;
    }
    const Points3 p = model_.landmarks68.points(model_.mean, model_.triangles);
    const bool right_is_right = p(36, 0) - p(45, 0) < 0;
    const bool up_is_up = p(27, 1) - p(8, 1) > 0;
    const bool out_is_out = p(30, 2) - p(0, 2) > 0;
    const bool faces_us = right_is_right && up_is_up && out_is_out;
    add(faces_us ? Verdict::kGood : Verdict::kWrong, "landmarks",
        faces_us ? "the 68 landmarks are in iBUG order: the subject's right at -X, the nose towards +Z"
                 : "the 68 landmarks do not face +Z with +Y up and the subject's right at -X");
  }

  void describeMissing() {
    const auto missing = [&](bool is_there, const char* topic, const char* what) {
      if (!is_there) add(Verdict::kMissing, topic, what);
    };
    missing(model_.numExpression() > 0, "expression",
            "there are no expressions: a fit finds the identity only");
    missing(model_.hasNamedShapes(), "named shapes",
            "there are no named shapes to animate with; import adds the built-in model's");
    missing(model_.hasUsableUv(), "texture",
            model_.uv.rows() == 0 ? "there are no texture coordinates; import adds the built-in model's"
                                  : "the texture coordinates overlap, so that one texture cannot hold the "
                                    "model; import replaces them");
    missing(model_.albedo_mean.rows() > 0, "albedo",
            "there is no skin colour; import adds the built-in model's mean");
    missing(!model_.region_names.empty(), "regions",
            "there are no named regions; import adds the built-in model's");
    missing(model_.dense.size() > 0, "dense landmarks",
            "facet's network has no dense points on it; import adds them, and fits become better");
  }

  const MorphableModel& model_;
  std::vector<ModelFinding> findings_;
};

}  // namespace

std::vector<ModelFinding> inspectModel(const MorphableModel& model) {
  try {
    model.check();
  } catch (const std::invalid_argument& error) {
    return {{Verdict::kWrong, "model", error.what()}};
  }
  return Report(model).findings();
}

}  // namespace facet
