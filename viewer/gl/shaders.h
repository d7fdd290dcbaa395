#pragma once

#include <Eigen/Core>
#include <map>
#include <optional>
#include <string>

#include "viewer/gl/gl_names.h"
#include "viewer/renderer.h"

namespace facet {

// A linked program. Uniforms that it does not use are ignored.
class GlProgram {
 public:
  GlProgram(const std::string& name, const std::string& defines, const char* vertex_source,
            const char* fragment_source);

  void use() const { glUseProgram(name_.get()); }
  // Of the program in use.
  void set(const char* uniform, int value) const { glUniform1i(at(uniform), value); }
  void set(const char* uniform, float value) const { glUniform1f(at(uniform), value); }
  void set(const char* uniform, const Eigen::Vector2f& v) const { glUniform2fv(at(uniform), 1, v.data()); }
  void set(const char* uniform, const Eigen::Vector3f& v) const { glUniform3fv(at(uniform), 1, v.data()); }
  void set(const char* uniform, const Eigen::Vector4f& v) const { glUniform4fv(at(uniform), 1, v.data()); }
  void set(const char* uniform, const Eigen::Matrix4f& m) const {
    glUniformMatrix4fv(at(uniform), 1, GL_FALSE, m.data());
  }
  void set(const char* uniform, const Eigen::Matrix3f& m) const {
    glUniformMatrix3fv(at(uniform), 1, GL_FALSE, m.data());
  }
  // N vectors.
  void set(const char* uniform, const Points3& v) const {
    glUniform3fv(at(uniform), static_cast<GLsizei>(v.rows()), v.data());
  }

 private:
  GLint at(const char* uniform) const { return glGetUniformLocation(name_.get(), uniform); }
  GlProgramName name_;
};

// What a surface's program does, so that none does more than it must: a renderer on the CPU feels each line.
struct SurfaceFeatures {
  enum : unsigned {
    kBaseTexture = 1,
    kVertexColours = 2,
    kNormalMap = 4,
    kOcclusionRoughness = 8,
    kDisplacement = 16,
    kFlat = 32,
    kLamp = 64,
    kEnvironment = 128,
    kHighlights = 256,
  };
  SurfaceShading shading = SurfaceShading::kLit;
  unsigned flags = 0;
  auto operator<=>(const SurfaceFeatures&) const = default;
};

// Places of the vertex attributes and of the textures.
enum Attribute : GLuint {
  kPositionAttribute,
  kNormalAttribute,
  kUvAttribute,
  kColourAttribute,
  kValueAttribute
};
enum TextureUnit : int {
  kBaseColourUnit,
  kNormalUnit,
  kOcclusionRoughnessUnit,
  kSlopesUnit,
  kEnvironmentUnit,
  kColourMapUnit,
  kCornersUnit,
  kPositionsUnit,
  kNumTextureUnits
};

// The programs, each compiled when it is first asked for.
class GlShaders {
 public:
  const GlProgram& surface(const SurfaceFeatures& features);
  const GlProgram& depthOnly();
  const GlProgram& wires();     // glDrawArrays() of three vertices a triangle, no attributes
  const GlProgram& gradient();  // glDrawArrays() of three vertices: the whole viewport
  const GlProgram& photo();     // a strip of four vertices

 private:
  std::map<SurfaceFeatures, GlProgram> surfaces_;
  std::optional<GlProgram> depth_only_, wires_, gradient_, photo_;
};

}  // namespace facet
