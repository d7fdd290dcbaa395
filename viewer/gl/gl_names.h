#pragma once

// OpenGL 3.3 core with the names of later versions, which are only called after a look at the version.
#define GL_GLEXT_PROTOTYPES
#include <GL/gl.h>
#include <GL/glext.h>

#include <string>
#include <utility>

namespace facet {

// Owner of one name of OpenGL. The context that made it must be current when it is destroyed.
template <auto kGenerate, auto kDelete>
class GlName {
 public:
  GlName() { kGenerate(1, &name_); }
  ~GlName() {
    if (name_) kDelete(1, &name_);
  }
  GlName(GlName&& other) noexcept : name_(std::exchange(other.name_, 0)) {}
  GlName& operator=(GlName&& other) noexcept {
    std::swap(name_, other.name_);
    return *this;
  }
  GLuint get() const { return name_; }

 private:
  GLuint name_ = 0;
};

using GlBuffer = GlName<glGenBuffers, glDeleteBuffers>;
using GlVertexArray = GlName<glGenVertexArrays, glDeleteVertexArrays>;
using GlTexture = GlName<glGenTextures, glDeleteTextures>;
using GlSampler = GlName<glGenSamplers, glDeleteSamplers>;
using GlRenderbuffer = GlName<glGenRenderbuffers, glDeleteRenderbuffers>;
using GlFramebuffer = GlName<glGenFramebuffers, glDeleteFramebuffers>;

inline void generateProgram(GLsizei, GLuint* name) { *name = glCreateProgram(); }
inline void deleteProgram(GLsizei, const GLuint* name) { glDeleteProgram(*name); }
using GlProgramName = GlName<generateProgram, deleteProgram>;

// Of the current context.
bool glHasVersion(int major, int minor);
bool glHasExtension(const char* name);
bool glIsSoftware();          // a rasterizer on the CPU: llvmpipe, softpipe, SwiftShader
std::string glDescription();  // "llvmpipe (LLVM 15.0.6, 256 bits), OpenGL 4.5"

}  // namespace facet
