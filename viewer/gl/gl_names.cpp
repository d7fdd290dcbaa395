#include "viewer/gl/gl_names.h"

#include <cstring>

namespace facet {
namespace {

std::string text(GLenum name) {
  const GLubyte* string = glGetString(name);
  return string ? reinterpret_cast<const char*>(string) : "";
}

int integer(GLenum name) {
  GLint value = 0;
  glGetIntegerv(name, &value);
  return value;
}

}  // namespace

bool glHasVersion(int major, int minor) {
  const int has_major = integer(GL_MAJOR_VERSION), has_minor = integer(GL_MINOR_VERSION);
  return has_major > major || (has_major == major && has_minor >= minor);
}

bool glHasExtension(const char* name) {
  const int count = integer(GL_NUM_EXTENSIONS);
  for (int i = 0; i < count; ++i)
    if (std::strcmp(reinterpret_cast<const char*>(glGetStringi(GL_EXTENSIONS, i)), name) == 0) return true;
  return false;
}

bool glIsSoftware() {
  const std::string renderer = text(GL_RENDERER);
  for (const char* name : {"llvmpipe", "softpipe", "SwiftShader", "swrast"})
    if (renderer.find(name) != std::string::npos) return true;
  return false;
}

std::string glDescription() {
  return text(GL_RENDERER) + ", OpenGL " + std::to_string(integer(GL_MAJOR_VERSION)) + "." +
         std::to_string(integer(GL_MINOR_VERSION));
}

}  // namespace facet
