#include "core/contacts.h"

#include "core/closest_point.h"
#include "core/mesh_parts.h"

namespace facet {

std::vector<Contact> contactsOf(const Points3& open, const Points3& closed, const Triangles& triangles,
                                const std::vector<std::uint8_t>& takes_part, double touching_mm) {
  constexpr double kApart_mm = 2, kMinCosine = 0.2;
  const Mesh mesh =
      subMesh(closed, triangles, [&](int f) {
        return takes_part[triangles(f, 0)] && takes_part[triangles(f, 1)] && takes_part[triangles(f, 2)];
      }).mesh;
  if (mesh.triangles.rows() == 0) return {};
  const SurfaceIndex surface(mesh);
  const Points3 normals = vertexNormals(closed, mesh.triangles);
  std::vector<Contact> contacts;
  for (int v = 0; v < closed.rows(); ++v) {
    if (!takes_part[v]) continue;
    const SurfaceIndex::Hit hit = surface.closest(closed.row(v).transpose().cast<double>(),
                                                  {.max_distance = touching_mm,
                                                   .normal = -normals.row(v).transpose().cast<double>(),
                                                   .min_cosine = kMinCosine});
    if (hit.triangle < 0) continue;
    Contact contact;
    contact.vertex = v;
    contact.barycentric = surface.barycentric(hit);
    Eigen::Vector3f other_open(0, 0, 0);
    for (int k = 0; k < 3; ++k) {
      contact.other[k] = mesh.triangles(hit.triangle, k);
      other_open += contact.barycentric[k] * open.row(contact.other[k]).transpose();
    }
    contact.gap_mm = closed.row(v).transpose() - hit.point.cast<float>();
    if ((open.row(v).transpose() - other_open).norm() < contact.gap_mm.norm() + kApart_mm) continue;
    contacts.push_back(contact);
  }
  return contacts;
}

}  // namespace facet
