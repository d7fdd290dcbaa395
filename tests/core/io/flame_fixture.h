#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "core/types.h"
#include "tests/core/io/pickle_writer.h"

namespace facet::test {

// The arrays of a FLAME file, as the file has them: metres, identity modes before expression modes.
struct FlameArrays {
  Eigen::MatrixXd v_template;               // V×3
  Triangles f;                              // F×3
  Eigen::MatrixXd shapedirs;                // 3V×K, rows x0 y0 z0 x1 …
  Eigen::MatrixXd posedirs;                 // 3V×36
  Eigen::SparseMatrix<double> J_regressor;  // 5×V
  Eigen::MatrixXd weights;                  // V×5
  Eigen::MatrixXd kintree_table;            // 2×5

  int numVertices() const { return static_cast<int>(v_template.rows()); }
};

// A ball of the size of a head with random modes, joints like FLAME's, and two small groups of vertices in
// front that follow the eyes wholly. Same shapes as FLAME but for the number of vertices (rings × around +
// 2). `num_modes` 150 is 100 identity and 50 expression modes, 400 is 300 and 100.
inline FlameArrays makeFlameArrays(int num_modes = 150, unsigned seed = 1, int rings = 8, int around = 12) {
  FlameArrays flame;
  const int num_vertices = rings * around + 2, num_joints = 5;
  flame.v_template.resize(num_vertices, 3);
  std::vector<Eigen::RowVector3i> triangles;
  const double radius_m = 0.1;
  for (int ring = 0; ring < rings; ++ring) {
    const double polar = M_PI * (ring + 1) / (rings + 1);
    for (int i = 0; i < around; ++i) {
      const double angle = 2 * M_PI * i / around;
      flame.v_template.row(ring * around + i) << radius_m * std::sin(polar) * std::sin(angle),
          1.2 * radius_m * std::cos(polar), radius_m * std::sin(polar) * std::cos(angle);
      const int a = ring * around + i, b = ring * around + (i + 1) % around;
      if (ring + 1 < rings) {
        triangles.emplace_back(a, a + around, b);
        triangles.emplace_back(b, a + around, b + around);
      }
      if (ring == 0) triangles.emplace_back(num_vertices - 2, a, b);
      if (ring + 1 == rings) triangles.emplace_back(num_vertices - 1, b, a);
    }
  }
  flame.v_template.row(num_vertices - 2) << 0, 1.2 * radius_m, 0;
  flame.v_template.row(num_vertices - 1) << 0, -1.2 * radius_m, 0;
  flame.f.resize(static_cast<Eigen::Index>(triangles.size()), 3);
  for (std::size_t i = 0; i < triangles.size(); ++i) flame.f.row(static_cast<Eigen::Index>(i)) = triangles[i];

  std::mt19937 random(seed);
  const auto uniform = [&random] { return static_cast<double>(random()) / 4294967296.0 * 2 - 1; };
  const auto fill = [&](Eigen::MatrixXd& matrix, Eigen::Index rows, Eigen::Index cols, double scale) {
    matrix.resize(rows, cols);
    for (Eigen::Index r = 0; r < rows; ++r) {
      for (Eigen::Index c = 0; c < cols; ++c) matrix(r, c) = scale * uniform();
    }
  };
  fill(flame.shapedirs, 3 * num_vertices, num_modes, 0.002);
  fill(flame.posedirs, 3 * num_vertices, 36, 0.001);

  flame.weights.setZero(num_vertices, num_joints);
  for (int v = 0; v < num_vertices; ++v) {
    const double y = flame.v_template(v, 1) / radius_m;
    const double jaw = y < -0.2 ? 0.5 : 0.1, neck = 0.3;
    flame.weights.row(v) << 1 - jaw - neck, neck, jaw, 0, 0;
  }
  // A quad of vertices on each side of the middle, in front: the eyeballs.
  for (const int ring : {rings / 2 - 1, rings / 2}) {
    for (const int i : {1, 2}) {
      flame.weights.row(ring * around + i) << 0, 0, 0, 1, 0;           // +X: left
      flame.weights.row(ring * around + around - i) << 0, 0, 0, 0, 1;  // right
    }
  }
  flame.J_regressor.resize(num_joints, num_vertices);
  for (int j = 0; j < num_joints; ++j) {  // each joint amid four vertices
    for (int k = 0; k < 4; ++k) flame.J_regressor.insert(j, (7 * j + 13 * k + 3) % num_vertices) = 0.25;
  }
  flame.J_regressor.makeCompressed();
  flame.kintree_table.resize(2, num_joints);
  flame.kintree_table << 4294967295.0, 0, 1, 1, 1, 0, 1, 2, 3, 4;
  return flame;
}

// The pickle of a FLAME file, opcode by opcode. With `chumpy`, the float arrays are chumpy.Ch objects, as in
// the original files.
inline std::vector<std::uint8_t> flamePickle(const FlameArrays& flame, int protocol = 2, bool python2 = true,
                                             bool chumpy = true) {
  PickleWriter writer(protocol, python2);
  const std::int64_t num_vertices = flame.numVertices();
  const auto doubles = [&](const Eigen::MatrixXd& matrix, const std::vector<std::int64_t>& shape) {
    return [&writer, &matrix, shape, chumpy] {
      if (chumpy) {
        writer.chumpy([&] { writer.doubles(matrix, shape); });
      } else {
        writer.doubles(matrix, shape);
      }
    };
  };
  writer.dict({{"f",
                [&] {
                  writer.uint32s(flame.f, {flame.f.rows(), 3});
                }},
               {"v_template", doubles(flame.v_template, {num_vertices, 3})},
               {"shapedirs", doubles(flame.shapedirs, {num_vertices, 3, flame.shapedirs.cols()})},
               {"posedirs", doubles(flame.posedirs, {num_vertices, 3, flame.posedirs.cols()})},
               {"J_regressor", [&] { writer.csc(flame.J_regressor); }},
               {"weights", doubles(flame.weights, {num_vertices, flame.weights.cols()})},
               {"kintree_table",
                [&] {
                  std::string data;
                  for (Eigen::Index r = 0; r < 2; ++r) {
                    for (Eigen::Index c = 0; c < flame.kintree_table.cols(); ++c) {
                      const auto value = static_cast<std::int64_t>(flame.kintree_table(r, c));
                      data.append(reinterpret_cast<const char*>(&value), 8);
                    }
                  }
                  writer.array("i8", '<', {2, flame.kintree_table.cols()}, data);
                }},
               {"bs_style", [&] { writer.text("lbs"); }},
               {"bs_type", [&] { writer.text("lrotmin"); }}});
  return writer.finish();
}

}  // namespace facet::test
