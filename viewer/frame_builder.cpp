#include "viewer/frame_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/io/model_parts.h"
#include "core/split_mesh.h"
#include "render/studio.h"

namespace facet {
namespace {

enum MaterialKind : std::uint8_t { kSkin, kEyes, kTeeth, kOther };

// Ranges of the colour bars, the same for every head, so that two of them can be compared.
constexpr float kCurvatureRange_per_mm = 0.1F;
// Of the studio's light when a lamp is on: enough to see what it leaves dark.
constexpr float kFillLight = 0.35F;
constexpr float kRadiansPerDegree = static_cast<float>(M_PI / 180);

unsigned nextRevision() {
  static unsigned revision = 0;
  return ++revision;
}

// By the names of core/io's models and of common GLBs.
MaterialKind kindOf(const std::string& name) {
  const std::string lower = lowerCase(name);
  const auto has = [&](const char* part) { return lower.find(part) != std::string::npos; };
  if (has("lash") || has("brow") || has("hair")) return kOther;
  if (has("eye") || has("cornea") || has("iris") || has("sclera") || has("pupil")) return kEyes;
  if (has("teeth") || has("tooth") || has("gum") || has("tongue") || has("mouth")) return kTeeth;
  return kSkin;
}

// Of the parts of a model that has one material for all: its regions tell.
MaterialKind kindOfRegion(const std::string& name) {
  if (name.starts_with("eyeball") || name.starts_with("eye_ball")) return kEyes;
  return kindOf(name) == kTeeth && name != "mouth" ? kTeeth : kSkin;
}

bool isShown(MaterialKind kind, const ViewSettings& view) {
  if (kind == kSkin) return true;
  return kind == kEyes ? view.show_eyes : kind == kTeeth ? view.show_teeth : true;
}

bool isMoved(const SubjectFrame* frame) {
  return frame != nullptr && !frame->world_from_model.isApprox(Eigen::Isometry3f::Identity());
}

DrawMaterial drawMaterial(const AssetMaterial& material) {
  DrawMaterial result;
  result.base_colour = material.base_colour;
  result.base_colour_factor = material.base_colour_factor;
  result.normal = material.normal;
  result.occlusion_roughness = material.occlusion_roughness;
  result.roughness = material.roughness;
  result.specular = material.specular;
  result.ior = material.ior;
  result.double_sided = material.double_sided;
  return result;
}

DrawMaterial clay() {
  DrawMaterial material;
  material.base_colour_factor = {0.46F, 0.44F, 0.42F};
  material.roughness = 0.7F;
  return material;
}

// A lamp that models clay as a sculptor has it: from the side and above.
Lamp sculptorsLamp() {
  Lamp lamp;
  lamp.towards = Eigen::Vector3f(0.75F, 0.65F, 0.55F).normalized();
  lamp.radiance.setConstant(0.85F);
  return lamp;
}

SurfaceShading shadingOf(SurfaceMode mode) {
  switch (mode) {
    case SurfaceMode::kTextured:
    case SurfaceMode::kClay:
      return SurfaceShading::kLit;
    case SurfaceMode::kAlbedo:
      return SurfaceShading::kBase;
    case SurfaceMode::kNormals:
      return SurfaceShading::kNormals;
    case SurfaceMode::kDepth:
      return SurfaceShading::kDepth;
    case SurfaceMode::kUvChecker:
      return SurfaceShading::kChecker;
    case SurfaceMode::kPncc:
    case SurfaceMode::kRegions:
      return SurfaceShading::kColours;
    case SurfaceMode::kCurvature:
    case SurfaceMode::kSkinWeights:
    case SurfaceMode::kScanError:
      return SurfaceShading::kValues;
  }
  return SurfaceShading::kLit;
}

std::optional<Legend> legendOf(const Scene& scene, const Subject& subject) {
  const ViewSettings& view = scene.view;
  switch (view.mode) {
    case SurfaceMode::kCurvature:
      return Legend{"mean curvature", "1/mm", -kCurvatureRange_per_mm, kCurvatureRange_per_mm,
                    ColourMap::kDiverging};
    case SurfaceMode::kSkinWeights: {
      const auto& skeleton = subject.head->model().skeleton;
      if (!skeleton || view.joint < 0 || view.joint >= skeleton->numJoints()) return std::nullopt;
      return Legend{"skin weight of " + skeleton->names[view.joint], "", 0, 1, ColourMap::kViridis};
    }
    case SurfaceMode::kScanError:
      if (!scene.scan_distance) return std::nullopt;
      return Legend{"distance to the scan, + outside", "mm", -view.error_range_mm, view.error_range_mm,
                    ColourMap::kDiverging};
    default:
      return std::nullopt;
  }
}

}  // namespace

PhotoPlacement placePhoto(int photo_width_px, int photo_height_px, const PixelRect& rect, float zoom,
                          const Eigen::Vector2f& pan_px) {
  const Eigen::Vector2f photo(std::max(1, photo_width_px), std::max(1, photo_height_px));
  const Eigen::Vector2f size(rect.width, rect.height);
  PhotoPlacement placement;
  placement.scale = zoom * size.cwiseQuotient(photo).minCoeff();
  placement.offset_px = Eigen::Vector2f(rect.x, rect.y) + size / 2 + pan_px - placement.scale * photo / 2;
  return placement;
}

namespace {

// What kAuto stands for; a light that is not known is the studio's.
LightKind lightOf(const Scene& scene, const Subject& subject) {
  const ViewSettings& view = scene.view;
  if (view.light == LightKind::kEnvironment)
    return scene.environment ? LightKind::kEnvironment : LightKind::kStudio;
  const bool is_photo =
      view.light == LightKind::kPhoto ||
      (view.light == LightKind::kAuto && throughPhoto(scene, subject) && view.mode != SurfaceMode::kClay);
  return is_photo && subject.photo_light ? LightKind::kPhoto : LightKind::kStudio;
}

}  // namespace

ViewLight viewLight(const Scene& scene, const Subject& subject) {
  const ViewSettings& view = scene.view;
  const LightKind kind = lightOf(scene, subject);
  ViewLight light;
  light.diffuse = studioLight();
  if (kind == LightKind::kStudio) light.environment = studioEnvironment();
  light.highlights = view.highlights;
  light.exposure = std::exp2(view.exposure_stops);
  if (kind == LightKind::kPhoto) light.diffuse = *subject.photo_light;
  if (kind == LightKind::kEnvironment) {
    light.environment = scene.environment;
    light.environment_yaw_rad = view.environment_yaw_deg * kRadiansPerDegree;
    light.diffuse = scene.environment->diffuse.turned(
        Eigen::AngleAxisf(light.environment_yaw_rad, Eigen::Vector3f::UnitY()).toRotationMatrix());
  }
  if (view.lamp) {
    const float yaw = view.lamp_yaw_deg * kRadiansPerDegree, pitch = view.lamp_pitch_deg * kRadiansPerDegree;
    Lamp lamp;
    lamp.towards = {std::sin(yaw) * std::cos(pitch), std::sin(pitch), std::cos(yaw) * std::cos(pitch)};
    lamp.radiance.setConstant(view.lamp_strength);
    light.lamp = lamp;
    if (kind == LightKind::kStudio) light.diffuse.coefficients *= kFillLight;
  } else if (kind == LightKind::kStudio && view.mode == SurfaceMode::kClay) {
    light.lamp = sculptorsLamp();
    light.diffuse.coefficients *= kFillLight;
  }
  // A head that moves in the world moves under its light.
  const SubjectFrame* const frame = currentFrame(scene, subject);
  if (isMoved(frame)) {
    const Eigen::Matrix3f model_from_world = frame->world_from_model.linear().transpose();
    light.diffuse = light.diffuse.turned(model_from_world);
    if (light.lamp) light.lamp->towards = model_from_world * light.lamp->towards;
  }
  return light;
}

FrameBuilder::Kept& FrameBuilder::keep(const std::shared_ptr<Subject>& subject) {
  std::erase_if(kept_, [](const auto& entry) { return entry.second.subject.expired(); });
  Kept& kept = kept_[subject.get()];
  if (kept.subject.lock() == subject && kept.head.lock() == subject->head &&
      kept.num_materials == subject->materials.size()) {
    return kept;
  }
  require(!subject->materials.empty(), "FrameBuilder: ", subject->name, " has no material");
  kept = {};
  kept.subject = subject;
  kept.head = subject->head;
  kept.num_materials = subject->materials.size();
  const MorphableModel& model = subject->head->model();
  std::vector<std::uint8_t> triangle_material = subject->triangle_material;
  for (std::size_t m = 0; m < subject->materials.size(); ++m) {
    kept.material.push_back(static_cast<int>(m));
    kept.kind.push_back(kindOf(subject->materials[m].name));
  }
  if (subject->materials.size() == 1) {
    kept.kind = {kSkin, kEyes, kTeeth};
    kept.material = {0, 0, 0};
    triangle_material.assign(static_cast<std::size_t>(model.triangles.rows()), 0);
    for (Eigen::Index f = 0; !model.region.empty() && f < model.triangles.rows(); ++f)
      triangle_material[f] = kindOfRegion(model.region_names[model.region[model.triangles(f, 0)]]);
  }
  kept.layout = surfaceLayout(model.mesh(model.mean), triangle_material);
  return kept;
}

void FrameBuilder::update(const Scene& scene, Subject& subject, Kept& kept) {
  ShapedHead& head = *subject.head;
  const std::vector<std::int32_t>& source = kept.layout->vertex;
  // Whoever holds an earlier picture keeps its state as it was.
  const auto writable = [&kept]() -> SurfaceState& {
    if (!kept.state) kept.state = std::make_shared<SurfaceState>();
    if (kept.state.use_count() > 1) kept.state = std::make_shared<SurfaceState>(*kept.state);
    return *kept.state;
  };
  if (!kept.state || kept.shape_revision != head.shapeRevision()) {
    SurfaceState& state = writable();
    state.positions = gatherRows(head.vertices(), source);
    state.normals = gatherRows(head.normals(), source);
    state.revision = nextRevision();
    kept.shape_revision = head.shapeRevision();
  }

  const SurfaceMode mode = scene.view.mode;
  const bool is_untextured = std::any_of(subject.materials.begin(), subject.materials.end(),
                                         [](const AssetMaterial& m) { return m.base_colour == nullptr; });
  enum ColourSource : long { kNoColours, kAlbedoColours, kPnccColours, kRegionColours };
  std::array<long, 4> colours_of{kNoColours};
  if (mode == SurfaceMode::kPncc) colours_of = {kPnccColours};
  if (mode == SurfaceMode::kRegions) colours_of = {kRegionColours, scene.view.region};
  if ((mode == SurfaceMode::kTextured || mode == SurfaceMode::kAlbedo) && is_untextured &&
      head.model().albedo_mean.rows() > 0) {
    colours_of = {kAlbedoColours, static_cast<long>(head.albedoRevision())};
  }
  if (kept.colours_of != colours_of) {
    SurfaceState& state = writable();
    switch (colours_of[0]) {
      case kAlbedoColours:
        state.colours = gatherRows(head.albedo(), source);
        break;
      case kPnccColours:  // shown as the pictures of `facet reconstruct` hold them
        state.colours = gatherRows(
            Points3(pnccColours(head.model().mean).unaryExpr([](float v) { return linearFromSrgb(v); })),
            source);
        break;
      case kRegionColours:
        state.colours = gatherRows(regionColours(head.model(), scene.view.region), source);
        break;
      default:
        state.colours.resize(0, 3);
    }
    state.colour_revision = nextRevision();
    kept.colours_of = colours_of;
  }

  enum ValueSource : long { kNoValues, kCurvatureValues, kWeightValues, kDistanceValues };
  std::array<long, 4> values_of{kNoValues};
  const auto& skeleton = head.model().skeleton;
  if (mode == SurfaceMode::kCurvature)
    values_of = {kCurvatureValues, static_cast<long>(head.shapeRevision())};
  if (mode == SurfaceMode::kSkinWeights && skeleton && scene.view.joint >= 0 &&
      scene.view.joint < skeleton->numJoints()) {
    values_of = {kWeightValues, scene.view.joint};
  }
  if (mode == SurfaceMode::kScanError && scene.scan_distance && &subject == scene.subject() &&
      scene.scan_distance->distance_mm.size() == head.model().numVertices()) {
    values_of = {kDistanceValues, static_cast<long>(scene.scan_revision),
                 reinterpret_cast<long>(scene.scan_distance->distance_mm.data())};
  }
  if (kept.values_of != values_of) {
    SurfaceState& state = writable();
    switch (values_of[0]) {
      case kCurvatureValues:
        state.values = gatherRows(meanCurvature(head.vertices(), head.model().triangles), source);
        break;
      case kWeightValues:
        state.values = gatherRows(skinWeights(head.model(), scene.view.joint), source);
        break;
      case kDistanceValues:
        state.values = gatherRows(scene.scan_distance->distance_mm, source);
        break;
      default:
        state.values.resize(0);
    }
    state.value_revision = nextRevision();
    kept.values_of = values_of;
  }
}

DrawItem FrameBuilder::item(const Scene& scene, const std::shared_ptr<Subject>& subject, float opacity) {
  const ViewSettings& view = scene.view;
  Kept& kept = keep(subject);
  update(scene, *subject, kept);
  DrawItem item;
  item.layout = kept.layout;
  item.state = kept.state;
  item.shading = shadingOf(view.mode);
  const bool lacks_what_it_shows =
      (item.shading == SurfaceShading::kValues && kept.state->values.size() == 0) ||
      (item.shading == SurfaceShading::kChecker && kept.layout->uv.rows() == 0);
  if (lacks_what_it_shows) item.shading = SurfaceShading::kLit;
  const bool is_textured = view.mode == SurfaceMode::kTextured || view.mode == SurfaceMode::kAlbedo;
  for (std::size_t m = 0; m < kept.material.size(); ++m) {
    const AssetMaterial& source = subject->materials[kept.material[m]];
    DrawMaterial material = is_textured ? drawMaterial(source) : clay();
    material.double_sided = source.double_sided;
    // The colours of the vertices hold the factor already.
    if (!source.base_colour && kept.state->colours.rows() > 0) material.base_colour_factor.setOnes();
    if (view.mode == SurfaceMode::kNormals) material.normal = source.normal;
    if (!view.normal_map) material.normal = nullptr;
    if (!view.occlusion && material.occlusion_roughness) {
      material.occlusion_roughness = nullptr;
      material.roughness *= AssetMaterial().roughness;  // the map's, about
    }
    material.visible = isShown(static_cast<MaterialKind>(kept.kind[m]), view);
    item.materials.push_back(std::move(material));
  }
  if (const std::optional<Legend> legend = legendOf(scene, *subject)) {
    item.colour_map = legend->colour_map;
    item.value_low = legend->low;
    item.value_high = legend->high;
  }
  if (view.displacement && kept.layout->uv.rows() > 0) item.displacement = subject->displacement;
  item.flat = view.flat;
  item.wireframe = view.wireframe;
  item.opacity = opacity;
  return item;
}

DrawView FrameBuilder::view(const Scene& scene, const std::shared_ptr<Subject>& subject,
                            const PixelRect& rect, bool through_photo, bool with_head) {
  const ViewSettings& settings = scene.view;
  DrawView view;
  view.rect = view.clip = rect;
  view.camera = scene.camera.camera(rect.width, rect.height);
  view.cull_backfaces = !settings.backfaces;
  const SubjectFrame* const frame = currentFrame(scene, *subject);
  const bool has_camera = frame != nullptr && frame->camera.has_value() && subject->head != nullptr;
  if (through_photo) {
    Eigen::Vector2i size_px(rect.width, rect.height);  // of the image that the camera is of
    if (has_camera) {
      size_px = {frame->camera->width_px, frame->camera->height_px};
    } else if (subject->photo) {
      size_px = {subject->photo->width(), subject->photo->height()};
    }
    const PhotoPlacement placement =
        placePhoto(size_px.x(), size_px.y(), rect, settings.photo_zoom, settings.photo_pan_px);
    if (has_camera) {
      view.camera = frame->camera->scaled(placement.scale);
      view.camera.width_px = rect.width;
      view.camera.height_px = rect.height;
      view.camera.principal_px += placement.offset_px - Eigen::Vector2f(rect.x, rect.y);
    }
    if (subject->photo && !subject->photo->empty()) {
      Backdrop backdrop;
      backdrop.photo = subject->photo;
      backdrop.opacity = settings.photo_opacity;
      backdrop.scale =
          placement.scale * static_cast<float>(size_px.x()) / static_cast<float>(subject->photo->width());
      backdrop.offset_px = placement.offset_px;
      view.backdrop = backdrop;
    }
  } else if (isMoved(frame)) {
    view.camera.camera_from_model = view.camera.camera_from_model * frame->world_from_model;
  }
  // No face was found in this frame: its picture alone, rather than the head by another camera.
  if (!subject->head || (through_photo && !has_camera)) return view;
  view.light = viewLight(scene, *subject);
  const std::pair<float, float> range = view.camera.depthRange(subject->head->vertices());
  view.near_mm = range.first;
  view.far_mm = range.second;
  if (with_head) view.items.push_back(item(scene, subject, through_photo ? settings.head_opacity : 1));
  if (!through_photo && settings.mode != SurfaceMode::kDepth) addGuides(settings, subject, view);
  return view;
}

void FrameBuilder::addGuides(const ViewSettings& settings, const std::shared_ptr<Subject>& subject,
                             DrawView& view) {
  if (!settings.grid && !settings.axes) return;
  Kept& kept = keep(subject);
  if (kept.guides_identity.size() == 0 || kept.guides_identity != subject->head->identity()) {
    kept.grid = floorGrid(subject->head->neutral());
    kept.axes = modelAxes(subject->head->neutral());
    kept.guides_identity = subject->head->identity();
  }
  const auto add = [&view](const Guides& guides) {
    view.items.push_back(guides.item);
    Points3 corners(8, 3);
    for (int i = 0; i < 8; ++i)
      corners.row(i) << guides.corners(i & 1, 0), guides.corners(i >> 1 & 1, 1),
          guides.corners(i >> 2 & 1, 2);
    const std::pair<float, float> range = view.camera.depthRange(corners);
    view.near_mm = std::min(view.near_mm, range.first);
    view.far_mm = std::max(view.far_mm, range.second);
  };
  if (settings.grid) add(*kept.grid);
  if (settings.axes) add(*kept.axes);
}

Frame FrameBuilder::build(Scene& scene, int width_px, int height_px) {
  const ViewSettings& settings = scene.view;
  Frame frame;
  frame.width_px = width_px;
  frame.height_px = height_px;
  frame.samples = settings.samples;
  frame.transparent = settings.transparent;
  const auto linear = [](const Eigen::Vector3f& srgb) {
    return Eigen::Vector3f(srgb.unaryExpr([](float value) { return linearFromSrgb(value); }));
  };
  frame.background = {linear(settings.background_top), linear(settings.background_bottom)};

  rect_ = {0, 0, width_px, height_px};
  camera_ = scene.camera.camera(width_px, height_px);
  legend_.reset();
  if (scene.subject() == nullptr) return frame;
  const std::shared_ptr<Subject> first = scene.subjects[scene.current];
  const std::shared_ptr<Subject> second =
      scene.secondSubject() == nullptr ? nullptr : scene.subjects[scene.second];
  const bool through_photo = throughPhoto(scene, *first);
  const bool second_through_photo = second && throughPhoto(scene, *second);
  const int border_px =
      static_cast<int>(std::lround(std::clamp(settings.wipe, 0.0F, 1.0F) * static_cast<float>(width_px)));
  const PixelRect left{0, 0, border_px, height_px}, right{border_px, 0, width_px - border_px, height_px};
  const auto add = [&frame](DrawView view, const PixelRect& clip) {
    view.clip = clip;
    if (clip.width > 0 && clip.height > 0) frame.views.push_back(std::move(view));
  };

  if (settings.compare == CompareMode::kSideBySide && second) {
    const PixelRect first_half{0, 0, width_px / 2, height_px};
    const PixelRect second_half{first_half.width, 0, width_px - first_half.width, height_px};
    rect_ = first_half;
    add(view(scene, first, first_half, through_photo, true), first_half);
    add(view(scene, second, second_half, second_through_photo, true), second_half);
  } else if (settings.compare == CompareMode::kWipe && second) {
    add(view(scene, first, rect_, through_photo, true), left);
    add(view(scene, second, rect_, second_through_photo, true), right);
  } else if (wipesPhoto(scene)) {
    add(view(scene, first, rect_, true, false), left);
    add(view(scene, first, rect_, true, true), right);
  } else {
    add(view(scene, first, rect_, through_photo, true), rect_);
  }
  if (!frame.views.empty()) camera_ = frame.views.front().camera;
  if (first->head) legend_ = legendOf(scene, *first);
  return frame;
}

}  // namespace facet
