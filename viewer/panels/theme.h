#pragma once

#include <imgui.h>

namespace facet {

// The look of the window: dark neutral greys, so that the colours of a face are judged against nothing
// coloured, and one accent.
namespace theme {

inline constexpr ImU32 rgb(unsigned hex, unsigned alpha = 255) {
  return (alpha << 24) | ((hex & 0xFF) << 16) | (hex & 0xFF00) | (hex >> 16);
}

inline constexpr ImU32 kPanel = rgb(0x222426), kBar = rgb(0x1A1B1D), kField = rgb(0x303337),
                       kFieldHovered = rgb(0x3A3E43), kLine = rgb(0x34373B), kText = rgb(0xDEE1E5),
                       kDim = rgb(0x9CA2A9), kAccent = rgb(0x41B3A3), kAccentDark = rgb(0x2A766C),
                       kWarning = rgb(0xE0A84F), kError = rgb(0xE5705F), kDetected = rgb(0x58D68D),
                       kFitted = rgb(0xFF6B5E), kMoved = rgb(0xFFD166);

struct Fonts {
  ImFont* text = nullptr;   // 14 px at scale 1
  ImFont* small = nullptr;  // 12 px
  ImFont* title = nullptr;  // 22 px
};

// Colours and spacing of the current context.
void setStyle(float scale);
// Fonts of the current context, once. The font is found among the system's (DejaVu Sans first); ImGui's own
// bitmap font stands in for it.
Fonts loadFonts(float scale);

}  // namespace theme
}  // namespace facet
