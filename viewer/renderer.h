#pragma once

#include <Eigen/Core>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/image.h"
#include "core/spherical_harmonics.h"
#include "viewer/colour_map.h"
#include "viewer/environment.h"
#include "viewer/surface.h"

namespace facet {

// One picture as plain data, and the interface of what draws it. Positions are pixels of the picture, origin
// top-left; colours are linear RGB unless said otherwise.

struct PixelRect {
  int x = 0, y = 0, width = 0, height = 0;
};

// What a part's pixels show.
enum class SurfaceShading {
  kLit,      // base colour under the view's light
  kBase,     // base colour alone
  kNormals,  // (n + 1) / 2 of the shading normal, not linear; camera frame with x right, y up, z to the
             // viewer
  kDepth,    // near white, far black, over the view's depth range
  kChecker,  // of texture coordinates, 16 squares a side, red and green growing with u and v
  kColours,  // SurfaceState::colours as they are, not lit
  kValues,   // SurfaceState::values through a colour map, lightly shaded so that the shape can be read
};

// Textures are uploaded once per image; an image larger than the card allows is scaled down, see
// Renderer::takeNotes().
struct DrawMaterial {
  std::shared_ptr<const Image8> base_colour;  // sRGB; null: colours of the state if there are any, else grey
  Eigen::Vector3f base_colour_factor = Eigen::Vector3f::Ones();
  std::shared_ptr<const Image8> normal;               // tangent space, green up; null = none
  std::shared_ptr<const Image8> occlusion_roughness;  // red, green
  float roughness = 0.55F, specular = 1, ior = 1.4F;
  bool double_sided = false;
  bool visible = true;
};

struct DrawItem {
  std::shared_ptr<const SurfaceLayout> layout;
  std::shared_ptr<const SurfaceState> state;
  std::vector<DrawMaterial> materials;  // by SurfaceLayout::Part::material
  SurfaceShading shading = SurfaceShading::kLit;
  ColourMap colour_map = ColourMap::kViridis;
  float value_low = 0, value_high = 1;         // of kValues; outside is clamped, NaN is grey
  std::shared_ptr<const ImageF> displacement;  // mm along the normal: bumps in the shading; null = none
  bool flat = false;                           // one normal per triangle
  bool wireframe = false;                      // edges over it, hidden ones not
  Eigen::Vector3f wire_colour = {0.02F, 0.02F, 0.02F};
  float opacity = 1;  // of the whole item over what is behind it
};

// A lamp, besides the light that comes from all sides.
struct Lamp {
  Eigen::Vector3f towards = {0, 0, 1};   // unit, model frame: from the face to the lamp
  Eigen::Vector3f radiance = {0, 0, 0};  // a white surface that faces it becomes so bright
};

struct ViewLight {
  SphericalHarmonicsLight diffuse;                 // model frame
  std::shared_ptr<const Environment> environment;  // what highlights mirror; null = SH light has none
  float environment_yaw_rad = 0;                   // the environment turned about +Y, as `diffuse` already is
  std::optional<Lamp> lamp;
  bool highlights = true;  // specular reflection of lamp and environment
  float exposure = 1;      // factor on everything that is lit
};

// A photo behind the head.
struct Backdrop {
  std::shared_ptr<const Image8> photo;  // sRGB
  float opacity = 1;                    // over the background
  // Where the photo lies: pixel of the picture = offset + scale * pixel of the photo.
  float scale = 1;
  Eigen::Vector2f offset_px = Eigen::Vector2f::Zero();
};

// One camera's part of the picture. Views are drawn in order; `clip` limits what is drawn, `rect` is the
// camera's whole image: a wipe is two views of one rect with different clips.
struct DrawView {
  PixelRect rect, clip;
  Camera camera;  // of rect's size in pixels; scaled orthographic allowed
  float near_mm = 1, far_mm = 10000;
  std::optional<Backdrop> backdrop;
  std::vector<DrawItem> items;
  ViewLight light;
  bool cull_backfaces = true;  // but those of double-sided materials
};

struct Frame {
  int width_px = 0, height_px = 0;
  int samples = 4;  // per pixel, for smooth edges; 1 = what a rasterizer sees at pixel centres
  // Behind everything, top to bottom.
  std::array<Eigen::Vector3f, 2> background = {Eigen::Vector3f::Constant(0.9F),
                                               Eigen::Vector3f::Constant(0.9F)};
  bool transparent = false;  // background alpha 0
  std::vector<DrawView> views;
};

class Renderer {
 public:
  virtual ~Renderer() = default;
  virtual void draw(const Frame& frame) = 0;
  // What was drawn last: sRGB RGBA, colour not multiplied by alpha.
  virtual Image8 read() const = 0;
  // Said once each, for the user: "texture of 32768x32768 pixels shown at 16384x16384, …".
  virtual std::vector<std::string> takeNotes() = 0;
};

}  // namespace facet
