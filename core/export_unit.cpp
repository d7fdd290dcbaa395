#include "core/export_unit.h"

#include "core/check.h"

namespace facet {

ExportUnit exportUnit(const std::string& name) {
  require(name == "mm" || name == "cm" || name == "m", "\"", name, "\" is not a unit; expected mm, cm or m");
  return name == "mm" ? ExportUnit::kMillimetre : name == "cm" ? ExportUnit::kCentimetre : ExportUnit::kMetre;
}

float unitsPerMillimetre(ExportUnit unit) {
  switch (unit) {
    case ExportUnit::kCentimetre:
      return 0.1F;
    case ExportUnit::kMetre:
      return 0.001F;
    case ExportUnit::kMillimetre:
      break;
  }
  return 1;
}

}  // namespace facet
