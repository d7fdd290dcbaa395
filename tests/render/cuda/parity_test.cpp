// The CUDA backend against the CPU, twice: its kernels run by the host (everywhere), and on a device where
// one is usable.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "render/cuda/antialias_kernels.h"
#include "render/cuda/interpolate_kernels.h"
#include "render/cuda/rasterize_kernels.h"
#include "render/cuda/texture_kernels.h"
#include "render/ops/cuda.h"
#include "tests/render/cuda/host_executor.h"
#include "tests/render/cuda/scenes.h"

namespace facet::ops::cuda {
namespace {

// Device pointers in place of host ones.
struct Relocation {
  const float* from;
  const float* to;
  template <typename T>
  void operator()(T*& pointer) const {
    if (!pointer) return;
    const std::ptrdiff_t offset =
        reinterpret_cast<const char*>(pointer) - reinterpret_cast<const char*>(from);
    pointer = reinterpret_cast<T*>(const_cast<char*>(reinterpret_cast<const char*>(to)) + offset);
  }
};
void relocate(RasterizeParams& p, const Relocation& r) {
  r(p.positions.data), r(p.triangles.data), r(p.previous.data), r(p.rast.data), r(p.derivatives.data),
      r(p.ids);
}
void relocate(RasterizeBackwardParams& p, const Relocation& r) {
  r(p.positions.data), r(p.triangles.data), r(p.rast.data), r(p.grad_rast.data), r(p.grad_derivatives.data);
  r(p.grad_positions.data);
}
void relocate(InterpolateParams& p, const Relocation& r) {
  r(p.attributes.data), r(p.triangles.data), r(p.rast.data), r(p.derivatives.data), r(p.out.data);
  r(p.out_derivatives.data);
}
void relocate(InterpolateBackwardParams& p, const Relocation& r) {
  r(p.attributes.data), r(p.triangles.data), r(p.rast.data), r(p.derivatives.data), r(p.grad_out.data);
  r(p.grad_out_derivatives.data), r(p.grad_attributes.data), r(p.grad_rast.data), r(p.grad_derivatives.data);
}
template <typename T>
void relocate(MipStackT<T>& p, const Relocation& r) {
  for (ImagesT<T>& level : p.levels) r(level.data);
}
void relocate(TextureParams& p, const Relocation& r) {
  relocate(p.texture, r);
  r(p.uv.data), r(p.uv_derivatives.data), r(p.level_bias.data), r(p.mask.data), r(p.out.data);
}
void relocate(TextureBackwardParams& p, const Relocation& r) {
  relocate(p.forward, r);
  relocate(p.grad_texture, r);
  r(p.grad_out.data), r(p.grad_uv.data), r(p.grad_uv_derivatives.data), r(p.grad_level_bias.data);
}
void relocate(AntialiasParams& p, const Relocation& r) {
  r(p.colour.data), r(p.rast.data), r(p.positions.data), r(p.triangles.data), r(p.opposite), r(p.out.data);
}
void relocate(AntialiasBackwardParams& p, const Relocation& r) {
  relocate(p.forward, r);
  r(p.grad_out.data), r(p.grad_colour.data), r(p.grad_positions.data);
}
void relocate(EdgeGradientParams& p, const Relocation& r) {
  r(p.colour.data), r(p.rast.data), r(p.positions.data), r(p.triangles.data), r(p.grad_out.data);
  r(p.grad_positions.data);
}

// One operation on its three backends.
#define FACET_OPERATION(Name, function, Params)                                             \
  struct Name {                                                                             \
    static void cpu(const Params& params) { function##Cpu(params); }                        \
    static void host(const Params& params, HostExecutor& e) { cuda::function(params, e); }  \
    static void device(const Params& params, CudaContext& c) { function##Cuda(params, c); } \
  };
FACET_OPERATION(Rasterize, rasterize, RasterizeParams)
FACET_OPERATION(RasterizeBackward, rasterizeBackward, RasterizeBackwardParams)
FACET_OPERATION(Interpolate, interpolate, InterpolateParams)
FACET_OPERATION(InterpolateBackward, interpolateBackward, InterpolateBackwardParams)
FACET_OPERATION(BuildMipStack, buildMipStack, MipStack)
FACET_OPERATION(BuildMipStackBackward, buildMipStackBackward, MipStack)
FACET_OPERATION(Texture, texture, TextureParams)
FACET_OPERATION(TextureBackward, textureBackward, TextureBackwardParams)
FACET_OPERATION(Antialias, antialias, AntialiasParams)
FACET_OPERATION(AntialiasBackward, antialiasBackward, AntialiasBackwardParams)
FACET_OPERATION(EdgeGradient, edgeGradient, EdgeGradientParams)

// Largest difference relative to the largest value, where both are numbers. What is no number must agree.
void compare(const std::vector<float>& expected, const std::vector<float>& actual, const std::string& what,
             double tolerance) {
  double largest = 1e-20, difference = 0;
  std::size_t worst = 0, disagreeing = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(expected[i]) || !std::isfinite(actual[i])) {
      disagreeing += std::isfinite(expected[i]) == std::isfinite(actual[i]) ? 0 : 1;
      continue;
    }
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double d = std::abs(static_cast<double>(expected[i]) - actual[i]);
    if (d > difference) {
      difference = d;
      worst = i;
    }
  }
  INFO(what, ": largest value ", largest, ", largest difference ", difference, " at ", worst);
  CHECK(disagreeing == 0);
  CHECK(difference <= tolerance * largest);
}

// Says once why not.
bool deviceIsUsable() {
  std::string why;
  if (cudaAvailable(&why)) return true;
  static bool was_said = false;
  if (!was_said) MESSAGE("skipped on the device: " << why);
  was_said = true;
  return false;
}

// Runs an operation on the CPU, on the emulated device and on a real one, each from the same memory. The
// memory afterwards must agree: outputs, and that nothing else was written. Leaves the CPU's results.
template <typename Operation, typename Params>
void checkParity(Arena& arena, const Params& params, double tolerance, bool is_scatter = false) {
  std::vector<float>& memory = arena.memory();
  const std::vector<float> before(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(arena.used()));
  const auto restore = [&] { std::copy(before.begin(), before.end(), memory.begin()); };
  const auto taken = [&] {
    return std::vector<float>(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(before.size()));
  };
  // Only what one of them wrote; the rest would set the scale.
  const auto check = [&](const std::vector<float>& expected, const std::vector<float>& actual,
                         const char* what) {
    std::vector<float> a, b;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const bool is_written =
          std::memcmp(&expected[i], &before[i], 4) != 0 || std::memcmp(&actual[i], &before[i], 4) != 0;
      if (!is_written) continue;
      a.push_back(expected[i]);
      b.push_back(actual[i]);
    }
    compare(a, b, what, tolerance);
  };
  Operation::cpu(params);
  const std::vector<float> expected = taken();
  std::vector<float> first;
  for (const bool deterministic : {false, true}) {
    for (const bool reversed : {false, true}) {
      restore();
      HostExecutor executor(deterministic, reversed);
      Operation::host(params, executor);
      const std::vector<float> actual = taken();
      check(expected, actual, deterministic ? "on the host, deterministic" : "on the host");
      if (deterministic && !reversed) first = actual;
      if (deterministic && reversed) CHECK(std::memcmp(first.data(), actual.data(), 4 * first.size()) == 0);
      if (!is_scatter && reversed) break;
    }
  }
  if (deviceIsUsable()) {
    CudaContext context;
    std::vector<float> on_device;
    for (const bool deterministic : {false, true, true}) {
      context.deterministic = deterministic;
      const CudaArray<float> copy(context, before);
      Params relocated = params;
      relocate(relocated, Relocation{memory.data(), copy.data()});
      Operation::device(relocated, context);
      const std::vector<float> actual = copy.toHost();
      check(expected, actual, deterministic ? "on the device, deterministic" : "on the device");
      if (!deterministic) continue;
      if (!on_device.empty()) CHECK(std::memcmp(on_device.data(), actual.data(), 4 * actual.size()) == 0);
      on_device = actual;
    }
  }
  std::copy(expected.begin(), expected.end(), memory.begin());
}

constexpr double kForward = 1e-5, kBackward = 1e-4;

struct Rendered {
  Mesh mesh;
  RasterizeParams params;
};
Rendered render(Arena& arena, const Mesh& mesh, int n, int h, int w, int padding = 0) {
  Rendered out;
  out.mesh = mesh;
  out.params.positions = mesh.positions;
  out.params.triangles = mesh.triangles;
  out.params.rast = arena.images(n, h, w, 4, padding);
  out.params.derivatives = arena.images(n, h, w, 4);
  out.params.ids = arena.ints(std::int64_t{n} * h * w);
  rasterizeCpu(out.params);
  return out;
}

// Ids are compared as integers, and so exactly.
void checkRasterize(Arena& arena, const RasterizeParams& params) {
  const std::int64_t count = params.rast.numPixels();
  rasterizeCpu(params);
  const std::vector<std::int32_t> expected(params.ids, params.ids + count);
  HostExecutor executor(false, true);
  rasterize(params, executor);
  std::int64_t differing = 0, covered = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    differing += params.ids[i] != expected[static_cast<std::size_t>(i)] ? 1 : 0;
    covered += params.ids[i] >= 0 ? 1 : 0;
  }
  CHECK(differing == 0);
  CHECK(covered > count / 50);
  // The images without the ids, whose bits are no floats. The derivatives have a scale of their own.
  RasterizeParams without_ids = params;
  without_ids.ids = nullptr;
  without_ids.derivatives = {};
  std::fill(params.rast.data, params.rast.data + params.rast.image_stride * params.rast.num_images, 7.0F);
  checkParity<Rasterize>(arena, without_ids, kForward / 1000);  // ids are up to 1000s, u and v up to 1
}

}  // namespace

TEST_CASE("cuda rasterize: every pixel has the CPU's triangle and depth") {
  for (const int size : {1, 7, 64, 150}) {
    Arena arena;
    checkRasterize(arena, render(arena, makeSoup(arena, 600), 1, size, size + size / 3).params);
  }
  Arena arena;
  checkRasterize(arena, render(arena, makeSphere(arena, 24, 30), 1, 96, 131, 12).params);
  checkRasterize(arena, render(arena, makeSphere(arena, 24, 30, 3), 3, 40, 33).params);
  checkRasterize(arena, render(arena, makeSphere(arena, 3, 4, 0, 1.2F), 1, 200, 333).params);
}

TEST_CASE("cuda rasterize: depths have the same bits, culling, ranges and peeling included") {
  for (int variant = 0; variant < 4; ++variant) {
    Arena arena;
    RasterizeParams params = render(arena, makeSoup(arena, 500), 2, 90, 120).params;
    const std::int32_t ranges[4] = {20, 300, 100, 400};
    params.cull_backfaces = variant == 1;
    if (variant == 2) params.ranges = ranges;
    if (variant == 3) {
      const Images layer = arena.images(2, 90, 120, 4);
      std::memcpy(layer.data, params.rast.data, 4 * static_cast<std::size_t>(layer.image_stride) * 2);
      params.previous = layer;
    }
    rasterizeCpu(params);
    const std::size_t count = static_cast<std::size_t>(params.rast.numPixels());
    const std::vector<float> expected(params.rast.data, params.rast.data + 4 * count);
    HostExecutor executor;
    rasterize(params, executor);
    std::size_t differing = 0, covered = 0;
    for (std::size_t i = 0; i < count; ++i) {
      differing += params.rast.data[4 * i + 2] != expected[4 * i + 2] ||
                   params.rast.data[4 * i + 3] != expected[4 * i + 3];
      covered += expected[4 * i + 3] != 0;
    }
    CHECK(differing == 0);
    CHECK(covered > count / 20);
  }
}

TEST_CASE("cuda rasterize: derivatives are those of the CPU") {
  Arena arena;
  RasterizeParams params = render(arena, makeSphere(arena, 24, 30), 1, 96, 131).params;
  const std::size_t count = 4 * static_cast<std::size_t>(params.rast.numPixels());
  const std::vector<float> expected(params.derivatives.data, params.derivatives.data + count);
  HostExecutor executor;
  rasterize(params, executor);
  compare(expected, std::vector<float>(params.derivatives.data, params.derivatives.data + count),
          "derivatives", kForward);
}

TEST_CASE("cuda rasterizeBackward: gradients are those of the CPU") {
  for (const int n : {0, 2}) {
    Arena arena;
    const Rendered scene = render(arena, makeSphere(arena, 16, 20, n), 2, 48, 61, 4);
    RasterizeBackwardParams params;
    params.positions = scene.mesh.positions;
    params.triangles = scene.mesh.triangles;
    params.rast = scene.params.rast;
    params.grad_rast = arena.randomImages(2, 48, 61, 4);
    params.grad_derivatives = n == 0 ? Images{} : arena.randomImages(2, 48, 61, 4);
    params.grad_positions = arena.rows(scene.mesh.positions.num_rows, 4, n);
    checkParity<RasterizeBackward>(arena, params, kBackward, true);
  }
}

TEST_CASE("cuda interpolate: values and gradients are those of the CPU") {
  for (const int n : {0, 2}) {
    Arena arena;
    const Rendered scene = render(arena, makeSphere(arena, 16, 20), 2, 48, 61);
    const std::int64_t v = scene.mesh.positions.num_rows;
    const int differentiated[3] = {4, 0, 4};
    InterpolateParams params;
    params.attributes = ConstRows(arena.randomFloats(5 * v * 2), v, 5, n == 0 ? 0 : 5 * v);
    params.triangles = scene.mesh.triangles;
    params.rast = scene.params.rast;
    params.derivatives = scene.params.derivatives;
    params.differentiated = differentiated;
    params.num_differentiated = 3;
    params.out = arena.images(2, 48, 61, 5, 3);
    checkParity<Interpolate>(arena, params, kForward);
    params.out_derivatives = arena.images(2, 48, 61, 6);
    checkParity<Interpolate>(arena, params, kForward);

    InterpolateBackwardParams backward;
    backward.attributes = params.attributes;
    backward.triangles = params.triangles;
    backward.rast = params.rast;
    backward.derivatives = params.derivatives;
    backward.differentiated = differentiated;
    backward.num_differentiated = 3;
    backward.grad_out = arena.randomImages(2, 48, 61, 5);
    backward.grad_attributes = arena.rows(v, 5, n);
    backward.grad_rast = arena.randomImages(2, 48, 61, 4);
    checkParity<InterpolateBackward>(arena, backward, kBackward, true);
    backward.grad_out_derivatives = arena.randomImages(2, 48, 61, 6);
    backward.grad_derivatives = arena.randomImages(2, 48, 61, 4);
    checkParity<InterpolateBackward>(arena, backward, kBackward, true);
  }
}

TEST_CASE("cuda texture: mip stacks are those of the CPU") {
  for (const int channels : {1, 3, 4}) {
    Arena arena;
    MipStack stack;
    stack.num_levels = 6;
    for (int l = 0; l < 6; ++l)
      stack.levels[l] = arena.randomImages(2, std::max(8 >> l, 1), 32 >> l, channels, -1, 1, l);
    checkParity<BuildMipStack>(arena, stack, kForward);
    checkParity<BuildMipStackBackward>(arena, stack, kForward);
  }
}

TEST_CASE("cuda texture: values and gradients are those of the CPU for all filters and boundaries") {
  struct Case {
    Filter filter;
    Boundary boundary;
    int channels, anisotropy;
    bool bias_only, is_shared;
  };
  std::vector<Case> cases;
  for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kZero, Boundary::kCube}) {
    for (const Filter filter :
         {Filter::kNearest, Filter::kLinear, Filter::kLinearMipmapNearest, Filter::kLinearMipmapLinear}) {
      cases.push_back({filter, boundary, 3, 1, false, false});
    }
    cases.push_back({Filter::kLinearMipmapLinear, boundary, 5, 1, true, true});
    cases.push_back({Filter::kLinearMipmapLinear, boundary, 4, 8, false, true});
  }
  for (const Case& c : cases) {
    Arena arena;
    const bool is_cube = c.boundary == Boundary::kCube;
    const bool mipmapped =
        c.filter == Filter::kLinearMipmapNearest || c.filter == Filter::kLinearMipmapLinear;
    const int n = 2, h = 24, w = 37, faces = is_cube ? 6 : 1;
    const int num_images = c.is_shared ? faces : n * faces;
    TextureParams params;
    TextureBackwardParams backward;
    params.texture.num_levels = mipmapped ? 5 : 1;
    backward.grad_texture.num_levels = params.texture.num_levels;
    for (int l = 0; l < params.texture.num_levels; ++l) {
      params.texture.levels[l] =
          arena.randomImages(num_images, 16 >> l, (is_cube ? 16 : 32) >> l, c.channels);
      backward.grad_texture.levels[l] =
          arena.randomImages(num_images, 16 >> l, (is_cube ? 16 : 32) >> l, c.channels, -1, 1, l);
    }
    params.uv = is_cube ? arena.randomImages(n, h, w, 3) : arena.randomImages(n, h, w, 2, -0.6F, 1.7F);
    const Images derivatives = arena.randomImages(n, h, w, is_cube ? 6 : 4, -0.2F, 0.2F);
    const Images bias =
        arena.randomImages(n, h, w, 1, c.bias_only ? -1.0F : -0.5F, c.bias_only ? 5.0F : 0.5F);
    const Images mask = arena.randomImages(n, h, w, 4, 0, 3);
    for (std::int64_t i = 0; i < mask.numPixels(); i += 7) mask.data[4 * i + 3] = 0;
    if (mipmapped && !c.bias_only) params.uv_derivatives = derivatives;
    if (mipmapped) params.level_bias = bias;
    params.mask = mask;
    params.filter = c.filter;
    params.boundary = c.boundary;
    params.max_anisotropy = c.anisotropy;
    params.out = arena.images(n, h, w, c.channels, 2);
    CAPTURE(static_cast<int>(c.filter));
    CAPTURE(static_cast<int>(c.boundary));
    CAPTURE(c.anisotropy);
    checkParity<Texture>(arena, params, kForward);

    backward.forward = params;
    backward.grad_out = arena.randomImages(n, h, w, c.channels);
    checkParity<TextureBackward>(arena, backward, kBackward, true);
    backward.grad_texture = {};
    backward.grad_uv = arena.randomImages(n, h, w, is_cube ? 3 : 2);
    checkParity<TextureBackward>(arena, backward, kBackward);
    backward.grad_uv = {};
    backward.grad_uv_derivatives = arena.randomImages(n, h, w, is_cube ? 6 : 4);
    checkParity<TextureBackward>(arena, backward, kBackward);
    backward.grad_uv_derivatives = {};
    backward.grad_level_bias = arena.randomImages(n, h, w, 1);
    checkParity<TextureBackward>(arena, backward, kBackward);
  }
}

TEST_CASE("cuda antialias: values and gradients are those of the CPU") {
  for (const bool clamp : {false, true}) {
    for (const int n : {0, 2}) {
      Arena arena;
      const Rendered scene = render(arena, makeSphere(arena, 8, 11, n), 2, 44, 61);
      std::int32_t* const opposite = arena.ints(3 * scene.mesh.triangles.count);
      buildTopology(scene.mesh.triangles, scene.mesh.positions.num_rows, opposite);
      AntialiasParams params;
      params.colour = arena.randomImages(2, 44, 61, 5, -1, 1, 2);
      params.rast = scene.params.rast;
      params.positions = scene.mesh.positions;
      params.triangles = scene.mesh.triangles;
      params.opposite = opposite;
      params.clamp = clamp;
      params.out = arena.images(2, 44, 61, 5);
      checkParity<Antialias>(arena, params, kForward);

      AntialiasBackwardParams backward;
      backward.forward = params;
      backward.grad_out = arena.randomImages(2, 44, 61, 5);
      backward.grad_colour = arena.randomImages(2, 44, 61, 5);
      checkParity<AntialiasBackward>(arena, backward, kBackward);
      backward.grad_colour = {};
      backward.grad_positions = arena.rows(scene.mesh.positions.num_rows, 4, n);
      checkParity<AntialiasBackward>(arena, backward, kBackward, true);
    }
  }
}

TEST_CASE("cuda edgeGradient: gradients are those of the CPU, intersections included") {
  for (const int n : {0, 2}) {
    Arena arena;
    // The soup intersects itself; what is not a number in it never reaches the image.
    const Rendered scene = n == 0 ? render(arena, makeSoup(arena, 40), 2, 44, 61)
                                  : render(arena, makeSphere(arena, 8, 11, n), 2, 44, 61);
    EdgeGradientParams params;
    params.colour = arena.randomImages(2, 44, 61, 3);
    params.rast = scene.params.rast;
    params.positions = scene.mesh.positions;
    params.triangles = scene.mesh.triangles;
    params.grad_out = arena.randomImages(2, 44, 61, 3);
    params.max_step = 100;
    params.grad_positions = arena.rows(scene.mesh.positions.num_rows, 4, n);
    checkParity<EdgeGradient>(arena, params, kBackward, true);
  }
}

}  // namespace facet::ops::cuda
