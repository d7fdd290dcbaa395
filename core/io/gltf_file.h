#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/io/shared_bytes.h"

namespace facet {

// A glTF 2.0 file, .glb or .gltf with its buffers, as others have written it: every index, offset and count
// is checked before a byte is looked at. All functions throw std::invalid_argument with the rule that is
// broken, without the file's name. Internal to readGlb().
class GltfFile {
 public:
  using Json = nlohmann::json;
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  // `folder` is where files named by a URI lie; only files in it and below it are read.
  GltfFile(SharedBytes file, std::filesystem::path folder);

  const Json& root() const { return json_; }
  // The array of that name; empty where there is none.
  const Json& list(const char* name) const { return member(json_, name, Json::value_t::array); }
  // One entry of it, an object.
  const Json& entry(const char* list_name, std::size_t index) const;

  // A member of an object, or an empty value of that kind where there is none. Another kind is refused.
  static const Json& member(const Json& object, const char* name, Json::value_t kind);
  static std::string text(const Json& object, const char* name, const std::string& otherwise = {});
  static float number(const Json& object, const char* name, float otherwise);
  // Whole and not negative.
  static std::size_t count(const Json& object, const char* name, std::size_t otherwise);
  static constexpr std::size_t kNone = SIZE_MAX;
  static std::size_t index(const Json& object, const char* name) { return count(object, name, kNone); }
  // Exactly `size` finite numbers, or `otherwise` where there is no such member.
  static std::vector<float> numbers(const Json& object, const char* name, std::vector<float> otherwise);

  // N×columns of an accessor; normalized integers become their real values, sparse values are in.
  // `type` is "SCALAR", "VEC3" …: what it must be.
  Rows values(std::size_t accessor, const char* type) const;
  std::vector<std::uint32_t> indices(std::size_t accessor) const;
  // N×columns of whole numbers, as JOINTS_0 has them.
  Eigen::Matrix<std::uint32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> wholeValues(
      std::size_t accessor, const char* type) const;
  // The encoded bytes of an image.
  std::vector<std::uint8_t> imageBytes(std::size_t image) const;

  // Counts memory that the file's contents take unpacked; throws when they pass what any head needs.
  void claim(std::uint64_t bytes) const;

 private:
  struct Accessor;
  Accessor accessor(std::size_t index, const char* type) const;
  template <typename Use>
  void forEach(const Accessor& accessor, const Use& use) const;

  void parseContainer(const SharedBytes& file);
  ByteSpan view(std::size_t index) const;
  ByteSpan buffer(std::size_t index) const;
  std::vector<std::uint8_t> bytesAt(const std::string& uri) const;

  std::filesystem::path folder_;
  Json json_;
  SharedBytes file_;
  ByteSpan binary_chunk_;
  bool has_binary_chunk_ = false;
  mutable std::map<std::size_t, SharedBytes> buffers_;  // those that have been read
  mutable std::uint64_t claimed_ = 0;
};

}  // namespace facet
