#include "render/torch/operators.h"

#include <functional>

// torch defines a CHECK of its own, so doctest comes last.
#undef CHECK
#include <doctest/doctest.h>

namespace facet::torch_ops {
namespace {

using torch::Tensor;

constexpr int kSide = 16;

// Two triangles that share an edge and fill most of the image, one of them tilted.
Tensor quadPositions() {
  return torch::tensor({{-0.83F, -0.79F, 0.1F, 1.0F},
                        {0.71F, -0.77F, 0.2F, 1.1F},
                        {0.82F, 0.93F, 0.3F, 1.2F},
                        {-0.69F, 0.81F, 0.2F, 1.0F}});
}
Tensor quadTriangles() { return torch::tensor({{0, 1, 2}, {0, 2, 3}}, torch::kInt32); }
Tensor noise(std::vector<int64_t> shape, int seed) {
  torch::manual_seed(seed);
  return torch::rand(shape);
}

// Directional derivative of sum(weights × f(x)) by autograd and by a central difference.
void compareSlopes(const std::function<Tensor(const Tensor&)>& f, const Tensor& at, float step,
                   double tolerance) {
  const Tensor x = at.clone().set_requires_grad(true);
  const Tensor out = f(x);
  const Tensor weights = noise(out.sizes().vec(), 7);
  (out * weights).sum().backward();
  const Tensor direction = noise(at.sizes().vec(), 8) - 0.5;
  const double analytic = (x.grad() * direction).sum().item<double>();
  torch::NoGradGuard no_grad;
  const double numeric =
      ((f(at + step * direction) - f(at - step * direction)) * weights).sum(torch::kFloat64).item<double>() /
      (2 * step);
  CHECK(analytic == doctest::Approx(numeric).epsilon(tolerance).scale(0.1));
}

}  // namespace

TEST_CASE("torch operators: gradients of a whole rendering agree with finite differences") {
  const Tensor triangles = quadTriangles(), positions = quadPositions();
  const Tensor attributes = noise({4, 2}, 1), image = noise({1, 8, 8, 3}, 2);
  const auto render = [&](const Tensor& attribute_values, const Tensor& texels) {
    const Rasterized fragments = rasterize(positions, triangles, kSide, kSide);
    const auto [uv, slopes] =
        interpolate(attribute_values, fragments.rast, triangles, fragments.derivatives, {0, 1});
    const Tensor colour =
        texture(texels, uv, slopes, {}, {ops::Filter::kLinearMipmapLinear, ops::Boundary::kWrap});
    return antialias(colour, fragments.rast, positions, triangles);
  };
  compareSlopes([&](const Tensor& x) { return render(attributes, x); }, image, 0.05F, 1e-3);
  compareSlopes([&](const Tensor& x) { return render(x, image); }, attributes, 2e-4F, 5e-2);
}

TEST_CASE("torch operators: positions get gradients through barycentrics and through the outline") {
  const Tensor triangles = quadTriangles(), attributes = noise({4, 3}, 3);
  compareSlopes(
      [&](const Tensor& x) {
        const Rasterized fragments = rasterize(x, triangles, kSide, kSide);
        // Inside only: where the tensor of ids does not change, the image is smooth.
        return std::get<0>(interpolate(attributes, fragments.rast, triangles))
            .slice(1, 4, 12)
            .slice(2, 4, 12);
      },
      quadPositions(), 1e-3F, 2e-2);
  Tensor positions = quadPositions().set_requires_grad(true);
  const Rasterized fragments = rasterize(positions, triangles, kSide, kSide);
  const Tensor mask = (fragments.rast.slice(3, 3, 4) > 0).to(torch::kFloat32).contiguous();
  antialias(mask, fragments.rast.detach(), positions, triangles).sum().backward();
  // Vertex 1 and 2 lie on the right: moving them to the right covers more.
  CHECK(positions.grad()[1][0].item<float>() > 0);
  CHECK(positions.grad()[2][0].item<float>() > 0);
  CHECK(positions.grad()[0][0].item<float>() < 0);
}

TEST_CASE("torch operators: a batch of poses and a range of triangles per image are rendered") {
  const Tensor triangles = quadTriangles();
  const Tensor poses = torch::stack({quadPositions(), 0.5 * quadPositions()});
  const Tensor batch = rasterize(poses, triangles, kSide, kSide).rast;
  CHECK(batch.size(0) == 2);
  const Tensor ranges = torch::tensor({{0, 1}, {1, 1}}, torch::kInt32);
  const Tensor parts = rasterize(quadPositions(), triangles, kSide, kSide, true, ranges).rast;
  const Tensor first = parts[0].slice(2, 3, 4), second = parts[1].slice(2, 3, 4);
  CHECK(((first == 0) | (first == 1)).all().item<bool>());
  CHECK(((second == 0) | (second == 2)).all().item<bool>());
  CHECK((first > 0).any().item<bool>());
  CHECK((second > 0).any().item<bool>());
}

TEST_CASE("torch operators: gradient descent with torch's own optimizer finds a triangle from its picture") {
  const Tensor triangles = torch::tensor({{0, 1, 2}}, torch::kInt32);
  const auto picture = [&](const Tensor& corners) {
    const Tensor positions = torch::cat({corners, torch::zeros({3, 1}), torch::ones({3, 1})}, 1);
    const Rasterized fragments = rasterize(positions, triangles, kSide, kSide);
    const Tensor mask = (fragments.rast.slice(3, 3, 4) > 0).to(torch::kFloat32).contiguous();
    return antialias(mask, fragments.rast, positions, triangles);
  };
  const Tensor truth = torch::tensor({{-0.6F, -0.5F}, {0.7F, -0.4F}, {0.1F, 0.6F}});
  const Tensor target = picture(truth);
  Tensor corners = torch::tensor({{-0.4F, -0.3F}, {0.5F, -0.6F}, {0.0F, 0.4F}}).set_requires_grad(true);
  torch::optim::Adam optimizer({corners}, torch::optim::AdamOptions(0.01));
  for (int i = 0; i < 300; ++i) {
    optimizer.zero_grad();
    (picture(corners) - target).square().sum().backward();
    optimizer.step();
  }
  CHECK((corners - truth).abs().max().item<float>() < 0.05F);
}

TEST_CASE("torch operators: wrong types, layouts and shapes are named") {
  const Tensor triangles = quadTriangles(), positions = quadPositions();
  CHECK_THROWS_WITH_AS(rasterize(positions.to(torch::kFloat64), triangles, 8, 8),
                       doctest::Contains("positions has type Double"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(rasterize(positions, triangles.to(torch::kInt64), 8, 8),
                       doctest::Contains("triangles has type Long"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(rasterize(positions.t().contiguous().t(), triangles, 8, 8),
                       doctest::Contains("not contiguous"), std::invalid_argument);
  const Tensor rast = rasterize(positions, triangles, 8, 8).rast;
  CHECK_THROWS_AS(interpolate(noise({4, 2}, 1), rast[0], triangles), std::invalid_argument);
  const Tensor two = torch::cat({rast, rast});
  CHECK_THROWS_WITH_AS(interpolate(noise({1, 4, 2}, 1), two, triangles),
                       doctest::Contains("there are 2 images"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(antialias(noise({2, 8, 8, 3}, 1), two, positions.unsqueeze(0), triangles),
                       doctest::Contains("there are 2 images"), std::invalid_argument);
  CHECK_THROWS_AS(texture(noise({1, 7, 7, 3}, 1), noise({1, 4, 4, 2}, 2), noise({1, 4, 4, 4}, 3), {},
                          {ops::Filter::kLinearMipmapLinear}),
                  std::invalid_argument);
}

}  // namespace facet::torch_ops
