#include "core/io/file_kind.h"

#include <doctest/doctest.h>

#include <string>

#include "core/error.h"

using namespace facet;

namespace {

FileKind kindOf(const std::string& text) {
  return fileKind({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string complaint(const std::string& text) try {
  refuseLookalikes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "generic_model.pkl");
  return "";
} catch (const Error& error) {
  CHECK(error.kind() == ErrorKind::kModel);
  return error.what();
}

}  // namespace

TEST_CASE("fileKind: formats are known by their first bytes") {
  using namespace std::string_literals;
  CHECK(kindOf("\x89HDF\r\n\x1A\n\0\0"s) == FileKind::kHdf5);
  CHECK(kindOf("MATLAB 5.0 MAT-file, Platform: GLNXA64") == FileKind::kMat5);
  CHECK(kindOf("MATLAB 7.3 MAT-file, Platform: GLNXA64") == FileKind::kHdf5);
  CHECK(kindOf("glTF\x02\0\0\0"s) == FileKind::kGltf);
  CHECK(kindOf(R"( {"scene": 0, "asset": {"version": "2.0"}})") == FileKind::kGltf);
  CHECK(kindOf(R"({"scene": 0})") == FileKind::kText);
  CHECK(kindOf("\x93NUMPY\x01\0v\0"s) == FileKind::kNumpy);
  CHECK(kindOf("PK\x03\x04 ..."s) == FileKind::kZip);
  CHECK(kindOf("\x80\x02}q\0"s) == FileKind::kPickle);
  CHECK(kindOf("\x80\x04\x95"s) == FileKind::kPickle);
  CHECK(kindOf("(dp0\nS'v_template'\n") == FileKind::kPickle);
  CHECK(kindOf("ccopy_reg\n_reconstructor\n") == FileKind::kPickle);
  CHECK(kindOf("v 0 0 0\nf 1 2 3\n") == FileKind::kText);
  CHECK(kindOf("") == FileKind::kUnknown);
  CHECK(kindOf("\x01\x00\x00\x00\x68\x28"s) == FileKind::kUnknown);
}

TEST_CASE("refuseLookalikes: a login page and a Git LFS pointer are called what they are") {
  CHECK(complaint("<!DOCTYPE html>\n<html lang=\"en\">").find("web page") != std::string::npos);
  CHECK(complaint("\xEF\xBB\xBF\n  <HTML><head>").find("login") != std::string::npos);
  CHECK(complaint("<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\">").find("web page") !=
        std::string::npos);
  CHECK(complaint("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 53023716\n")
            .find("git lfs pull") != std::string::npos);
  CHECK(complaint("\x80\x02}q").empty());
}
