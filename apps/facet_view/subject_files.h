#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/head.h"
#include "apps/common/reconstruct.h"
#include "apps/common/session.h"
#include "core/io/npz.h"
#include "core/take.h"
#include "viewer/subject.h"

namespace facet {

// What a path or name stands for, by its name, the names of what is in it, and the sizes of its pictures.
enum class InputKind {
  kResult,       // a folder of facet reconstruct or track, or its JSON
  kResults,      // a folder of such folders: --batch, --all-faces
  kPhoto,        // a head can be fitted to it
  kVideo,        // a clip that can be tracked
  kPhotoFolder,  // the same: pictures of one size
  kPhotos,       // a folder of pictures of several sizes, each a photo of its own
  kGltf,
  kObj,
  kPly,
  kTake,        // .csv or .json: drives the head that is shown
  kParameters,  // .json that ShapedHead::toJson() wrote
  kEnvironment,
  kModel
};
// Error(kInput) for what is none of these, saying what there is.
InputKind inputKind(const std::filesystem::path& input);

// Results below a folder of kResults, in the order of their names.
std::vector<std::filesystem::path> resultsIn(const std::filesystem::path& folder);

// Something to look at, and what its writers need to know besides.
struct OpenedSubject {
  std::shared_ptr<Subject> subject;
  // As it was opened; empty for a photo or a clip that nothing was fitted to.
  Head record;
  std::shared_ptr<const Photo> photo;  // of kind "photo", but for waitingPhoto()
  std::optional<Take> take;            // what moves it, of a take or an animated GLB
  std::filesystem::path clip;          // of a clip: the video or folder of its pictures
  bool completes_on_export = false;    // a bare model: takes over from the built-in one what an export needs
};

// Opens anything that can be looked at by itself: all kinds but folders of results, takes, parameters and
// environments. Fast: textures are as the files have them, and the pictures of results and clips are left to
// ClipPictures. Errors as openHead().
OpenedSubject openSubject(const std::string& input, const std::string& model_name, Session& session);

// A photo whose pixels are left to setPhoto(). Error(kInput) for a file that is no picture.
OpenedSubject waitingPhoto(const std::filesystem::path& path);
void setPhoto(Subject& subject, const std::shared_ptr<const Photo>& photo);

// A subject of a reconstruction, opened or just made. `name` is for titles.
OpenedSubject subjectOf(Head head, const std::string& name, const std::string& kind);

// Base colour alone, at once. `triangle_material` is left as it is.
std::vector<AssetMaterial> plainMaterials(const Head& head);
// Materials with all maps (normals of pores, occlusion, roughness), as facet export makes them. Takes up to a
// second: for a thread in the background, after openSubject() has shown the head.
std::vector<AssetMaterial> finishedMaterials(const Head& head);

// The head as its sliders are, for the writers of apps/common/exporter.h; with `as_shown`, its present shape
// is the photo's expression.
Head headOf(const OpenedSubject& opened, bool as_shown, int current_frame);

// `take` as frames of a head with these sliders: shapes by name, eyes where joints turn them, the head about
// its middle. Error(kInput) when no curve has a shape; those without one are told to `missing`.
std::vector<SubjectFrame> framesOf(const Take& take, const ShapedHead& head,
                                   std::vector<std::string>* missing = nullptr);

// What an .npz file holds as `key` (N×2, px) and `key`_sigma_px (N): each of them empty where it is missing;
// deviations that are not one for each position are left out.
LandmarkSet landmarksFrom(const Npz& arrays, const std::string& key);

// "11,600"
std::string grouped(std::int64_t count);

}  // namespace facet
