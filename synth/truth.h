#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace facet {

// What a pixel of a synthetic picture shows; the values stand in shard_NNNNN.segmentation, the names in
// synth.json. "Skin" is the face outside the other parts (lids, forehead, cheeks, chin), also a shaved scalp;
// "eyes" all of the eyeball that the lids leave open; "mouth" teeth, gums, tongue and what lies between. Hair
// painted on the scalp is hair, stubble is skin, a beard is facial hair. Glasses are their frames and dark
// lenses; through clear ones lies what one sees. Occluders are hands, things and masks before the face.
enum class FaceLabel : std::uint8_t {
  kBackground,
  kSkin,
  kBrows,
  kEyes,
  kUpperLip,
  kLowerLip,
  kMouth,
  kNose,
  kEars,
  kNeck,
  kHair,
  kFacialHair,
  kGlasses,
  kHeadwear,
  kClothes,
  kJewellery,
  kOccluder
};
inline constexpr std::array<std::string_view, 17> kFaceLabelNames = {
    "background", "skin", "brows",       "eyes",    "upper_lip", "lower_lip", "mouth",     "nose",    "ears",
    "neck",       "hair", "facial_hair", "glasses", "headwear",  "clothes",   "jewellery", "occluder"};

// Maps that runSynth() can write beside the pictures, of the same size, each pixel's value taken at its
// centre.
enum class TruthMap : std::uint8_t { kSegmentation, kDepth, kNormals, kAlbedo, kUv };
struct TruthMapInfo {
  std::string_view name;  // of the file's ending and in --truth
  int bytes_per_pixel;
};
inline constexpr std::array<TruthMapInfo, 5> kTruthMaps = {
    {{"segmentation", 1}, {"depth", 2}, {"normals", 3}, {"albedo", 3}, {"uv", 4}}};
inline const TruthMapInfo& info(TruthMap map) { return kTruthMaps[static_cast<std::size_t>(map)]; }

// "all", "none", or names separated by commas; throws std::invalid_argument for anything else.
std::set<TruthMap> truthMapsFromText(const std::string& text);
// Names separated by commas, "none" for none.
std::string textFromTruthMaps(const std::set<TruthMap>& maps);

}  // namespace facet
