#include "viewer/input.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

using namespace facet;

namespace {

std::string messageOf(const std::string& script) {
  try {
    parseScript(script, "demo.jsonl");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInput);
    return error.what();
  }
  return {};
}

// All events that a script gives while the widgets stay as they are.
std::vector<InputEvent> played(ScriptPlayer& player, const WidgetRects& widgets, int frames = 200) {
  std::vector<InputEvent> events;
  for (int i = 0; i < frames && !player.finished(); ++i) {
    for (const InputEvent& event : player.next(widgets, false).events) events.push_back(event);
  }
  return events;
}

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("facet_input_test_" + name);
}

}  // namespace

TEST_CASE("script: a click moves to the widget's middle, then presses and releases in frames of their own") {
  ScriptPlayer player(parseScript(R"({"click": "view/wireframe"})", "s"));
  const WidgetRects widgets = {{"view/wireframe", {10, 20, 30, 8}}};
  const ScriptPlayer::Output first = player.next(widgets, false);
  REQUIRE(first.events.size() == 1);
  CHECK(first.events[0].kind == InputEvent::Kind::kMove);
  CHECK(first.events[0].x == 25);
  CHECK(first.events[0].y == 24);
  const ScriptPlayer::Output second = player.next(widgets, false), third = player.next(widgets, false);
  REQUIRE(second.events.size() == 1);
  REQUIRE(third.events.size() == 1);
  CHECK(second.events[0].down);
  CHECK_FALSE(third.events[0].down);
  CHECK(third.events[0].kind == InputEvent::Kind::kButton);
}

TEST_CASE("script: a drag goes from one share of the widget's width to the other with the button down") {
  ScriptPlayer player(parseScript(R"({"drag": "shape/jawOpen", "from": 0.25, "to": 0.75})", "s"));
  const std::vector<InputEvent> events = played(player, {{"shape/jawOpen", {100, 0, 200, 20}}});
  REQUIRE(events.size() > 3);
  CHECK(events.front().x == 150);
  CHECK(events[1].down);
  CHECK(events[events.size() - 2].x == doctest::Approx(250));
  CHECK_FALSE(events.back().down);
}

TEST_CASE("script: a widget that is scrolled away is scrolled to by the wheel over its panel") {
  ScriptPlayer player(parseScript(R"({"click": "camera/fit"})", "s"));
  WidgetRects widgets = {{"camera/fit", {10, 900, 30, 20, -1, 140, 400}}};
  const ScriptPlayer::Output output = player.next(widgets, false);
  REQUIRE(output.events.size() == 2);
  CHECK(output.events[0].x == 140);
  CHECK(output.events[0].y == 400);
  CHECK(output.events[1].kind == InputEvent::Kind::kWheel);
  CHECK(output.events[1].y == -1);
  widgets["camera/fit"] = {10, 500, 30, 20};
  CHECK(player.next(widgets, false).events[0].y == 510);
}

TEST_CASE("script: a widget that does not appear within 60 frames is an error that names the line") {
  ScriptPlayer player(parseScript("# a comment\n\n{\"click\": \"no/such\"}", "demo.jsonl"));
  std::string message;
  int frames = 0;
  try {
    for (; frames < 100; ++frames) player.next({}, false);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInput);
    message = error.what();
  }
  CHECK(frames == 60);
  CHECK(message.find("demo.jsonl:3") != std::string::npos);
  CHECK(message.find("no/such") != std::string::npos);
}

TEST_CASE("script: waiting counts frames, or lasts while a job runs") {
  ScriptPlayer frames(parseScript(R"({"wait": 3})", "s"));
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(frames.finished());
    frames.next({}, true);
  }
  CHECK(frames.finished());
  ScriptPlayer job(parseScript(R"({"wait": "job"})", "s"));
  for (int i = 0; i < 500; ++i) job.next({}, true);
  CHECK_FALSE(job.finished());
  job.next({}, false);
  CHECK(job.finished());
}

TEST_CASE("script: a screenshot comes after what the step before it did") {
  ScriptPlayer player(parseScript("{\"key\": \"w\"}\n{\"screenshot\": \"a.png\"}", "s"));
  int key_up = -1, shot = -1;
  for (int frame = 0; frame < 20 && !player.finished(); ++frame) {
    const ScriptPlayer::Output output = player.next({}, false);
    for (const InputEvent& event : output.events) {
      if (!event.down) key_up = frame;
    }
    if (!output.screenshots.empty()) shot = frame;
  }
  CHECK(key_up == 1);
  CHECK(shot > key_up + 1);
}

TEST_CASE("script: keys have names, letters are their capitals, and modifiers lead them") {
  const std::vector<ScriptStep> steps = parseScript(
      "{\"key\": \"h\"}\n{\"key\": \"ctrl+shift+z\"}\n{\"key\": \"F12\"}\n{\"key\": \"space\"}", "s");
  REQUIRE(steps.size() == 4);
  CHECK(steps[0].event.key == 'H');
  CHECK(steps[1].event.key == 'Z');
  CHECK(steps[1].event.ctrl);
  CHECK(steps[1].event.shift);
  CHECK(steps[2].event.key == keys::kF12);
  CHECK(steps[3].event.key == keys::kSpace);
}

TEST_CASE("script: what is no step is refused with its file and line and what there is") {
  CHECK(messageOf("{\"click\": \"a\"}\nnonsense").find("demo.jsonl:2") != std::string::npos);
  CHECK(messageOf("{\"clack\": \"a\"}").find("click") != std::string::npos);
  CHECK(messageOf("{\"key\": \"hyper+x\"}").find("hyper+x") != std::string::npos);
  CHECK(messageOf("{\"wait\": 0}").find("\"job\"") != std::string::npos);
  CHECK(messageOf("{\"frame\": 1, \"event\": \"blink\"}").find("blink") != std::string::npos);
  CHECK(messageOf("{\"drag\": \"a\"}").find("demo.jsonl:1") != std::string::npos);
  CHECK(messageOf("[1]").find("object") != std::string::npos);
  CHECK_THROWS_AS(readScript("/no/such/script.jsonl"), Error);
}

TEST_CASE("recorder: a recording read back gives the same events in the same frames") {
  const std::filesystem::path path = temporary("recording.jsonl");
  std::vector<InputEvent> events;
  InputEvent event;
  event.x = 12.5F;
  event.y = 7;
  events.push_back(event);
  event = {};
  event.kind = InputEvent::Kind::kButton;
  event.button = 2;
  event.down = event.shift = true;
  events.push_back(event);
  event = {};
  event.kind = InputEvent::Kind::kWheel;
  event.y = -2;
  events.push_back(event);
  event = {};
  event.kind = InputEvent::Kind::kKey;
  event.key = keys::kF12;
  event.down = event.ctrl = true;
  events.push_back(event);
  event = {};
  event.kind = InputEvent::Kind::kText;
  event.text = "σ \"quoted\"\n";
  events.push_back(event);
  event = {};
  event.kind = InputEvent::Kind::kDrop;
  event.paths = {"/tmp/a b.png", "c.glb"};
  events.push_back(event);
  {
    ScriptRecorder recorder(path);
    for (std::size_t i = 0; i < events.size(); ++i) recorder.add(static_cast<int>(3 * i), events[i]);
    // On disk already: a crash loses nothing.
    CHECK(readScript(path).size() == events.size());
  }
  ScriptPlayer player(readScript(path));
  std::size_t next = 0;
  for (int frame = 0; !player.finished() && frame < 100; ++frame) {
    for (const InputEvent& again : player.next({}, false).events) {
      REQUIRE(next < events.size());
      CHECK(frame == static_cast<int>(3 * next));
      const InputEvent& original = events[next++];
      CHECK(again.kind == original.kind);
      CHECK(again.x == original.x);
      CHECK(again.y == original.y);
      CHECK(again.button == original.button);
      CHECK(again.down == original.down);
      CHECK(again.key == original.key);
      CHECK(again.ctrl == original.ctrl);
      CHECK(again.shift == original.shift);
      CHECK(again.text == original.text);
      CHECK(again.paths == original.paths);
    }
  }
  CHECK(next == events.size());
  std::filesystem::remove(path);
}

TEST_CASE("recorder: a place that cannot be written is refused") {
  CHECK_THROWS_AS(ScriptRecorder("/no/such/folder/recording.jsonl"), Error);
}

TEST_CASE("recorder: a mouse's side buttons are left out, as a script has no name for them") {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "facet_input_test_side.jsonl";
  InputEvent event;
  event.kind = InputEvent::Kind::kButton;
  event.down = true;
  {
    ScriptRecorder recorder(path);
    for (const int button : {3, 0, 7}) {
      event.button = button;
      recorder.add(1, event);
    }
  }
  CHECK(readScript(path).size() == 1);
}
