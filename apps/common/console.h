#pragma once

#include <functional>
#include <string>
#include <utility>

namespace facet {

// One thing that the program says.
struct ConsoleMessage {
  enum class Kind { kSay, kWarning, kError, kProgress, kProgressEnd };
  Kind kind = Kind::kSay;
  std::string text;  // of progress: the stage that starts
  std::string item;  // of progress: what it is about, a photo's name
  double done = 0;   // of progress, in [0, 1]
};

// What the program says: everything on stderr, one line per message, "facet: " in front. On a terminal a
// progress bar shows the running stage, elsewhere each stage is a plain line. Colour only on a terminal and
// without NO_COLOR.
class Console {
 public:
  Console();

  void setQuiet(bool quiet) { quiet_ = quiet; }
  void setVerbose(bool verbose) { verbose_ = verbose; }
  bool verbose() const { return verbose_; }

  // Hears everything that is said but details, even what --quiet silences; on the thread that says it.
  void setListener(std::function<void(const ConsoleMessage&)> listener) { listener_ = std::move(listener); }

  void say(const std::string& message);     // silenced by --quiet
  void detail(const std::string& message);  // with -v only
  void warn(const std::string& message);    // silenced by --quiet
  void error(const std::string& message);   // always

  // The stage that starts now and the part of the whole that is done, in [0, 1]. `item` (a photo's name)
  // leads it.
  void progress(const std::string& item, const std::string& stage, double done);
  void endProgress();  // removes the bar

 private:
  void removeBar();
  void line(const char* colour, const char* label, const std::string& message);

  void tell(ConsoleMessage::Kind kind, const std::string& text) const;

  std::function<void(const ConsoleMessage&)> listener_;
  bool quiet_ = false, verbose_ = false;
  bool is_terminal_ = false, has_colour_ = false, bar_shown_ = false;
  std::string last_stage_;  // said as a plain line
};

// A number with so many digits after the point, for messages.
std::string fixed(double value, int digits);

}  // namespace facet
