#pragma once

#include <functional>
#include <vector>

#include "core/types.h"
#include "synth/random.h"

namespace facet::synth {

enum class Surface : std::uint8_t { kHair, kCloth, kGloss, kSkin, kPhoto };

// Everything in a picture but the head itself, in the camera frame (OpenCV axes, mm).
struct Scene {
  struct Vertex {
    Eigen::Vector3f position, normal, colour;  // colour: linear albedo
    Eigen::Vector3f local;                     // hair: tangent; cloth and photo: place in the pattern
  };
  struct Triangle {
    Eigen::Vector3i corner;
    Surface surface;
  };
  std::vector<Vertex> vertices;
  std::vector<Triangle> triangles;
  Eigen::Isometry3f placement = Eigen::Isometry3f::Identity();  // camera_from_local of what is added next

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
  };
  void addGrid(int rows, int columns, const std::function<GridPoint(float u, float v)>& point,
               Surface surface);
  // A lock of hair that shows its broad side to the camera. `root_normal` is the skin's normal where it
  // grows.
  void addLock(const std::vector<Eigen::Vector3f>& points, float width_mm, const Eigen::Vector3f& root_normal,
               const Eigen::Vector3f& root_colour, const Eigen::Vector3f& tip_colour);
};

// Distance of the head's surface from a centre inside it, by direction: a cheap stand-in for collisions and
// the shape under hats and scarves.
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
