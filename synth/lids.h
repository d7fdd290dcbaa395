#pragma once

#include <array>
#include <vector>

#include "core/morphable_model.h"

namespace facet::synth {

// Makes the lids of any person meet when a blink's weight is 1. A linear blink shape closes the eyes of one
// head only: on others, and beside other expressions, it leaves a slit or lets the lids cross.
class Lids {
 public:
  Lids() = default;
  // Finds the lid margins by the names of data/landmarks; a model without that dense set keeps its blink.
  // Error(kModel) for names that cannot be read or lack the margins.
  // `num_skin` = vertices of the model that belong to face, head and neck; `eye_centres` 2×3 mm (left, right)
  // on the mean head, `is_eye` (V) marks the eyeballs' fronts, which look along +z there.
  Lids(const MorphableModel& model, int num_skin, const Points3& eye_centres,
       const std::vector<std::uint8_t>& is_eye);

  // Moves the upper lids of a posed head (V×3 mm, expression `weights` in it), in proportion to the blink,
  // and keeps them in front of the eyeballs. `eye_centres` are this person's, `gaze` two unit vectors.
  void close(const MorphableModel& model, const Eigen::VectorXf& weights, const Points3& eye_centres,
             const std::array<Eigen::Vector3f, 2>& gaze, Points3& vertices) const;

  // Opening of an eye (0 left, 1 right) of a posed head: mean distance of the middle of the upper margin from
  // the lower one, mm. std::invalid_argument for a model without the dense set.
  float gap_mm(int side, const Points3& vertices) const;

 private:
  struct Follower {
    int vertex = 0;
    float share = 0;            // of the margin's movement
    float clearance_mm = 0;     // from the eyeball
    float yields = 1;           // share of the way out of the eyeball that it takes
    std::array<int, 3> margin;  // into Eye::upper
    std::array<float, 3> weights;
  };
  struct Eye {
    std::vector<int> upper, lower;  // vertices from the outer to the inner corner, both corners included
    std::vector<Follower> followers;
    int blink = -1;  // index of the expression
  };
  std::array<Eye, 2> eyes_;  // left, right
  // The eyeball's radius by the angle from its axis, in steps of kStep_deg: the cornea bulges.
  static constexpr float kStep_deg = 4;
  std::array<float, 24> radius_mm_{};
  std::size_t angleBin(float cosine) const;
  float radiusAt(float cosine) const { return radius_mm_[angleBin(cosine)]; }
};

}  // namespace facet::synth
