#include "render/ops/texture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "tests/render/ops/scalar_texture.h"

namespace facet::ops {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr Filter kFilters[] = {Filter::kNearest, Filter::kLinear, Filter::kLinearMipmapNearest,
                               Filter::kLinearMipmapLinear};
constexpr Boundary kBoundaries[] = {Boundary::kWrap, Boundary::kClamp, Boundary::kZero, Boundary::kCube};

bool isMipmapped(Filter filter) {
  return filter == Filter::kLinearMipmapNearest || filter == Filter::kLinearMipmapLinear;
}

std::vector<float> randomFloats(std::size_t count, float low, float high, std::mt19937& random) {
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

std::vector<double> asDouble(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// A lookup with its memory.
struct Scene {
  Filter filter = Filter::kLinear;
  Boundary boundary = Boundary::kWrap;
  int images = 2, height = 5, width = 19;  // of the output; 19 is two whole vectors and a rest
  int texture_width = 8, texture_height = 4, channels = 3, levels = 1, textures = 2;
  int max_anisotropy = 1;
  std::vector<std::vector<float>> texture;
  std::vector<float> uv, derivatives, bias, mask, grad_out;

  int faces() const { return boundary == Boundary::kCube ? 6 : 1; }
  int coordinates() const { return boundary == Boundary::kCube ? 3 : 2; }
  std::size_t pixels() const { return static_cast<std::size_t>(images) * height * width; }
  int levelWidth(int l) const { return std::max(texture_width >> l, 1); }
  int levelHeight(int l) const { return std::max(texture_height >> l, 1); }

  void fill(unsigned seed, float reach = 1.7F) {
    if (boundary == Boundary::kCube) texture_height = texture_width;
    if (!isMipmapped(filter)) levels = 1;
    std::mt19937 random(seed);
    texture.clear();
    for (int l = 0; l < levels; ++l) {
      texture.push_back(randomFloats(
          static_cast<std::size_t>(textures) * faces() * levelWidth(l) * levelHeight(l) * channels, -1, 1,
          random));
    }
    const bool is_cube = boundary == Boundary::kCube;
    uv = randomFloats(pixels() * coordinates(), is_cube ? -1 : -0.5F * (reach - 1),
                      is_cube ? 1 : 0.5F * (reach + 1), random);
    derivatives.clear();
    bias.clear();
    if (isMipmapped(filter)) {
      derivatives = randomFloats(pixels() * 2 * coordinates(), -0.4F, 0.4F, random);
      bias = randomFloats(pixels(), -0.8F, 0.8F, random);
    }
    mask = randomFloats(pixels() * 4, 1, 2, random);
    for (std::size_t i = 0; i < pixels(); i += 5) mask[4 * i + 3] = 0;
    grad_out = randomFloats(pixels() * channels, -1, 1, random);
  }

  TextureParams params(float* out) const {
    TextureParams p;
    p.filter = filter;
    p.boundary = boundary;
    p.max_anisotropy = max_anisotropy;
    p.texture.num_levels = levels;
    for (int l = 0; l < levels; ++l) {
      p.texture.levels[l] = ConstImages(texture[static_cast<std::size_t>(l)].data(), textures * faces(),
                                        levelHeight(l), levelWidth(l), channels);
    }
    p.uv = ConstImages(uv.data(), images, height, width, coordinates());
    if (!derivatives.empty())
      p.uv_derivatives = ConstImages(derivatives.data(), images, height, width, 2 * coordinates());
    if (!bias.empty()) p.level_bias = ConstImages(bias.data(), images, height, width, 1);
    if (!mask.empty()) p.mask = ConstImages(mask.data(), images, height, width, 4);
    p.out = Images(out, images, height, width, channels);
    return p;
  }

  std::vector<float> run() const {
    std::vector<float> out(pixels() * channels, 7);
    textureCpu(params(out.data()));
    return out;
  }
};

struct Gradients {
  std::vector<std::vector<float>> texture;
  std::vector<float> uv, derivatives, bias;

  explicit Gradients(const Scene& scene) {
    TextureBackwardParams p;
    p.forward = scene.params(nullptr);
    p.grad_out = ConstImages(scene.grad_out.data(), scene.images, scene.height, scene.width, scene.channels);
    p.grad_texture.num_levels = scene.levels;
    for (const auto& level : scene.texture) texture.emplace_back(level.size(), 7.0F);
    for (int l = 0; l < scene.levels; ++l) {
      p.grad_texture.levels[l] =
          Images(texture[static_cast<std::size_t>(l)].data(), scene.textures * scene.faces(),
                 scene.levelHeight(l), scene.levelWidth(l), scene.channels);
    }
    uv.assign(scene.uv.size(), 7);
    derivatives.assign(scene.pixels() * 2 * scene.coordinates(), 7);
    bias.assign(scene.pixels(), 7);
    p.grad_uv = Images(uv.data(), scene.images, scene.height, scene.width, scene.coordinates());
    p.grad_uv_derivatives =
        Images(derivatives.data(), scene.images, scene.height, scene.width, 2 * scene.coordinates());
    p.grad_level_bias = Images(bias.data(), scene.images, scene.height, scene.width, 1);
    textureBackwardCpu(p);
  }
};

// ---- Double-precision reference, from the definitions ----

struct Point3 {
  double x[3];
};

// OpenGL 4.6, table 8.19: the point of a cube face (sc, tc in [-1, 1]).
Point3 cubePoint(int face, double sc, double tc) {
  switch (face) {
    case 0:
      return {{1, -tc, -sc}};
    case 1:
      return {{-1, -tc, sc}};
    case 2:
      return {{sc, 1, tc}};
    case 3:
      return {{sc, -1, -tc}};
    case 4:
      return {{sc, -tc, 1}};
    default:
      return {{-sc, -tc, -1}};
  }
}

// Inverse of cubePoint for a point in front of a face's plane: solves for sc, tc by the three axes.
bool onFace(int face, const double* d, double* sc, double* tc) {
  const Point3 origin = cubePoint(face, 0, 0), right = cubePoint(face, 1, 0), down = cubePoint(face, 0, 1);
  double along = 0;
  *sc = *tc = 0;
  for (int k = 0; k < 3; ++k) {
    along += d[k] * origin.x[k];
    *sc += d[k] * (right.x[k] - origin.x[k]);
    *tc += d[k] * (down.x[k] - origin.x[k]);
  }
  if (!(along > 0)) return false;
  *sc /= along;
  *tc /= along;
  return true;
}

int faceOf(const double* d) {
  int best = 0;
  double most = -1;
  for (int face = 0; face < 6; ++face) {
    const Point3 origin = cubePoint(face, 0, 0);
    double along = 0;
    for (int k = 0; k < 3; ++k) along += d[k] * origin.x[k];
    if (along > most) {
      most = along;
      best = face;
    }
  }
  return best;
}

class Reference {
 public:
  explicit Reference(const Scene& s)
      : scene(s), uv(asDouble(s.uv)), derivatives(asDouble(s.derivatives)), bias(asDouble(s.bias)) {
    for (const auto& level : s.texture) texture.push_back(asDouble(level));
  }

  const Scene& scene;
  std::vector<std::vector<double>> texture;
  std::vector<double> uv, derivatives, bias;

  std::vector<double> pixel(std::size_t index) const {
    std::vector<double> value(static_cast<std::size_t>(scene.channels), 0);
    if (!scene.mask.empty() && scene.mask[4 * index + 3] == 0) return value;
    const int image = scene.textures > 1 ? static_cast<int>(index / (static_cast<std::size_t>(scene.height) *
                                                                     static_cast<std::size_t>(scene.width)))
                                         : 0;
    int face = 0;
    double s = 0, t = 0, footprint[4] = {0, 0, 0, 0};  // ds/dX ds/dY dt/dX dt/dY
    if (scene.boundary == Boundary::kCube) {
      const double* const d = &uv[3 * index];
      face = faceOf(d);
      double sc, tc;
      onFace(face, d, &sc, &tc);
      s = 0.5 + 0.5 * sc;
      t = 0.5 + 0.5 * tc;
      for (int axis = 0; axis < 2 && !derivatives.empty(); ++axis) {
        constexpr double kStep = 1e-6;
        double forward[3], back[3], sc1, tc1, sc0, tc0;
        for (int k = 0; k < 3; ++k) {
          const double slope =
              derivatives[6 * index + 2 * static_cast<std::size_t>(k) + static_cast<std::size_t>(axis)];
          forward[k] = d[k] + kStep * slope;
          back[k] = d[k] - kStep * slope;
        }
        onFace(face, forward, &sc1, &tc1);
        onFace(face, back, &sc0, &tc0);
        footprint[axis] = (sc1 - sc0) / (4 * kStep);
        footprint[2 + axis] = (tc1 - tc0) / (4 * kStep);
      }
    } else {
      s = uv[2 * index];
      t = 1 - uv[2 * index + 1];
      for (std::size_t k = 0; k < 4 && !derivatives.empty(); ++k)
        footprint[k] = (k < 2 ? 1 : -1) * derivatives[4 * index + k];
    }
    for (int k = 0; k < 4; ++k) footprint[k] *= k < 2 ? scene.texture_width : scene.texture_height;
    if (!isMipmapped(scene.filter)) {
      add(image, face, 0, s, t, 1, &value);
      return value;
    }
    double level = 0, axis_s = 0, axis_t = 0;
    int taps = 1;
    if (!derivatives.empty()) {
      // The image of the unit circle: singular values and the first left singular vector.
      const double p = footprint[0] * footprint[0] + footprint[1] * footprint[1];
      const double q = footprint[2] * footprint[2] + footprint[3] * footprint[3];
      const double r = footprint[0] * footprint[2] + footprint[1] * footprint[3];
      const double longer = std::sqrt(0.5 * (p + q) + std::sqrt(0.25 * (p - q) * (p - q) + r * r));
      level = std::log2(longer);
      if (scene.max_anisotropy > 1) {
        const double area = std::abs(footprint[0] * footprint[3] - footprint[1] * footprint[2]);
        const double shorter = std::max(area / longer, longer / scene.max_anisotropy);
        level = std::log2(shorter);
        taps = std::clamp(static_cast<int>(std::ceil(longer / shorter - 1e-4)), 1, scene.max_anisotropy);
        const double angle = 0.5 * std::atan2(2 * r, p - q);
        axis_s = std::cos(angle) * (longer - shorter) / scene.texture_width;
        axis_t = std::sin(angle) * (longer - shorter) / scene.texture_height;
      }
    }
    if (!bias.empty()) level += bias[index];
    level = std::clamp(level, 0.0, scene.levels - 1.0);
    const int base = static_cast<int>(level);
    const double fraction = scene.filter == Filter::kLinearMipmapLinear ? level - base : 0;
    for (int tap = 0; tap < taps; ++tap) {
      const double offset = taps > 1 ? static_cast<double>(tap) / (taps - 1) - 0.5 : 0;
      double tap_s = s + offset * axis_s, tap_t = t + offset * axis_t;
      int tap_face = face;
      if (scene.boundary == Boundary::kCube) {
        const Point3 point = cubePoint(face, 2 * tap_s - 1, 2 * tap_t - 1);
        double sc, tc;
        tap_face = faceOf(point.x);
        onFace(tap_face, point.x, &sc, &tc);
        tap_s = 0.5 + 0.5 * sc;
        tap_t = 0.5 + 0.5 * tc;
      }
      add(image, tap_face, base, tap_s, tap_t, (1 - fraction) / taps, &value);
      if (fraction > 0) add(image, tap_face, base + 1, tap_s, tap_t, fraction / taps, &value);
    }
    return value;
  }

  // <grad_out, out> of one pixel.
  double loss(std::size_t index) const {
    const std::vector<double> value = pixel(index);
    double sum = 0;
    for (std::size_t c = 0; c < value.size(); ++c) sum += value[c] * scene.grad_out[index * value.size() + c];
    return sum;
  }
  double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < scene.pixels(); ++i) sum += loss(i);
    return sum;
  }

 private:
  const double* texel(int image, int face, int level, int column, int row) const {
    const int width = scene.levelWidth(level), height = scene.levelHeight(level);
    const std::size_t index =
        ((static_cast<std::size_t>(image) * scene.faces() + face) * height + row) * width + column;
    return &texture[static_cast<std::size_t>(level)][index * static_cast<std::size_t>(scene.channels)];
  }

  // Adds weight · bilinear (or nearest) value of one level.
  void add(int image, int face, int level, double s, double t, double weight,
           std::vector<double>* value) const {
    const int width = scene.levelWidth(level), height = scene.levelHeight(level);
    if (scene.boundary == Boundary::kWrap) {
      s -= std::floor(s);
      t -= std::floor(t);
    }
    double x = s * width, y = t * height;
    if (scene.boundary == Boundary::kClamp) {
      x = std::clamp(x, 0.5, width - 0.5);
      y = std::clamp(y, 0.5, height - 0.5);
    }
    if (scene.filter == Filter::kNearest) {
      addTexel(image, face, level, static_cast<int>(std::floor(x)), static_cast<int>(std::floor(y)), weight,
               value);
      return;
    }
    const int left = static_cast<int>(std::floor(x - 0.5)), top = static_cast<int>(std::floor(y - 0.5));
    for (int k = 0; k < 4; ++k) {
      const double wx = k & 1 ? x - 0.5 - left : 1 - (x - 0.5 - left);
      const double wy = k & 2 ? y - 0.5 - top : 1 - (y - 0.5 - top);
      addTexel(image, face, level, left + (k & 1), top + (k >> 1), weight * wx * wy, value);
    }
  }

  void addTexel(int image, int face, int level, int column, int row, double weight,
                std::vector<double>* value) const {
    const int width = scene.levelWidth(level), height = scene.levelHeight(level);
    const bool outside_x = column < 0 || column >= width, outside_y = row < 0 || row >= height;
    if (scene.boundary == Boundary::kCube && outside_x && outside_y) {
      // The mean of the three texels at this corner of the cube.
      const int near_column = std::clamp(column, 0, width - 1), near_row = std::clamp(row, 0, height - 1);
      addTexel(image, face, level, near_column, near_row, weight / 3, value);
      addTexel(image, face, level, column, near_row, weight / 3, value);
      addTexel(image, face, level, near_column, row, weight / 3, value);
      return;
    }
    if (scene.boundary == Boundary::kCube && (outside_x || outside_y)) {
      // The texel of the cube that is closest in space, which is one of the neighbouring face.
      const Point3 wanted = cubePoint(face, (2 * column + 1.0) / width - 1, (2 * row + 1.0) / height - 1);
      double best = 1e9;
      int best_face = 0, best_column = 0, best_row = 0;
      for (int f = 0; f < 6; ++f) {
        for (int j = 0; j < height; ++j) {
          for (int i = 0; i < width; ++i) {
            if (f == face) continue;
            const Point3 point = cubePoint(f, (2 * i + 1.0) / width - 1, (2 * j + 1.0) / height - 1);
            double distance = 0;
            for (int k = 0; k < 3; ++k) distance += std::pow(point.x[k] - wanted.x[k], 2);
            if (distance < best - 1e-9) {
              best = distance;
              best_face = f;
              best_column = i;
              best_row = j;
            }
          }
        }
      }
      face = best_face;
      column = best_column;
      row = best_row;
    } else if (scene.boundary == Boundary::kWrap) {
      column = ((column % width) + width) % width;
      row = ((row % height) + height) % height;
    } else if (scene.boundary == Boundary::kZero) {
      if (outside_x || outside_y) return;
    } else {
      column = std::clamp(column, 0, width - 1);
      row = std::clamp(row, 0, height - 1);
    }
    const double* const source = texel(image, face, level, column, row);
    for (int c = 0; c < scene.channels; ++c) (*value)[static_cast<std::size_t>(c)] += weight * source[c];
  }
};

std::string describe(const Scene& scene) {
  return "filter " + std::to_string(static_cast<int>(scene.filter)) + ", boundary " +
         std::to_string(static_cast<int>(scene.boundary)) + ", channels " + std::to_string(scene.channels) +
         ", anisotropy " + std::to_string(scene.max_anisotropy) +
         (scene.derivatives.empty() ? "" : ", derivatives") + (scene.bias.empty() ? "" : ", bias");
}

// Largest difference to the reference; few texels of size 1, so it is a relative one too.
double forwardError(const Scene& scene) {
  const Reference reference(scene);
  const std::vector<float> out = scene.run();
  double worst = 0;
  for (std::size_t i = 0; i < scene.pixels(); ++i) {
    const std::vector<double> expected = reference.pixel(i);
    for (std::size_t c = 0; c < expected.size(); ++c)
      worst = std::max(worst, std::abs(expected[c] - out[i * expected.size() + c]));
  }
  return worst;
}

// What mipmap filters are given; the other filters read neither.
void forEachInput(Scene scene, unsigned seed, const std::function<void(const Scene&)>& work) {
  scene.fill(seed);
  work(scene);
  if (!isMipmapped(scene.filter)) return;
  Scene without_bias = scene, without_derivatives = scene;
  without_bias.bias.clear();
  work(without_bias);
  if (scene.max_anisotropy > 1) return;
  without_derivatives.derivatives.clear();
  for (float& bias : without_derivatives.bias) bias = 1.2F + 2 * bias;  // the level itself, -0.4 to 2.8
  work(without_derivatives);
}

TEST_CASE("texture: every filter and boundary agrees with a double-precision reference") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : kBoundaries) {
      for (const int channels : {1, 2, 3, 4, 7, 16, 19}) {
        Scene scene;
        scene.filter = filter;
        scene.boundary = boundary;
        scene.channels = channels;
        scene.levels = boundary == Boundary::kCube ? 4 : 3;
        forEachInput(scene, 1 + static_cast<unsigned>(channels), [](const Scene& s) {
          CAPTURE(describe(s));
          CHECK(forwardError(s) < 5e-6);
        });
      }
    }
  }
}

TEST_CASE("texture: textures one texel wide or high work under every boundary") {
  for (const Filter filter : {Filter::kNearest, Filter::kLinear, Filter::kLinearMipmapLinear}) {
    for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kZero, Boundary::kCube}) {
      for (const auto& size : {std::pair{1, 1}, std::pair{1, 4}, std::pair{4, 1}, std::pair{2, 1}}) {
        Scene scene;
        scene.filter = filter;
        scene.boundary = boundary;
        scene.texture_width = size.first;
        scene.texture_height = boundary == Boundary::kCube ? size.first : size.second;
        scene.levels = isMipmapped(filter) ? numMipLevels(scene.texture_width, scene.texture_height) : 1;
        scene.fill(3);
        CAPTURE(describe(scene));
        CHECK(forwardError(scene) < 5e-6);
        CHECK_NOTHROW(Gradients{scene});
      }
    }
  }
}

// Largest error of the gradients against central differences of the reference, relative to the largest one.
struct GradientErrors {
  double texture = 0, uv = 0, derivatives = 0, bias = 0;

  explicit GradientErrors(const Scene& scene) {
    const Gradients gradients(scene);
    Reference reference(scene);
    constexpr double kStep = 1e-5;  // in double the rounding of the difference stays below 1e-10
    const auto compare = [&](std::vector<double>& input, const std::vector<float>& gradient,
                             std::size_t per_pixel) {
      double worst = 0, largest = 1e-3;
      for (std::size_t i = 0; i < input.size(); ++i) {
        const double saved = input[i];
        const std::size_t pixel = per_pixel > 0 ? i / per_pixel : 0;
        input[i] = saved + kStep;
        const double high = per_pixel > 0 ? reference.loss(pixel) : reference.loss();
        input[i] = saved - kStep;
        const double low = per_pixel > 0 ? reference.loss(pixel) : reference.loss();
        input[i] = saved;
        const double expected = (high - low) / (2 * kStep);
        largest = std::max(largest, std::abs(expected));
        worst = std::max(worst, std::abs(expected - gradient[i]));
      }
      return worst / largest;
    };
    for (std::size_t l = 0; l < reference.texture.size(); ++l)
      texture = std::max(texture, compare(reference.texture[l], gradients.texture[l], 0));
    if (scene.filter == Filter::kNearest) {
      uv = *std::max_element(gradients.uv.begin(), gradients.uv.end());  // 0
      return;
    }
    uv = compare(reference.uv, gradients.uv, static_cast<std::size_t>(scene.coordinates()));
    derivatives = compare(reference.derivatives, gradients.derivatives,
                          2 * static_cast<std::size_t>(scene.coordinates()));
    bias = compare(reference.bias, gradients.bias, 1);
  }
};

TEST_CASE("texture: gradients agree with finite differences for every filter and boundary") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : kBoundaries) {
      for (const int channels : {1, 3, 4, 16, 9}) {
        Scene scene;
        scene.filter = filter;
        scene.boundary = boundary;
        scene.channels = channels;
        scene.images = 1;
        scene.textures = 1;
        scene.width = 11;
        scene.height = 2;
        scene.texture_width = boundary == Boundary::kCube ? 4 : 8;
        scene.levels = 3;
        forEachInput(scene, 11 + static_cast<unsigned>(channels), [](const Scene& s) {
          CAPTURE(describe(s));
          const GradientErrors errors(s);
          CHECK(errors.texture < 1e-5);
          CHECK(errors.uv <
                2e-4);  // the footprint of a cube depends on the direction, by a difference itself
          CHECK(errors.derivatives < 2e-4);
          CHECK(errors.bias < 2e-4);
        });
      }
    }
  }
}

TEST_CASE("texture: gradients that a filter does not have are zero") {
  for (const Filter filter : {Filter::kNearest, Filter::kLinear, Filter::kLinearMipmapNearest}) {
    Scene scene;
    scene.filter = filter;
    scene.levels = 3;
    scene.fill(5);
    const Gradients gradients(scene);
    const auto isZero = [](const std::vector<float>& values) {
      return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
    };
    CHECK(isZero(gradients.derivatives));
    CHECK(isZero(gradients.bias));
    CHECK(isZero(gradients.uv) == (filter == Filter::kNearest));
  }
}

TEST_CASE("texture: backward is the adjoint of forward in the texture") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : kBoundaries) {
      for (const int textures : {1, 2}) {
        Scene scene;
        scene.filter = filter;
        scene.boundary = boundary;
        scene.textures = textures;
        scene.texture_width = scene.texture_height = 32;
        scene.levels = 6;
        scene.height = 40;
        scene.width = 41;
        scene.fill(17);
        const std::vector<float> out = scene.run();
        const Gradients gradients(scene);
        double forward = 0, backward = 0;
        for (std::size_t i = 0; i < out.size(); ++i)
          forward += static_cast<double>(out[i]) * scene.grad_out[i];
        for (std::size_t l = 0; l < scene.texture.size(); ++l) {
          for (std::size_t i = 0; i < scene.texture[l].size(); ++i)
            backward += static_cast<double>(scene.texture[l][i]) * gradients.texture[l][i];
        }
        CAPTURE(describe(scene));
        CHECK(forward == doctest::Approx(backward).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("texture: a constant texture stays constant") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kCube}) {
      for (const int anisotropy : {1, 8}) {
        if (anisotropy > 1 && filter != Filter::kLinearMipmapLinear) continue;
        Scene scene;
        scene.filter = filter;
        scene.boundary = boundary;
        scene.levels = 3;
        scene.max_anisotropy = anisotropy;
        scene.fill(23);
        for (auto& level : scene.texture) std::fill(level.begin(), level.end(), 0.7F);
        const std::vector<float> out = scene.run();
        const Gradients gradients(scene);
        for (std::size_t i = 0; i < scene.pixels(); ++i) {
          const double expected = scene.mask[4 * i + 3] == 0 ? 0 : 0.7;
          for (std::size_t c = 0; c < 3; ++c)
            REQUIRE(out[3 * i + c] == doctest::Approx(expected).epsilon(1e-6));
        }
        for (const float g : gradients.uv) REQUIRE(std::abs(g) < 1e-5F);
      }
    }
  }
}

TEST_CASE("texture: the mip level is log2 of the longer axis of the footprint in texels, plus the bias") {
  // Level l of the stack holds the value l, so that the answer is the level.
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.images = scene.textures = scene.height = 1;
  scene.width = 8;
  scene.channels = 1;
  scene.texture_width = 32;
  scene.texture_height = 16;
  scene.levels = 5;
  scene.fill(1);
  scene.mask.clear();
  for (std::size_t l = 0; l < 5; ++l)
    std::fill(scene.texture[l].begin(), scene.texture[l].end(), static_cast<float>(l));
  scene.derivatives = {2 / 32.F, 0, 0,        0,          // 2 texels along u
                       0,        0, 0,        4 / 16.F,   // 4 texels along v
                       3 / 32.F, 0, 4 / 16.F, 0,          // 5 texels, oblique
                       2 / 32.F, 0, 0,        8 / 16.F,   // the longer of two
                       .5F / 32, 0, 0,        .5F / 16,   // magnified
                       9,        0, 0,        9,          // beyond the stack
                       0,        0, 0,        0,          // a point, whatever the bias
                       1 / 32.F, 0, 0,        1 / 16.F};  // one texel
  scene.bias = {0, 0, 0, -0.5F, 0.25F, 0, 3, 2.5F};
  const std::vector<float> out = scene.run();
  const double expected[] = {1, 2, std::log2(5.0), 2.5, 0, 4, 0, 2.5};
  for (std::size_t i = 0; i < 8; ++i) CHECK(out[i] == doctest::Approx(expected[i]).epsilon(1e-6));

  scene.filter = Filter::kLinearMipmapNearest;
  const std::vector<float> nearest = scene.run();
  for (std::size_t i = 0; i < 8; ++i) CHECK(nearest[i] == std::floor(expected[i]));

  scene.derivatives.clear();
  scene.filter = Filter::kLinearMipmapLinear;
  scene.bias = {0, 0.5F, 1, 2.75F, 9, -3, kNan, kInfinity};
  const std::vector<float> by_bias = scene.run();
  const double levels[] = {0, 0.5, 1, 2.75, 4, 0, 0, 4};
  for (std::size_t i = 0; i < 8; ++i) CHECK(by_bias[i] == doctest::Approx(levels[i]).epsilon(1e-6));
}

TEST_CASE("texture: a bias that is a whole number has a gradient") {
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.levels = 3;
  scene.fill(2);
  scene.derivatives.clear();
  scene.mask.clear();
  std::fill(scene.bias.begin(), scene.bias.end(), 1.0F);
  const Gradients gradients(scene);
  CHECK(std::none_of(gradients.bias.begin(), gradients.bias.end(), [](float g) { return g == 0; }));
}

TEST_CASE("texture: the levels of a custom stack get their own gradients") {
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.levels = 3;
  scene.fill(2);
  scene.derivatives.clear();
  std::fill(scene.bias.begin(), scene.bias.end(), 1.0F);
  const Gradients gradients(scene);
  for (const std::size_t level : {0, 2})
    CHECK(std::all_of(gradients.texture[level].begin(), gradients.texture[level].end(),
                      [](float g) { return g == 0; }));
  double sum = 0, expected = 0;
  for (const float g : gradients.texture[1]) sum += g;
  for (std::size_t i = 0; i < scene.grad_out.size(); ++i)
    expected += scene.mask[4 * (i / 3) + 3] == 0 ? 0 : scene.grad_out[i];
  CHECK(sum == doctest::Approx(expected).epsilon(1e-4));
}

// ---- Mip stacks ----

struct Stack {
  std::vector<std::vector<float>> memory;
  MipStack view;

  Stack(int images, int width, int height, int channels, int levels) {
    view.num_levels = levels;
    for (int l = 0; l < levels; ++l) {
      const int w = std::max(width >> l, 1), h = std::max(height >> l, 1);
      memory.emplace_back(static_cast<std::size_t>(images) * w * h * channels, 0.0F);
      view.levels[l] = Images(memory.back().data(), images, h, w, channels);
    }
  }
};

TEST_CASE("mip stack: the number of levels, worked out by hand") {
  CHECK(numMipLevels(1, 1) == 1);
  CHECK(numMipLevels(8, 8) == 4);
  CHECK(numMipLevels(8, 2) == 4);
  CHECK(numMipLevels(1, 16) == 5);
  CHECK(numMipLevels(8, 8, 0) == 1);
  CHECK(numMipLevels(8, 8, 2) == 3);
  CHECK(numMipLevels(8, 8, 99) == 4);
  CHECK(numMipLevels(65536, 65536) == kMaxMipLevels);
  CHECK_THROWS_AS(numMipLevels(131072, 2), std::invalid_argument);
  CHECK_THROWS_AS(numMipLevels(0, 4), std::invalid_argument);
}

TEST_CASE("mip stack: an odd side is refused unless the stack stops before it") {
  CHECK_THROWS_AS(numMipLevels(12, 8), std::invalid_argument);  // 12, 6, 3
  CHECK(numMipLevels(12, 8, 2) == 3);
  CHECK_THROWS_AS(numMipLevels(12, 8, 3), std::invalid_argument);
  CHECK_THROWS_AS(numMipLevels(5, 4), std::invalid_argument);
  CHECK(numMipLevels(5, 4, 0) == 1);
  CHECK_NOTHROW(buildMipStackCpu(Stack(1, 12, 8, 1, 3).view));
  CHECK_THROWS_AS(buildMipStackCpu(Stack(1, 12, 8, 1, 4).view), std::invalid_argument);
}

TEST_CASE("mip stack: every level keeps the mean of the texture") {
  std::mt19937 random(4);
  for (const int channels : {1, 2, 3, 4, 16}) {
    for (const auto& size : {std::pair{16, 16}, std::pair{16, 4}, std::pair{1, 8}, std::pair{8, 1}}) {
      Stack stack(2, size.first, size.second, channels, numMipLevels(size.first, size.second));
      stack.memory[0] = randomFloats(stack.memory[0].size(), 0, 1, random);
      stack.view.levels[0].data = stack.memory[0].data();
      buildMipStackCpu(stack.view);
      double means[2] = {};
      for (std::size_t l = 0; l < stack.memory.size(); ++l) {
        double sum = 0;
        for (const float value : stack.memory[l]) sum += value;
        means[l > 0] = sum / static_cast<double>(stack.memory[l].size());
        if (l > 0) CHECK(means[1] == doctest::Approx(means[0]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("mip stack: backward is the adjoint of building") {
  std::mt19937 random(6);
  for (const int channels : {1, 3, 5, 16}) {
    for (const auto& size : {std::pair{16, 8}, std::pair{2, 16}, std::pair{1, 8}}) {
      Stack x(2, size.first, size.second, channels, numMipLevels(size.first, size.second));
      Stack y = Stack(2, size.first, size.second, channels, x.view.num_levels);
      x.memory[0] = randomFloats(x.memory[0].size(), -1, 1, random);
      x.view.levels[0].data = x.memory[0].data();
      for (std::size_t l = 0; l < y.memory.size(); ++l) {
        y.memory[l] = randomFloats(y.memory[l].size(), -1, 1, random);
        y.view.levels[l].data = y.memory[l].data();
      }
      buildMipStackCpu(x.view);
      double forward = 0, backward = 0;
      for (std::size_t l = 0; l < x.memory.size(); ++l) {
        for (std::size_t i = 0; i < x.memory[l].size(); ++i)
          forward += static_cast<double>(x.memory[l][i]) * y.memory[l][i];
      }
      buildMipStackBackwardCpu(y.view);
      for (std::size_t i = 0; i < x.memory[0].size(); ++i)
        backward += static_cast<double>(x.memory[0][i]) * y.memory[0][i];
      CHECK(forward == doctest::Approx(backward).epsilon(1e-5));
    }
  }
}

// ---- Cubes ----

// Value at one direction of a cube.
float lookUpCube(const Scene& cube, double x, double y, double z, int channel = 0) {
  Scene one = cube;
  one.images = one.textures = one.height = one.width = 1;
  one.uv = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)};
  one.mask.clear();
  return one.run()[static_cast<std::size_t>(channel)];
}

Scene randomCube(int size) {
  Scene cube;
  cube.boundary = Boundary::kCube;
  cube.texture_width = size;
  cube.images = cube.textures = 1;
  cube.fill(31);
  return cube;
}

TEST_CASE("texture: the axes of a cube read the faces in OpenGL's order, each with its orientation") {
  Scene cube = randomCube(2);
  cube.channels = 1;
  cube.fill(1);
  for (std::size_t i = 0; i < 24; ++i) cube.texture[0][i] = static_cast<float>(i);
  for (int face = 0; face < 6; ++face) {
    const double sign = face % 2 == 0 ? 1 : -1;
    const int axis = face / 2;
    CHECK(lookUpCube(cube, axis == 0 ? sign : 0, axis == 1 ? sign : 0, axis == 2 ? sign : 0) ==
          doctest::Approx(4 * face + 1.5));  // the mean of the face
  }
  // Seen from inside, +y up: the top left texel of +z lies towards -x, of +x towards +z, of +y towards -z.
  CHECK(lookUpCube(cube, -0.5, 0.5, 1) == doctest::Approx(16));
  CHECK(lookUpCube(cube, 1, 0.5, 0.5) == doctest::Approx(0));
  CHECK(lookUpCube(cube, -0.5, 1, -0.5) == doctest::Approx(8));
  CHECK(lookUpCube(cube, -0.5, -1, 0.5) == doctest::Approx(12));
  CHECK(lookUpCube(cube, -1, 0.5, -0.5) == doctest::Approx(4));
  CHECK(lookUpCube(cube, 0.5, 0.5, -1) == doctest::Approx(20));
}

TEST_CASE("texture: a cube is continuous across all twelve edges and eight corners") {
  constexpr double kStep = 1e-5;
  for (const int size : {1, 2, 4}) {
    const Scene cube = randomCube(size);
    for (int axis = 0; axis < 3; ++axis) {
      for (const double a : {-1.0, 1.0}) {
        for (const double b : {-1.0, 1.0}) {
          for (double along = -1; along <= 1; along += 0.125) {  // the ends are corners
            double side[2][3];
            for (int k = 0; k < 2; ++k) {
              side[k][axis] = along;
              side[k][(axis + 1) % 3] = a * (k == 0 ? 1 + kStep : 1 - kStep);
              side[k][(axis + 2) % 3] = b * (k == 0 ? 1 - kStep : 1 + kStep);
            }
            for (int c = 0; c < 3; ++c) {
              const float here = lookUpCube(cube, side[0][0], side[0][1], side[0][2], c);
              const float there = lookUpCube(cube, side[1][0], side[1][1], side[1][2], c);
              REQUIRE(std::abs(here - there) < 2e-4F);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("texture: the length of a cube direction does not matter, and one that points nowhere gives 0") {
  const Scene cube = randomCube(4);
  const float value = lookUpCube(cube, 0.3, -0.7, 0.2);
  CHECK(lookUpCube(cube, 3e20, -7e20, 2e20) == doctest::Approx(value).epsilon(1e-5));
  CHECK(lookUpCube(cube, 3e-20, -7e-20, 2e-20) == doctest::Approx(value).epsilon(1e-5));
  CHECK(value != 0);
  Scene nowhere = randomCube(4);
  nowhere.filter = Filter::kLinearMipmapLinear;
  nowhere.levels = 3;
  nowhere.height = 1;
  nowhere.width = 4;
  nowhere.fill(9);
  nowhere.mask.clear();
  nowhere.uv = {0, 0, 0, kNan, 1, 0, 1, kInfinity, 0, 1e-42F, 0, 0};
  for (const float out : nowhere.run()) CHECK(out == 0);
  const Gradients gradients(nowhere);
  for (const float g : gradients.uv) CHECK(g == 0);
  for (const float g : gradients.derivatives) CHECK(g == 0);
  for (const auto& level : gradients.texture) {
    for (const float g : level) CHECK(g == 0);
  }
}

// ---- Anisotropy ----

TEST_CASE("texture: anisotropic taps agree with the reference, gradients included") {
  for (const Boundary boundary : kBoundaries) {
    for (const int taps : {2, 5, 16}) {
      Scene scene;
      scene.filter = Filter::kLinearMipmapLinear;
      scene.boundary = boundary;
      scene.max_anisotropy = taps;
      scene.images = scene.textures = 1;
      scene.height = 2;
      scene.width = 13;
      scene.texture_width = boundary == Boundary::kCube ? 4 : 8;
      scene.levels = 3;
      forEachInput(scene, 40 + static_cast<unsigned>(taps), [](const Scene& s) {
        CAPTURE(describe(s));
        CHECK(forwardError(s) < 2e-5);
        const GradientErrors errors(s);
        CHECK(errors.texture < 2e-5);
        CHECK(errors.uv < 5e-4);
        CHECK(errors.derivatives < 5e-4);
        CHECK(errors.bias < 5e-4);
      });
    }
  }
}

TEST_CASE("texture: a circular footprint reads the same with and without anisotropic taps") {
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.texture_width = scene.texture_height = 16;
  scene.levels = 5;
  scene.fill(8);
  std::mt19937 random(3);
  const std::vector<float> sizes = randomFloats(scene.pixels(), 0.02F, 0.4F, random);
  const std::vector<float> angles = randomFloats(scene.pixels(), 0, 6, random);
  for (std::size_t i = 0; i < scene.pixels(); ++i) {
    const float c = sizes[i] * std::cos(angles[i]), s = sizes[i] * std::sin(angles[i]);
    const float rotation[4] = {c, -s, s, c};
    std::copy_n(rotation, 4, scene.derivatives.begin() + 4 * static_cast<std::ptrdiff_t>(i));
  }
  const std::vector<float> isotropic = scene.run();
  scene.max_anisotropy = 16;
  const std::vector<float> anisotropic = scene.run();
  for (std::size_t i = 0; i < isotropic.size(); ++i)
    REQUIRE(anisotropic[i] == doctest::Approx(isotropic[i]).epsilon(1e-4));
}

TEST_CASE("texture: anisotropic taps keep stripes along a grazing footprint that isotropic ones blur") {
  // Stripes two texels wide that change along u; the footprint is long along v only.
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.boundary = Boundary::kWrap;
  scene.images = scene.textures = scene.height = 1;
  scene.width = 64;
  scene.channels = 1;
  scene.texture_width = scene.texture_height = 64;
  scene.levels = numMipLevels(64, 64);
  scene.fill(1);
  scene.mask.clear();
  scene.bias.clear();
  Stack stack(1, 64, 64, 1, scene.levels);
  for (std::size_t i = 0; i < stack.memory[0].size(); ++i) stack.memory[0][i] = i % 4 < 2 ? 1.0F : 0.0F;
  buildMipStackCpu(stack.view);
  scene.texture = stack.memory;
  for (std::size_t i = 0; i < 64; ++i) {
    scene.uv[2 * i] = (static_cast<float>(i) + 0.5F) / 64;
    scene.uv[2 * i + 1] = 0.4F;
    const float derivatives[4] = {1 / 64.F, 0, 0, 12 / 64.F};
    std::copy_n(derivatives, 4, scene.derivatives.begin() + 4 * static_cast<std::ptrdiff_t>(i));
  }
  const auto contrast = [&] {
    const std::vector<float> out = scene.run();
    return *std::max_element(out.begin(), out.end()) - *std::min_element(out.begin(), out.end());
  };
  CHECK(contrast() < 0.05F);
  scene.max_anisotropy = 16;
  CHECK(contrast() > 0.95F);
}

// ---- Threads, strides, masks, batches ----

TEST_CASE("texture: bitwise equal for 1, 2 and 5 threads, and from run to run") {
  for (const Boundary boundary : {Boundary::kWrap, Boundary::kCube}) {
    for (const int anisotropy : {1, 4}) {
      for (const int channels : {1, 3, 16, 6}) {
        Scene scene;
        scene.filter = Filter::kLinearMipmapLinear;
        scene.boundary = boundary;
        scene.channels = channels;
        scene.max_anisotropy = anisotropy;
        scene.texture_width = scene.texture_height = 64;
        scene.levels = 5;
        scene.textures = 1;
        scene.height = 70;
        scene.width = 150;
        scene.fill(12);
        setNumThreads(1);
        const std::vector<float> out = scene.run();
        const Gradients gradients(scene);
        for (const int threads : {2, 5, 5}) {
          setNumThreads(threads);
          CHECK(scene.run() == out);
          const Gradients again(scene);
          CHECK(again.texture == gradients.texture);
          CHECK(again.uv == gradients.uv);
          CHECK(again.derivatives == gradients.derivatives);
          CHECK(again.bias == gradients.bias);
        }
        setNumThreads(0);
      }
    }
  }
}

// A copy with gaps between pixels' rows and between images.
struct Strided {
  std::vector<float> memory;
  std::int64_t row_stride, image_stride;
  int images, height, width, channels;

  Strided(const float* dense, int images_, int height_, int width_, int channels_)
      : row_stride(std::int64_t{width_} * channels_ + 5),
        image_stride(row_stride * height_ + 11),
        images(images_),
        height(height_),
        width(width_),
        channels(channels_) {
    memory.assign(static_cast<std::size_t>(image_stride * images), kNan);
    if (dense)
      forEach([&](std::size_t dense_index, std::size_t index) { memory[index] = dense[dense_index]; });
  }
  template <typename Work>
  void forEach(const Work& work) const {
    std::size_t dense = 0;
    for (int n = 0; n < images; ++n) {
      for (int y = 0; y < height; ++y) {
        for (int k = 0; k < width * channels; ++k, ++dense)
          work(dense, static_cast<std::size_t>(n * image_stride + y * row_stride + k));
      }
    }
  }
  Images view() {
    Images images_view(memory.data(), images, height, width, channels);
    images_view.row_stride = row_stride;
    images_view.image_stride = image_stride;
    return images_view;
  }
  // Whether the pixels are those of the dense image and the gaps were left alone.
  bool equals(const std::vector<float>& dense) const {
    std::vector<float> rest = memory;
    bool equal = true;
    forEach([&](std::size_t dense_index, std::size_t index) {
      equal &= memory[index] == dense[dense_index];
      rest[index] = kNan;
    });
    return equal && std::all_of(rest.begin(), rest.end(), [](float value) { return std::isnan(value); });
  }
};

TEST_CASE("texture: padded rows and images give the same answers and the padding is left alone") {
  for (const Boundary boundary : {Boundary::kClamp, Boundary::kCube}) {
    for (const int channels : {1, 3, 4, 16, 5}) {
      Scene scene;
      scene.filter = Filter::kLinearMipmapLinear;
      scene.boundary = boundary;
      scene.channels = channels;
      scene.levels = 3;
      scene.fill(14);
      const std::vector<float> out = scene.run();
      const Gradients gradients(scene);

      const int n = scene.images, h = scene.height, w = scene.width, k = scene.coordinates();
      Strided uv(scene.uv.data(), n, h, w, k), derivatives(scene.derivatives.data(), n, h, w, 2 * k);
      Strided bias(scene.bias.data(), n, h, w, 1), mask(scene.mask.data(), n, h, w, 4);
      Strided grad_out(scene.grad_out.data(), n, h, w, channels), strided_out(nullptr, n, h, w, channels);
      Strided grad_uv(nullptr, n, h, w, k), grad_derivatives(nullptr, n, h, w, 2 * k),
          grad_bias(nullptr, n, h, w, 1);
      std::vector<Strided> texture, grad_texture;
      TextureBackwardParams p;
      p.forward = scene.params(nullptr);
      for (int l = 0; l < scene.levels; ++l) {
        texture.emplace_back(scene.texture[static_cast<std::size_t>(l)].data(), 2 * scene.faces(),
                             scene.levelHeight(l), scene.levelWidth(l), channels);
        grad_texture.emplace_back(nullptr, 2 * scene.faces(), scene.levelHeight(l), scene.levelWidth(l),
                                  channels);
      }
      p.grad_texture.num_levels = scene.levels;
      for (int l = 0; l < scene.levels; ++l) {
        p.forward.texture.levels[l] = texture[static_cast<std::size_t>(l)].view();
        p.grad_texture.levels[l] = grad_texture[static_cast<std::size_t>(l)].view();
      }
      p.forward.uv = uv.view();
      p.forward.uv_derivatives = derivatives.view();
      p.forward.level_bias = bias.view();
      p.forward.mask = mask.view();
      p.forward.out = strided_out.view();
      p.grad_out = grad_out.view();
      p.grad_uv = grad_uv.view();
      p.grad_uv_derivatives = grad_derivatives.view();
      p.grad_level_bias = grad_bias.view();
      textureCpu(p.forward);
      textureBackwardCpu(p);
      CHECK(strided_out.equals(out));
      CHECK(grad_uv.equals(gradients.uv));
      CHECK(grad_derivatives.equals(gradients.derivatives));
      CHECK(grad_bias.equals(gradients.bias));
      for (std::size_t l = 0; l < grad_texture.size(); ++l)
        CHECK(grad_texture[l].equals(gradients.texture[l]));
    }
  }
}

TEST_CASE("texture: one texture for a batch gets the sum of the gradients of all images") {
  Scene shared;
  shared.textures = 1;
  shared.fill(6);
  const Gradients together(shared);
  Scene separate = shared;
  separate.textures = 2;
  separate.texture[0].insert(separate.texture[0].end(), shared.texture[0].begin(), shared.texture[0].end());
  const Gradients apart(separate);
  CHECK(shared.run() == separate.run());
  CHECK(together.uv == apart.uv);
  const std::size_t size = shared.texture[0].size();
  for (std::size_t i = 0; i < size; ++i)
    REQUIRE(together.texture[0][i] ==
            doctest::Approx(apart.texture[0][i] + apart.texture[0][size + i]).epsilon(1e-4));
}

TEST_CASE("texture: lookups far apart are summed as well as neighbouring ones") {  // runs of one pixel
  Scene scene;
  scene.texture_width = 64;
  scene.texture_height = 512;
  scene.height = 30;
  scene.width = 200;
  scene.channels = 4;
  scene.fill(15, 1.0F);
  CHECK(forwardError(scene) < 1e-4);  // 512 texels cost 6 of 24 bits
  const Gradients gradients(scene);
  double sum = 0, expected = 0;
  for (const float g : gradients.texture[0]) sum += g;
  for (std::size_t i = 0; i < scene.grad_out.size(); ++i)
    expected += scene.mask[4 * (i / 4) + 3] == 0 ? 0 : scene.grad_out[i];
  CHECK(sum == doctest::Approx(expected).epsilon(1e-4));
}

TEST_CASE("texture: agrees with the plain scalar implementation") {
  for (const Filter filter : {Filter::kLinear, Filter::kLinearMipmapLinear}) {
    for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp}) {
      Scene scene;
      scene.filter = filter;
      scene.boundary = boundary;
      scene.levels = 3;
      scene.images = scene.textures = 1;
      scene.fill(21);
      scene.bias.clear();
      std::vector<float> out(scene.pixels() * 3);
      TextureBackwardParams p;
      p.forward = scene.params(out.data());
      const test::ScalarTexture scalar{p.forward};
      scalar.forward();
      const std::vector<float> ours = scene.run();
      for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(std::abs(ours[i] - out[i]) < 1e-5F);

      Gradients gradients(scene);
      std::vector<std::vector<float>> texture = gradients.texture;
      std::vector<float> uv(scene.uv.size()), derivatives(scene.pixels() * 4);
      p.grad_out = ConstImages(scene.grad_out.data(), 1, scene.height, scene.width, 3);
      p.grad_texture.num_levels = scene.levels;
      for (int l = 0; l < scene.levels; ++l) {
        p.grad_texture.levels[l] = Images(texture[static_cast<std::size_t>(l)].data(), 1,
                                          scene.levelHeight(l), scene.levelWidth(l), 3);
      }
      p.grad_uv = Images(uv.data(), 1, scene.height, scene.width, 2);
      if (isMipmapped(filter))
        p.grad_uv_derivatives = Images(derivatives.data(), 1, scene.height, scene.width, 4);
      scalar.backward(p);
      for (std::size_t l = 0; l < texture.size(); ++l) {
        for (std::size_t i = 0; i < texture[l].size(); ++i)
          REQUIRE(std::abs(texture[l][i] - gradients.texture[l][i]) < 1e-4F);
      }
      for (std::size_t i = 0; i < uv.size(); ++i)
        REQUIRE(uv[i] == doctest::Approx(gradients.uv[i]).epsilon(1e-3));
      for (std::size_t i = 0; i < derivatives.size(); ++i)
        REQUIRE(derivatives[i] == doctest::Approx(gradients.derivatives[i]).epsilon(1e-3));
    }
  }
}

// ---- What is not a number, and what is not an argument ----

TEST_CASE("texture: a footprint that is not finite counts as zero and has no gradient") {
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.levels = 3;
  scene.fill(19);
  scene.mask.clear();
  Scene broken = scene, zero = scene;
  for (std::size_t i = 0; i < scene.pixels(); i += 2) {
    broken.derivatives[4 * i + i % 4] = i % 3 == 0 ? kNan : i % 3 == 1 ? kInfinity : -kInfinity;
    std::fill_n(zero.derivatives.begin() + 4 * static_cast<std::ptrdiff_t>(i), 4, 0.0F);
  }
  for (const int anisotropy : {1, 4}) {
    broken.max_anisotropy = zero.max_anisotropy = anisotropy;
    CHECK(broken.run() == zero.run());
    const Gradients of_broken(broken), of_zero(zero);
    CHECK(of_broken.texture == of_zero.texture);
    CHECK(of_broken.uv == of_zero.uv);
    CHECK(of_broken.derivatives == of_zero.derivatives);
    for (std::size_t i = 0; i < scene.pixels(); i += 2) REQUIRE(of_broken.derivatives[4 * i] == 0);
  }
}

TEST_CASE(
    "texture: a coordinate that is not a number gives 0 and no gradient, and the others do not notice") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kZero}) {
      Scene scene;
      scene.filter = filter;
      scene.boundary = boundary;
      scene.levels = 3;
      scene.fill(27);
      Scene masked = scene;
      for (std::size_t i = 1; i < scene.pixels(); i += 3) {
        scene.uv[2 * i + i % 2] = kNan;
        masked.mask[4 * i + 3] = 0;
      }
      CHECK(scene.run() == masked.run());
      const Gradients gradients(scene), expected(masked);
      CHECK(gradients.texture == expected.texture);
      CHECK(gradients.uv == expected.uv);
      CHECK(gradients.derivatives == expected.derivatives);
      CHECK(gradients.bias == expected.bias);
    }
  }
}

TEST_CASE("texture: coordinates far outside stay inside the texture") {
  for (const Filter filter : kFilters) {
    for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kZero}) {
      Scene scene;
      scene.filter = filter;
      scene.boundary = boundary;
      scene.levels = 3;
      scene.fill(29);
      const float wild[] = {1e30F, -1e30F, kInfinity, -kInfinity, 3.4e38F, 1e9F, -1e9F, 16777217.0F, -1e-20F};
      for (std::size_t i = 0; i < scene.uv.size(); i += 2) scene.uv[i] = wild[(i / 2) % 9];
      for (const float value : scene.run()) REQUIRE(std::abs(value) <= 1.0F);
      const Gradients gradients(scene);
      for (const auto& level : gradients.texture) {
        for (const float g : level) REQUIRE(std::isfinite(g));
      }
      for (const float g : gradients.uv) REQUIRE(std::isfinite(g));
    }
  }
  // Clamped: the edge, without a gradient along the clamped axis.
  Scene scene;
  scene.boundary = Boundary::kClamp;
  scene.fill(29);
  scene.mask.clear();
  for (std::size_t i = 0; i < scene.uv.size(); i += 2) scene.uv[i] = kInfinity;
  const std::vector<float> far = scene.run();
  const Gradients gradients(scene);
  for (std::size_t i = 0; i < scene.uv.size(); i += 2) {
    CHECK(gradients.uv[i] == 0);
    scene.uv[i] = 1;
  }
  CHECK(scene.run() == far);
}

TEST_CASE("texture: a gradient that is not a number stays at its own pixel and texels") {
  Scene scene;
  scene.images = scene.textures = 1;
  scene.texture_width = scene.texture_height = 16;
  scene.fill(2, 1.0F);
  scene.mask.clear();
  for (std::size_t i = 0; i < scene.pixels(); ++i) {  // the first pixel apart from all others
    scene.uv[2 * i] = i == 0 ? 0.8F : 0.25F;
  }
  for (std::size_t c = 0; c < 3; ++c) scene.grad_out[c] = kNan;
  const Gradients gradients(scene);
  for (std::size_t i = 2; i < gradients.uv.size(); ++i) REQUIRE(std::isfinite(gradients.uv[i]));
  std::size_t broken = 0;
  for (const float g : gradients.texture[0]) broken += std::isnan(g) ? 1 : 0;
  CHECK(broken == 4 * 3);
}

TEST_CASE("texture: wrong arguments are refused") {
  Scene scene;
  scene.filter = Filter::kLinearMipmapLinear;
  scene.levels = 3;
  scene.fill(1);
  std::vector<float> out(scene.pixels() * 3);
  const TextureParams good = scene.params(out.data());
  CHECK_NOTHROW(textureCpu(good));
  const auto refused = [&](const std::function<void(TextureParams&)>& spoil) {
    TextureParams bad = good;
    spoil(bad);
    CHECK_THROWS_AS(textureCpu(bad), std::invalid_argument);
  };
  refused([](auto& p) { p.texture.num_levels = 0; });
  refused([](auto& p) { p.texture.num_levels = kMaxMipLevels + 1; });
  refused([](auto& p) { p.texture.levels[1].data = nullptr; });
  refused([](auto& p) { p.texture.levels[1].width = 3; });
  refused([](auto& p) { p.texture.levels[2].channels = 2; });
  refused([](auto& p) { p.texture.levels[0].row_stride = 23; });
  refused([](auto& p) { p.texture.levels[1].image_stride = 0; });
  refused([](auto& p) { p.texture.levels[0].num_images = 3; });
  refused([](auto& p) { p.uv.data = nullptr; });
  refused([](auto& p) { p.uv.channels = 3; });
  refused([](auto& p) { p.uv_derivatives.channels = 6; });
  refused([](auto& p) { p.uv_derivatives.height = 4; });
  refused([](auto& p) { p.level_bias.width = 18; });
  refused([](auto& p) { p.mask.channels = 1; });
  refused([](auto& p) { p.out.data = nullptr; });
  refused([](auto& p) { p.out.image_stride = 0; });
  refused([](auto& p) { p.out.channels = 4; });
  refused([](auto& p) { p.filter = Filter::kLinear; });  // three levels
  refused([](auto& p) { p.uv_derivatives = p.level_bias = ConstImages(); });
  refused([](auto& p) { p.boundary = Boundary::kCube; });
  refused([](auto& p) { p.max_anisotropy = 0; });
  refused([](auto& p) { p.max_anisotropy = 1000; });
  refused([](auto& p) {
    p.max_anisotropy = 4;
    p.uv_derivatives = ConstImages();
  });
  refused([](auto& p) {
    p.max_anisotropy = 4;
    p.filter = Filter::kLinearMipmapNearest;
  });
  refused([](auto& p) { p.filter = static_cast<Filter>(9); });
  refused([](auto& p) { p.boundary = static_cast<Boundary>(-1); });

  std::vector<float> grad(1000);
  const auto backwardRefused = [&](const std::function<void(TextureBackwardParams&)>& spoil) {
    TextureBackwardParams bad;
    bad.forward = good;
    bad.grad_out = ConstImages(scene.grad_out.data(), 2, scene.height, scene.width, 3);
    spoil(bad);
    CHECK_THROWS_AS(textureBackwardCpu(bad), std::invalid_argument);
  };
  backwardRefused([](auto& p) { p.grad_out.data = nullptr; });
  backwardRefused([](auto& p) { p.grad_out.channels = 2; });
  backwardRefused([&](auto& p) { p.grad_uv = Images(grad.data(), 2, 1, 1, 2); });
  backwardRefused([&](auto& p) {
    p.grad_texture.num_levels = 1;
    p.grad_texture.levels[0] = Images(grad.data(), 2, 4, 8, 3);
  });
  try {
    TextureParams bad = good;
    bad.uv.channels = 3;
    textureCpu(bad);
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()).find("textureCpu: uv has") != std::string::npos);
  }
}

TEST_CASE("texture: an image without pixels is no error, and its texture gradient is zero") {
  Scene scene;
  scene.textures = 1;
  scene.fill(1);
  scene.height = 0;
  scene.mask.clear();
  CHECK_NOTHROW(scene.run());
  const Gradients gradients(scene);
  for (const float g : gradients.texture[0]) CHECK(g == 0);
}

}  // namespace
}  // namespace facet::ops
