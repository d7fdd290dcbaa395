#include "core/io/take_io.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>

#include "core/arkit.h"
#include "core/error.h"
#include "core/io/files.h"
#include "tests/data.h"

using namespace facet;
using facet::test::TemporaryFolder;

namespace {

// As the app writes it.
std::string liveLinkHeader() {
  std::string header = "Timecode,BlendShapeCount";
  for (const std::string_view name : kArkitNames) header += ',' + shapeName(name, ShapeNaming::kPascal);
  return header +
         ",HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,"
         "RightEyeRoll";
}

std::string cellsOf(double value, int count) {
  std::ostringstream text;
  for (int i = 0; i < count; ++i) text << ',' << value;
  return text.str();
}

Take randomTake(int num_frames, double fps) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  Take take;
  for (const std::string_view name : kArkitNames) take.names.emplace_back(name);
  take.fps = fps;
  take.weights = Eigen::MatrixXf::NullaryExpr(num_frames, kNumArkitShapes, [&] { return uniform(random); });
  for (int f = 0; f < num_frames; ++f) take.time_s.push_back(f / fps);
  const auto angle = [&] { return 60 * uniform(random) - 30; };
  take.head_deg = Points3::NullaryExpr(num_frames, 3, angle);
  take.left_eye_deg = Points3::NullaryExpr(num_frames, 3, angle);
  take.right_eye_deg = Points3::NullaryExpr(num_frames, 3, angle);
  return take;
}

bool mentions(const std::vector<std::string>& notes, const std::string& what) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(what) != std::string::npos; });
}

// What reading a text as CSV says; empty when it is read.
std::string complaint(const std::filesystem::path& path, const std::string& text, double fps = 0) {
  writeText(path, text);
  try {
    readTakeCsv(path, fps);
    return {};
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInput);
    return error.what();
  }
}

}  // namespace

TEST_CASE("take CSV: what was written comes back, in any name's column") {
  const TemporaryFolder folder("take");
  for (const double fps : {60.0, 30.0, 24.0, 29.97}) {
    CAPTURE(fps);
    const Take take = randomTake(200, fps);
    writeTakeCsv(folder / "take.csv", take);
    const ReadTake read = readTakeCsv(folder / "take.csv");
    CHECK(read.notes.empty());
    CHECK(read.take.names == take.names);
    CHECK(read.take.weights == take.weights);
    CHECK((read.take.head_deg - take.head_deg).cwiseAbs().maxCoeff() < 1e-4);
    CHECK((read.take.left_eye_deg - take.left_eye_deg).cwiseAbs().maxCoeff() < 1e-4);
    CHECK((read.take.right_eye_deg - take.right_eye_deg).cwiseAbs().maxCoeff() < 1e-4);
    CHECK(std::abs(read.take.fps - fps) < 0.02);
    for (int f = 0; f < take.numFrames(); ++f) CHECK(std::abs(read.take.time_s[f] - take.time_s[f]) < 2e-5);
  }
}

TEST_CASE("take CSV: the layout is Live Link Face's, 61 values and timecodes at 60 frames per second") {
  const TemporaryFolder folder("take");
  Take take = randomTake(1, 60);
  take.names = {"jawOpen"};
  take.time_s = {0, 3725.51};
  take.weights = Eigen::MatrixXf::Constant(2, 1, 0.1F);
  take.head_deg = take.left_eye_deg = take.right_eye_deg = Points3();
  writeTakeCsv(folder / "take.csv", take);
  std::istringstream text(readText(folder / "take.csv"));
  std::string header, first, second;
  std::getline(text, header);
  std::getline(text, first);
  std::getline(text, second);
  CHECK(header == liveLinkHeader());
  CHECK(first == "00:00:00:00.000,61" + cellsOf(0, 17) + ",0.1" + cellsOf(0, 43));
  CHECK(second.starts_with("01:02:05:30.600,61,"));
}

TEST_CASE("take CSV: rows as apps write them are read, with notes of what was assumed") {
  const TemporaryFolder folder("take");
  const auto read = [&](const std::string& text, double fps = 0) {
    writeText(folder / "take.csv", text);
    return readTakeCsv(folder / "take.csv", fps);
  };
  // Byte order mark, CR LF, blank lines, blanks, quotes, another order and spelling, an unknown column, no
  // tongueOut.
  ReadTake odd = read(
      "\xEF\xBB\xBFjawopen, \"Timecode\" ,BlendshapeCount,EYEBLINK_L,Happiness\r\n\r\n0.25,10:00:00:00.5,61,"
      " 1e-1 ,3\r\n\"0.5\",10:00:00:01.5,61,,3\r\n\r\n");
  CHECK(odd.take.names == std::vector<std::string>{"eyeBlinkLeft", "jawOpen"});
  CHECK(odd.take.weights(0, 0) == 0.1F);
  CHECK(odd.take.weights(1, 0) == 0);
  CHECK(odd.take.weights(1, 1) == 0.5F);
  CHECK(odd.take.time_s[0] == 0);
  CHECK(odd.take.time_s[1] == doctest::Approx(1.0 / 60));
  CHECK(odd.take.head_deg.rows() == 0);
  CHECK(mentions(odd.notes, "Happiness"));
  CHECK(mentions(odd.notes, "tongueOut"));

  // A lost face in the middle, weights beyond the range, midnight, an explicit rate.
  const ReadTake lost = read(
      "Timecode,BlendShapeCount,JawOpen,HeadYaw\n23:59:59:29,61,0.2,0.1\n00:00:00:00,0\n00:00:00:01,61,1.4,0."
      "3\n",
      30);
  CHECK(lost.take.weights(1, 0) == doctest::Approx(0.6));
  CHECK(lost.take.weights(2, 0) == 1);
  CHECK(lost.take.head_deg(1, 0) == doctest::Approx(0.2 * 180 / M_PI));
  CHECK(lost.take.time_s[2] == doctest::Approx(2.0 / 30));
  CHECK(mentions(lost.notes, "no face"));
  CHECK(mentions(lost.notes, "clamped"));

  const ReadTake degrees = read("Timecode,JawOpen,HeadYaw\n1,0,10\n2,0,20\n");  // frame numbers
  CHECK(degrees.take.head_deg(1, 0) == 20);
  CHECK(degrees.take.time_s[1] == doctest::Approx(1.0 / 60));
  CHECK(mentions(degrees.notes, "degrees"));

  const ReadTake untimed = read("JawOpen,JawLeft\n0,1\n0,0\n");
  CHECK(untimed.take.time_s[1] == doctest::Approx(1.0 / 60));
  CHECK(mentions(untimed.notes, "no timecodes"));

  // Three seconds at 25 frames show their rate.
  std::string slow = "Timecode,JawOpen\n";
  for (int f = 0; f < 75; ++f) {
    slow += "00:00:0" + std::to_string(f / 25) + ":" + std::to_string(f % 25) + ",0\n";
  }
  const ReadTake at_25 = read(slow);
  CHECK(at_25.take.fps == 25);
  CHECK(mentions(at_25.notes, "25 frames per second"));
}

TEST_CASE("take CSV: errors name the file, the line and what is wrong") {
  const TemporaryFolder folder("take");
  const auto path = folder / "bad.csv";
  struct Case {
    const char *text, *expected;
  };
  const std::string long_row = "Timecode,JawOpen\n00:00:00:00,0,1\n";
  const Case cases[] = {
      {"", "is empty"},
      {"\n\r\n \n", "is empty"},
      {"Timecode,JawOpen\n", "no frames"},
      {"a,b,c\n1,2,3\n", "line 1"},
      {"Timecode;BlendShapeCount;JawOpen\n", "semicolons"},
      {"Timecode,JawOpen,jaw_open\n", "which column 2 is, too"},
      {"Timecode,JawOpen\n00:00:00:00,wide\n", "line 2: jawOpen is \"wide\""},
      {"Timecode,JawOpen\n00:00:00:00,nan\n", "line 2: jawOpen"},
      {"Timecode,JawOpen\n00:00:00:00,1e999\n", "line 2: jawOpen"},
      {"Timecode,JawOpen\n00:00:00:00\n", "line 2: has 1 cells, the header 2"},
      {long_row.c_str(), "line 2: has 3 cells, the header 2"},
      {"Timecode,JawOpen\nnow,0\n", "\"now\" is no timecode"},
      {"Timecode,JawOpen\n00:00:00,0\n", "is no timecode"},
      {"Timecode,JawOpen\n00:61:00:00,0\n", "is no timecode"},
      {"Timecode,JawOpen\n00:00:00:75,0\n", "frame 75 of a second"},
      {"Timecode,JawOpen\n00:00:00:01,0\n\n00:00:00:01,0\n", "line 4: its timecode is not later"},
      {"Timecode,JawOpen\n00:00:00:01,0\n2,0\n", "line 3"},
      {"Timecode,BlendShapeCount,JawOpen\n00:00:00:01,0\n", "no frame with a face"},
      {"Timecode,JawOpen,HeadYaw\n00:00:00:00,0,1e30\n", "HeadYaw"},
  };
  for (const Case& bad : cases) {
    CAPTURE(std::string(bad.text));
    const std::string message = complaint(path, bad.text);
    CAPTURE(message);
    CHECK(message.find("bad.csv") != std::string::npos);
    CHECK(message.find(bad.expected) != std::string::npos);
  }
  CHECK_THROWS_AS(readTakeCsv(folder / "absent.csv"), Error);
}

TEST_CASE("take CSV and JSON: damaged files are refused or read, never more") {
  const TemporaryFolder folder("take");
  const Take take = randomTake(3, 60);
  std::mt19937 random(11);
  for (const char* name : {"take.csv", "take.json"}) {
    writeTake(folder / name, take);
    const std::string whole = readText(folder / name);
    int num_refused = 0;
    constexpr int kRounds = 400;
    for (int round = 0; round < kRounds; ++round) {
      std::string text = whole;
      const auto place = [&] { return random() % text.size(); };
      for (int change = 0; change <= round % 4; ++change) {
        const char kinds[] = {',', '\n', ':', '-', 'e', '\0', '\xFF', '"', '9', '[', '}', ';'};
        switch (random() % 4) {
          case 0:
            text[place()] = kinds[random() % sizeof kinds];
            break;
          case 1:
            text.insert(place(), 1, kinds[random() % sizeof kinds]);
            break;
          case 2:
            text.erase(place(), 1 + random() % 40);
            break;
          default:
            text.resize(std::max<std::size_t>(1, place()));
            break;
        }
      }
      const auto path = folder / (std::string("broken_") + name);
      writeText(path, text);
      try {
        readTake(path).take.check("test");
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::kInput);
        ++num_refused;
      }
    }
    CHECK(num_refused > kRounds / 4);
  }
}

TEST_CASE("take JSON: what was written comes back, notes and names of other shapes included") {
  const TemporaryFolder folder("take");
  Take take = randomTake(5, 25);
  take.names[3] = "a \"mode\"";
  take.right_eye_deg = Points3();
  writeTake(folder / "take.json", take, {"frame 3 had no face"});
  const ReadTake read = readTake(folder / "take.json");
  CHECK(read.take.names == take.names);
  CHECK(read.take.weights == take.weights);
  CHECK(read.take.time_s == take.time_s);
  CHECK(read.take.fps == 25);
  CHECK(read.take.head_deg == take.head_deg);
  CHECK(read.take.left_eye_deg == take.left_eye_deg);
  CHECK(read.take.right_eye_deg.rows() == 0);
  CHECK(read.notes == std::vector<std::string>{"frame 3 had no face"});
}

TEST_CASE("take JSON: other layouts are refused, naming the file") {
  const TemporaryFolder folder("take");
  for (const char* text :
       {"", "[]", "{}", "{\"facet_take\": 2}", "{\"facet_take\": \"1\"}",
        R"({"facet_take": 1, "fps": 30, "names": ["jawOpen"], "time_s": [0, 1], "weights": [[0]]})",
        R"({"facet_take": 1, "fps": 30, "names": ["jawOpen"], "time_s": [0], "weights": [[0, 0]]})",
        R"({"facet_take": 1, "fps": 30, "names": ["jawOpen"], "time_s": [0], "weights": [[2]]})",
        R"({"facet_take": 1, "fps": 30, "names": ["jawOpen"], "time_s": [0], "weights": [[null]]})",
        R"({"facet_take": 1, "fps": -1, "names": ["jawOpen"], "time_s": [0], "weights": [[0]]})",
        R"({"facet_take": 1, "fps": 30, "names": [], "time_s": [], "weights": []})"}) {
    CAPTURE(std::string(text));
    writeText(folder / "bad.json", text);
    try {
      readTakeJson(folder / "bad.json");
      FAIL("was read");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK(std::string(error.what()).find("bad.json") != std::string::npos);
    }
  }
  CHECK_THROWS_AS(readTake(folder / "take.fbx"), Error);
}
