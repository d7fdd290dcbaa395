#include "viewer/colour_map.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace facet {
namespace {

using Point = std::array<float, 3>;

// sRGB at even steps. Viridis and inferno: Smith and van der Walt, 2015 (CC0), every sixteenth of their
// tables. Diverging: Moreland, "Diverging Color Maps for Scientific Visualization", ISVC 2009, "cool to
// warm".
constexpr std::array<Point, 17> kViridisPoints = {{{0.267F, 0.004F, 0.329F},
                                                   {0.282F, 0.094F, 0.415F},
                                                   {0.278F, 0.176F, 0.482F},
                                                   {0.259F, 0.250F, 0.525F},
                                                   {0.231F, 0.321F, 0.545F},
                                                   {0.200F, 0.387F, 0.553F},
                                                   {0.173F, 0.446F, 0.557F},
                                                   {0.149F, 0.508F, 0.557F},
                                                   {0.129F, 0.567F, 0.551F},
                                                   {0.122F, 0.625F, 0.533F},
                                                   {0.154F, 0.680F, 0.504F},
                                                   {0.242F, 0.737F, 0.454F},
                                                   {0.363F, 0.785F, 0.387F},
                                                   {0.508F, 0.828F, 0.300F},
                                                   {0.668F, 0.863F, 0.195F},
                                                   {0.836F, 0.886F, 0.102F},
                                                   {0.992F, 0.906F, 0.145F}}};
constexpr std::array<Point, 17> kInfernoPoints = {{{0.000F, 0.000F, 0.016F},
                                                   {0.043F, 0.027F, 0.141F},
                                                   {0.128F, 0.047F, 0.289F},
                                                   {0.238F, 0.035F, 0.395F},
                                                   {0.339F, 0.062F, 0.430F},
                                                   {0.441F, 0.098F, 0.431F},
                                                   {0.538F, 0.133F, 0.416F},
                                                   {0.637F, 0.171F, 0.382F},
                                                   {0.733F, 0.214F, 0.331F},
                                                   {0.819F, 0.272F, 0.269F},
                                                   {0.892F, 0.350F, 0.197F},
                                                   {0.945F, 0.446F, 0.119F},
                                                   {0.976F, 0.551F, 0.038F},
                                                   {0.988F, 0.668F, 0.060F},
                                                   {0.976F, 0.789F, 0.198F},
                                                   {0.949F, 0.910F, 0.397F},
                                                   {0.988F, 1.000F, 0.643F}}};
constexpr std::array<Point, 9> kDivergingPoints = {{{0.230F, 0.299F, 0.754F},
                                                    {0.384F, 0.510F, 0.918F},
                                                    {0.554F, 0.690F, 0.996F},
                                                    {0.720F, 0.817F, 0.976F},
                                                    {0.866F, 0.865F, 0.865F},
                                                    {0.959F, 0.769F, 0.678F},
                                                    {0.957F, 0.596F, 0.477F},
                                                    {0.870F, 0.376F, 0.300F},
                                                    {0.706F, 0.016F, 0.150F}}};

std::span<const Point> pointsOf(ColourMap map) {
  if (map == ColourMap::kInferno) return kInfernoPoints;
  if (map == ColourMap::kDiverging) return kDivergingPoints;
  return kViridisPoints;
}

}  // namespace

Eigen::Vector3f colourOf(ColourMap map, float t) {
  const std::span<const Point> points = pointsOf(map);
  const int num_steps = static_cast<int>(points.size()) - 1;
  const float at = std::clamp(std::isnan(t) ? 0.0F : t, 0.0F, 1.0F) * static_cast<float>(num_steps);
  const int i = std::min(static_cast<int>(at), num_steps - 1);
  const float share = at - static_cast<float>(i);
  return (1 - share) * Eigen::Map<const Eigen::Vector3f>(points[i].data()) +
         share * Eigen::Map<const Eigen::Vector3f>(points[i + 1].data());
}

const std::array<std::array<std::uint8_t, 3>, 256>& colourTable(ColourMap map) {
  using Table = std::array<std::array<std::uint8_t, 3>, 256>;
  const auto make = [](ColourMap which) {
    Table table;
    for (int i = 0; i < 256; ++i) {
      const Eigen::Vector3f colour = colourOf(which, static_cast<float>(i) / 255);
      for (int c = 0; c < 3; ++c) table[i][c] = static_cast<std::uint8_t>(std::lround(255 * colour[c]));
    }
    return table;
  };
  static const std::array<Table, 3> tables = {make(ColourMap::kViridis), make(ColourMap::kInferno),
                                              make(ColourMap::kDiverging)};
  return tables[static_cast<std::size_t>(map)];
}

Eigen::Vector3f categoryColour(int index) {
  // Hues a golden angle apart never come close to their neighbours'; the value alternates for those who see
  // no hues.
  const float hue = std::fmod(0.08F + 0.381966F * static_cast<float>(std::max(index, 0)), 1.0F) * 6;
  const float value = index % 2 == 0 ? 0.86F : 0.66F;
  const float saturation = index % 3 == 0 ? 0.55F : 0.68F;
  const auto channel = [&](float offset) {
    const float k = std::fmod(offset + hue, 6.0F);
    return value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0F, 1.0F);
  };
  return {channel(5), channel(3), channel(1)};
}

}  // namespace facet
