// OpenGL without a window. EGL_EXT_platform_device reaches a graphics card without a display server,
// EGL_MESA_platform_surfaceless Mesa's own drivers, among them llvmpipe, which needs no card.

#include <EGL/egl.h>
#include <EGL/eglext.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "viewer/gl/context.h"
#include "viewer/gl/gl_names.h"

namespace facet {
namespace {

constexpr int kMaxDevices = 16;

const char* eglErrorName(EGLint error) {
  switch (error) {
    case EGL_NOT_INITIALIZED:
      return "not initialized";
    case EGL_BAD_ALLOC:
      return "no memory";
    case EGL_BAD_MATCH:
      return "no such OpenGL version";
    case EGL_BAD_CONFIG:
      return "no such configuration";
    case EGL_BAD_ATTRIBUTE:
      return "unknown attribute";
    case EGL_BAD_DISPLAY:
      return "no such display";
    case EGL_BAD_PARAMETER:
      return "platform not supported";
    default:
      return "refused";
  }
}

bool hasExtension(const char* extensions, const std::string& name) {
  std::istringstream words(extensions ? extensions : "");
  return std::find(std::istream_iterator<std::string>(words), {}, name) !=
         std::istream_iterator<std::string>();
}

struct Platform {
  std::string name;
  EGLenum kind = 0;
  void* native = nullptr;
};

std::vector<Platform> platforms() {
  std::vector<Platform> result;
  const char* extensions = eglQueryString(EGL_NO_DISPLAY, EGL_EXTENSIONS);
  if (hasExtension(extensions, "EGL_EXT_platform_device") &&
      (hasExtension(extensions, "EGL_EXT_device_enumeration") ||
       hasExtension(extensions, "EGL_EXT_device_base"))) {
    const auto query = reinterpret_cast<PFNEGLQUERYDEVICESEXTPROC>(eglGetProcAddress("eglQueryDevicesEXT"));
    const auto describe =
        reinterpret_cast<PFNEGLQUERYDEVICESTRINGEXTPROC>(eglGetProcAddress("eglQueryDeviceStringEXT"));
    EGLDeviceEXT devices[kMaxDevices];
    EGLint count = 0;
    std::vector<Platform> software;
    if (query && query(kMaxDevices, devices, &count)) {
      for (EGLint i = 0; i < count; ++i) {
        const char* device_extensions = describe ? describe(devices[i], EGL_EXTENSIONS) : nullptr;
        const bool is_software = hasExtension(device_extensions, "EGL_MESA_device_software");
        (is_software ? software : result)
            .push_back({"EGL device " + std::to_string(i), EGL_PLATFORM_DEVICE_EXT, devices[i]});
      }
    }
    result.insert(result.end(), software.begin(), software.end());
  }
  if (hasExtension(extensions, "EGL_MESA_platform_surfaceless"))
    result.push_back({"EGL surfaceless", EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY});
  return result;
}

// A context of at least that version, current; nothing, with the reason, if there is none. The display stays
// open until the process ends: EGL gives every caller the same one, and another context may live on it.
struct Current {
  EGLDisplay display = EGL_NO_DISPLAY;
  EGLContext context = EGL_NO_CONTEXT;
};

std::optional<Current> makeCurrent(const Platform& platform, std::string& reason) {
  const auto get_display =
      reinterpret_cast<PFNEGLGETPLATFORMDISPLAYEXTPROC>(eglGetProcAddress("eglGetPlatformDisplayEXT"));
  Current current;
  current.display = get_display ? get_display(platform.kind, platform.native, nullptr) : EGL_NO_DISPLAY;
  if (current.display == EGL_NO_DISPLAY || !eglInitialize(current.display, nullptr, nullptr)) {
    reason = eglErrorName(eglGetError());
    return std::nullopt;
  }
  const EGLint config_attributes[] = {
      EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_RED_SIZE, 8, EGL_NONE};
  EGLConfig config = nullptr;
  EGLint num_configs = 0;
  if (!eglBindAPI(EGL_OPENGL_API) ||
      !eglChooseConfig(current.display, config_attributes, &config, 1, &num_configs) || num_configs == 0) {
    reason = "it has no desktop OpenGL";
    return std::nullopt;
  }
  const auto create = [&](std::vector<EGLint> attributes) {
    attributes.push_back(EGL_NONE);
    current.context = eglCreateContext(current.display, config, EGL_NO_CONTEXT, attributes.data());
    return current.context != EGL_NO_CONTEXT &&
           eglMakeCurrent(current.display, EGL_NO_SURFACE, EGL_NO_SURFACE, current.context);
  };
  const std::vector<EGLint> core = {EGL_CONTEXT_MAJOR_VERSION,       3,
                                    EGL_CONTEXT_MINOR_VERSION,       3,
                                    EGL_CONTEXT_OPENGL_PROFILE_MASK, EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT};
  std::vector<EGLint> robust = core;
  robust.insert(robust.end(), {EGL_CONTEXT_OPENGL_RESET_NOTIFICATION_STRATEGY, EGL_LOSE_CONTEXT_ON_RESET});
  if (create(robust) || create(core)) return current;
  reason = eglErrorName(eglGetError());
  // Whatever version it has, for the message.
  if (create({})) {
    reason = "OpenGL " + std::string(reinterpret_cast<const char*>(glGetString(GL_VERSION))) +
             " found, facet-view needs 3.3";
    eglMakeCurrent(current.display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    eglDestroyContext(current.display, current.context);
  }
  return std::nullopt;
}

}  // namespace

struct HeadlessContext::Impl {
  Current current;
  std::string platform;
};

HeadlessContext::HeadlessContext() : impl_(std::make_unique<Impl>()) {
  std::string tried;
  for (const Platform& platform : platforms()) {
    std::string reason;
    if (const auto current = makeCurrent(platform, reason)) {
      impl_->current = *current;
      impl_->platform = platform.name;
      return;
    }
    tried += (tried.empty() ? "" : "; ") + platform.name + ": " + reason;
  }
  fail(ErrorKind::kRuntime, "no OpenGL 3.3 without a window (",
       tried.empty() ? "EGL knows neither devices nor Mesa's surfaceless platform" : tried,
       "); install libegl1 and libgl1-mesa-dri, which draw without a graphics card, or start facet-view "
       "with a window under xvfb-run");
}

HeadlessContext::~HeadlessContext() {
  if (!impl_ || impl_->current.context == EGL_NO_CONTEXT) return;
  if (eglGetCurrentContext() == impl_->current.context)
    eglMakeCurrent(impl_->current.display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
  eglDestroyContext(impl_->current.display, impl_->current.context);
}

std::string HeadlessContext::description() const { return impl_->platform + ", " + glDescription(); }

}  // namespace facet
