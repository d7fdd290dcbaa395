#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "core/smooth_step.h"
#include "core/types.h"

namespace facet::synth {

// Small random generator (splitmix64); a stream is named by numbers, so that image i is the same whoever
// draws it.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t item = 0, std::uint64_t purpose = 0)
      : state_(mix(seed + mix(item + mix(purpose + 0x51ED27)))) {}

  std::uint64_t bits() { return mix(state_ += 0x9E3779B97F4A7C15ULL); }
  float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24F; }  // [0, 1)
  float range(float low, float high) { return low + (high - low) * uniform(); }
  int pick(int count) { return static_cast<int>(bits() % static_cast<std::uint64_t>(count)); }
  // Normal to within what noise in a picture needs: the sum of eight uniform bytes.
  float roughNormal() {
    const std::uint64_t b = bits();
    const std::uint64_t pairs = (b & 0x00FF00FF00FF00FFULL) + (b >> 8 & 0x00FF00FF00FF00FFULL);
    const auto sum = static_cast<float>(pairs * 0x0001000100010001ULL >> 48);
    return (sum - 1020) * (1 / 209.0F);
  }
  bool chance(float probability) { return uniform() < probability; }
  float normal() {
    const float radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi_v<float> * uniform());
  }
  float logNormal(float sigma) { return std::exp(sigma * normal()); }
  Eigen::Vector3f colour(float low, float high) {
    const float r = range(low, high), g = range(low, high), b = range(low, high);
    return {r, g, b};
  }
  Eigen::Vector3f direction() {
    const float z = range(-1, 1), angle = range(0, 2 * std::numbers::pi_v<float>);
    const float r = std::sqrt(1 - z * z);
    return {r * std::cos(angle), r * std::sin(angle), z};
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

// A lattice cell and the smooth weights of its far corners.
struct NoiseCell {
  int x, y, z;
  float u, v, w;

  explicit NoiseCell(const Eigen::Vector3f& p) : x(floorOf(p.x())), y(floorOf(p.y())), z(floorOf(p.z())) {
    const auto smooth = [](float t) { return t * t * (3 - 2 * t); };
    u = smooth(p.x() - static_cast<float>(x));
    v = smooth(p.y() - static_cast<float>(y));
    w = smooth(p.z() - static_cast<float>(z));
  }
  static int floorOf(float t) {
    const int i = static_cast<int>(t);
    return i - (static_cast<float>(i) > t ? 1 : 0);
  }
  // 32 random bits of a corner.
  std::uint32_t bits(int i, int j, int k, std::uint32_t seed) const {
    std::uint32_t h = static_cast<std::uint32_t>(x + i) * 0x8DA6B343U ^
                      static_cast<std::uint32_t>(y + j) * 0xD8163841U ^
                      static_cast<std::uint32_t>(z + k) * 0xCB1AB31FU ^ seed * 0x9E3779B9U;
    h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
    h = (h ^ (h >> 12)) * 0x297A2D39U;
    return h ^ (h >> 15);
  }
  // Trilinear mean of what `corner(i, j, k)` says.
  template <typename Corner>
  auto mixed(const Corner& corner) const {
    using Value = decltype(corner(0, 0, 0));
    const auto row = [&](int j, int k) {
      const Value a = corner(0, j, k), b = corner(1, j, k);
      return Value(a + (b - a) * u);
    };
    const auto plane = [&](int k) {
      const Value a = row(0, k), b = row(1, k);
      return Value(a + (b - a) * v);
    };
    const Value a = plane(0), b = plane(1);
    return Value(a + (b - a) * w);
  }
};

// Smooth noise in about [-1, 1] that varies over a distance of 1.
inline float valueNoise(const Eigen::Vector3f& p, std::uint32_t seed = 0) {
  const NoiseCell cell(p);
  return cell.mixed(
      [&](int i, int j, int k) { return static_cast<float>(cell.bits(i, j, k, seed) >> 8) * 0x1p-23F - 1; });
}
// Three of them for the price of one.
inline Eigen::Vector3f valueNoise3(const Eigen::Vector3f& p, std::uint32_t seed = 0) {
  const NoiseCell cell(p);
  return cell.mixed([&](int i, int j, int k) -> Eigen::Vector3f {
    const std::uint32_t h = cell.bits(i, j, k, seed);
    return Eigen::Vector3f(static_cast<float>(h & 0x3FF), static_cast<float>(h >> 10 & 0x3FF),
                           static_cast<float>(h >> 20 & 0x3FF)) /
               512 -
           Eigen::Vector3f::Ones();
  });
}

}  // namespace facet::synth
