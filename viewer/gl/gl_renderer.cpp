#include "viewer/gl/gl_renderer.h"

#include <EGL/egl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "viewer/gl/gl_names.h"
#include "viewer/gl/gl_textures.h"
#include "viewer/gl/shaders.h"

namespace facet {
namespace {

constexpr float kMidGrey = 0.18F;  // linear, of a material that says nothing: as renderFace() has it

// A picture in memory of the card: sRGB, so that what is blended and averaged is linear light.
struct Target {
  int width_px = 0, height_px = 0, samples = 0;
  GlFramebuffer framebuffer;           // what is drawn into
  GlRenderbuffer colour, depth;        // `colour` is only used with several samples per pixel
  GlFramebuffer resolved_framebuffer;  // one sample per pixel
  GlTexture resolved;                  // SRGB8_ALPHA8
};

// Buffers of a surface.
struct Buffers {
  std::weak_ptr<const SurfaceLayout> layout;
  GlVertexArray vertex_array;
  GlBuffer corners, uv, positions, normals, colours, values;
  GlTexture corners_texture, positions_texture;  // of the buffers, for the wires
  bool uv_repeats = false;                       // texture coordinates beyond [0, 1]
  // What was sent last; nothing at first.
  std::optional<unsigned> revision, colour_revision, value_revision;
  Eigen::Vector3f low, high;  // box round the positions, mm
};

Eigen::Vector4f asClip(const PixelRect& rect, float left, float top, float right, float bottom) {
  const auto x = [&](float px) { return 2 * (px - static_cast<float>(rect.x)) / rect.width - 1; };
  const auto y = [&](float px) { return 1 - 2 * (px - static_cast<float>(rect.y)) / rect.height; };
  return {x(left), y(bottom), x(right), y(top)};
}

PixelRect intersection(const PixelRect& a, const PixelRect& b) {
  PixelRect result;
  result.x = std::max(a.x, b.x);
  result.y = std::max(a.y, b.y);
  result.width = std::max(0, std::min(a.x + a.width, b.x + b.width) - result.x);
  result.height = std::max(0, std::min(a.y + a.height, b.y + b.height) - result.y);
  return result;
}

bool isEmpty(const PixelRect& rect) { return rect.width <= 0 || rect.height <= 0; }

PixelRect unionOf(const PixelRect& a, const PixelRect& b) {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  PixelRect result;
  result.x = std::min(a.x, b.x);
  result.y = std::min(a.y, b.y);
  result.width = std::max(a.x + a.width, b.x + b.width) - result.x;
  result.height = std::max(a.y + a.height, b.y + b.height) - result.y;
  return result;
}

// Pixels of the picture that a box (mm, model frame) can cover.
PixelRect outlineOf(const Eigen::Vector3f& low, const Eigen::Vector3f& high, const DrawView& view) {
  constexpr int kMargin_px = 2;  // samples and lines at the border
  Eigen::Vector2f first = Eigen::Vector2f::Constant(std::numeric_limits<float>::max()), last = -first;
  for (int corner = 0; corner < 8; ++corner) {
    const Eigen::Vector3f point(corner & 1 ? low.x() : high.x(), corner & 2 ? low.y() : high.y(),
                                corner & 4 ? low.z() : high.z());
    const auto pixel = view.camera.imageFromModel(point);
    if (!pixel || !(pixel->cwiseAbs().maxCoeff() < 1e6F)) return view.rect;  // the camera is in the box
    first = first.cwiseMin(*pixel);
    last = last.cwiseMax(*pixel);
  }
  PixelRect result;
  result.x = view.rect.x + static_cast<int>(std::floor(first.x())) - kMargin_px;
  result.y = view.rect.y + static_cast<int>(std::floor(first.y())) - kMargin_px;
  result.width = static_cast<int>(last.x() - first.x()) + 2 * kMargin_px + 2;
  result.height = static_cast<int>(last.y() - first.y()) + 2 * kMargin_px + 2;
  return result;
}

// Factors of 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² of a normal: shading() written out.
Points3 lightPolynomial(const SphericalHarmonicsLight& light) {
  const auto constant = [](int k, float x, float y, float z) {
    return SphericalHarmonicsLight::basis({x, y, z})(k);
  };
  Points3 factors = light.coefficients;
  factors.row(0) *= constant(0, 0, 0, 1);
  factors.row(1) *= constant(1, 0, 1, 0);
  factors.row(2) *= constant(2, 0, 0, 1);
  factors.row(3) *= constant(3, 1, 0, 0);
  factors.row(4) *= constant(4, 1, 1, 0);
  factors.row(5) *= constant(5, 0, 1, 1);
  factors.row(6) *= constant(6, 0, 0, 1) / 2;
  factors.row(7) *= constant(7, 1, 0, 1);
  factors.row(8) *= constant(8, 1, 0, 0);
  return factors;
}

template <typename Matrix>
void send(const GlBuffer& buffer, GLenum kind, const Matrix& values, GLenum usage) {
  glBindBuffer(kind, buffer.get());
  glBufferData(kind, static_cast<GLsizeiptr>(values.size() * sizeof(*values.data())), values.data(), usage);
}

void bindTexture(TextureUnit unit, GLenum kind, GLuint texture, GLuint sampler = 0) {
  glActiveTexture(GL_TEXTURE0 + static_cast<GLenum>(unit));
  glBindTexture(kind, texture);
  glBindSampler(static_cast<GLuint>(unit), sampler);
}

// Leaves OpenGL as Dear ImGui and a window expect it, also when drawing ends with an exception.
class StateGuard {
 public:
  StateGuard() { glGetIntegerv(GL_DRAW_FRAMEBUFFER_BINDING, &framebuffer_); }
  StateGuard(const StateGuard&) = delete;
  StateGuard& operator=(const StateGuard&) = delete;
  ~StateGuard() {
    for (int unit = 0; unit < kNumTextureUnits; ++unit) glBindSampler(static_cast<GLuint>(unit), 0);
    glActiveTexture(GL_TEXTURE0);
    glBindVertexArray(0);
    glUseProgram(0);
    glColorMask(GL_TRUE, GL_TRUE, GL_TRUE, GL_TRUE);
    glDepthMask(GL_TRUE);
    for (const GLenum feature : {GL_FRAMEBUFFER_SRGB, GL_SCISSOR_TEST, GL_CULL_FACE, GL_DEPTH_TEST, GL_BLEND,
                                 GL_POLYGON_OFFSET_FILL})
      glDisable(feature);
    glBindFramebuffer(GL_FRAMEBUFFER, static_cast<GLuint>(framebuffer_));
  }

 private:
  GLint framebuffer_ = 0;
};

template <typename Image>
bool holds(const std::shared_ptr<const Image>& image) {
  return image && !image->empty();
}

// Uniforms of the program in use that say where things are seen from.
void setCamera(const GlProgram& program, const DrawView& draw_view) {
  const Camera& camera = draw_view.camera;
  const Eigen::Isometry3f model_from_camera = camera.camera_from_model.inverse();
  const bool perspective = camera.projection == Camera::Projection::kPerspective;
  program.set("clip_from_model", camera.clipFromModel(draw_view.near_mm, draw_view.far_mm));
  Eigen::Vector3f eye = model_from_camera.translation();
  if (!perspective) eye = -model_from_camera.linear().col(2);
  program.set("eye", eye);
  program.set("eye_is_point", perspective ? 1.0F : 0.0F);
  const Eigen::Matrix3f view_from_model =
      Eigen::Vector3f(1, -1, -1).asDiagonal() * camera.camera_from_model.linear();
  program.set("view_from_model", view_from_model);
  program.set("depth_row", Eigen::Vector4f(camera.camera_from_model.matrix().row(2)));
  program.set("depth_range", Eigen::Vector2f(draw_view.near_mm, draw_view.far_mm));
}

// Those of the material, maps apart.
void setMaterial(const GlProgram& program, const DrawItem& item, const DrawMaterial& material) {
  const bool says_nothing = !material.base_colour && item.state->colours.rows() == 0 &&
                            material.base_colour_factor == Eigen::Vector3f(Eigen::Vector3f::Ones());
  program.set("base_factor", says_nothing ? Eigen::Vector3f(Eigen::Vector3f::Constant(kMidGrey))
                                          : material.base_colour_factor);
  program.set("opacity", item.opacity);
  program.set("roughness_factor", material.roughness);
  const float bounce = (material.ior - 1) / (material.ior + 1);
  program.set("reflectance", material.specular * bounce * bounce);
}

// Those of the light, its environment's map apart.
void setLight(const GlProgram& program, const ViewLight& light) {
  program.set("light", lightPolynomial(light.diffuse));
  program.set("exposure", light.exposure);
  if (light.lamp) {
    program.set("lamp_towards", light.lamp->towards);
    program.set("lamp_radiance", light.lamp->radiance);
  }
  program.set("environment_turn",
              Eigen::Vector2f(std::cos(light.environment_yaw_rad), std::sin(light.environment_yaw_rad)));
  program.set("environment_levels", static_cast<float>(GlTextures::kEnvironmentLevels));
}

// What a program must do to draw that material of an item.
SurfaceFeatures featuresOf(const ViewLight& light, const DrawItem& item, const DrawMaterial& material) {
  const bool has_uv = item.layout->uv.rows() > 0, has_colours = item.state->colours.rows() > 0;
  const bool lit = item.shading == SurfaceShading::kLit;
  const bool maps_normals = (lit || item.shading == SurfaceShading::kNormals) && has_uv && !item.flat;
  const bool has_base = lit || item.shading == SurfaceShading::kBase;
  SurfaceFeatures features;
  features.shading = item.shading;
  // A surface without what its shading shows is shown as it is.
  if ((item.shading == SurfaceShading::kColours && !has_colours) ||
      (item.shading == SurfaceShading::kValues && item.state->values.rows() == 0))
    features.shading = SurfaceShading::kBase;
  const auto enable = [&](bool condition, unsigned flag) {
    if (condition) features.flags |= flag;
    return condition;
  };
  const bool textured =
      enable(has_base && has_uv && holds(material.base_colour), SurfaceFeatures::kBaseTexture);
  enable((has_base && !textured && has_colours) || features.shading == SurfaceShading::kColours,
         SurfaceFeatures::kVertexColours);
  enable(maps_normals && holds(material.normal), SurfaceFeatures::kNormalMap);
  enable(maps_normals && holds(item.displacement), SurfaceFeatures::kDisplacement);
  enable(lit && has_uv && holds(material.occlusion_roughness), SurfaceFeatures::kOcclusionRoughness);
  enable(item.flat, SurfaceFeatures::kFlat);
  const bool has_lamp = enable(lit && light.lamp, SurfaceFeatures::kLamp);
  const bool mirrors =
      enable(lit && light.highlights && light.environment && !light.environment->by_roughness.empty(),
             SurfaceFeatures::kEnvironment);
  enable(lit && light.highlights && (has_lamp || mirrors), SurfaceFeatures::kHighlights);
  return features;
}

void check(const DrawItem& item) {
  require(item.layout && item.state, "GlRenderer: an item without layout or state");
  const auto size = static_cast<Eigen::Index>(item.layout->vertex.size());
  const SurfaceState& state = *item.state;
  require(state.positions.rows() == size && state.normals.rows() == size,
          "GlRenderer: ", state.positions.rows(), " positions and ", state.normals.rows(),
          " normals for a layout of ", size, " vertices");
  require(state.colours.rows() == 0 || state.colours.rows() == size, "GlRenderer: ", state.colours.rows(),
          " colours for a layout of ", size, " vertices");
  require(state.values.rows() == 0 || state.values.rows() == size, "GlRenderer: ", state.values.rows(),
          " values for a layout of ", size, " vertices");
  require(!item.displacement || item.displacement->channels() == 1, "GlRenderer: displacement of ",
          item.displacement ? item.displacement->channels() : 0, " channels; one is expected");
}

}  // namespace

struct GlRenderer::Impl {
  GlShaders shaders;
  GlTextures textures;
  std::map<std::uint64_t, Buffers> surfaces;
  std::optional<Target> target;
  GlTexture view;  // of the resolved picture, as RGBA8
  GlVertexArray no_attributes;
  GlSampler clamped, repeated;
  bool transparent = false;    // the last frame
  std::set<std::string> said;  // notes, once each
  std::vector<std::string> notes;
  int max_samples = 1, max_size_px = 0, max_buffer_texels = 0;
  PFNGLGETGRAPHICSRESETSTATUSPROC reset_status = nullptr;  // where the driver tells that the context was lost
  bool lost = false;
  bool has_views = false;  // of textures in another format; else GL_EXT_texture_sRGB_decode must do

  Impl();
  void say(const std::string& note) {
    if (said.insert(note).second) notes.push_back(note);
  }
  void setSize(const Frame& frame);
  Buffers& buffersOf(const DrawItem& item);
  PixelRect clipOf(const DrawView& view) const;
  void setScissor(const PixelRect& rect);
  PixelRect drawItems(const DrawView& view, bool clear_depth);
  void drawBackdrop(const DrawView& view);
  void drawBackground(const Frame& frame);
  void drawFlat(GLenum kind, int num_vertices);
  PixelRect drawItem(const DrawView& view, const DrawItem& item);
  void useSurfaceProgram(const DrawView& view, const DrawItem& item, const DrawMaterial& material,
                         const Buffers& buffers);
  void bindMaps(const SurfaceFeatures& features, const ViewLight& light, const DrawItem& item,
                const DrawMaterial& material, GLuint sampler);
  void resolve(const PixelRect& drawn);
};

GlRenderer::Impl::Impl() {
  GLint value = 0;
  glGetIntegerv(GL_MAX_SAMPLES, &value);
  max_samples = std::max(1, static_cast<int>(value));
  glGetIntegerv(GL_MAX_RENDERBUFFER_SIZE, &value);
  max_size_px = value;
  glGetIntegerv(GL_MAX_TEXTURE_BUFFER_SIZE, &value);
  max_buffer_texels = value;
  // GL_KHR_robustness has the names of OpenGL 4.5, GL_ARB_robustness those of its own.
  if (glHasVersion(4, 5) || glHasExtension("GL_KHR_robustness")) {
    reset_status = glGetGraphicsResetStatus;
  } else if (glHasExtension("GL_ARB_robustness")) {
    // Not every libOpenGL exports it. EGL finds what any current context has, also one of GLX.
    reset_status = reinterpret_cast<PFNGLGETGRAPHICSRESETSTATUSARBPROC>(
        eglGetProcAddress("glGetGraphicsResetStatusARB"));
  }
  has_views = glHasVersion(4, 3);
  for (const auto& [sampler, wrap] :
       {std::pair(clamped.get(), GL_CLAMP_TO_EDGE), std::pair(repeated.get(), GL_REPEAT)}) {
    glSamplerParameteri(sampler, GL_TEXTURE_WRAP_S, wrap);
    glSamplerParameteri(sampler, GL_TEXTURE_WRAP_T, wrap);
    glSamplerParameteri(sampler, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    glSamplerParameteri(sampler, GL_TEXTURE_MIN_FILTER,
                        glIsSoftware() ? GL_LINEAR_MIPMAP_NEAREST : GL_LINEAR_MIPMAP_LINEAR);
    if (textures.maxAnisotropy() > 1)
      glSamplerParameterf(sampler, GL_TEXTURE_MAX_ANISOTROPY, textures.maxAnisotropy());
  }
}

void GlRenderer::Impl::setSize(const Frame& frame) {
  int samples = std::clamp(frame.samples, 1, max_samples);
  if (frame.samples > max_samples) {
    std::ostringstream note;
    note << frame.samples << " samples per pixel asked for, this graphics driver draws " << max_samples;
    say(note.str());
  }
  if (std::max(frame.width_px, frame.height_px) > max_size_px)
    fail(ErrorKind::kRuntime, "picture of ", frame.width_px, "x", frame.height_px,
         " pixels: this graphics driver draws at most ", max_size_px, " a side; ask for a smaller one");
  if (target && target->width_px == frame.width_px && target->height_px == frame.height_px &&
      target->samples == samples)
    return;
  target.reset();  // before the next one takes its memory
  for (;; samples = 1) {
    Target next;
    next.width_px = frame.width_px;
    next.height_px = frame.height_px;
    next.samples = samples;
    // An immutable format is what a view can be made of.
    glBindTexture(GL_TEXTURE_2D, next.resolved.get());
    if (has_views) {
      glTexStorage2D(GL_TEXTURE_2D, 1, GL_SRGB8_ALPHA8, frame.width_px, frame.height_px);
    } else {
      glTexImage2D(GL_TEXTURE_2D, 0, GL_SRGB8_ALPHA8, frame.width_px, frame.height_px, 0, GL_RGBA,
                   GL_UNSIGNED_BYTE, nullptr);
    }
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, 0);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glBindFramebuffer(GL_FRAMEBUFFER, next.resolved_framebuffer.get());
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, next.resolved.get(), 0);
    if (samples > 1) {
      glBindFramebuffer(GL_FRAMEBUFFER, next.framebuffer.get());
      glBindRenderbuffer(GL_RENDERBUFFER, next.colour.get());
      glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples, GL_SRGB8_ALPHA8, frame.width_px,
                                       frame.height_px);
      glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, next.colour.get());
    }
    glBindRenderbuffer(GL_RENDERBUFFER, next.depth.get());
    glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples > 1 ? samples : 0, GL_DEPTH_COMPONENT24,
                                     frame.width_px, frame.height_px);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_DEPTH_ATTACHMENT, GL_RENDERBUFFER, next.depth.get());
    if (glCheckFramebufferStatus(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE) {
      target = std::move(next);
      break;
    }
    if (samples == 1)
      fail(ErrorKind::kRuntime, "this graphics driver (", glDescription(),
           ") has no memory for a picture of ", frame.width_px, "x", frame.height_px,
           " pixels; ask for a smaller one");
    say("edges are not smooth: this graphics driver cannot draw several samples per pixel");
    max_samples = 1;
  }
  view = GlTexture();
  if (has_views) {
    glTextureView(view.get(), GL_TEXTURE_2D, target->resolved.get(), GL_RGBA8, 0, 1, 0, 1);
    glBindTexture(GL_TEXTURE_2D, view.get());
  } else {
    glBindTexture(GL_TEXTURE_2D, target->resolved.get());
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SRGB_DECODE_EXT, GL_SKIP_DECODE_EXT);
  }
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
}

Buffers& GlRenderer::Impl::buffersOf(const DrawItem& item) {
  const SurfaceLayout& layout = *item.layout;
  const SurfaceState& state = *item.state;
  const auto [place, is_new] = surfaces.try_emplace(layout.id);
  Buffers& buffers = place->second;
  glBindVertexArray(buffers.vertex_array.get());
  const auto attribute = [](Attribute index, const GlBuffer& buffer, int components) {
    glBindBuffer(GL_ARRAY_BUFFER, buffer.get());
    glEnableVertexAttribArray(index);
    glVertexAttribPointer(index, components, GL_FLOAT, GL_FALSE, 0, nullptr);
  };
  if (is_new) {
    buffers.layout = item.layout;
    send(buffers.corners, GL_ELEMENT_ARRAY_BUFFER, layout.triangles, GL_STATIC_DRAW);
    attribute(kPositionAttribute, buffers.positions, 3);
    attribute(kNormalAttribute, buffers.normals, 3);
    if (layout.uv.rows() > 0) {
      send(buffers.uv, GL_ARRAY_BUFFER, layout.uv, GL_STATIC_DRAW);
      attribute(kUvAttribute, buffers.uv, 2);
      constexpr float kTolerance = 1e-4F;
      buffers.uv_repeats = layout.uv.minCoeff() < -kTolerance || layout.uv.maxCoeff() > 1 + kTolerance;
    }
  }
  if (buffers.revision != state.revision) {
    send(buffers.positions, GL_ARRAY_BUFFER, state.positions, GL_STREAM_DRAW);
    send(buffers.normals, GL_ARRAY_BUFFER, state.normals, GL_STREAM_DRAW);
    buffers.revision = state.revision;
    buffers.low = state.positions.colwise().minCoeff();
    buffers.high = state.positions.colwise().maxCoeff();
  }
  if (state.colours.rows() > 0 && buffers.colour_revision != state.colour_revision) {
    send(buffers.colours, GL_ARRAY_BUFFER, state.colours, GL_STREAM_DRAW);
    attribute(kColourAttribute, buffers.colours, 3);
    buffers.colour_revision = state.colour_revision;
  }
  if (state.values.rows() > 0 && buffers.value_revision != state.value_revision) {
    // NaN does not survive every driver's interpolation: a flag goes beside the value.
    Points2 values(state.values.rows(), 2);
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      const bool known = !std::isnan(state.values(i));
      values.row(i) << (known ? state.values(i) : 0), known ? 1 : 0;
    }
    send(buffers.values, GL_ARRAY_BUFFER, values, GL_STREAM_DRAW);
    attribute(kValueAttribute, buffers.values, 2);
    buffers.value_revision = state.value_revision;
  }
  return buffers;
}

void GlRenderer::Impl::useSurfaceProgram(const DrawView& draw_view, const DrawItem& item,
                                         const DrawMaterial& material, const Buffers& buffers) {
  const SurfaceFeatures features = featuresOf(draw_view.light, item, material);
  const GlProgram& program = shaders.surface(features);
  program.use();
  setCamera(program, draw_view);
  setMaterial(program, item, material);
  if (features.shading == SurfaceShading::kLit) setLight(program, draw_view.light);
  bindMaps(features, draw_view.light, item, material, buffers.uv_repeats ? repeated.get() : clamped.get());
  if (features.shading == SurfaceShading::kValues) {
    bindTexture(kColourMapUnit, GL_TEXTURE_2D, textures.of(item.colour_map));
    program.set("value_range", Eigen::Vector2f(item.value_low, item.value_high));
  }
}

// The maps that a program of those features reads.
void GlRenderer::Impl::bindMaps(const SurfaceFeatures& features, const ViewLight& light, const DrawItem& item,
                                const DrawMaterial& material, GLuint sampler) {
  const auto has = [&](unsigned flag) { return (features.flags & flag) != 0; };
  const auto bind = [&](TextureUnit unit, GLuint texture) {
    bindTexture(unit, GL_TEXTURE_2D, texture, sampler);
  };
  if (has(SurfaceFeatures::kBaseTexture))
    bind(kBaseColourUnit, textures.of(material.base_colour, TextureKind::kColour));
  if (has(SurfaceFeatures::kNormalMap)) bind(kNormalUnit, textures.of(material.normal, TextureKind::kData));
  if (has(SurfaceFeatures::kOcclusionRoughness))
    bind(kOcclusionRoughnessUnit, textures.of(material.occlusion_roughness, TextureKind::kData));
  if (has(SurfaceFeatures::kDisplacement)) bind(kSlopesUnit, textures.slopes(item.displacement));
  if (has(SurfaceFeatures::kEnvironment))
    bindTexture(kEnvironmentUnit, GL_TEXTURE_CUBE_MAP, textures.of(light.environment));
}

// Returns what it may have drawn on.
PixelRect GlRenderer::Impl::drawItem(const DrawView& draw_view, const DrawItem& item) {
  check(item);
  const SurfaceLayout& layout = *item.layout;
  if (item.opacity <= 0 || layout.triangles.rows() == 0) return {};
  const Buffers& buffers = buffersOf(item);
  const PixelRect outline = outlineOf(buffers.low, buffers.high, draw_view);
  const DrawMaterial no_material;
  const auto drawParts = [&](const auto& prepare) {
    for (const SurfaceLayout::Part& part : layout.parts) {
      const DrawMaterial& material = part.material < static_cast<int>(item.materials.size())
                                         ? item.materials[part.material]
                                         : no_material;
      if (!material.visible || part.num_triangles == 0) continue;
      if (draw_view.cull_backfaces && !material.double_sided) {
        glEnable(GL_CULL_FACE);
      } else {
        glDisable(GL_CULL_FACE);
      }
      prepare(material, part);
    }
  };
  const auto elements = [](const SurfaceLayout::Part& part) {
    glDrawElements(GL_TRIANGLES, 3 * part.num_triangles, GL_UNSIGNED_INT,
                   reinterpret_cast<const void*>(3 * sizeof(std::int32_t) *
                                                 static_cast<std::size_t>(part.first_triangle)));
  };
  const bool faded = item.opacity < 1;
  if (faded) {
    // Only the nearest surface is blended: a face is faded, its inside is not seen through it.
    const GlProgram& depth = shaders.depthOnly();
    depth.use();
    depth.set("clip_from_model", draw_view.camera.clipFromModel(draw_view.near_mm, draw_view.far_mm));
    glColorMask(GL_FALSE, GL_FALSE, GL_FALSE, GL_FALSE);
    drawParts([&](const DrawMaterial&, const SurfaceLayout::Part& part) { elements(part); });
    glColorMask(GL_TRUE, GL_TRUE, GL_TRUE, GL_TRUE);
    glDepthFunc(GL_EQUAL);
    glEnable(GL_BLEND);
  }
  drawParts([&](const DrawMaterial& material, const SurfaceLayout::Part& part) {
    useSurfaceProgram(draw_view, item, material, buffers);
    elements(part);
  });
  glDepthFunc(GL_LESS);
  glDisable(GL_BLEND);
  if (!item.wireframe) return outline;
  if (std::max(layout.triangles.size(), item.state->positions.size()) > max_buffer_texels) {
    std::ostringstream note;
    note << "edges of " << layout.triangles.rows() << " triangles between " << layout.vertex.size()
         << " vertices are not drawn: this graphics driver takes " << max_buffer_texels / 3 << " of each";
    say(note.str());
    return outline;
  }

  // The wires.
  const GlProgram& wires = shaders.wires();
  wires.use();
  wires.set("clip_from_model", draw_view.camera.clipFromModel(draw_view.near_mm, draw_view.far_mm));
  wires.set("wire_colour", item.wire_colour);
  wires.set("opacity", item.opacity);
  wires.set("half_width_px", 0.4F);
  bindTexture(kCornersUnit, GL_TEXTURE_BUFFER, buffers.corners_texture.get());
  glTexBuffer(GL_TEXTURE_BUFFER, GL_R32I, buffers.corners.get());
  bindTexture(kPositionsUnit, GL_TEXTURE_BUFFER, buffers.positions_texture.get());
  glTexBuffer(GL_TEXTURE_BUFFER, GL_R32F, buffers.positions.get());
  glBindVertexArray(no_attributes.get());
  glEnable(GL_POLYGON_OFFSET_FILL);
  glPolygonOffset(-1, -2);
  glDepthMask(GL_FALSE);
  glDepthFunc(GL_LEQUAL);
  glEnable(GL_BLEND);
  drawParts([](const DrawMaterial&, const SurfaceLayout::Part& part) {
    glDrawArrays(GL_TRIANGLES, 3 * part.first_triangle, 3 * part.num_triangles);
  });
  glDisable(GL_BLEND);
  glDepthFunc(GL_LESS);
  glDepthMask(GL_TRUE);
  glDisable(GL_POLYGON_OFFSET_FILL);
  return outline;
}

void GlRenderer::Impl::drawBackdrop(const DrawView& draw_view) {
  const Backdrop& backdrop = *draw_view.backdrop;
  if (!holds(backdrop.photo) || backdrop.opacity <= 0) return;
  const GlProgram& program = shaders.photo();
  program.use();
  bindTexture(kBaseColourUnit, GL_TEXTURE_2D, textures.of(backdrop.photo, TextureKind::kColour),
              clamped.get());
  const Eigen::Vector2f first = backdrop.offset_px;
  const Eigen::Vector2f last =
      first + backdrop.scale * Eigen::Vector2f(static_cast<float>(backdrop.photo->width()),
                                               static_cast<float>(backdrop.photo->height()));
  const PixelRect whole = {0, 0, target->width_px, target->height_px};
  program.set("place", asClip(whole, first.x(), first.y(), last.x(), last.y()));
  program.set("opacity", std::min(backdrop.opacity, 1.0F));
  setScissor(clipOf(draw_view));
  drawFlat(GL_TRIANGLE_STRIP, 4);
}

// Under what is there already.
void GlRenderer::Impl::drawBackground(const Frame& frame) {
  const GlProgram& gradient = shaders.gradient();
  gradient.use();
  gradient.set("top", frame.background[0]);
  gradient.set("bottom", frame.background[1]);
  glDisable(GL_SCISSOR_TEST);
  drawFlat(GL_TRIANGLES, 3);
}

// Vertices without attributes over the whole picture, blended with what is there.
void GlRenderer::Impl::drawFlat(GLenum kind, int num_vertices) {
  glBindVertexArray(no_attributes.get());
  glViewport(0, 0, target->width_px, target->height_px);
  glDisable(GL_CULL_FACE);
  glDisable(GL_DEPTH_TEST);
  glEnable(GL_BLEND);
  glDrawArrays(kind, 0, num_vertices);
  glDisable(GL_BLEND);
  glEnable(GL_DEPTH_TEST);
}

// What was drawn on comes into the picture of one sample per pixel, which is bound then; the rest is empty.
void GlRenderer::Impl::resolve(const PixelRect& drawn) {
  if (target->samples == 1) return;
  glDisable(GL_SCISSOR_TEST);
  glBindFramebuffer(GL_FRAMEBUFFER, target->resolved_framebuffer.get());
  glClear(GL_COLOR_BUFFER_BIT);
  if (isEmpty(drawn)) return;
  glBindFramebuffer(GL_READ_FRAMEBUFFER, target->framebuffer.get());
  const int left = drawn.x, right = drawn.x + drawn.width;
  const int top = target->height_px - drawn.y, bottom = top - drawn.height;
  glBlitFramebuffer(left, bottom, right, top, left, bottom, right, top, GL_COLOR_BUFFER_BIT, GL_NEAREST);
}

PixelRect GlRenderer::Impl::clipOf(const DrawView& draw_view) const {
  return intersection(draw_view.clip, {0, 0, target->width_px, target->height_px});
}

void GlRenderer::Impl::setScissor(const PixelRect& rect) {
  glEnable(GL_SCISSOR_TEST);
  glScissor(rect.x, target->height_px - rect.y - rect.height, rect.width, rect.height);
}

// Returns what was drawn on.
PixelRect GlRenderer::Impl::drawItems(const DrawView& draw_view, bool clear_depth) {
  const PixelRect& rect = draw_view.rect;
  PixelRect clip = clipOf(draw_view);
  if (isEmpty(clip) || isEmpty(rect)) return {};
  glViewport(rect.x, target->height_px - rect.y - rect.height, rect.width, rect.height);
  setScissor(clip);
  if (clear_depth) glClear(GL_DEPTH_BUFFER_BIT);
  PixelRect drawn;
  for (const bool faded : {false, true}) {
    for (const DrawItem& item : draw_view.items) {
      if ((item.opacity < 1) != faded) continue;
      drawn = unionOf(drawn, intersection(clip, drawItem(draw_view, item)));
    }
  }
  return drawn;
}

GlRenderer::GlRenderer() : impl_(std::make_unique<Impl>()) {}
GlRenderer::~GlRenderer() = default;

void GlRenderer::draw(const Frame& frame) {
  require(frame.width_px > 0 && frame.height_px > 0, "GlRenderer: a frame of ", frame.width_px, "x",
          frame.height_px, " pixels");
  Impl& impl = *impl_;
  const StateGuard guard;
  std::erase_if(impl.surfaces, [](const auto& item) { return item.second.layout.expired(); });
  impl.textures.freeUnused();
  impl.setSize(frame);
  impl.transparent = frame.transparent;
  const Target& target = *impl.target;
  glEnable(GL_FRAMEBUFFER_SRGB);
  glEnable(GL_TEXTURE_CUBE_MAP_SEAMLESS);
  glEnable(GL_DEPTH_TEST);
  glDepthFunc(GL_LESS);
  glDisable(GL_BLEND);
  glBlendEquation(GL_FUNC_ADD);
  glBlendFunc(GL_ONE, GL_ONE_MINUS_SRC_ALPHA);
  glPolygonMode(GL_FRONT_AND_BACK, GL_FILL);
  glDisable(GL_SCISSOR_TEST);
  glClearColor(0, 0, 0, 0);

  // The heads alone, with several samples per pixel, over nothing. What is behind them has no edges that need
  // those and comes under them afterwards: on the CPU that is twice as fast.
  const auto isSeparate = [&](std::size_t i) {
    for (std::size_t j = 0; j < i; ++j)
      if (!isEmpty(intersection(frame.views[i].clip, frame.views[j].clip))) return false;
    return true;
  };
  glBindFramebuffer(GL_FRAMEBUFFER,
                    target.samples > 1 ? target.framebuffer.get() : target.resolved_framebuffer.get());
  glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
  PixelRect drawn;
  for (std::size_t i = 0; i < frame.views.size(); ++i) {
    const DrawView& draw_view = frame.views[i];
    if (!isSeparate(i) && draw_view.backdrop) {
      impl.drawBackdrop(draw_view);
      drawn = unionOf(drawn, impl.clipOf(draw_view));
    }
    drawn = unionOf(drawn, impl.drawItems(draw_view, !isSeparate(i)));
  }
  impl.resolve(drawn);
  glBlendFunc(GL_ONE_MINUS_DST_ALPHA, GL_ONE);  // under what is there
  for (std::size_t i = 0; i < frame.views.size(); ++i)
    if (isSeparate(i) && frame.views[i].backdrop) impl.drawBackdrop(frame.views[i]);
  if (!frame.transparent) impl.drawBackground(frame);
}

Image8 GlRenderer::read() const {
  require(impl_->target.has_value(), "GlRenderer: nothing was drawn yet");
  const int width = impl_->target->width_px, height = impl_->target->height_px;
  GLint previous = 0;
  glGetIntegerv(GL_READ_FRAMEBUFFER_BINDING, &previous);
  glBindFramebuffer(GL_READ_FRAMEBUFFER, impl_->target->resolved_framebuffer.get());
  Image8 upside_down(width, height, 4), image(width, height, 4);
  glPixelStorei(GL_PACK_ALIGNMENT, 4);
  glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE, upside_down.data());
  glBindFramebuffer(GL_READ_FRAMEBUFFER, static_cast<GLuint>(previous));
  for (int y = 0; y < height; ++y)
    std::memcpy(image.at(0, y), upside_down.at(0, height - 1 - y), 4 * static_cast<std::size_t>(width));
  if (!impl_->transparent) return image;
  // What is drawn is linear light times alpha, stored as sRGB.
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.at(x, y);
      if (pixel[3] == 0 || pixel[3] == 255) continue;
      for (int c = 0; c < 3; ++c) {
        const float colour =
            linearFromSrgb(static_cast<float>(pixel[c]) / 255.0F) * 255.0F / static_cast<float>(pixel[3]);
        pixel[c] =
            static_cast<std::uint8_t>(std::lround(255.0F * srgbFromLinear(std::clamp(colour, 0.0F, 1.0F))));
      }
    }
  }
  return image;
}

std::vector<std::string> GlRenderer::takeNotes() {
  std::vector<std::string> notes = std::exchange(impl_->notes, {});
  for (std::string& note : impl_->textures.takeNotes()) notes.push_back(std::move(note));
  return notes;
}

unsigned GlRenderer::texture() const {
  if (!impl_->target) return 0;
  return impl_->has_views ? impl_->view.get() : impl_->target->resolved.get();
}

bool GlRenderer::lost() const {
  // A driver says so once.
  if (impl_->reset_status && impl_->reset_status() != GL_NO_ERROR) impl_->lost = true;
  return impl_->lost;
}

}  // namespace facet
