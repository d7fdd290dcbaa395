#include "synth/truth.h"

#include <algorithm>
#include <sstream>

#include "core/check.h"

namespace facet {

std::set<TruthMap> truthMapsFromText(const std::string& text) {
  std::set<TruthMap> maps;
  if (text == "none") return maps;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    const auto* const found =
        std::find_if(kTruthMaps.begin(), kTruthMaps.end(), [&](const auto& m) { return m.name == name; });
    require(name == "all" || found != kTruthMaps.end(), "--truth: '", name,
            "' is not a map; give all, none, or some of segmentation,depth,normals,albedo,uv");
    for (std::size_t i = 0; i < kTruthMaps.size(); ++i) {
      if (name == "all" || kTruthMaps[i].name == name) maps.insert(static_cast<TruthMap>(i));
    }
  }
  return maps;
}

std::string textFromTruthMaps(const std::set<TruthMap>& maps) {
  std::string text;
  for (const TruthMap map : maps) {
    if (!text.empty()) text += ',';
    text += info(map).name;
  }
  return text.empty() ? "none" : text;
}

}  // namespace facet
