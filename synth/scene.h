#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "core/types.h"
#include "synth/random.h"
#include "synth/truth.h"

namespace facet::synth {

enum class Surface : std::uint8_t { kHair, kCloth, kGloss, kSkin, kPhoto };

// Everything in a picture but the head itself, in the camera frame (OpenCV axes, mm).
struct Scene {
  struct Vertex {
    Eigen::Vector3f position, normal, colour;  // colour: linear albedo
    Eigen::Vector3f local;                     // hair: tangent; cloth and photo: place in the pattern
    FaceLabel label = FaceLabel::kOccluder;
    Eigen::Vector2f over_mm = Eigen::Vector2f::Constant(-1);  // distance inside each overlay, - = outside
  };
  struct Triangle {
    Eigen::Vector3i corner;
    Surface surface;
  };
  std::vector<Vertex> vertices;
  std::vector<Triangle> triangles;
  Eigen::Isometry3f placement = Eigen::Isometry3f::Identity();  // camera_from_local of what is added next
  FaceLabel label = FaceLabel::kOccluder;                       // of what is added next
  // Sharp patterns on cloth: where the mixed distance of the corners is positive; the later one wins.
  struct Overlay {
    Eigen::Vector3f colour;
    bool skin = false;
  };
  std::array<Overlay, 2> overlays;

  void addTube(const std::vector<Eigen::Vector3f>& points, const std::vector<float>& radii,
               const Eigen::Vector3f& colour, Surface surface, int sides = 5);
  // Axes are the columns, in mm.
  void addEllipsoid(const Eigen::Vector3f& centre, const Eigen::Matrix3f& axes, const Eigen::Vector3f& colour,
                    Surface surface, int rings = 8);
  void addBox(const Eigen::Vector3f& centre, const Eigen::Matrix3f& axes, const Eigen::Vector3f& colour,
              Surface surface);
  // (rows+1)×(columns+1) points; normals from the grid itself, on the side of du × dv.
  struct GridPoint {
    Eigen::Vector3f position, colour, local;
    bool exists = true;
    Eigen::Vector2f over_mm = Eigen::Vector2f::Constant(-1);
  };
  void addGrid(int rows, int columns, const std::function<GridPoint(float u, float v)>& point,
               Surface surface);
  // A lock of hair that shows its broad side to the camera. `root_normal` is the skin's normal where it
  // grows.
  void addLock(std::span<const Eigen::Vector3f> points, float width_mm, const Eigen::Vector3f& root_normal,
               const Eigen::Vector3f& root_colour, const Eigen::Vector3f& tip_colour);
};

// Distance of the head's surface from a centre inside it, by direction: a cheap stand-in for collisions and
// the shape under hats and scarves.
inline const Eigen::Vector3f kHeadCentre(0, 45, 5);  // model frame, mm
class HeadGrid {
 public:
  // Neck and shoulders (low on the mean head) are left out.
  HeadGrid(const Points3& vertices, const Points3& mean, int num_skin_vertices,
           const Eigen::Vector3f& centre);
  const Eigen::Vector3f& centre() const { return centre_; }
  float radius(const Eigen::Vector3f& direction) const;
  // Point at an azimuth (0 = front, 90° = subject's left) and elevation, `lift_mm` above the surface.
  Eigen::Vector3f point(float azimuth, float elevation, float lift_mm) const;
  static Eigen::Vector3f direction(float azimuth, float elevation);

 private:
  static constexpr int kRows = 36, kColumns = 72;
  Eigen::Vector3f centre_;
  std::vector<float> radius_;
};

}  // namespace facet::synth
