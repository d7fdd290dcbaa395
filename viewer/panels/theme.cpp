#include "viewer/panels/theme.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace facet::theme {
namespace {

// Basic Latin to Latin Extended-A, Greek, punctuation, and the signs ≤, ≥, ≈, −, →.
constexpr std::array<ImWchar, 15> kGlyphs = {0x20,   0x17F,  0x370,  0x3FF,  0x2010, 0x2044, 0x2190, 0x2193,
                                             0x2212, 0x2212, 0x2248, 0x2248, 0x2264, 0x2265, 0};

std::optional<fs::path> findFont(const std::vector<std::string>& names) {
  std::vector<fs::path> roots = {"/usr/share/fonts", "/usr/local/share/fonts"};
  if (const char* home = std::getenv("HOME")) {
    roots.emplace_back(fs::path(home) / ".local/share/fonts");
    roots.emplace_back(fs::path(home) / ".fonts");
  }
  for (const std::string& name : names) {  // where Debian and Fedora have them
    for (const char* folder :
         {"truetype/dejavu", "dejavu-sans-fonts", "truetype/noto", "truetype/liberation"}) {
      std::error_code error;
      const fs::path path = roots[0] / folder / name;
      if (fs::exists(path, error)) return path;
    }
  }
  for (const std::string& name : names) {
    for (const fs::path& root : roots) {
      std::error_code error;
      for (fs::recursive_directory_iterator entry(root, fs::directory_options::skip_permission_denied, error),
           end;
           !error && entry != end; entry.increment(error)) {
        if (entry->path().filename() == name) return entry->path();
      }
    }
  }
  return std::nullopt;
}

ImFont* addFont(const std::optional<fs::path>& path, float size_px, const ImWchar* glyphs = kGlyphs.data()) {
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  ImFontConfig config;
  if (path) {
    config.OversampleH = 2;
    config.OversampleV = 1;
    if (ImFont* font = atlas.AddFontFromFileTTF(path->c_str(), std::round(size_px), &config, glyphs))
      return font;
  }
  // A bitmap of 13 px looks clean at whole multiples only.
  ImFontConfig bitmap;
  bitmap.SizePixels = 13 * std::max(1.0F, std::round(size_px / 13));
  return atlas.AddFontDefault(&bitmap);
}

ImVec4 colour(ImU32 value, float alpha = 1) {
  ImVec4 result = ImGui::ColorConvertU32ToFloat4(value);
  result.w *= alpha;
  return result;
}

void setColours(ImGuiStyle& style) {
  ImGui::StyleColorsDark(&style);
  const auto set = [&](ImGuiCol which, ImVec4 value) { style.Colors[which] = value; };
  set(ImGuiCol_Text, colour(kText));
  set(ImGuiCol_TextDisabled, colour(kDim));
  set(ImGuiCol_WindowBg, colour(kPanel));
  set(ImGuiCol_ChildBg, ImVec4(0, 0, 0, 0));
  set(ImGuiCol_PopupBg, colour(rgb(0x2A2C2F)));
  set(ImGuiCol_Border, colour(rgb(0x3D4146)));
  set(ImGuiCol_FrameBg, colour(kField));
  set(ImGuiCol_FrameBgHovered, colour(kFieldHovered));
  set(ImGuiCol_FrameBgActive, colour(rgb(0x42464C)));
  set(ImGuiCol_TitleBg, colour(kBar));
  set(ImGuiCol_TitleBgActive, colour(kBar));
  set(ImGuiCol_MenuBarBg, colour(kBar));
  set(ImGuiCol_ScrollbarBg, ImVec4(0, 0, 0, 0));
  set(ImGuiCol_ScrollbarGrab, colour(rgb(0x4A4E54)));
  set(ImGuiCol_ScrollbarGrabHovered, colour(rgb(0x5A5F66)));
  set(ImGuiCol_ScrollbarGrabActive, colour(kAccent));
  set(ImGuiCol_CheckMark, colour(kAccent));
  set(ImGuiCol_SliderGrab, colour(kAccent));
  set(ImGuiCol_SliderGrabActive, colour(kAccent));
  set(ImGuiCol_Button, colour(rgb(0x393D42)));
  set(ImGuiCol_ButtonHovered, colour(rgb(0x474C52)));
  set(ImGuiCol_ButtonActive, colour(kAccentDark));
  set(ImGuiCol_Header, colour(rgb(0x2C2F32)));
  set(ImGuiCol_HeaderHovered, colour(rgb(0x3A3E43)));
  set(ImGuiCol_HeaderActive, colour(kAccentDark));
  set(ImGuiCol_Separator, colour(kLine));
  set(ImGuiCol_Tab, colour(kPanel));
  set(ImGuiCol_TabHovered, colour(rgb(0x3A3E43)));
  set(ImGuiCol_TabActive, colour(rgb(0x3A3E43)));
  set(ImGuiCol_TabUnfocused, colour(kPanel));
  set(ImGuiCol_TabUnfocusedActive, colour(rgb(0x3A3E43)));
  set(ImGuiCol_PlotLines, colour(kAccent));
  set(ImGuiCol_PlotHistogram, colour(kAccent));
  set(ImGuiCol_TextSelectedBg, colour(kAccent, 0.35F));
  set(ImGuiCol_NavHighlight, colour(kAccent));
  set(ImGuiCol_ModalWindowDimBg, ImVec4(0, 0, 0, 0.5F));
}

}  // namespace

void setStyle(float scale) {
  ImGuiStyle style;
  setColours(style);
  style.WindowPadding = {12, 10};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {8, 6};
  style.ItemInnerSpacing = {6, 4};
  style.CellPadding = {4, 3};
  style.IndentSpacing = 16;
  style.ScrollbarSize = 10;
  style.GrabMinSize = 8;
  style.WindowRounding = 0;
  style.ChildRounding = style.FrameRounding = style.GrabRounding = style.TabRounding = 3;
  style.PopupRounding = 4;
  style.ScrollbarRounding = 5;
  style.WindowBorderSize = style.FrameBorderSize = 0;
  style.PopupBorderSize = 1;
  style.DisabledAlpha = 0.4F;
  style.ScaleAllSizes(scale);
  style.WindowMinSize = {1, 1};  // of a window that is smaller than its panels
  ImGui::GetStyle() = style;
}

Fonts loadFonts(float scale) {
  const std::optional<fs::path> regular =
      findFont({"DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf"});
  const std::optional<fs::path> bold =
      findFont({"DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "LiberationSans-Bold.ttf"});
  Fonts fonts;
  fonts.text = addFont(regular, 14 * scale);
  fonts.small = addFont(regular, 12 * scale);
  fonts.title = addFont(bold ? bold : regular, 21 * scale, ImGui::GetIO().Fonts->GetGlyphRangesDefault());
  ImGui::GetIO().Fonts->Build();
  if (!regular) {
    // ImGui's own font ends with Latin-1.
    for (ImFont* font : {fonts.text, fonts.small, fonts.title}) {
      font->AddRemapChar(0x3C3, 's');   // σ
      font->AddRemapChar(0x2026, '.');  // …
    }
  }
  return fonts;
}

}  // namespace facet::theme
