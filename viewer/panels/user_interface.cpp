#include "viewer/panels/user_interface.h"

#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "viewer/panels/event_queue.h"
#include "viewer/panels/export_panel.h"
#include "viewer/panels/fit_panel.h"
#include "viewer/panels/picture_panel.h"
#include "viewer/panels/shape_panel.h"
#include "viewer/panels/shortcuts.h"
#include "viewer/panels/timeline_panel.h"
#include "viewer/panels/widgets.h"
#include "viewer/settings_io.h"

namespace facet {
namespace {

using Json = nlohmann::json;

constexpr ImGuiWindowFlags kDocked =
    ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove |
    ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoBringToFrontOnFocus;
constexpr float kMinPanelWidth = 200, kMaxPanelWidth = 560;  // at scale 1
// Time steps beyond this are pauses of the program, not time that a clip or a message has been seen for.
constexpr double kLongestStep_s = 0.5;
// The narrowest window, at scale 1, that holds everything as it is meant to be; a narrower one gets smaller
// text.
constexpr float kFullWidth = 1040, kSmallestScale = 0.75F;

// After an event, until hovering, scrolling and a tip's delay have settled.
constexpr double kSettle_s = 0.8;

void begin(const char* name, const PixelRect& rect, ImU32 background, ImVec2 padding,
           ImGuiWindowFlags flags = 0) {
  ImGui::SetNextWindowPos({static_cast<float>(rect.x), static_cast<float>(rect.y)});
  ImGui::SetNextWindowSize({static_cast<float>(rect.width), static_cast<float>(rect.height)});
  ImGui::PushStyleColor(ImGuiCol_WindowBg, background);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, padding);
  ImGui::Begin(name, nullptr, kDocked | flags);
  ImGui::PopStyleVar();
  ImGui::PopStyleColor();
}

// Whether the keys are letters of a text. ImGui's own flag lags by a frame behind the click that ends it.
bool isTyping() {
  const ImGuiContext& context = *ImGui::GetCurrentContext();
  return context.ActiveId != 0 && context.ActiveId == context.InputTextState.ID;
}

void setKeyMap(ImGuiIO& io) {
  constexpr std::array<std::pair<int, int>, 16> kMap = {{{ImGuiKey_Tab, keys::kTab},
                                                         {ImGuiKey_LeftArrow, keys::kLeft},
                                                         {ImGuiKey_RightArrow, keys::kRight},
                                                         {ImGuiKey_UpArrow, keys::kUp},
                                                         {ImGuiKey_DownArrow, keys::kDown},
                                                         {ImGuiKey_PageUp, keys::kPageUp},
                                                         {ImGuiKey_PageDown, keys::kPageDown},
                                                         {ImGuiKey_Home, keys::kHome},
                                                         {ImGuiKey_End, keys::kEnd},
                                                         {ImGuiKey_Insert, keys::kInsert},
                                                         {ImGuiKey_Delete, keys::kDelete},
                                                         {ImGuiKey_Backspace, keys::kBackspace},
                                                         {ImGuiKey_Space, keys::kSpace},
                                                         {ImGuiKey_Enter, keys::kEnter},
                                                         {ImGuiKey_Escape, keys::kEscape},
                                                         {ImGuiKey_KeyPadEnter, keys::kKeypadEnter}}};
  for (const auto& [imgui_key, key] : kMap) io.KeyMap[imgui_key] = key;
  for (const auto& [imgui_key, key] :
       {std::pair{ImGuiKey_A, 'A'}, std::pair{ImGuiKey_C, 'C'}, std::pair{ImGuiKey_V, 'V'},
        std::pair{ImGuiKey_X, 'X'}, std::pair{ImGuiKey_Y, 'Y'}, std::pair{ImGuiKey_Z, 'Z'}})
    io.KeyMap[imgui_key] = key;
}

// Ends whatever is begun and not ended, windows and stacks, so that the frame can be rendered.
void recoverFrame() {
  ImGuiContext& context = *ImGui::GetCurrentContext();
  // ImGui's own recovery does not know the fonts, and ends a tab bar within the child window that stands in
  // it, which it takes amiss: without the bar, the bar's names go with those of its window.
  while (context.FontStack.Size > 0) ImGui::PopFont();
  context.CurrentTabBar = nullptr;
  context.CurrentTabBarStack.clear();
  ImGui::ErrorCheckEndFrameRecover(nullptr);
}

}  // namespace

struct UserInterface::Impl {
  ImGuiContext* context = nullptr;
  float display_scale = 1;  // that was asked for, and that fonts are made for
  float scale = 1;          // of the last frame
  theme::Fonts fonts;
  WindowHooks hooks;
  std::string own_clipboard;  // without a window
  std::string clipboard_text;
  EventQueue events;
  PanelState state;
  WidgetRects widgets;
  SubjectsPanel subjects_panel;
  ViewPanel view_panel;
  LightPanel light_panel;
  CameraPanel camera_panel;
  ShapePanel shape_panel;
  FitPanel fit_panel;
  ExportPanel export_panel;
  TimelinePanel timeline_panel;
  PicturePanel picture_panel;
  bool has_drawn = false;
  float timeline_height = 0;  // at scale 1, of the last frame
  int cursor = -1;
  bool animates = true;
  double since_event_s = 0;
  std::weak_ptr<Subject> shown;  // of the last frame
  // The panel that the keyboard moves in: 0 = none, the keys are shortcuts; see kPanels.
  int keyboard_panel = 0;

  static constexpr std::array<const char*, 4> kPanels = {"", "##left", "##right", "##timeline"};

  float scaleFor(int width_px) const {
    const float fitting = std::max(kSmallestScale, static_cast<float>(width_px) / kFullWidth);
    return std::min(display_scale, fitting);
  }
  LayoutOptions layoutOptions(int width_px) const {
    return {scaleFor(width_px), state.panels_visible, state.left_width, state.right_width, timeline_height};
  }
  void followSubject(Scene& scene);
  void handleKeys(PanelContext& context, const std::vector<InputEvent>& delivered);
  void moveKeyboardOn(bool has_clip);
  void leaveKeyboard();
  void fitScale(int width_px);
  void drawAll(PanelContext& context, void* scene_texture);
  void drawLeft(PanelContext& context);
  void drawRight(PanelContext& context);
  void drawSplitters(const Layout& layout);
  bool tabItem(const char* id, const char* label);
};

UserInterface::UserInterface(float scale) : impl_(std::make_unique<Impl>()) {
  IMGUI_CHECKVERSION();
  impl_->context = ImGui::CreateContext();
  ImGui::SetCurrentContext(impl_->context);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = io.LogFilename = nullptr;
  io.BackendPlatformName = "facet";
  io.BackendFlags |= ImGuiBackendFlags_HasMouseCursors;
  io.MousePos = {-FLT_MAX, -FLT_MAX};
  io.ConfigWindowsMoveFromTitleBarOnly = true;
  io.UserData = impl_.get();
  io.ClipboardUserData = impl_.get();
  io.GetClipboardTextFn = [](void* data) {
    Impl& impl = *static_cast<Impl*>(data);
    impl.clipboard_text = impl.hooks.clipboard ? impl.hooks.clipboard() : impl.own_clipboard;
    return impl.clipboard_text.c_str();
  };
  io.SetClipboardTextFn = [](void* data, const char* text) {
    Impl& impl = *static_cast<Impl*>(data);
    impl.own_clipboard = text;
    if (impl.hooks.set_clipboard) impl.hooks.set_clipboard(text);
  };
  setKeyMap(io);
  impl_->scale = impl_->display_scale = std::clamp(scale, 0.5F, 4.0F);
  theme::setStyle(impl_->scale);
  impl_->fonts = theme::loadFonts(impl_->scale);
}

UserInterface::~UserInterface() {
  setWidgetMarks(nullptr);
  ImGui::DestroyContext(impl_->context);
}

void UserInterface::setHooks(WindowHooks hooks) { impl_->hooks = std::move(hooks); }

void UserInterface::handle(const InputEvent& event) {
  impl_->events.add(event);
  impl_->since_event_s = 0;
}

void* UserInterface::drawData() const { return impl_->has_drawn ? ImGui::GetDrawData() : nullptr; }

PixelRect UserInterface::viewport(int width_px, int height_px) const {
  return layoutOf(width_px, height_px, impl_->layoutOptions(width_px)).picture;
}

const WidgetRects& UserInterface::widgets() const { return impl_->widgets; }

bool UserInterface::animates() const { return impl_->animates; }

void UserInterface::setPanelsVisible(bool visible) { impl_->state.panels_visible = visible; }
void UserInterface::setFrameTime(double seconds) { impl_->state.frame_time_s = seconds; }
void UserInterface::setBackend(const std::string& description) { impl_->state.backend = description; }

// A photo that was just opened waits to be fitted: that is what the panel offers then.
void UserInterface::Impl::followSubject(Scene& scene) {
  const std::shared_ptr<Subject> now =
      scene.subject() != nullptr ? scene.subjects[static_cast<std::size_t>(scene.current)] : nullptr;
  if (now && now != shown.lock() && !now->head) state.wanted_tab = "fit";
  shown = now;
  chooseSecond(scene);
}

void UserInterface::Impl::leaveKeyboard() {
  keyboard_panel = 0;
  ImGui::SetWindowFocus("##picture");
}

void UserInterface::Impl::moveKeyboardOn(bool has_clip) {
  if (!state.panels_visible || !has_drawn) return;
  keyboard_panel = (keyboard_panel + 1) % (has_clip ? 4 : 3);
  if (keyboard_panel == 0) {
    leaveKeyboard();
    return;
  }
  ImGuiWindow* window = ImGui::FindWindowByName(kPanels[static_cast<std::size_t>(keyboard_panel)]);
  if (window == nullptr) return;
  ImGui::FocusWindow(window);
  ImGui::NavInitWindow(window, true);
}

void UserInterface::Impl::handleKeys(PanelContext& panel_context, const std::vector<InputEvent>& delivered) {
  for (const InputEvent& event : delivered) {
    if (event.kind == InputEvent::Kind::kDrop) {
      for (const std::string& path : event.paths) {
        if (state.browser.isOpen()) {
          state.browser.choose(path);
        } else {
          panel_context.call(panel_context.actions.open, std::filesystem::path(path));
        }
      }
    } else if (event.kind == InputEvent::Kind::kClose) {
      quit(panel_context);
    } else if (event.kind == InputEvent::Kind::kButton && event.down) {
      keyboard_panel = 0;
    }
    if (event.kind != InputEvent::Kind::kKey || !event.down || isTyping()) continue;
    if (ImGui::IsPopupOpen(nullptr, ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel)) continue;
    if (event.key == keys::kF6) {
      moveKeyboardOn(hasTimeline(panel_context.scene));
      continue;
    }
    if (keyboard_panel > 0) {
      if (event.key == keys::kEscape) {
        leaveKeyboard();
        continue;
      }
      const bool moves = event.key == keys::kSpace || event.key == keys::kEnter ||
                         (event.key >= keys::kRight && event.key <= keys::kEnd);
      if (moves) continue;
    }
    handleShortcut(panel_context, event, export_panel);
  }
}

void UserInterface::Impl::drawLeft(PanelContext& panel_context) {
  begin("##left", panel_context.layout.left, theme::kPanel, {px(12), px(10)},
        ImGuiWindowFlags_AlwaysVerticalScrollbar);
  const auto part = [&](const char* name, const char* label, bool open, auto& panel) {
    if (section(name, label, open)) {
      ImGui::PushID(name);
      panel.draw(panel_context);
      ImGui::PopID();
    }
    ImGui::Dummy({0, 0});
  };
  part("subjects", "Faces", true, subjects_panel);
  part("view", "Look", true, view_panel);
  part("light", "Light", true, light_panel);
  part("camera", "Camera", true, camera_panel);
  ImGui::End();
}

bool UserInterface::Impl::tabItem(const char* id, const char* label) {
  const bool forced = state.wanted_tab == id;
  const bool open = ImGui::BeginTabItem((std::string(label) + "###" + id).c_str(), nullptr,
                                        forced ? ImGuiTabItemFlags_SetSelected : 0);
  markWidget(std::string("tab/") + id);
  if (forced) state.wanted_tab.clear();
  if (open) state.tab = id;
  return open;
}

void UserInterface::Impl::drawRight(PanelContext& panel_context) {
  begin("##right", panel_context.layout.right, theme::kPanel, {px(12), px(8)});
  if (ImGui::BeginTabBar("##tabs", ImGuiTabBarFlags_NoTooltip)) {
    const auto page = [&](const char* id, const char* label, auto draw_page) {
      if (!tabItem(id, label)) return;
      ImGui::Dummy({0, px(2)});
      ImGui::BeginChild(id);
      draw_page();
      ImGui::EndChild();
      ImGui::EndTabItem();
    };
    page("shape", "Shape", [&] { shape_panel.draw(panel_context); });
    page("fit", "Fit", [&] { fit_panel.draw(panel_context); });
    page("export", "Export", [&] { export_panel.draw(panel_context); });
    page("info", "Info", [&] { drawInfoPanel(panel_context); });
    ImGui::EndTabBar();
  }
  ImGui::End();
}

// The edges between panels and picture can be dragged.
void UserInterface::Impl::drawSplitters(const Layout& layout) {
  const auto splitter = [&](const char* name, float x, float& width, float direction) {
    const float half = px(3);
    ImGui::SetNextWindowPos({x - half, static_cast<float>(layout.left.y)});
    ImGui::SetNextWindowSize({2 * half, static_cast<float>(layout.left.height)});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
    ImGui::Begin(name, nullptr,
                 (kDocked & ~ImGuiWindowFlags_NoBringToFrontOnFocus) | ImGuiWindowFlags_NoBackground |
                     ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoFocusOnAppearing);
    ImGui::PopStyleVar();
    ImGui::InvisibleButton(name, {2 * half, static_cast<float>(layout.left.height)});
    markWidget(std::string("splitter/") + (name + 2));
    if (ImGui::IsItemHovered() || ImGui::IsItemActive()) {
      ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
      ImGui::GetWindowDrawList()->AddRectFilled(
          {x - px(1), static_cast<float>(layout.left.y)},
          {x + px(1), static_cast<float>(layout.left.y + layout.left.height)}, theme::kAccentDark);
    }
    if (ImGui::IsItemActive())
      width =
          std::clamp(width + direction * ImGui::GetIO().MouseDelta.x / scale, kMinPanelWidth, kMaxPanelWidth);
    ImGui::End();
  };
  splitter("##left_edge", static_cast<float>(layout.left.x + layout.left.width), state.left_width, 1);
  splitter("##right_edge", static_cast<float>(layout.right.x), state.right_width, -1);
}

void UserInterface::Impl::drawAll(PanelContext& panel_context, void* scene_texture) {
  const Layout& layout = panel_context.layout;
  picture_panel.draw(panel_context, scene_texture);
  if (layout.left.width > 0) {
    begin("##menu", layout.menu, theme::kBar, {px(4), 0},
          ImGuiWindowFlags_MenuBar | ImGuiWindowFlags_NoScrollbar);
    drawMenuBar(panel_context);
    ImGui::End();
    drawLeft(panel_context);
    drawRight(panel_context);
    if (layout.timeline.height > 0) {
      begin("##timeline", layout.timeline, theme::kPanel, {px(10), px(6)},
            ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse);
      timeline_panel.draw(panel_context);
      ImGui::End();
    }
    begin("##status", layout.status, theme::kBar, {px(12), px(4)},
          ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse);
    ImGui::PushFont(fonts.small);
    drawStatusBar(panel_context);
    ImGui::PopFont();
    ImGui::End();
    drawSplitters(layout);
    drawFirstScreen(panel_context);
  }
  drawHelp(panel_context);
  drawAbout(panel_context);
  drawMessages(panel_context);
  state.browser.draw();
  drawQuitQuestion(panel_context);
  if (!state.asks_to_quit) drawCloseQuestion(panel_context);
}

void UserInterface::Impl::fitScale(int width_px) {
  const float fitting = scaleFor(width_px);
  if (fitting != scale) {
    scale = fitting;
    theme::setStyle(scale);
    ImGui::GetIO().FontGlobalScale = scale / display_scale;
  }
  setDrawStyle({fonts, scale});
}

void UserInterface::draw(Scene& scene, Actions& actions, const FrameBuilder& builder, void* scene_texture,
                         int width_px, int height_px, double seconds_since_last) {
  Impl& impl = *impl_;
  PanelState& state = impl.state;
  ImGui::SetCurrentContext(impl.context);
  ImGuiIO& io = ImGui::GetIO();
  impl.fitScale(width_px);
  const double seconds = std::clamp(seconds_since_last, 0.0, kLongestStep_s);
  io.DisplaySize = {static_cast<float>(std::max(1, width_px)), static_cast<float>(std::max(1, height_px))};
  io.DeltaTime = static_cast<float>(std::max(seconds, 1e-4));
  const std::vector<InputEvent> delivered = impl.events.deliver();
  // The keyboard moves from control to control where it was sent (F6) and in menus; elsewhere arrows belong
  // to the clip. The file dialog has keys of its own.
  const bool popup = ImGui::IsPopupOpen(nullptr, ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel);
  const bool navigates = impl.keyboard_panel > 0 || (popup && !state.browser.isOpen());
  io.ConfigFlags = navigates ? ImGuiConfigFlags_NavEnableKeyboard : 0;
  ImGui::NewFrame();
  impl.widgets.clear();
  setWidgetMarks(&impl.widgets);
  if (impl.keyboard_panel > 0) ImGui::GetCurrentContext()->NavDisableHighlight = false;

  // The layout holds to the end of the frame, as the scene's picture was made for it; what changes it shows
  // in the next one, for which viewport() speaks.
  const Layout layout = layoutOf(width_px, height_px, impl.layoutOptions(width_px));
  PanelContext panel_context{scene, actions, builder, state, seconds, layout};
  state.last_action_s += seconds;
  try {
    impl.handleKeys(panel_context, delivered);
    impl.followSubject(scene);
    if (scene.timeline.playing() && scene.timeline.advance(seconds)) panel_context.frameChanged();
    impl.drawAll(panel_context, scene_texture);
  } catch (const std::exception& error) {
    // The window stays: what was begun in this frame is ended, and the next one is drawn anew.
    recoverFrame();
    scene.say(MessageKind::kError, error.what());
  }
  keepWithinLimits(scene.view);
  state.undo.settle(io.MouseDown[0]);

  if (!impl.has_drawn) ImGui::SetWindowFocus("##picture");  // every window takes the focus as it appears
  ImGui::Render();
  setWidgetMarks(nullptr);
  impl.has_drawn = true;
  impl.timeline_height = impl.timeline_panel.height(scene);
  io.MouseWheel = io.MouseWheelH = 0;
  const int cursor = ImGui::GetMouseCursor();
  if (cursor != impl.cursor && impl.hooks.set_cursor) impl.hooks.set_cursor(cursor);
  impl.cursor = cursor;
  impl.since_event_s += seconds;
  const bool messages_age =
      std::any_of(scene.messages.begin(), scene.messages.end(),
                  [](const Message& message) { return message.kind != MessageKind::kError; });
  impl.animates = impl.since_event_s < kSettle_s || !impl.events.empty() || messages_age ||
                  scene.timeline.playing() || scene.job.running || io.WantTextInput ||
                  state.last_action_s < 3 || io.MouseDown[0];
}

std::string UserInterface::toJson() const {
  const Impl& impl = *impl_;
  const PanelState& state = impl.state;
  const FitRequest& fit = impl.fit_panel.request;
  const ExportRequest& out = impl.export_panel.request;
  const Json json = {
      {"panels", state.panels_visible},
      {"left_width", state.left_width},
      {"right_width", state.right_width},
      {"tab", state.tab},
      {"folder", state.browser.folder().string()},
      {"shape",
       {{"group", static_cast<int>(impl.shape_panel.group)},
        {"range", impl.shape_panel.sigma_range},
        {"symmetric", impl.shape_panel.symmetric}}},
      {"timeline", {{"curves", impl.timeline_panel.curves}, {"show", impl.timeline_panel.show_curves}}},
      {"fit",
       {{"model", fit.model},
        {"stop_after", fit.stop_after},
        {"texture_size", fit.texture_size_px},
        {"fast", fit.fast}}},
      {"export",
       {{"format", out.format},
        {"shapes", out.shapes},
        {"naming", out.naming},
        {"empty_tongue", out.empty_tongue},
        {"unit", out.unit},
        {"texture_size", out.texture_size_px},
        {"as_shown", out.photo_expression},
        {"camera", out.with_camera},
        {"quantised", out.quantised},
        {"skin_detail", out.skin_detail},
        {"topology", out.topology},
        {"lods", out.lods}}}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

void UserInterface::fromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  // A value of the wrong kind is as if it were not there: the state file must never keep the window from
  // opening.
  const auto take = [](const Json& from, const char* key, auto& value) {
    const auto found = from.find(key);
    if (found == from.end()) return;
    try {
      found->get_to(value);
    } catch (const Json::exception&) {
    }
  };
  const auto part = [&](const char* key) {
    return json.contains(key) && json[key].is_object() ? json[key] : Json::object();
  };
  Impl& impl = *impl_;
  take(json, "panels", impl.state.panels_visible);
  take(json, "left_width", impl.state.left_width);
  take(json, "right_width", impl.state.right_width);
  impl.state.left_width = std::clamp(impl.state.left_width, kMinPanelWidth, kMaxPanelWidth);
  impl.state.right_width = std::clamp(impl.state.right_width, kMinPanelWidth, kMaxPanelWidth);
  take(json, "tab", impl.state.wanted_tab);
  std::string folder;
  take(json, "folder", folder);
  if (!folder.empty()) impl.state.browser.setFolder(folder);
  const Json shape = part("shape");
  int group = static_cast<int>(impl.shape_panel.group);
  take(shape, "group", group);
  impl.shape_panel.group = static_cast<ShapeGroup>(std::clamp(group, 0, kNumShapeGroups - 1));
  take(shape, "range", impl.shape_panel.sigma_range);
  impl.shape_panel.sigma_range = std::clamp(impl.shape_panel.sigma_range, 1.0F, 10.0F);
  take(shape, "symmetric", impl.shape_panel.symmetric);
  const Json timeline = part("timeline");
  take(timeline, "curves", impl.timeline_panel.curves);
  take(timeline, "show", impl.timeline_panel.show_curves);
  FitRequest& fit = impl.fit_panel.request;
  const Json fit_json = part("fit");
  take(fit_json, "model", fit.model);
  take(fit_json, "stop_after", fit.stop_after);
  take(fit_json, "texture_size", fit.texture_size_px);
  take(fit_json, "fast", fit.fast);
  ExportRequest& out = impl.export_panel.request;
  const Json out_json = part("export");
  take(out_json, "format", out.format);
  take(out_json, "shapes", out.shapes);
  take(out_json, "naming", out.naming);
  take(out_json, "empty_tongue", out.empty_tongue);
  take(out_json, "unit", out.unit);
  take(out_json, "texture_size", out.texture_size_px);
  take(out_json, "as_shown", out.photo_expression);
  take(out_json, "camera", out.with_camera);
  take(out_json, "quantised", out.quantised);
  take(out_json, "skin_detail", out.skin_detail);
  take(out_json, "topology", out.topology);
  take(out_json, "lods", out.lods);
}

}  // namespace facet
