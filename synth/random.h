#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

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

// Smooth noise in about [-1, 1] that varies over a distance of 1.
inline float valueNoise(const Eigen::Vector3f& p, std::uint32_t seed = 0) {
  const int x = static_cast<int>(std::floor(p.x())), y = static_cast<int>(std::floor(p.y())),
            z = static_cast<int>(std::floor(p.z()));
  const auto corner = [&](int i, int j, int k) {
    std::uint32_t h = static_cast<std::uint32_t>(x + i) * 0x8DA6B343U ^
                      static_cast<std::uint32_t>(y + j) * 0xD8163841U ^
                      static_cast<std::uint32_t>(z + k) * 0xCB1AB31FU ^ seed * 0x9E3779B9U;
    h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
    h = (h ^ (h >> 12)) * 0x297A2D39U;
    return static_cast<float>((h ^ (h >> 15)) >> 8) * 0x1p-23F - 1;
  };
  const auto smooth = [](float t) { return t * t * (3 - 2 * t); };
  const float u = smooth(p.x() - x), v = smooth(p.y() - y), w = smooth(p.z() - z);
  const auto mixed = [](float a, float b, float t) { return a + (b - a) * t; };
  const auto row = [&](int j, int k) { return mixed(corner(0, j, k), corner(1, j, k), u); };
  return mixed(mixed(row(0, 0), row(1, 0), v), mixed(row(0, 1), row(1, 1), v), w);
}

inline float smoothStep(float low, float high, float x) {
  const float t = std::fmin(1.0F, std::fmax(0.0F, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

}  // namespace facet::synth
