#pragma once

#include <string>

namespace facet {

// The unit of the numbers in a file that does not say its unit itself (OBJ, PLY, STL).
enum class ExportUnit { kMillimetre, kCentimetre, kMetre };

// "mm", "cm" or "m"; throws std::invalid_argument for anything else.
ExportUnit exportUnit(const std::string& name);
// Length of a millimetre: 1, 0.1 or 0.001.
float unitsPerMillimetre(ExportUnit unit);

}  // namespace facet
