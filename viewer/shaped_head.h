#pragma once

#include <Eigen/Core>
#include <array>
#include <string>
#include <vector>

#include "core/eyeballs.h"
#include "core/morphable_model.h"
#include "viewer/linear_sum.h"
#include "viewer/vertex_normals.h"

namespace facet {

// The kinds of parameters that a head has sliders for.
enum class ShapeGroup { kIdentity, kExpression, kShapes, kAlbedo, kJoints };
inline constexpr int kNumShapeGroups = 5;

// One slider. kExpression holds the model's modes, kShapes its named shapes (ARKit's where it has them),
// whether the model keeps those as expressions or beside them: no parameter has two sliders.
struct ShapeControl {
  std::string name;  // "jawOpen", "identity 3", "jaw x"
  float low = 0;     // of the slider; values beyond can be typed
  float high = 1;
  std::string unit;     // "σ", "°", or empty for a weight
  std::string meaning;  // one sentence for a tooltip
  int mirrored = -1;    // in the same group: its counterpart on the other side of the face, or -1
  bool antisymmetric =
      false;  // the counterpart, or the control itself, has the opposite sign (a turn about y)
};

// A head with a value for each of its parameters, and the surface that follows. Only what a change touches is
// computed again: one slider of a model of 53,000 vertices leaves time for 60 pictures a second. Eyeballs
// that neither joints nor the look shapes themselves turn follow the look shapes, as in an exported head.
class ShapedHead {
 public:
  explicit ShapedHead(MorphableModel model);

  const MorphableModel& model() const { return model_; }
  const std::vector<ShapeControl>& controls(ShapeGroup group) const;
  float value(ShapeGroup group, int index) const;
  const Eigen::VectorXf& values(ShapeGroup group) const;  // joints: 3J degrees, x y z of each
  // With `symmetric`, the mirrored control follows.
  void set(ShapeGroup group, int index, float value, bool symmetric = false);
  void setAll(ShapeGroup group, const Eigen::VectorXf& values);  // missing ones are at rest
  void reset(ShapeGroup group);                                  // to rest
  // What the head goes back to: how it was opened or fitted. Rest until it is kept.
  void keepAsHome();
  void keepAsHome(ShapeGroup group);
  const Eigen::VectorXf& home(ShapeGroup group) const;
  void resetToHome(ShapeGroup group);
  // Normal with standard deviation `sigma` for modes; for weights in [0, 1] some of the shapes, moderately.
  void randomize(ShapeGroup group, float sigma, unsigned seed);

  // Coefficients as the model takes them.
  Eigen::VectorXf identity() const;
  Eigen::VectorXf expression() const;
  Points3 pose() const;  // J×3, axis times angle in radians; empty without joints
  // From the model's own coefficients; named shapes beside the expressions go to rest.
  void setCoefficients(const Eigen::VectorXf& identity, const Eigen::VectorXf& expression,
                       const Points3& pose);

  // The surface, up to date.
  const Points3& vertices();  // V×3 mm
  const Points3& normals();   // V×3 unit length, area-weighted
  const Points3& neutral();   // V×3 mm: identity alone
  const Points3& albedo();    // V×3 linear RGB; empty if the model has none
  // Count up with each change of vertices() and albedo().
  unsigned shapeRevision() const { return shape_revision_; }
  unsigned albedoRevision() const { return albedo_revision_; }

  // {"model": id, "identity": {"identity 0": 0.5, …}, "shapes": {…}, …}: what differs from rest, by name.
  std::string toJson() const;
  // Sets all parameters from such JSON; those that it does not name go to rest. Returns the names that this
  // head does not have. Error(kInput), led by `source`, for anything else; nothing is changed then.
  std::vector<std::string> fromJson(const std::string& text, const std::string& source);

 private:
  // Where a control of kShapes stands in the model.
  struct ShapeSource {
    bool is_beside = false;  // a column of MorphableModel::blendshapes, else of its expressions
    int column = 0;
  };

  void makeControls();
  void change(ShapeGroup group, int index, float value);
  Eigen::VectorXf besideWeights() const;
  void updateShape();
  void findLooks();
  void turnEyes(const Points3& neutral_shape, Points3& shaped);

  MorphableModel model_;
  std::array<std::vector<ShapeControl>, kNumShapeGroups> controls_;
  std::array<Eigen::VectorXf, kNumShapeGroups> values_, home_;
  std::vector<int> mode_column_;           // of each control of kExpression
  std::vector<ShapeSource> shape_source_;  // of each control of kShapes
  std::vector<int> look_;  // controls of kShapes that are to turn an eyeball, as nothing else does
  std::array<Eyeball, 2> eyeballs_;
  Eigen::VectorXf eyeballs_identity_;  // that their centres are of
  LinearSum neutral_, expression_offset_, shape_offset_, albedo_sum_;
  NormalComputer normal_computer_;
  Points3 vertices_, normals_, albedo_;
  unsigned shape_revision_ = 1, albedo_revision_ = 1;
  unsigned vertices_at_ = 0, normals_at_ = 0, albedo_at_ = 0;  // revisions that they are of
};

}  // namespace facet
