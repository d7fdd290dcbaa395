#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/take.h"

namespace facet {

// A take that was read, and what the reader found or assumed, one sentence each.
struct ReadTake {
  Take take;
  std::vector<std::string> notes;
};

// The CSV that the Live Link Face app records: Timecode, BlendShapeCount, the 52 ARKit shapes, HeadYaw,
// HeadPitch, HeadRoll and the same three of LeftEye and RightEye. docs/takes.md has the layout.
//
// Columns may stand in any order and are matched by name in any spelling; a shape without a column is 0, and
// a column that is no such name is left out with a note. Weights are clamped to [0, 1] with a note. Rotations
// are in radians (in degrees, with a note, where one exceeds π). A row whose BlendShapeCount is 0 saw no face
// and is filled from its neighbours. Timecodes HH:MM:SS:FF.sub count FF by `timecode_fps`; 0 = 60, which the
// app uses, or the rate that two seconds or more of the file show plainly. Plain numbers as timecodes are
// frame numbers.
// Error(kInput), led by file and line: no header, a cell that is no number, a row of another length, times
// that do not rise, no row at all.
ReadTake readTakeCsv(const std::filesystem::path& path, double timecode_fps = 0);
// Writes all 61 values; shapes that the take has not are 0. Timecodes begin at 00:00:00:00 and count
// `timecode_fps` frames per second, whole and at least 1; the part after the point is exact to a thousandth
// of such a frame. Shapes that ARKit does not know are left out.
void writeTakeCsv(const std::filesystem::path& path, const Take& take, double timecode_fps = 60);

// The same as JSON, of this project's own layout (docs/takes.md); any names. Error(kInput) as above.
ReadTake readTakeJson(const std::filesystem::path& path);
void writeTakeJson(const std::filesystem::path& path, const Take& take,
                   const std::vector<std::string>& notes = {});

// By the file's extension, .csv or .json; Error(kUsage) for any other.
bool isTakeName(const std::filesystem::path& path);
ReadTake readTake(const std::filesystem::path& path, double timecode_fps = 0);
void writeTake(const std::filesystem::path& path, const Take& take,
               const std::vector<std::string>& notes = {});

}  // namespace facet
