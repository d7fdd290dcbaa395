#include "viewer/panels/layout.h"

#include <algorithm>
#include <cmath>

namespace facet {
namespace {

constexpr float kMenuHeight = 28, kStatusHeight = 26;
constexpr float kSmallestPicture = 0.45F;  // share of the window's width
constexpr float kTallestTimeline = 0.4F;   // share of its height

}  // namespace

Layout layoutOf(int width_px, int height_px, const LayoutOptions& options) {
  const int width = std::max(1, width_px), height = std::max(1, height_px);
  Layout layout;
  if (!options.panels) {
    layout.picture = {0, 0, width, height};
    return layout;
  }
  const auto pixels = [&](float at_scale_1) {
    return static_cast<int>(std::lround(at_scale_1 * options.scale));
  };
  const int menu = std::min(pixels(kMenuHeight), height / 4);
  const int status = std::min(pixels(kStatusHeight), height / 4);
  const float asked = (options.left_width + options.right_width) * options.scale;
  const float room = (1 - kSmallestPicture) * static_cast<float>(width);
  const float shrink = std::min(1.0F, room / std::max(1.0F, asked));
  const int left = pixels(options.left_width * shrink), right = pixels(options.right_width * shrink);
  const int timeline = std::min(pixels(options.timeline_height),
                                static_cast<int>(kTallestTimeline * static_cast<float>(height)));
  const int middle = std::max(1, height - menu - status);
  layout.menu = {0, 0, width, menu};
  layout.left = {0, menu, left, middle};
  layout.right = {width - right, menu, right, middle};
  layout.timeline = {left, menu + middle - timeline, width - left - right, timeline};
  layout.status = {0, height - status, width, status};
  layout.picture = {left, menu, std::max(1, width - left - right), std::max(1, middle - timeline)};
  return layout;
}

}  // namespace facet
