// OpenUSD, UsdSkel and UsdPreviewSurface schemas (Pixar; Alliance for OpenUSD). Matrices are for row vectors:
// the translation stands in the last row.
#include "core/io/usda.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "core/io/asset_textures.h"
#include "core/io/files.h"
#include "core/io/text_writer.h"

namespace facet {
namespace {

// Double, so that 150 mm are written as 0.15.
constexpr double kMetresPerMillimetre = 1e-3;
constexpr int kLengthDecimals = 8, kUnitDecimals = 6, kNormalDecimals = 5;
// A target moves a point that goes further than this; less is rounding.
constexpr float kMinMove_mm = 1e-4F, kMinNormalChange = 1e-4F;

// Names of prims: a letter or '_', then letters, digits and '_'; distinct among siblings.
class PrimNames {
 public:
  std::string unique(const std::string& name) {
    std::string plain;
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) plain.push_back('_');
    for (const char c : name) {
      plain.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
    }
    std::string result = plain;
    for (int i = 2; !taken_.insert(result).second; ++i) result = plain + "_" + std::to_string(i);
    return result;
  }

 private:
  std::set<std::string> taken_;
};

std::string inQuotes(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result.push_back('\\');
    result.push_back(c == '\n' ? ' ' : c);
  }
  result.push_back('"');
  return result;
}

// Rows as (a, b, c), with a comma between rows.
template <typename Matrix>
void writeTuples(TextWriter& out, const Matrix& rows, int decimals) {
  out << "[";
  for (Eigen::Index r = 0; r < rows.rows(); ++r) {
    out << (r > 0 ? ", (" : "(");
    for (Eigen::Index c = 0; c < rows.cols(); ++c) {
      (out << (c > 0 ? ", " : "")).brief(rows(r, c), decimals);
    }
    out << ")";
  }
  out << "]";
}

template <typename Range, typename Write>
void writeList(TextWriter& out, const Range& items, const Write& write) {
  out << "[";
  bool is_first = true;
  for (const auto& item : items) {
    if (!is_first) out << ", ";
    is_first = false;
    write(item);
  }
  out << "]";
}

void writeMatrix(TextWriter& out, const Eigen::Isometry3d& target_from_source) {
  const Eigen::Matrix4d rows = target_from_source.matrix().transpose();
  out << "(";
  for (int r = 0; r < 4; ++r) {
    out << (r > 0 ? ", (" : "(");
    for (int c = 0; c < 4; ++c) (out << (c > 0 ? ", " : "")).brief(rows(r, c), 9);
    out << ")";
  }
  out << ")";
}

// The places of joints in the parent's frame, in one frame of the animation.
struct JointPose {
  std::vector<Eigen::Vector3d> translation_m;
  std::vector<Eigen::Quaternionf> rotation;
};

class UsdaWriter {
 public:
  UsdaWriter(const FaceAsset& asset, const std::vector<TextureFiles>& textures)
      : asset_(asset), textures_(textures) {
    root_ = PrimNames().unique(asset.name);
    if (asset.skin) {
      skin_ = *asset.skin;
    } else {
      skin_.names = {"head"};
      skin_.parent = {-1};
      skin_.positions = Points3::Zero(1, 3);
      skin_.weights = Eigen::MatrixXf::Ones(asset.mesh.vertices.rows(), 1);
    }
    PrimNames names;
    for (std::size_t j = 0; j < skin_.names.size(); ++j) {
      const std::string name = names.unique(skin_.names[j]);
      joints_.push_back(skin_.parent[j] < 0 ? name : joints_[skin_.parent[j]] + "/" + name);
    }
    PrimNames shape_names;  // beside the subsets of the mesh
    for (const AssetMaterial& material : asset.materials) {
      subset_names_.push_back(shape_names.unique(material.name));
    }
    for (const AssetTarget& target : asset.targets) target_names_.push_back(shape_names.unique(target.name));
  }

  const std::string& write() {
    writeLayer();
    out_ << "def SkelRoot " << inQuotes(root_) << " (\n    prepend apiSchemas = [\"SkelBindingAPI\"]\n)\n{\n";
    writeSkeleton();
    writeMesh();
    writeMaterials();
    out_ << "}\n";
    writeCamera();
    return out_.text();
  }

 private:
  std::size_t numFrames() const { return asset_.motion ? asset_.motion->time_s.size() : 0; }

  double framesPerSecond() const {
    if (numFrames() < 2) return 24;
    const auto& time_s = asset_.motion->time_s;
    const double rate = static_cast<double>(time_s.size() - 1) / (time_s.back() - time_s.front());
    // Times are floats: 29.999998 is 30.
    return std::abs(rate - std::round(rate)) < 1e-3 * rate ? std::round(rate) : rate;
  }

  double timeCode(std::size_t frame) const {
    const double code = asset_.motion->time_s[frame] * framesPerSecond();
    return std::abs(code - std::round(code)) < 1e-2 ? std::round(code) : code;
  }

  void writeLayer() {
    out_ << "#usda 1.0\n(\n";
    if (!asset_.extras_json.empty()) {
      out_ << "    customLayerData = {\n        string facet = " << inQuotes(asset_.extras_json)
           << "\n    }\n";
    }
    out_ << "    defaultPrim = " << inQuotes(root_) << "\n    doc = \"written by facet\"\n";
    if (numFrames() > 0) {
      (out_ << "    endTimeCode = ").brief(timeCode(numFrames() - 1), 4);
      (out_ << "\n    framesPerSecond = ").brief(framesPerSecond(), 4) << "\n";
    }
    out_ << "    metersPerUnit = 1\n";
    if (numFrames() > 0) {
      (out_ << "    startTimeCode = ").brief(timeCode(0), 4);
      (out_ << "\n    timeCodesPerSecond = ").brief(framesPerSecond(), 4) << "\n";
    }
    out_ << "    upAxis = \"Y\"\n)\n\n";
  }

  // Of the motion's frame, or at rest.
  JointPose jointPose(std::optional<std::size_t> frame) const {
    JointPose pose;
    for (std::size_t j = 0; j < skin_.names.size(); ++j) {
      Eigen::Isometry3f parent_from_joint = Eigen::Isometry3f::Identity();
      const Eigen::RowVector3f place = skin_.positions.row(static_cast<Eigen::Index>(j));
      const int parent = skin_.parent[j];
      parent_from_joint.translation() =
          (parent < 0 ? place : Eigen::RowVector3f(place - skin_.positions.row(parent))).transpose();
      if (frame && !asset_.motion->pose.empty()) {
        const Eigen::Vector3f turn =
            asset_.motion->pose[*frame].row(static_cast<Eigen::Index>(j)).transpose();
        if (turn.norm() > 0) parent_from_joint.rotate(Eigen::AngleAxisf(turn.norm(), turn.normalized()));
      }
      if (frame && parent < 0 && !asset_.motion->world_from_model.empty()) {
        parent_from_joint = asset_.motion->world_from_model[*frame] * parent_from_joint;
      }
      pose.translation_m.emplace_back(kMetresPerMillimetre * parent_from_joint.translation().cast<double>());
      pose.rotation.emplace_back(parent_from_joint.linear());
    }
    return pose;
  }

  // An attribute's value, and its time samples where there are frames.
  template <typename Write>
  void writeAnimated(const std::string& attribute, bool is_animated, const Write& write) {
    out_ << "            " << attribute << " = ";
    write(numFrames() > 0 ? std::optional<std::size_t>(0) : std::nullopt);
    out_ << "\n";
    if (numFrames() == 0 || !is_animated) return;
    out_ << "            " << attribute << ".timeSamples = {\n";
    for (std::size_t f = 0; f < numFrames(); ++f) {
      (out_ << "                ").brief(timeCode(f), 4) << ": ";
      write(f);
      out_ << ",\n";
    }
    out_ << "            }\n";
  }

  void writeJointNames(const char* indent) {
    out_ << indent << "uniform token[] joints = ";
    writeList(out_, joints_, [this](const std::string& name) { out_ << inQuotes(name); });
    out_ << "\n";
  }

  void writeShapeNames(const char* attribute, const char* indent) {
    out_ << indent << attribute << " = ";
    writeList(out_, asset_.targets, [this](const AssetTarget& target) { out_ << inQuotes(target.name); });
    out_ << "\n";
  }

  void writeSkeleton() {
    out_ << "    def Skeleton \"skeleton\" (\n        prepend apiSchemas = [\"SkelBindingAPI\"]\n    )\n    "
            "{\n";
    writeJointNames("        ");
    const auto writeTransforms = [this](const char* attribute, bool in_parent) {
      out_ << "        uniform matrix4d[] " << attribute << " = [";
      const JointPose rest = jointPose(std::nullopt);
      for (std::size_t j = 0; j < joints_.size(); ++j) {
        Eigen::Isometry3d transform = Eigen::Isometry3d::Identity();
        transform.translation() =
            in_parent ? rest.translation_m[j]
                      : Eigen::Vector3d(
                            kMetresPerMillimetre *
                            skin_.positions.row(static_cast<Eigen::Index>(j)).transpose().cast<double>());
        if (j > 0) out_ << ", ";
        writeMatrix(out_, transform);
      }
      out_ << "]\n";
    };
    writeTransforms("bindTransforms", false);
    writeTransforms("restTransforms", true);
    out_ << "        rel skel:animationSource = </" << root_ << "/skeleton/animation>\n\n";

    out_ << "        def SkelAnimation \"animation\"\n        {\n";
    writeJointNames("            ");
    std::vector<JointPose> poses;
    for (std::size_t f = 0; f < numFrames(); ++f) {
      poses.push_back(jointPose(f));
      // q and -q are one rotation; the nearer one is what interpolation needs.
      for (std::size_t j = 0; f > 0 && j < joints_.size(); ++j) {
        Eigen::Quaternionf& now = poses[f].rotation[j];
        if (now.dot(poses[f - 1].rotation[j]) < 0) now.coeffs() *= -1;
      }
    }
    const JointPose rest = jointPose(std::nullopt);
    const bool joints_move =
        asset_.motion && (!asset_.motion->world_from_model.empty() || !asset_.motion->pose.empty());
    const auto poseAt = [&](std::optional<std::size_t> frame) -> const JointPose& {
      return frame ? poses[*frame] : rest;
    };
    writeAnimated("float3[] translations", joints_move, [&](std::optional<std::size_t> frame) {
      writeList(out_, poseAt(frame).translation_m, [this](const Eigen::Vector3d& t) {
        (out_ << "(").brief(t.x(), kLengthDecimals) << ", ";
        out_.brief(t.y(), kLengthDecimals) << ", ";
        out_.brief(t.z(), kLengthDecimals) << ")";
      });
    });
    writeAnimated("quatf[] rotations", joints_move, [&](std::optional<std::size_t> frame) {
      writeList(out_, poseAt(frame).rotation, [this](const Eigen::Quaternionf& q) {
        (out_ << "(").brief(q.w(), 7) << ", ";
        out_.brief(q.x(), 7) << ", ";
        out_.brief(q.y(), 7) << ", ";
        out_.brief(q.z(), 7) << ")";
      });
    });
    out_ << "            half3[] scales = ";
    writeList(out_, joints_, [this](const std::string&) { out_ << "(1, 1, 1)"; });
    out_ << "\n";
    if (!asset_.targets.empty()) {
      writeShapeNames("uniform token[] blendShapes", "            ");
      writeAnimated("float[] blendShapeWeights", true, [&](std::optional<std::size_t> frame) {
        out_ << "[";
        for (std::size_t t = 0; t < asset_.targets.size(); ++t) {
          const float weight =
              frame ? asset_.motion->weights(static_cast<Eigen::Index>(*frame), static_cast<Eigen::Index>(t))
                    : 0;
          (out_ << (t > 0 ? ", " : "")).brief(weight, kUnitDecimals);
        }
        out_ << "]";
      });
    }
    out_ << "        }\n    }\n\n";
  }

  void writeMesh() {
    const Mesh& mesh = asset_.mesh;
    const Points3 normals = asset_.vertexNormals();
    const Eigen::MatrixX3d points_m = kMetresPerMillimetre * mesh.vertices.cast<double>();
    const bool double_sided = std::any_of(asset_.materials.begin(), asset_.materials.end(),
                                          [](const AssetMaterial& m) { return m.double_sided; });
    out_ << "    def Mesh \"mesh\" (\n        prepend apiSchemas = [\"SkelBindingAPI\", "
            "\"MaterialBindingAPI\"]\n    )\n    {\n";
    out_ << "        uniform bool doubleSided = " << (double_sided ? "1" : "0")
         << "\n        float3[] extent = ";
    Eigen::Matrix<double, 2, 3> extent;
    extent << points_m.colwise().minCoeff(), points_m.colwise().maxCoeff();
    writeTuples(out_, extent, kLengthDecimals);
    out_ << "\n        int[] faceVertexCounts = [";
    for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) out_ << (f > 0 ? ", 3" : "3");
    out_ << "]\n        int[] faceVertexIndices = ";
    writeIndices(mesh.triangles);
    out_ << "\n        rel material:binding = " << materialPath(0) << "\n        normal3f[] normals = ";
    writeTuples(out_, normals, kNormalDecimals);
    out_ << " (\n            interpolation = \"vertex\"\n        )\n        point3f[] points = ";
    writeTuples(out_, points_m, kLengthDecimals);
    out_ << "\n";
    writeInfluences();
    if (mesh.hasUv()) {
      out_ << "        texCoord2f[] primvars:st = ";
      writeTuples(out_, mesh.uv, 7);
      out_ << " (\n            interpolation = \"faceVarying\"\n        )\n        int[] primvars:st:indices "
              "= ";
      writeIndices(mesh.uv_triangles);
      out_ << "\n";
    }
    if (!asset_.targets.empty()) {
      writeShapeNames("uniform token[] skel:blendShapes", "        ");
      out_ << "        rel skel:blendShapeTargets = ";
      writeList(out_, target_names_,
                [this](const std::string& name) { out_ << "</" << root_ << "/mesh/" << name << ">"; });
      out_ << "\n";
    }
    out_ << "        rel skel:skeleton = </" << root_ << "/skeleton>\n"
         << "        uniform token subdivisionScheme = \"none\"\n"
         << "        uniform token subsetFamily:materialBind:familyType = \"partition\"\n";
    writeSubsets();
    for (std::size_t t = 0; t < asset_.targets.size(); ++t) writeTarget(t, normals);
    out_ << "    }\n\n";
  }

  void writeIndices(const Triangles& triangles) {
    out_ << "[";
    for (Eigen::Index i = 0; i < triangles.size(); ++i) {
      (out_ << (i > 0 ? ", " : "")) << std::int64_t{triangles.data()[i]};
    }
    out_ << "]";
  }

  // As many joints per vertex as the vertex with the most has.
  void writeInfluences() {
    const Eigen::MatrixXf& weights = skin_.weights;
    const auto count = static_cast<int>((weights.array() > 0).rowwise().count().maxCoeff());
    TextWriter joints, shares;
    for (Eigen::Index v = 0; v < weights.rows(); ++v) {
      int written = 0;
      for (Eigen::Index j = 0; j < weights.cols(); ++j) {
        if (!(weights(v, j) > 0)) continue;
        (joints << (v + written > 0 ? ", " : "")) << std::int64_t{j};
        (shares << (v + written > 0 ? ", " : "")).brief(weights(v, j), kUnitDecimals);
        ++written;
      }
      for (; written < count; ++written) joints << ", 0", shares << ", 0";
    }
    const auto write = [&](const char* attribute, const std::string& values) {
      out_ << "        " << attribute << " = [" << values
           << "] (\n            elementSize = " << std::int64_t{count}
           << "\n            interpolation = \"vertex\"\n        )\n";
    };
    out_ << "        matrix4d primvars:skel:geomBindTransform = ";
    writeMatrix(out_, Eigen::Isometry3d::Identity());
    out_ << "\n";
    write("int[] primvars:skel:jointIndices", joints.text());
    write("float[] primvars:skel:jointWeights", shares.text());
  }

  void writeSubsets() {
    for (std::size_t m = 0; m < asset_.materials.size(); ++m) {
      const auto& of = asset_.triangle_material;
      if (of.empty() ? m > 0 : std::find(of.begin(), of.end(), m) == of.end()) continue;
      out_ << "\n        def GeomSubset " << inQuotes(subset_names_[m])
           << " (\n            prepend apiSchemas = [\"MaterialBindingAPI\"]\n        )\n        {\n"
           << "            uniform token elementType = \"face\"\n"
           << "            uniform token familyName = \"materialBind\"\n            int[] indices = [";
      bool is_first = true;
      for (Eigen::Index f = 0; f < asset_.mesh.triangles.rows(); ++f) {
        if ((asset_.triangle_material.empty() ? 0 : asset_.triangle_material[f]) != m) continue;
        (out_ << (is_first ? "" : ", ")) << std::int64_t{f};
        is_first = false;
      }
      out_ << "]\n            rel material:binding = " << materialPath(m) << "\n        }\n";
    }
  }

  void writeTarget(std::size_t t, const Points3& normals) {
    const Points3& displacement = asset_.targets[t].displacement;
    const Points3 normal_change = asset_.normalChange(asset_.targets[t], normals);
    std::vector<Eigen::Index> moved;
    for (Eigen::Index v = 0; v < displacement.rows(); ++v) {
      if (displacement.row(v).norm() > kMinMove_mm || normal_change.row(v).norm() > kMinNormalChange) {
        moved.push_back(v);
      }
    }
    Eigen::MatrixX3d offsets(static_cast<Eigen::Index>(moved.size()), 3);
    Points3 normal_offsets(offsets.rows(), 3);
    for (Eigen::Index i = 0; i < offsets.rows(); ++i) {
      offsets.row(i) = kMetresPerMillimetre * displacement.row(moved[i]).cast<double>();
      normal_offsets.row(i) = normal_change.row(moved[i]);
    }
    out_ << "\n        def BlendShape " << inQuotes(target_names_[t])
         << "\n        {\n            uniform vector3f[] normalOffsets = ";
    writeTuples(out_, normal_offsets, kNormalDecimals);
    out_ << "\n            uniform vector3f[] offsets = ";
    writeTuples(out_, offsets, kLengthDecimals);
    out_ << "\n            uniform int[] pointIndices = ";
    writeList(out_, moved, [this](Eigen::Index v) { out_ << std::int64_t{v}; });
    out_ << "\n        }\n";
  }

  std::string materialPath(std::size_t m) const {
    return "</" + root_ + "/materials/" + subset_names_[m] + ">";
  }

  void writeMaterials() {
    out_ << "    def Scope \"materials\"\n    {\n";
    for (std::size_t m = 0; m < asset_.materials.size(); ++m) writeMaterial(m);
    out_ << "    }\n";
  }

  void writeMaterial(std::size_t m) {
    const AssetMaterial& material = asset_.materials[m];
    const TextureFiles& files = textures_[m];
    const std::string path = "</" + root_ + "/materials/" + subset_names_[m] + "/";
    const char* indent = "                ";
    const Eigen::Vector3f& factor = material.base_colour_factor;
    out_ << "        def Material " << inQuotes(subset_names_[m])
         << "\n        {\n            token outputs:surface.connect = " << path
         << "surface.outputs:surface>\n\n            def Shader \"surface\"\n            {\n"
         << indent << "uniform token info:id = \"UsdPreviewSurface\"\n";
    if (files.base_colour.empty()) {
      (out_ << indent << "color3f inputs:diffuseColor = (").brief(factor.x(), kUnitDecimals) << ", ";
      out_.brief(factor.y(), kUnitDecimals) << ", ";
      out_.brief(factor.z(), kUnitDecimals) << ")\n";
    } else {
      out_ << indent << "color3f inputs:diffuseColor.connect = " << path << "base_colour.outputs:rgb>\n";
    }
    (out_ << indent << "float inputs:ior = ").brief(material.ior, kUnitDecimals) << "\n";
    out_ << indent << "float inputs:metallic = 0\n";
    if (!files.normal.empty()) {
      out_ << indent << "normal3f inputs:normal.connect = " << path << "normal.outputs:rgb>\n";
    }
    if (files.occlusion_roughness.empty()) {
      (out_ << indent << "float inputs:roughness = ").brief(material.roughness, kUnitDecimals) << "\n";
    } else {
      out_ << indent << "float inputs:occlusion.connect = " << path << "occlusion_roughness.outputs:r>\n"
           << indent << "float inputs:roughness.connect = " << path << "occlusion_roughness.outputs:g>\n";
    }
    out_ << indent << "token outputs:surface\n            }\n";
    const bool has_texture =
        !files.base_colour.empty() || !files.occlusion_roughness.empty() || !files.normal.empty();
    if (has_texture) {
      out_ << "\n            def Shader \"st\"\n            {\n"
           << indent << "uniform token info:id = \"UsdPrimvarReader_float2\"\n"
           << indent << "string inputs:varname = \"st\"\n"
           << indent << "float2 outputs:result\n            }\n";
    }
    const auto writeTexture = [&](const char* name, const std::string& file, const char* colour_space,
                                  const Eigen::Vector4f& scale, const Eigen::Vector4f& bias,
                                  const char* outputs) {
      if (file.empty()) return;
      const auto write4 = [this, indent](const char* input, const Eigen::Vector4f& v) {
        out_ << indent << "float4 inputs:" << input << " = (";
        for (int c = 0; c < 4; ++c) (out_ << (c > 0 ? ", " : "")).brief(v[c], kUnitDecimals);
        out_ << ")\n";
      };
      out_ << "\n            def Shader \"" << name << "\"\n            {\n"
           << indent << "uniform token info:id = \"UsdUVTexture\"\n";
      write4("bias", bias);
      out_ << indent << "asset inputs:file = @./" << file << "@\n";
      write4("scale", scale);
      out_ << indent << "token inputs:sourceColorSpace = \"" << colour_space << "\"\n"
           << indent << "float2 inputs:st.connect = " << path << "st.outputs:result>\n"
           << indent << "token inputs:wrapS = \"clamp\"\n"
           << indent << "token inputs:wrapT = \"clamp\"\n"
           << outputs << "            }\n";
    };
    const Eigen::Vector4f zero = Eigen::Vector4f::Zero(), one = Eigen::Vector4f::Ones();
    const char* rgb = "                float3 outputs:rgb\n";
    writeTexture("base_colour", files.base_colour, "sRGB", {factor.x(), factor.y(), factor.z(), 1}, zero,
                 rgb);
    writeTexture("occlusion_roughness", files.occlusion_roughness, "raw", {1, material.roughness, 1, 1}, zero,
                 "                float outputs:g\n                float outputs:r\n");
    writeTexture("normal", files.normal, "raw", 2 * one, {-1, -1, -1, -1}, rgb);
    out_ << "        }\n";
  }

  void writeCamera() {
    if (!asset_.camera || asset_.camera->projection != Camera::Projection::kPerspective) return;
    const Camera& camera = *asset_.camera;
    // Only ratios matter; a film 36 mm wide is what people know.
    constexpr double kFilm_mm = 36;
    const double mm_per_px = kFilm_mm / camera.width_px;
    Eigen::Isometry3d world_from_camera = camera.camera_from_model.cast<double>().inverse();
    world_from_camera.translation() *= kMetresPerMillimetre;
    world_from_camera.linear() *= Eigen::Vector3d(1, -1, -1).asDiagonal();  // y up, looks along -z
    const auto write = [this](const char* attribute, double value) {
      (out_ << "    float " << attribute << " = ").brief(value, kUnitDecimals) << "\n";
    };
    out_ << "\ndef Camera \"camera" << (root_ == "camera" ? "_2" : "")
         << "\"\n{\n    float2 clippingRange = (0.01, 100)\n";
    write("focalLength", camera.focal_px * mm_per_px);
    write("horizontalAperture", kFilm_mm);
    write("horizontalApertureOffset", (0.5 * camera.width_px - camera.principal_px.x()) * mm_per_px);
    out_ << "    token projection = \"perspective\"\n";
    write("verticalAperture", camera.height_px * mm_per_px);
    write("verticalApertureOffset", (camera.principal_px.y() - 0.5 * camera.height_px) * mm_per_px);
    out_ << "    matrix4d xformOp:transform = ";
    writeMatrix(out_, world_from_camera);
    out_ << "\n    uniform token[] xformOpOrder = [\"xformOp:transform\"]\n}\n";
  }

  const FaceAsset& asset_;
  const std::vector<TextureFiles>& textures_;
  AssetSkin skin_;
  std::string root_;
  std::vector<std::string> joints_, subset_names_, target_names_;
  TextWriter out_;
};

}  // namespace

void writeUsda(const std::filesystem::path& path, const FaceAsset& asset) {
  asset.check("writeUsda");
  const std::vector<TextureFiles> textures = writeTextures(path.parent_path(), asset);
  writeText(path, UsdaWriter(asset, textures).write());
}

}  // namespace facet
