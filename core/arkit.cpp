#include "core/arkit.h"

#include <cctype>
#include <map>

namespace facet {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Lower case without separators.
std::string plain(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '_' && c != '.' && c != '-' && c != ' ') result += lower(c);
  }
  return result;
}

using Spellings = std::map<std::string, ArkitShape, std::less<>>;

Spellings makeSpellings() {
  Spellings spellings;
  for (int i = 0; i < kNumArkitShapes; ++i) {
    const std::string name = plain(kArkitNames[static_cast<std::size_t>(i)]);
    spellings[name] = {i, ArkitShape::Side::kWhole};
    // eyeBlinkL
    if (name.ends_with("left")) spellings[name.substr(0, name.size() - 3)] = {i, ArkitShape::Side::kWhole};
    if (name.ends_with("right")) spellings[name.substr(0, name.size() - 4)] = {i, ArkitShape::Side::kWhole};
    if (name == "browinnerup" || name == "cheekpuff") {
      for (const char* left : {"l", "left"}) spellings[name + left] = {i, ArkitShape::Side::kLeftHalf};
      for (const char* right : {"r", "right"}) spellings[name + right] = {i, ArkitShape::Side::kRightHalf};
    }
  }
  return spellings;
}

// Where a part without sides moves to, which ICT-FaceKit writes in full.
bool isDirection(std::string_view name) {
  return name == "jawLeft" || name == "jawRight" || name == "mouthLeft" || name == "mouthRight";
}

}  // namespace

std::optional<ArkitShape> arkitShape(std::string_view name) {
  static const Spellings spellings = makeSpellings();
  const auto found = spellings.find(plain(name));
  if (found == spellings.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string_view> arkitName(std::string_view name) {
  const std::optional<ArkitShape> shape = arkitShape(name);
  if (!shape) return std::nullopt;
  return shape->name();
}

std::string shapeName(std::string_view name, ShapeNaming naming) {
  const std::optional<ArkitShape> shape = arkitShape(name);
  if (!shape) return std::string(name);
  std::string result(shape->name());
  if (shape->side == ArkitShape::Side::kLeftHalf) result += "Left";
  if (shape->side == ArkitShape::Side::kRightHalf) result += "Right";
  if (naming == ShapeNaming::kPascal) {
    result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
  }
  if (naming == ShapeNaming::kIct && !isDirection(result)) {
    if (result.ends_with("Left")) result.replace(result.size() - 4, 4, "_L");
    if (result.ends_with("Right")) result.replace(result.size() - 5, 5, "_R");
  }
  return result;
}

}  // namespace facet
