// The programs of the renderer. Papers:
// Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
// Walter et al., "Microfacet Models for Refraction through Rough Surfaces", EGSR 2007 (GGX).
// Karis, "Physically Based Shading on Mobile", 2014 (reflectance of an environment, after Lazarov).
// Mikkelsen, "Bump Mapping Unparametrized Surfaces on the GPU", Journal of Graphics Tools 2010.
// Baerentzen et al., "A Single-Pass Approach to Anti-Aliased Wireframe Rendering", 2006.

#include "viewer/gl/shaders.h"

#include <vector>

#include "core/error.h"

namespace facet {
namespace {

// Two programs that draw the same triangle must agree on its depth to the last bit: hence `invariant`.
constexpr char kSurfaceVertex[] = R"(
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 uv;
layout(location = 3) in vec3 colour;
layout(location = 4) in vec2 value;
uniform mat4 clip_from_model;
invariant gl_Position;
out vec3 at_mm;
out vec3 smooth_normal;
out vec2 at_uv;
#ifdef VERTEX_COLOURS
out vec3 vertex_colour;
#endif
#ifdef VALUES
out vec2 at_value;
#endif
void main() {
  gl_Position = clip_from_model * vec4(position, 1);
  at_mm = position;
  smooth_normal = normal;
  at_uv = uv;
#ifdef VERTEX_COLOURS
  vertex_colour = colour;
#endif
#ifdef VALUES
  at_value = value;
#endif
}
)";

constexpr char kSurfaceFragment[] = R"(
in vec3 at_mm;          // model frame
in vec3 smooth_normal;  // model frame
in vec2 at_uv;          // origin bottom left
out vec4 out_colour;    // linear, multiplied by alpha
uniform float opacity;
uniform vec3 eye;       // mm, or with w = 0 the direction towards it
uniform float eye_is_point;

// The framebuffer encodes what is written as sRGB; data shall pass as it is.
vec3 asData(vec3 c) {
  c = clamp(c, 0.0, 1.0);
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}

vec2 texel() { return vec2(at_uv.x, 1.0 - at_uv.y); }

#ifdef NEEDS_NORMAL
#ifdef NORMAL_MAP
uniform sampler2D normal_map;
#endif
#ifdef DISPLACEMENT
uniform sampler2D slopes;  // mm per unit of u and v
#endif
vec3 shadingNormal() {
#ifdef FLAT
  return normalize(cross(dFdx(at_mm), dFdy(at_mm)));  // window axes: towards the viewer
#else
  vec3 n = smooth_normal * inversesqrt(max(dot(smooth_normal, smooth_normal), 1e-20));
#if defined(NORMAL_MAP) || defined(DISPLACEMENT)
  vec3 px = dFdx(at_mm), py = dFdy(at_mm);
  vec2 tx = dFdx(at_uv), ty = dFdy(at_uv);
  float facing = dot(px, cross(py, n));  // < 0 seen from behind
#ifdef DISPLACEMENT
  vec2 slope = texture(slopes, texel()).rg;
  vec3 gradient = dot(slope, tx) * cross(py, n) + dot(slope, ty) * cross(n, px);
  n = normalize(abs(facing) * n - (facing < 0.0 ? -gradient : gradient));
#endif
#ifdef NORMAL_MAP
  float handed = tx.x * ty.y - ty.x * tx.y;  // < 0 where the chart is mirrored, or seen from behind
  vec3 tangent = px * ty.y - py * tx.y;
  tangent -= n * dot(n, tangent);
  float length2 = dot(tangent, tangent);
  if (length2 > 0.0) {
    tangent *= (handed < 0.0 ? -1.0 : 1.0) * inversesqrt(length2);
    vec3 bitangent = (handed * facing < 0.0) ? cross(tangent, n) : cross(n, tangent);
    vec3 m = 2.0 * texture(normal_map, texel()).xyz - 1.0;
    n = normalize(m.x * tangent + m.y * bitangent + m.z * n);
  }
#endif
#endif
  return gl_FrontFacing ? n : -n;
#endif
}
#endif

#ifdef NEEDS_BASE
uniform vec3 base_factor;
#ifdef BASE_TEXTURE
uniform sampler2D base_colour;
#endif
#ifdef VERTEX_COLOURS
in vec3 vertex_colour;
#endif
vec3 base() {
#if defined(BASE_TEXTURE)
  return base_factor * texture(base_colour, texel()).rgb;
#elif defined(VERTEX_COLOURS)
  return base_factor * vertex_colour;
#else
  return base_factor;
#endif
}
#endif

#ifdef LIT
uniform vec3 light[9];  // factors of 1, y, z, x, xy, yz, 3z²-1, xz, x²-y²
uniform float exposure;
#ifdef LAMP
uniform vec3 lamp_towards;
uniform vec3 lamp_radiance;
#endif
#ifdef OCCLUSION_ROUGHNESS
uniform sampler2D occlusion_roughness;
#endif
#ifdef HIGHLIGHTS
uniform float roughness_factor;
uniform float reflectance;  // at right angles
#ifdef ENVIRONMENT
uniform samplerCube environment;
uniform vec2 environment_turn;  // cosine and sine
uniform float environment_levels;
#endif
// A lamp has a size, or its mirror image on an eye would be smaller than a pixel.
const float kSharpest = 0.03;
#endif

vec3 lit() {
  vec3 n = shadingNormal();
  vec3 from_around = light[0] + light[1] * n.y + light[2] * n.z + light[3] * n.x + light[4] * (n.x * n.y) +
                     light[5] * (n.y * n.z) + light[6] * (3.0 * n.z * n.z - 1.0) + light[7] * (n.x * n.z) +
                     light[8] * (n.x * n.x - n.y * n.y);
  from_around = max(from_around, 0.0);
#ifdef OCCLUSION_ROUGHNESS
  vec2 open_rough = texture(occlusion_roughness, texel()).rg;
  from_around *= open_rough.r;
#endif
#ifdef LAMP
  float toward_lamp = max(dot(n, lamp_towards), 0.0);
  from_around += lamp_radiance * toward_lamp;
#endif
  vec3 colour = base() * from_around;
#ifdef HIGHLIGHTS
  vec3 v = normalize(eye - eye_is_point * at_mm);
  float roughness = roughness_factor;
#ifdef OCCLUSION_ROUGHNESS
  roughness *= open_rough.g;
#endif
  float toward_eye = max(dot(n, v), 1e-3);
#ifdef LAMP
  vec3 h = normalize(v + lamp_towards);
  float a = max(roughness * roughness, kSharpest), nh = max(dot(n, h), 0.0);
  float lobe = nh * nh * (a * a - 1.0) + 1.0;
  float masked = 0.5 / mix(2.0 * toward_lamp * toward_eye, toward_lamp + toward_eye, a);
  float grazing = 1.0 - max(dot(v, h), 0.0), grazing2 = grazing * grazing;
  float fresnel = reflectance + (1.0 - reflectance) * grazing2 * grazing2 * grazing;
  // A white surface reflects radiance / pi of each direction's light: pi cancels that of the lobe.
  colour += lamp_radiance * (toward_lamp * fresnel * masked * a * a / (lobe * lobe));
#endif
#ifdef ENVIRONMENT
  vec3 r = reflect(-v, n);
  r.xz = vec2(environment_turn.x * r.x - environment_turn.y * r.z,
              environment_turn.y * r.x + environment_turn.x * r.z);
  vec3 mirrored = textureLod(environment, r, roughness * (environment_levels - 1.0)).rgb;
  vec4 fit = roughness * vec4(-1.0, -0.0275, -0.572, 0.022) + vec4(1.0, 0.0425, 1.04, -0.04);
  float bend = min(fit.x * fit.x, exp2(-9.28 * toward_eye)) * fit.x + fit.y;
  float share = reflectance * (-1.04 * bend + fit.z) + (1.04 * bend + fit.w);
#ifdef OCCLUSION_ROUGHNESS
  share *= open_rough.r;
#endif
  colour += mirrored * share;
#endif
#endif
  return exposure * colour;
}
#endif

#ifdef NORMALS
uniform mat3 view_from_model;  // x right, y up, z to the viewer
#endif
#ifdef DEPTH
uniform vec4 depth_row;  // of camera_from_model
uniform vec2 depth_range;
#endif
#ifdef VALUES
in vec2 at_value;  // second: 1 where there is one
uniform sampler2D colour_map;
uniform vec2 value_range;
#endif
#ifdef COLOURS
in vec3 vertex_colour;
#endif

void main() {
  vec3 colour;
#if defined(LIT)
  colour = lit();
#elif defined(BASE)
  colour = base();
#elif defined(NORMALS)
  colour = asData(0.5 * (view_from_model * shadingNormal()) + 0.5);
#elif defined(DEPTH)
  float z = dot(depth_row, vec4(at_mm, 1));
  colour = asData(vec3((depth_range.y - z) / (depth_range.y - depth_range.x)));
#elif defined(CHECKER)
  // +1 and -1 by turns, with edges one pixel wide.
  vec2 square = 16.0 * at_uv, width = max(fwidth(square), 1e-6);
  vec2 wave = 2.0 * abs(2.0 * fract(0.5 * square + 0.25) - 1.0) - 1.0;  // zero at each edge, slope 2
  vec2 side = clamp(wave / width, -1.0, 1.0);
  float bright = 0.8 + 0.2 * side.x * side.y;
  colour = asData(bright * vec3(0.15 + 0.85 * at_uv, 0.45));
#elif defined(COLOURS)
  colour = vertex_colour;
#elif defined(VALUES)
  vec3 v = normalize(eye - eye_is_point * at_mm);
  float t = clamp((at_value.x - value_range.x) / (value_range.y - value_range.x), 0.0, 1.0);
  // As the legend has it where the surface faces the viewer.
  colour = at_value.y > 0.99 ? texture(colour_map, vec2((t * 255.0 + 0.5) / 256.0, 0.5)).rgb : vec3(0.18);
  colour *= 0.55 + 0.45 * max(dot(shadingNormal(), v), 0.0);
#endif
  out_colour = vec4(clamp(colour, 0.0, 1.0) * opacity, opacity);
}
)";

constexpr char kDepthFragment[] = R"(
void main() {}
)";

// Each triangle has corners of its own here, read from the buffers of the surface: the distance to its edges
// can be interpolated then, and shaping needs to send nothing more.
constexpr char kWiresVertex[] = R"(
uniform mat4 clip_from_model;
uniform isamplerBuffer corners;
uniform samplerBuffer positions;
noperspective out vec3 barycentric;
void main() {
  int v = 3 * texelFetch(corners, gl_VertexID).r;
  vec3 p = vec3(texelFetch(positions, v).r, texelFetch(positions, v + 1).r, texelFetch(positions, v + 2).r);
  gl_Position = clip_from_model * vec4(p, 1);
  int corner = gl_VertexID % 3;
  barycentric = vec3(corner == 0, corner == 1, corner == 2);
}
)";

constexpr char kWiresFragment[] = R"(
noperspective in vec3 barycentric;
out vec4 out_colour;
uniform vec3 wire_colour;
uniform float opacity;
uniform float half_width_px;
void main() {
  vec3 dx = dFdx(barycentric), dy = dFdy(barycentric);
  vec3 per_px = sqrt(dx * dx + dy * dy);
  vec3 distance_px = barycentric / max(per_px, 1e-6);
  float nearest = min(min(distance_px.x, distance_px.y), distance_px.z);
  // Where triangles are hardly wider than the lines, the lines get paler, not the surface black.
  float height_px = 1.0 / max(max(per_px.x, per_px.y), per_px.z);
  float alpha = opacity * clamp((height_px - 1.0) / 9.0, 0.1, 0.85);
  alpha *= clamp(half_width_px + 0.5 - nearest, 0.0, 1.0);
  out_colour = vec4(wire_colour * alpha, alpha);
}
)";

constexpr char kGradientVertex[] = R"(
uniform vec3 top;
uniform vec3 bottom;
out vec3 colour;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1);
  gl_Position = vec4(corner, 0, 1);
  colour = mix(bottom, top, 0.5 * corner.y + 0.5);
}
)";

constexpr char kGradientFragment[] = R"(
in vec3 colour;
out vec4 out_colour;
void main() { out_colour = vec4(colour, 1); }
)";

constexpr char kPhotoVertex[] = R"(
uniform vec4 place;  // left, bottom, right, top in clip space
out vec2 at;
void main() {
  at = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(mix(place.xy, place.zw, at), 0, 1);
  at.y = 1.0 - at.y;
}
)";

constexpr char kPhotoFragment[] = R"(
in vec2 at;
out vec4 out_colour;
uniform sampler2D photo;
uniform float opacity;
void main() { out_colour = vec4(texture(photo, at).rgb * opacity, opacity); }
)";

GLuint compile(const std::string& name, GLenum kind, const std::string& defines, const char* source) {
  const GLuint shader = glCreateShader(kind);
  const char* parts[] = {"#version 330 core\n", defines.c_str(), source};
  glShaderSource(shader, 3, parts, nullptr);
  glCompileShader(shader);
  GLint ok = 0;
  glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
  if (!ok) {
    std::vector<char> log(8192, '\0');
    glGetShaderInfoLog(shader, static_cast<GLsizei>(log.size()), nullptr, log.data());
    glDeleteShader(shader);
    fail(ErrorKind::kRuntime, "the graphics driver (", glDescription(), ") does not compile the program \"",
         name, "\": ", log.data(), "set LIBGL_ALWAYS_SOFTWARE=1 to draw on the CPU");
  }
  return shader;
}

std::string definesOf(const SurfaceFeatures& features) {
  std::string defines;
  const auto define = [&](const char* name) { defines += std::string("#define ") + name + "\n"; };
  switch (features.shading) {
    case SurfaceShading::kLit:
      define("LIT\n#define NEEDS_NORMAL\n#define NEEDS_BASE");
      break;
    case SurfaceShading::kBase:
      define("BASE\n#define NEEDS_BASE");
      break;
    case SurfaceShading::kNormals:
      define("NORMALS\n#define NEEDS_NORMAL");
      break;
    case SurfaceShading::kDepth:
      define("DEPTH");
      break;
    case SurfaceShading::kChecker:
      define("CHECKER");
      break;
    case SurfaceShading::kColours:
      define("COLOURS");
      break;
    case SurfaceShading::kValues:
      define("VALUES\n#define NEEDS_NORMAL");
      break;
  }
  const std::pair<unsigned, const char*> flags[] = {
      {SurfaceFeatures::kBaseTexture, "BASE_TEXTURE"},
      {SurfaceFeatures::kVertexColours, "VERTEX_COLOURS"},
      {SurfaceFeatures::kNormalMap, "NORMAL_MAP"},
      {SurfaceFeatures::kOcclusionRoughness, "OCCLUSION_ROUGHNESS"},
      {SurfaceFeatures::kDisplacement, "DISPLACEMENT"},
      {SurfaceFeatures::kFlat, "FLAT"},
      {SurfaceFeatures::kLamp, "LAMP"},
      {SurfaceFeatures::kEnvironment, "ENVIRONMENT"},
      {SurfaceFeatures::kHighlights, "HIGHLIGHTS"},
  };
  for (const auto& [flag, name] : flags)
    if (features.flags & flag) define(name);
  return defines;
}

}  // namespace

GlProgram::GlProgram(const std::string& name, const std::string& defines, const char* vertex_source,
                     const char* fragment_source) {
  for (const auto& [kind, source] : {std::pair<GLenum, const char*>{GL_VERTEX_SHADER, vertex_source},
                                     std::pair<GLenum, const char*>{GL_FRAGMENT_SHADER, fragment_source}}) {
    const GLuint shader = compile(name, kind, defines, source);
    glAttachShader(name_.get(), shader);
    glDeleteShader(shader);  // when the program goes
  }
  glLinkProgram(name_.get());
  GLint ok = 0;
  glGetProgramiv(name_.get(), GL_LINK_STATUS, &ok);
  if (!ok) {
    std::vector<char> log(8192, '\0');
    glGetProgramInfoLog(name_.get(), static_cast<GLsizei>(log.size()), nullptr, log.data());
    fail(ErrorKind::kRuntime, "the graphics driver (", glDescription(), ") does not link the program \"",
         name, "\": ", log.data(), "set LIBGL_ALWAYS_SOFTWARE=1 to draw on the CPU");
  }
  glUseProgram(name_.get());
  set("base_colour", kBaseColourUnit);
  set("photo", kBaseColourUnit);
  set("normal_map", kNormalUnit);
  set("occlusion_roughness", kOcclusionRoughnessUnit);
  set("slopes", kSlopesUnit);
  set("environment", kEnvironmentUnit);
  set("colour_map", kColourMapUnit);
  set("corners", kCornersUnit);
  set("positions", kPositionsUnit);
}

const GlProgram& GlShaders::surface(const SurfaceFeatures& features) {
  const auto known = surfaces_.find(features);
  if (known != surfaces_.end()) return known->second;
  return surfaces_.try_emplace(features, "surface", definesOf(features), kSurfaceVertex, kSurfaceFragment)
      .first->second;
}

const GlProgram& GlShaders::depthOnly() {
  if (!depth_only_) depth_only_.emplace("depth", "", kSurfaceVertex, kDepthFragment);
  return *depth_only_;
}

const GlProgram& GlShaders::wires() {
  if (!wires_) wires_.emplace("wires", "", kWiresVertex, kWiresFragment);
  return *wires_;
}

const GlProgram& GlShaders::gradient() {
  if (!gradient_) gradient_.emplace("gradient", "", kGradientVertex, kGradientFragment);
  return *gradient_;
}

const GlProgram& GlShaders::photo() {
  if (!photo_) photo_.emplace("photo", "", kPhotoVertex, kPhotoFragment);
  return *photo_;
}

}  // namespace facet
