// Time of the viewer's pictures: 1280×800 pixels, 4 samples each, a head of about 25,000 triangles that fills
// most of the height, with OpenGL on whatever EGL finds (llvmpipe without a graphics card; the context's
// first line says). Each picture is finished before the next one starts. Minimum over repetitions is the
// figure to quote on a shared machine: facet_bench_viewer --benchmark_repetitions=10
// --benchmark_report_aggregates_only

#include <GL/gl.h>
#include <benchmark/benchmark.h>

#include <cmath>
#include <numbers>

#include "core/split_mesh.h"
#include "render/studio.h"
#include "viewer/gl/context.h"
#include "viewer/gl/gl_renderer.h"
#include "viewer/surface.h"

namespace facet {
namespace {

constexpr int kWidth_px = 1280, kHeight_px = 800;

// Bumpy ellipsoid of 25,088 triangles; millimetres.
Mesh makeHead() {
  constexpr int kRings = 79, kSegments = 158;
  Mesh mesh;
  mesh.vertices.resize((kRings + 1) * kSegments, 3);
  mesh.uv.resize((kRings + 1) * (kSegments + 1), 2);
  mesh.triangles.resize(2 * kRings * kSegments, 3);
  mesh.uv_triangles.resize(mesh.triangles.rows(), 3);
  for (int i = 0; i <= kRings; ++i) {
    for (int j = 0; j <= kSegments; ++j) {
      mesh.uv.row(i * (kSegments + 1) + j) << static_cast<float>(j) / kSegments,
          1 - static_cast<float>(i) / kRings;
      if (j == kSegments) continue;
      const double polar = std::numbers::pi * i / kRings, around = 2 * std::numbers::pi * j / kSegments;
      const double bump = 1 + 0.04 * std::sin(7 * around) * std::sin(5 * polar);
      mesh.vertices.row(i * kSegments + j)
          << static_cast<float>(85 * bump * std::sin(polar) * std::sin(around)),
          static_cast<float>(115 * bump * std::cos(polar)),
          static_cast<float>(-95 * bump * std::sin(polar) * std::cos(around));
    }
  }
  for (int i = 0; i < kRings; ++i) {
    for (int j = 0; j < kSegments; ++j) {
      const int f = 2 * (i * kSegments + j), next = (j + 1) % kSegments;
      const int a = i * kSegments + j, b = i * kSegments + next, c = a + kSegments, d = b + kSegments;
      mesh.triangles.row(f) << a, c, b;
      mesh.triangles.row(f + 1) << b, c, d;
      const int ta = i * (kSegments + 1) + j, tb = ta + 1, tc = ta + kSegments + 1, td = tc + 1;
      mesh.uv_triangles.row(f) << ta, tc, tb;
      mesh.uv_triangles.row(f + 1) << tb, tc, td;
    }
  }
  return mesh;
}

// Waves of a few pixels, as pores are.
std::shared_ptr<const Image8> waves(int size_px, int low, int high, bool blue) {
  auto image = std::make_shared<Image8>(size_px, size_px, 3);
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) {
      const double wave = 0.5 + 0.25 * std::sin(0.9 * x) + 0.25 * std::sin(0.7 * y);
      for (int c = 0; c < 3; ++c)
        image->at(x, y)[c] = static_cast<std::uint8_t>(blue && c == 2 ? 250 : low + (high - low) * wave);
    }
  }
  return image;
}

struct Stage {
  HeadlessContext context;
  GlRenderer renderer;
  std::shared_ptr<SurfaceState> state = std::make_shared<SurfaceState>();
  Frame frame;

  Stage() {
    const Mesh mesh = makeHead();
    const auto layout = surfaceLayout(mesh, {});
    state->positions = gatherRows(mesh.vertices, layout->vertex);
    state->normals = gatherRows(vertexNormals(mesh.vertices, mesh.triangles), layout->vertex);
    state->values = state->positions.col(1);
    state->revision = state->value_revision = 1;
    frame.width_px = kWidth_px;
    frame.height_px = kHeight_px;
    frame.background = {Eigen::Vector3f::Constant(0.02F), Eigen::Vector3f::Constant(0.07F)};
    DrawView view;
    view.rect = view.clip = {0, 0, kWidth_px, kHeight_px};
    view.camera = orbitCamera(mesh.vertices, {.size_px = kHeight_px});
    view.camera.width_px = kWidth_px;
    view.camera.principal_px.x() = kWidth_px / 2.0F;
    std::tie(view.near_mm, view.far_mm) = view.camera.depthRange(mesh.vertices);
    view.light.diffuse = studioLight();
    DrawItem item;
    item.layout = layout;
    item.state = state;
    item.value_low = -115;
    item.value_high = 115;
    item.materials.resize(1);
    item.materials[0].base_colour = waves(2048, 120, 220, false);
    view.items = {item};
    frame.views = {view};
  }

  DrawView& view() { return frame.views[0]; }
  DrawItem& item() { return view().items[0]; }
  void addMaps() {
    item().materials[0].normal = waves(2048, 110, 145, true);
    view().light.lamp = Lamp{Eigen::Vector3f(0.5F, 0.5F, 0.7F).normalized(), Eigen::Vector3f::Constant(0.8F)};
  }
  void addRoughness() { item().materials[0].occlusion_roughness = waves(1024, 100, 250, false); }
  void addEnvironment() {
    auto environment = std::make_shared<Environment>();
    environment->by_roughness.assign(6, ImageF(256, 128, 3, 0.5F));
    view().light.environment = environment;
  }
  void draw(benchmark::State& run, bool shaping = false) {
    renderer.draw(frame);  // programs, buffers, textures
    glFinish();
    for (auto _ : run) {
      if (shaping) ++state->revision;
      renderer.draw(frame);
      glFinish();
    }
    run.SetLabel(context.description());
  }
};

void background(benchmark::State& run) {
  Stage stage;
  stage.view().items.clear();
  stage.draw(run);
}

void textured(benchmark::State& run) { Stage().draw(run); }

void texturedNormalMapLamp(benchmark::State& run) {
  Stage stage;
  stage.addMaps();
  stage.draw(run);
}

void allMapsEnvironment(benchmark::State& run) {
  Stage stage;
  stage.addMaps();
  stage.addRoughness();
  stage.addEnvironment();
  stage.draw(run);
}

// A slider moves: positions and normals are sent with each picture.
void shapedNormalMapLamp(benchmark::State& run) {
  Stage stage;
  stage.addMaps();
  stage.draw(run, true);
}

void values(benchmark::State& run) {
  Stage stage;
  stage.item().shading = SurfaceShading::kValues;
  stage.draw(run);
}

void wireframe(benchmark::State& run) {
  Stage stage;
  stage.item().wireframe = true;
  stage.draw(run);
}

void faded(benchmark::State& run) {
  Stage stage;
  stage.item().opacity = 0.5F;
  stage.draw(run);
}

void photoBehind(benchmark::State& run) {
  Stage stage;
  stage.view().backdrop = Backdrop{waves(2048, 20, 200, false), 1, 0.5F, {100, -100}};
  stage.draw(run);
}

// What a clip's new frame costs: the photo is sent and drawn.
void newPhotoBehind(benchmark::State& run) {
  Stage stage;
  for (auto _ : run) {
    run.PauseTiming();
    stage.view().backdrop = Backdrop{std::make_shared<Image8>(1920, 1080, 3, 90), 1, 0.6F, {0, 0}};
    run.ResumeTiming();
    stage.renderer.draw(stage.frame);
    glFinish();
  }
}

// First picture of a head with three textures of 2048² and one of 1024²: programs, buffers, textures.
void firstPicture(benchmark::State& run) {
  for (auto _ : run) {
    run.PauseTiming();
    auto stage = std::make_unique<Stage>();
    stage->addMaps();
    stage->addRoughness();
    run.ResumeTiming();
    stage->renderer.draw(stage->frame);
    glFinish();
    run.PauseTiming();
    stage.reset();
    run.ResumeTiming();
  }
}

BENCHMARK(background)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(textured)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(texturedNormalMapLamp)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(shapedNormalMapLamp)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(allMapsEnvironment)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(values)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(wireframe)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(faded)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(photoBehind)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(newPhotoBehind)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(firstPicture)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace facet

BENCHMARK_MAIN();
