#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "viewer/guides.h"
#include "viewer/renderer.h"
#include "viewer/scene.h"

namespace facet {

// Colour bar that belongs to a picture.
struct Legend {
  std::string title;  // "distance to the scan, + outside"
  std::string unit;   // "mm"
  float low = 0, high = 1;
  ColourMap colour_map = ColourMap::kViridis;
};

// Makes pictures of a scene; keeps what does not change from one to the next.
class FrameBuilder {
 public:
  // `width_px` × `height_px` is the picture that the scene fills.
  Frame build(Scene& scene, int width_px, int height_px);
  // Of the last picture: the camera of the current subject in it, for marks and picks; a wipe has one rect.
  const Camera& camera() const { return camera_; }
  const PixelRect& rect() const { return rect_; }
  // Colour bar of the last picture, if its mode has one.
  const std::optional<Legend>& legend() const { return legend_; }

 private:
  // What is kept of a subject from one picture to the next.
  struct Kept {
    std::weak_ptr<Subject> subject;
    std::weak_ptr<ShapedHead> head;
    std::shared_ptr<const SurfaceLayout> layout;
    std::shared_ptr<SurfaceState> state;
    std::size_t num_materials = 0;                   // of the subject, when the layout was made
    std::vector<int> material;                       // of the subject, of each of the layout's
    std::vector<std::uint8_t> kind;                  // MaterialKind of each of the layout's
    unsigned shape_revision = 0;                     // that the state's positions are of
    std::array<long, 4> colours_of{-1, -1, -1, -1};  // what the state's colours and values were made from
    std::array<long, 4> values_of{-1, -1, -1, -1};
    std::optional<Guides> grid, axes;
    Eigen::VectorXf guides_identity;  // that they were made for
  };

  Kept& keep(const std::shared_ptr<Subject>& subject);
  void update(const Scene& scene, Subject& subject, Kept& kept);
  void addGuides(const ViewSettings& settings, const std::shared_ptr<Subject>& subject, DrawView& view);
  DrawItem item(const Scene& scene, const std::shared_ptr<Subject>& subject, float opacity);
  DrawView view(const Scene& scene, const std::shared_ptr<Subject>& subject, const PixelRect& rect,
                bool through_photo, bool with_head);

  std::map<const Subject*, Kept> kept_;
  Camera camera_;
  PixelRect rect_;
  std::optional<Legend> legend_;
};

// Where the picture of a photo lies in a view of that size: letterboxed, zoomed and panned.
struct PhotoPlacement {
  float scale = 1;
  Eigen::Vector2f offset_px = Eigen::Vector2f::Zero();
};
PhotoPlacement placePhoto(int photo_width_px, int photo_height_px, const PixelRect& rect, float zoom,
                          const Eigen::Vector2f& pan_px);

// The studio's light, the photo's, or the environment's, with the lamp: in the model frame. The studio stands
// still with the head; a lamp takes the place of most of its light, and clay has one from the side, so that
// shapes can be seen.
ViewLight viewLight(const Scene& scene, const Subject& subject);

}  // namespace facet
