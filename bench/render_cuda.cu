// Times of the CUDA backend: rasterize, the whole forward pass and forward + backward of a textured,
// antialiased sphere, by CUDA events around launches of a captured graph. Prints the minimum over
// repetitions, and what plain calls of the same take.

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "render/ops/cuda.h"

namespace {

using namespace facet::ops;

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

struct Mesh {
  std::vector<float> positions, uv;
  std::vector<std::int32_t> triangles;
};

// A bumpy sphere in perspective, about 2·rings·2·rings triangles.
Mesh makeSphere(std::int64_t num_triangles) {
  Mesh mesh;
  const int rings = std::max(4, static_cast<int>(std::sqrt(static_cast<double>(num_triangles) / 4))),
            segments = 2 * rings;
  for (int r = 0; r <= rings; ++r) {
    for (int s = 0; s < segments; ++s) {
      const double theta = 3.14159265358979 * (r + 0.3) / (rings + 0.6),
                   phi = 6.28318530717959 * s / segments;
      const double radius = 1 + 0.05 * std::sin(9 * theta) * std::cos(7 * phi);
      const double x = radius * std::sin(theta) * std::cos(phi), y = radius * std::cos(theta),
                   z = radius * std::sin(theta) * std::sin(phi) - 3;
      constexpr double kNear = 0.5, kFar = 10;
      for (const double value :
           {2.5 * x, 2.5 * y, -(kFar + kNear) / (kFar - kNear) * z - 2 * kFar * kNear / (kFar - kNear), -z}) {
        mesh.positions.push_back(static_cast<float>(value));
      }
      mesh.uv.push_back(static_cast<float>(2.0 * std::abs(static_cast<double>(s) / segments - 0.5)));
      mesh.uv.push_back(static_cast<float>(r) / static_cast<float>(rings));
    }
  }
  for (int r = 0; r < rings; ++r) {
    for (int s = 0; s < segments; ++s) {
      const int a = r * segments + s, b = r * segments + (s + 1) % segments, c = a + segments,
                d = b + segments;
      for (const int index : {a, b, c, b, d, c}) mesh.triangles.push_back(index);
    }
  }
  return mesh;
}

// Everything of one scene on the device.
class Scene {
 public:
  Scene(CudaContext& context, std::int64_t num_triangles, int size)
      : context_(context), mesh_(makeSphere(num_triangles)), size_(size) {
    const std::int64_t v = static_cast<std::int64_t>(mesh_.positions.size()) / 4;
    const TriangleList host_triangles = {mesh_.triangles.data(),
                                         static_cast<std::int64_t>(mesh_.triangles.size()) / 3};
    std::vector<std::int32_t> opposite(mesh_.triangles.size());
    buildTopology(host_triangles, v, opposite.data());

    rasterize_.positions = ConstRows(upload(mesh_.positions), v, 4);
    rasterize_.triangles = {upload(mesh_.triangles), host_triangles.count};
    rasterize_.rast = images(4);
    rasterize_.derivatives = images(4);

    interpolate_.attributes = ConstRows(upload(mesh_.uv), v, 2);
    interpolate_.triangles = rasterize_.triangles;
    interpolate_.rast = rasterize_.rast;
    interpolate_.derivatives = rasterize_.derivatives;
    interpolate_.num_differentiated = 2;
    interpolate_.out = images(2);
    interpolate_.out_derivatives = images(4);

    stack_.num_levels = gradient_stack_.num_levels = 11;
    for (int l = 0; l < 11; ++l) {
      stack_.levels[l] = Images(floats(std::int64_t{3} << (2 * (10 - l))), 1, 1024 >> l, 1024 >> l, 3);
      gradient_stack_.levels[l] =
          Images(floats(std::int64_t{3} << (2 * (10 - l))), 1, 1024 >> l, 1024 >> l, 3);
    }
    texture_.texture.num_levels = 11;
    for (int l = 0; l < 11; ++l) texture_.texture.levels[l] = stack_.levels[l];
    texture_.uv = interpolate_.out;
    texture_.uv_derivatives = interpolate_.out_derivatives;
    texture_.mask = rasterize_.rast;
    texture_.filter = Filter::kLinearMipmapLinear;
    texture_.out = images(3);

    antialias_.colour = texture_.out;
    antialias_.rast = rasterize_.rast;
    antialias_.positions = rasterize_.positions;
    antialias_.triangles = rasterize_.triangles;
    antialias_.opposite = upload(opposite);
    antialias_.out = images(3);

    grad_out_ = Images(upload(std::vector<float>(static_cast<std::size_t>(size) * size * 3, 1e-3F)), 1, size,
                       size, 3);
    antialias_backward_.forward = antialias_;
    antialias_backward_.grad_out = grad_out_;
    antialias_backward_.grad_colour = images(3);
    antialias_backward_.grad_positions = Rows(floats(4 * v), v, 4);
    texture_backward_.forward = texture_;
    texture_backward_.grad_out = antialias_backward_.grad_colour;
    texture_backward_.grad_texture = gradient_stack_;
    texture_backward_.grad_uv = images(2);
    texture_backward_.grad_uv_derivatives = images(4);
    interpolate_backward_.attributes = interpolate_.attributes;
    interpolate_backward_.triangles = interpolate_.triangles;
    interpolate_backward_.rast = interpolate_.rast;
    interpolate_backward_.derivatives = interpolate_.derivatives;
    interpolate_backward_.num_differentiated = 2;
    interpolate_backward_.grad_out = texture_backward_.grad_uv;
    interpolate_backward_.grad_out_derivatives = texture_backward_.grad_uv_derivatives;
    interpolate_backward_.grad_attributes = Rows(floats(2 * v), v, 2);
    interpolate_backward_.grad_rast = images(4);
    interpolate_backward_.grad_derivatives = images(4);
    rasterize_backward_.positions = rasterize_.positions;
    rasterize_backward_.triangles = rasterize_.triangles;
    rasterize_backward_.rast = rasterize_.rast;
    rasterize_backward_.grad_rast = interpolate_backward_.grad_rast;
    rasterize_backward_.grad_derivatives = interpolate_backward_.grad_derivatives;
    rasterize_backward_.grad_positions = Rows(floats(4 * v), v, 4);
  }

  std::int64_t numTriangles() const { return rasterize_.triangles.count; }

  void rasterize() { rasterizeCuda(rasterize_, context_); }
  void forward() {
    rasterize();
    interpolateCuda(interpolate_, context_);
    buildMipStackCuda(stack_, context_);
    textureCuda(texture_, context_);
    antialiasCuda(antialias_, context_);
  }
  void forwardAndBackward() {
    forward();
    antialiasBackwardCuda(antialias_backward_, context_);
    textureBackwardCuda(texture_backward_, context_);
    buildMipStackBackwardCuda(gradient_stack_, context_);
    interpolateBackwardCuda(interpolate_backward_, context_);
    rasterizeBackwardCuda(rasterize_backward_, context_);
  }

 private:
  template <typename T>
  T* upload(const std::vector<T>& values) {
    float* const memory = floats(static_cast<std::int64_t>(values.size() * sizeof(T) / sizeof(float)));
    context_.copyToDevice(memory, values.data(), static_cast<std::int64_t>(values.size() * sizeof(T)));
    return reinterpret_cast<T*>(memory);
  }
  float* floats(std::int64_t count) {
    arrays_.emplace_back(context_, count);
    check(cudaMemsetAsync(arrays_.back().data(), 0, static_cast<std::size_t>(count) * sizeof(float),
                          static_cast<cudaStream_t>(context_.stream())));
    return arrays_.back().data();
  }
  Images images(int channels) {
    return Images(floats(std::int64_t{size_} * size_ * channels), 1, size_, size_, channels);
  }

  CudaContext& context_;
  Mesh mesh_;
  int size_;
  std::vector<CudaArray<float>> arrays_;
  RasterizeParams rasterize_;
  InterpolateParams interpolate_;
  MipStack stack_, gradient_stack_;
  TextureParams texture_;
  AntialiasParams antialias_;
  Images grad_out_;
  AntialiasBackwardParams antialias_backward_;
  TextureBackwardParams texture_backward_;
  InterpolateBackwardParams interpolate_backward_;
  RasterizeBackwardParams rasterize_backward_;
};

// Milliseconds of one run, the minimum over repetitions.
double timeOf(cudaStream_t stream, const std::function<void()>& run) {
  constexpr int kRepetitions = 20, kPerRepetition = 10;
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  double best = 1e30;
  for (int i = 0; i < kRepetitions; ++i) {
    check(cudaEventRecord(begin, stream));
    for (int k = 0; k < kPerRepetition; ++k) run();
    check(cudaEventRecord(end, stream));
    check(cudaEventSynchronize(end));
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end));
    best = std::min(best, static_cast<double>(milliseconds) / kPerRepetition);
  }
  check(cudaEventDestroy(begin));
  check(cudaEventDestroy(end));
  return best;
}

struct Times {
  double graph, calls;
};
Times measure(CudaContext& context, const std::function<void()>& run) {
  const cudaStream_t stream = static_cast<cudaStream_t>(context.stream());
  run();  // scratch memory gets its size
  context.synchronize();
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  run();
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&executable, graph, 0));
  Times times = {};
  times.graph = timeOf(stream, [&] { check(cudaGraphLaunch(executable, stream)); });
  times.calls = timeOf(stream, run);
  check(cudaGraphExecDestroy(executable));
  check(cudaGraphDestroy(graph));
  return times;
}

}  // namespace

int main() try {
  std::string why;
  if (!cudaAvailable(&why)) {
    std::printf("facet_bench_render_cuda: nothing to measure, %s\n", why.c_str());
    return EXIT_SUCCESS;
  }
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0));
  std::printf("%s; ms as a captured graph (as plain calls)\n", properties.name);
  for (const bool deterministic : {false, true}) {
    std::printf("%s sums\n%10s %6s %18s %18s %18s\n", deterministic ? "deterministic" : "float", "triangles",
                "size", "rasterize", "forward", "forward+backward");
    for (const std::int64_t num_triangles : {10000, 70000, 300000}) {
      for (const int size : {256, 512, 1024, 2048}) {
        CudaContext context;
        context.deterministic = deterministic;
        Scene scene(context, num_triangles, size);
        const Times rasterize = measure(context, [&] { scene.rasterize(); });
        const Times forward = measure(context, [&] { scene.forward(); });
        const Times both = measure(context, [&] { scene.forwardAndBackward(); });
        std::printf("%10lld %6d %8.3f (%7.3f) %8.3f (%7.3f) %8.3f (%7.3f)\n",
                    static_cast<long long>(scene.numTriangles()), size, rasterize.graph, rasterize.calls,
                    forward.graph, forward.calls, both.graph, both.calls);
      }
    }
  }
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::fprintf(stderr, "facet_bench_render_cuda: %s\n", error.what());
  return EXIT_FAILURE;
}
