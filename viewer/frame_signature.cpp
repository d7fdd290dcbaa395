#include "viewer/frame_signature.h"

#include <cstring>

namespace facet {
namespace {

// FNV-1a (Fowler, Noll and Vo) over whatever is added.
class Signature {
 public:
  std::uint64_t value() const { return value_; }

  template <typename Number>
  requires std::is_arithmetic_v<Number> || std::is_enum_v<Number> || std::is_pointer_v<Number> Signature&
  operator<<(Number number) {
    unsigned char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    for (const unsigned char byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3ULL;
    return *this;
  }
  template <typename Derived>
  Signature& operator<<(const Eigen::DenseBase<Derived>& matrix) {
    for (Eigen::Index i = 0; i < matrix.size(); ++i) *this << matrix(i % matrix.rows(), i / matrix.rows());
    return *this;
  }
  template <typename T>
  Signature& operator<<(const std::shared_ptr<T>& shared) {
    return *this << static_cast<const void*>(shared.get());
  }
  Signature& operator<<(const PixelRect& rect) {
    return *this << rect.x << rect.y << rect.width << rect.height;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

void add(Signature& signature, const Camera& camera) {
  signature << camera.projection << camera.width_px << camera.height_px << camera.focal_px
            << camera.scale_px_per_mm << camera.principal_px << camera.camera_from_model.matrix();
}

void add(Signature& signature, const DrawItem& item) {
  signature << item.layout->id << item.state->revision << item.state->colour_revision
            << item.state->value_revision << item.state << item.shading << item.colour_map << item.value_low
            << item.value_high << item.displacement << item.flat << item.wireframe << item.wire_colour
            << item.opacity;
  for (const DrawMaterial& material : item.materials) {
    signature << material.base_colour << material.base_colour_factor << material.normal
              << material.occlusion_roughness << material.roughness << material.specular << material.ior
              << material.double_sided << material.visible;
  }
}

void add(Signature& signature, const ViewLight& light) {
  signature << light.diffuse.coefficients << light.environment << light.environment_yaw_rad
            << light.highlights << light.exposure << light.lamp.has_value();
  if (light.lamp) signature << light.lamp->towards << light.lamp->radiance;
}

}  // namespace

std::uint64_t signature(const Frame& frame) {
  Signature result;
  result << frame.width_px << frame.height_px << frame.samples << frame.background[0] << frame.background[1]
         << frame.transparent << frame.views.size();
  for (const DrawView& view : frame.views) {
    result << view.rect << view.clip << view.near_mm << view.far_mm << view.cull_backfaces
           << view.items.size() << view.backdrop.has_value();
    add(result, view.camera);
    if (view.backdrop)
      result << view.backdrop->photo << view.backdrop->opacity << view.backdrop->scale
             << view.backdrop->offset_px;
    for (const DrawItem& item : view.items) add(result, item);
    add(result, view.light);
  }
  return result.value();
}

}  // namespace facet
