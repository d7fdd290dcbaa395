#include "core/io/stl.h"

#include <Eigen/Geometry>
#include <string>

#include "core/check.h"
#include "core/io/files.h"

namespace facet {

void writeStl(const std::filesystem::path& path, const Mesh& mesh) {
  mesh.check("writeStl");
  require(mesh.triangles.rows() > 0, "writeStl: the mesh has no triangles");
  constexpr std::size_t kHeaderSize = 80;
  // The header must not start with "solid", which marks the text form.
  std::string content = "binary STL by facet";
  content.resize(kHeaderSize, ' ');
  const auto append = [&content](const void* data, std::size_t size) {
    content.append(static_cast<const char*>(data), size);
  };
  const auto num_triangles = static_cast<std::uint32_t>(mesh.triangles.rows());
  append(&num_triangles, sizeof num_triangles);
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    Eigen::Matrix<float, 4, 3, Eigen::RowMajor> rows;  // normal and corners
    for (int c = 0; c < 3; ++c) rows.row(c + 1) = mesh.vertices.row(mesh.triangles(f, c));
    const Eigen::RowVector3f first = rows.row(2) - rows.row(1), second = rows.row(3) - rows.row(1);
    rows.row(0) = first.cross(second).normalized();
    append(rows.data(), sizeof(float) * 12);
    const std::uint16_t attributes = 0;
    append(&attributes, sizeof attributes);
  }
  writeText(path, content);
}

}  // namespace facet
