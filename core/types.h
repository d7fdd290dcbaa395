#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <cstdint>

namespace facet {

// Geometry is row-major so that one buffer serves Eigen, OpenGL and CUDA.
using Points2 = Eigen::Matrix<float, Eigen::Dynamic, 2, Eigen::RowMajor>;  // N×2
using Points3 = Eigen::Matrix<float, Eigen::Dynamic, 3, Eigen::RowMajor>;  // N×3
using Points4 = Eigen::Matrix<float, Eigen::Dynamic, 4, Eigen::RowMajor>;  // N×4
using Triangles =
    Eigen::Matrix<std::int32_t, Eigen::Dynamic, 3, Eigen::RowMajor>;  // F×3, counter-clockwise from outside

}  // namespace facet
