#include "apps/common/console.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace facet {
namespace {

constexpr const char* kRed = "\033[31m";
constexpr const char* kYellow = "\033[33m";
constexpr const char* kPlain = "\033[0m";
constexpr int kBarCells = 24;

}  // namespace

Console::Console() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  is_terminal_ = isatty(STDERR_FILENO) != 0 && terminal != nullptr && std::string(terminal) != "dumb";
  has_colour_ = is_terminal_ && (no_colour == nullptr || *no_colour == '\0');
}

void Console::line(const char* colour, const char* label, const std::string& message) {
  removeBar();
  const bool coloured = has_colour_ && colour != nullptr;
  std::fprintf(stderr, "facet: %s%s%s%s\n", coloured ? colour : "", label, coloured ? kPlain : "",
               message.c_str());
}

void Console::tell(ConsoleMessage::Kind kind, const std::string& text) const {
  if (listener_) listener_({kind, text});
}

void Console::say(const std::string& message) {
  tell(ConsoleMessage::Kind::kSay, message);
  if (!quiet_) line(nullptr, "", message);
}

void Console::detail(const std::string& message) {
  if (verbose_ && !quiet_) line(nullptr, "", message);
}

void Console::warn(const std::string& message) {
  tell(ConsoleMessage::Kind::kWarning, message);
  if (!quiet_) line(kYellow, "warning: ", message);
}

void Console::error(const std::string& message) {
  tell(ConsoleMessage::Kind::kError, message);
  line(kRed, "", message);
}

void Console::progress(const std::string& item, const std::string& stage, double done) {
  if (listener_) listener_({ConsoleMessage::Kind::kProgress, stage, item, done});
  if (quiet_) return;
  if (!is_terminal_) {
    const std::string text = item + ": " + stage;
    if (text != last_stage_) std::fprintf(stderr, "facet: %s\n", text.c_str());
    last_stage_ = text;
    return;
  }
  const int cells = std::clamp(static_cast<int>(done * kBarCells + 0.5), 0, kBarCells);
  std::fprintf(stderr, "\r\033[K[%s%s] %3.0f %%  %s: %s", std::string(cells, '#').c_str(),
               std::string(kBarCells - cells, ' ').c_str(), 100 * done, item.c_str(), stage.c_str());
  std::fflush(stderr);
  bar_shown_ = true;
}

void Console::endProgress() {
  tell(ConsoleMessage::Kind::kProgressEnd, "");
  removeBar();
}

void Console::removeBar() {
  if (!bar_shown_) return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  bar_shown_ = false;
}

std::string fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace facet
