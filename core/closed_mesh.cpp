#include "core/closed_mesh.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/mesh_parts.h"

namespace facet {
namespace {

using Point = Eigen::Vector3d;
using Triangle = std::array<int, 3>;

// A surface whose openings get closed.
struct Surface {
  std::vector<Point> points;
  std::vector<Triangle> triangles;
};

// Closed walks along the edges that have a triangle on one side only, in the direction of that triangle.
// Where sheets meet in one edge, those that run in opposite directions cancel out.
std::vector<std::vector<int>> openings(const std::vector<Triangle>& triangles) {
  std::map<std::pair<int, int>, int> surplus;  // of (low, high), how often along minus how often against it
  for (const Triangle& t : triangles) {
    for (int c = 0; c < 3; ++c) {
      const int a = t[c], b = t[(c + 1) % 3];
      surplus[std::minmax(a, b)] += a < b ? 1 : -1;
    }
  }
  std::multimap<int, int> next;
  for (const auto& [edge, count] : surplus) {
    for (int i = 0; i < std::abs(count); ++i) {
      next.insert(count > 0 ? edge : std::pair{edge.second, edge.first});
    }
  }
  std::vector<std::vector<int>> loops;
  while (!next.empty()) {
    const int start = next.begin()->first;
    std::vector<int>& loop = loops.emplace_back();
    for (int at = start; loop.empty() || at != start;) {
      const auto step = next.find(at);
      loop.push_back(at);
      at = step->second;
      next.erase(step);
    }
  }
  return loops;
}

double perimeter(const std::vector<Point>& points, const std::vector<int>& loop) {
  double length = 0;
  for (std::size_t i = 0; i < loop.size(); ++i) {
    length += (points[loop[i]] - points[loop[(i + 1) % loop.size()]]).norm();
  }
  return length;
}

void closeWithFan(Surface& surface, const std::vector<int>& loop) {
  Point middle = Point::Zero();
  for (const int v : loop) middle += surface.points[v] / static_cast<double>(loop.size());
  const int center = static_cast<int>(surface.points.size());
  surface.points.push_back(middle);
  for (std::size_t i = 0; i < loop.size(); ++i) {
    surface.triangles.push_back({loop[(i + 1) % loop.size()], loop[i], center});
  }
}

// Walls from the opening straight on to a plane that has the whole mesh before it. Returns the direction.
Point closeWithBase(Surface& surface, const std::vector<int>& loop) {
  Point area = Point::Zero();  // of the lid, seen from outside
  for (std::size_t i = 0; i < loop.size(); ++i) {
    area -= surface.points[loop[i]].cross(surface.points[loop[(i + 1) % loop.size()]]);
  }
  int axis = 0;
  area.cwiseAbs().maxCoeff(&axis);
  const Point direction = Point::Unit(axis) * (area[axis] < 0 ? -1 : 1);
  double plane = -HUGE_VAL;
  for (const Point& point : surface.points) plane = std::max(plane, direction.dot(point));

  std::vector<int> base;
  for (const int v : loop) {
    base.push_back(static_cast<int>(surface.points.size()));
    const Point point = surface.points[v];
    surface.points.push_back(point + (plane - direction.dot(point)) * direction);
  }
  for (std::size_t i = 0; i < loop.size(); ++i) {
    const std::size_t j = (i + 1) % loop.size();
    surface.triangles.push_back({loop[j], loop[i], base[i]});
    surface.triangles.push_back({loop[j], base[i], base[j]});
  }
  closeWithFan(surface, base);
  return direction;
}

// Turns connected parts that are inside out.
void turnOutwards(Surface& surface) {
  std::vector<int> part(surface.points.size());
  for (std::size_t i = 0; i < part.size(); ++i) part[i] = static_cast<int>(i);
  const auto root = [&part](int v) {
    while (part[v] != v) v = part[v] = part[part[v]];
    return v;
  };
  for (const Triangle& t : surface.triangles) {
    part[root(t[1])] = root(t[0]);
    part[root(t[2])] = root(t[0]);
  }
  std::map<int, double> volume;
  const auto& p = surface.points;
  for (const Triangle& t : surface.triangles) volume[root(t[0])] += p[t[0]].dot(p[t[1]].cross(p[t[2]]));
  for (Triangle& t : surface.triangles) {
    if (volume[root(t[0])] < 0) std::swap(t[1], t[2]);
  }
}

// Where a line of the grid meets the surface.
struct Crossing {
  float position;  // in voxels along the line
  int winding;     // change of the winding number in the direction of the line
};

struct Grid {
  std::array<int, 3> size;  // nodes
  Point origin;
  double step;

  std::size_t index(int x, int y, int z) const {
    return (static_cast<std::size_t>(z) * size[1] + y) * size[0] + x;
  }
};

// The crossings of all grid lines along one axis, sorted, as rows of a table with one row per line.
class Crossings {
 public:
  Crossings(const Surface& surface, const Grid& grid, int axis)
      : u_((axis + 1) % 3),
        v_((axis + 2) % 3),
        width_(grid.size[u_]),
        lines_(static_cast<std::size_t>(grid.size[u_]) * grid.size[v_]) {
    std::vector<Point> nodes;  // in voxels
    for (const Point& point : surface.points) nodes.emplace_back((point - grid.origin) / grid.step);
    for (const Triangle& t : surface.triangles) add(nodes, t, axis);
    for (std::vector<Crossing>& line : lines_) {
      std::sort(line.begin(), line.end(),
                [](const Crossing& a, const Crossing& b) { return a.position < b.position; });
    }
  }

  const std::vector<Crossing>& line(int u, int v) const {
    return lines_[static_cast<std::size_t>(v) * width_ + u];
  }

 private:
  void add(const std::vector<Point>& nodes, const Triangle& t, int axis) {
    int low[2], high[2];
    for (int k = 0; k < 2; ++k) {
      const int dimension = k == 0 ? u_ : v_;
      const auto [least, most] =
          std::minmax({nodes[t[0]][dimension], nodes[t[1]][dimension], nodes[t[2]][dimension]});
      low[k] = static_cast<int>(std::ceil(least)), high[k] = static_cast<int>(std::floor(most));
    }
    for (int v = low[1]; v <= high[1]; ++v) {
      for (int u = low[0]; u <= high[0]; ++u) {
        // Twice the area between an edge and the line. Both triangles of an edge compute it from the same
        // end, so that a line through the edge belongs to exactly one of them.
        double area[3];
        int side[3];
        for (int c = 0; c < 3; ++c) {
          const int a = t[(c + 1) % 3], b = t[(c + 2) % 3];
          const Point &p = nodes[std::min(a, b)], &q = nodes[std::max(a, b)];
          const double signed_area = (q[u_] - p[u_]) * (v - p[v_]) - (q[v_] - p[v_]) * (u - p[u_]);
          const int direction = a < b ? 1 : -1;
          area[c] = direction * signed_area;
          side[c] = signed_area >= 0 ? direction : -direction;
        }
        if (side[0] != side[1] || side[1] != side[2]) continue;
        const double total = area[0] + area[1] + area[2];
        double position = 0;
        for (int c = 0; c < 3; ++c) {
          position += (total != 0 ? area[c] / total : 1.0 / 3) * nodes[t[c]][axis];
        }
        lines_[static_cast<std::size_t>(v) * width_ + u].push_back({static_cast<float>(position), -side[0]});
      }
    }
  }

  int u_, v_, width_;
  std::vector<std::vector<Crossing>> lines_;
};

// Which nodes of the grid are solid.
class Voxels {
 public:
  Voxels(const Grid& grid, const Crossings& along_x) : grid_(grid) {
    solid_.assign(static_cast<std::size_t>(grid.size[0]) * grid.size[1] * grid.size[2], 0);
    for (int z = 0; z < grid.size[2]; ++z) {
      for (int y = 0; y < grid.size[1]; ++y) {
        const std::vector<Crossing>& line = along_x.line(y, z);
        int winding = 0;
        std::size_t next = 0;
        for (int x = 0; x < grid.size[0]; ++x) {
          while (next < line.size() && line[next].position <= static_cast<float>(x)) {
            winding += line[next++].winding;
          }
          solid_[grid.index(x, y, z)] = winding > 0 ? 1 : 0;
        }
      }
    }
  }

  bool operator()(int x, int y, int z) const { return solid_[grid_.index(x, y, z)] != 0; }

  // Fills what cannot be reached from outside by a body three nodes across.
  void fillCavities() {
    // Wide: nodes of the outside that have no solid neighbour.
    enum : std::uint8_t { kEmpty = 0, kSolid = 1, kWide = 2, kReached = 3 };
    const auto wide = [this](std::size_t node) {
      bool is_wide = solid_[node] != kSolid;
      forNeighbours(node, [&](std::size_t other) { is_wide = is_wide && solid_[other] != kSolid; });
      return is_wide;
    };
    std::vector<std::size_t> front = {0};  // the margin of the grid is outside
    for (std::size_t node = 0; node < solid_.size(); ++node) {
      if (solid_[node] == kEmpty && wide(node)) solid_[node] = kWide;
    }
    solid_[0] = kReached;
    grow(front, kWide, kReached);
    // What is left of the outside is thin; as far as the body's own size it still belongs to it.
    for (std::size_t node = 0; node < solid_.size(); ++node) {
      if (solid_[node] == kReached) front.push_back(node);
    }
    for (int i = 0; i < 2; ++i) {
      std::vector<std::size_t> next;
      for (const std::size_t node : front) {
        forNeighbours(node, [&](std::size_t other) {
          if (solid_[other] != kEmpty && solid_[other] != kWide) return;
          solid_[other] = kReached;
          next.push_back(other);
        });
      }
      front = std::move(next);
    }
    for (std::uint8_t& node : solid_) node = node == kReached ? 0 : 1;
  }

  // Leaves the largest connected part only.
  void keepLargestPart() {
    constexpr std::uint8_t kSolid = 1, kSeen = 2, kLargest = 3;
    std::size_t largest = 0;
    for (std::size_t node = 0; node < solid_.size(); ++node) {
      if (solid_[node] != kSolid) continue;
      std::vector<std::size_t> front = {node};
      solid_[node] = kSeen;
      const std::size_t count = grow(front, kSolid, kSeen);
      if (count <= largest) continue;
      largest = count;
      for (std::uint8_t& other : solid_) {
        if (other == kLargest) other = 0;
      }
      front = {node};
      solid_[node] = kLargest;
      grow(front, kSeen, kLargest);
    }
    for (std::uint8_t& node : solid_) node = node == kLargest ? 1 : 0;
  }

 private:
  template <typename Visit>
  void forNeighbours(std::size_t node, const Visit& visit) const {
    const std::size_t row = grid_.size[0], slice = row * grid_.size[1];
    const std::size_t x = node % row, y = node / row % grid_.size[1], z = node / slice;
    if (x > 0) visit(node - 1);
    if (x + 1 < row) visit(node + 1);
    if (y > 0) visit(node - row);
    if (y + 1 < static_cast<std::size_t>(grid_.size[1])) visit(node + row);
    if (z > 0) visit(node - slice);
    if (z + 1 < static_cast<std::size_t>(grid_.size[2])) visit(node + slice);
  }

  // Turns what is `from` and connected to the front into `to`; leaves the front empty. How many there are,
  // the front's first nodes included.
  std::size_t grow(std::vector<std::size_t>& front, std::uint8_t from, std::uint8_t to) {
    std::size_t count = 0;
    while (!front.empty()) {
      const std::size_t node = front.back();
      front.pop_back();
      ++count;
      forNeighbours(node, [&](std::size_t other) {
        if (solid_[other] != from) return;
        solid_[other] = to;
        front.push_back(other);
      });
    }
    return count;
  }

  const Grid& grid_;
  std::vector<std::uint8_t> solid_;
};

// Edges of a cube: edge = 4 axis + side, from corner kEdgeStart along the axis. Corner = x + 2 y + 4 z.
constexpr int kNumEdges = 12;
constexpr int edgeStart(int edge) {
  const int axis = edge / 4, side = edge % 4;
  const int u = (axis + 1) % 3, v = (axis + 2) % 3;
  return (side & 1) << u | (side >> 1) << v;
}
constexpr int edgeEnd(int edge) { return edgeStart(edge) | 1 << edge / 4; }

int edgeBetween(int a, int b) {
  for (int edge = 0; edge < kNumEdges; ++edge) {
    if ((edgeStart(edge) == a && edgeEnd(edge) == b) || (edgeStart(edge) == b && edgeEnd(edge) == a)) {
      return edge;
    }
  }
  return -1;
}

bool lieOnOneFace(int edge, int other) {
  const int all = edgeStart(edge) & edgeEnd(edge) & edgeStart(other) & edgeEnd(other);
  const int none = ~(edgeStart(edge) | edgeEnd(edge) | edgeStart(other) | edgeEnd(other)) & 7;
  return all != 0 || none != 0;
}

// The polygons that part solid from empty corners, per pattern of solid corners; each is a cycle of edges,
// counter-clockwise from the empty side, turned so that a fan from its first edge has no diagonal on a face
// of the cube (which the cube beyond might have, too, and then four triangles would share it).
struct Polygon {
  std::vector<int> edges;
  bool needs_centre = false;  // no such fan exists
};

std::vector<Polygon> polygonsOf(int pattern) {
  const auto isSolid = [pattern](int corner) { return (pattern >> corner & 1) != 0; };
  std::array<int, kNumEdges> next;
  next.fill(-1);
  for (int axis = 0; axis < 3; ++axis) {
    for (int side = 0; side < 2; ++side) {
      // Corners of the face, counter-clockwise seen from outside.
      const int u = 1 << (axis + 1) % 3, v = 1 << (axis + 2) % 3, base = side << axis;
      std::array<int, 4> corners = {base, base | u, base | u | v, base | v};
      if (side == 0) std::swap(corners[1], corners[3]);
      for (int i = 0; i < 4; ++i) {
        if (isSolid(corners[i]) || !isSolid(corners[(i + 1) % 4])) continue;
        // Solid corners start after i; walk to where they end.
        int j = i + 1;
        while (isSolid(corners[(j + 1) % 4])) ++j;
        next[edgeBetween(corners[i], corners[(i + 1) % 4])] =
            edgeBetween(corners[j % 4], corners[(j + 1) % 4]);
      }
    }
  }
  std::vector<Polygon> polygons;
  for (int start = 0; start < kNumEdges; ++start) {
    if (next[start] < 0) continue;
    Polygon polygon;
    for (int edge = start; next[edge] >= 0;) {
      polygon.edges.push_back(edge);
      edge = std::exchange(next[edge], -1);
    }
    const std::size_t count = polygon.edges.size();
    const auto fanIsFree = [&] {
      for (std::size_t i = 2; i + 1 < count; ++i) {
        if (lieOnOneFace(polygon.edges[0], polygon.edges[i])) return false;
      }
      return true;
    };
    std::size_t turn = 0;
    while (turn < count && !fanIsFree()) {
      std::rotate(polygon.edges.begin(), polygon.edges.begin() + 1, polygon.edges.end());
      ++turn;
    }
    polygon.needs_centre = turn == count;
    polygons.push_back(polygon);
  }
  return polygons;
}

// Marching cubes. A vertex per grid edge that leaves the solid, placed where the source's surface is.
class SurfaceBuilder {
 public:
  SurfaceBuilder(const Grid& grid, const Voxels& solid, const std::array<const Crossings*, 3>& crossings)
      : grid_(grid), solid_(solid), crossings_(crossings) {
    for (int pattern = 0; pattern < 256; ++pattern) polygons_[pattern] = polygonsOf(pattern);
  }

  Mesh build() {
    const std::size_t slice = static_cast<std::size_t>(grid_.size[0]) * grid_.size[1];
    for (auto& layer : vertex_) {
      for (auto& indices : layer) indices.assign(slice, -1);
    }
    for (int z = 0; z + 1 < grid_.size[2]; ++z) {
      for (int y = 0; y + 1 < grid_.size[1]; ++y) {
        for (int x = 0; x + 1 < grid_.size[0]; ++x) addCube({x, y, z});
      }
      for (int axis = 0; axis < 3; ++axis) {
        std::swap(vertex_[0][axis], vertex_[1][axis]);
        std::fill(vertex_[1][axis].begin(), vertex_[1][axis].end(), -1);
      }
    }
    smoothBridges();
    Mesh mesh;
    mesh.vertices =
        Eigen::Map<const Points3>(positions_.data(), static_cast<Eigen::Index>(positions_.size() / 3), 3);
    mesh.triangles =
        Eigen::Map<const Triangles>(triangles_.data(), static_cast<Eigen::Index>(triangles_.size() / 3), 3);
    return mesh;
  }

 private:
  void addCube(const std::array<int, 3>& cube) {
    int pattern = 0;
    for (int corner = 0; corner < 8; ++corner) {
      if (solid_(cube[0] + (corner & 1), cube[1] + (corner >> 1 & 1), cube[2] + (corner >> 2))) {
        pattern |= 1 << corner;
      }
    }
    for (const Polygon& polygon : polygons_[pattern]) {
      std::vector<std::int32_t> corners;
      for (const int edge : polygon.edges) corners.push_back(vertexOn(cube, edge));
      const std::size_t count = corners.size();
      if (polygon.needs_centre) {
        Eigen::Vector3f centre = Eigen::Vector3f::Zero();
        for (const std::int32_t v : corners) centre += positionOf(v) / static_cast<float>(count);
        const std::int32_t middle = addVertex(centre);
        for (std::size_t i = 0; i < count; ++i) {
          triangles_.insert(triangles_.end(), {corners[i], corners[(i + 1) % count], middle});
        }
      } else {
        for (std::size_t i = 1; i + 1 < count; ++i) {
          triangles_.insert(triangles_.end(), {corners[0], corners[i], corners[i + 1]});
        }
      }
    }
  }

  std::int32_t addVertex(const Eigen::Vector3f& position, bool is_bridge = false) {
    is_bridge_.push_back(is_bridge);
    positions_.insert(positions_.end(), position.data(), position.data() + 3);
    return static_cast<std::int32_t>(positions_.size() / 3 - 1);
  }

  std::int32_t vertexOn(const std::array<int, 3>& cube, int edge) {
    const int corner = edgeStart(edge), axis = edge / 4;
    const std::array<int, 3> node = {cube[0] + (corner & 1), cube[1] + (corner >> 1 & 1),
                                     cube[2] + (corner >> 2)};
    std::int32_t& vertex =
        vertex_[corner >> 2][axis][static_cast<std::size_t>(node[1]) * grid_.size[0] + node[0]];
    if (vertex < 0) {
      Point position(node[0], node[1], node[2]);
      const std::optional<double> share = shareAlong(node, axis);
      position[axis] += share.value_or(0.5);
      vertex = addVertex((grid_.origin + grid_.step * position).cast<float>(), !share);
    }
    return vertex;
  }

  // Where between this node and the next the solid starts or ends: at the source's surface. Nothing where a
  // cavity was filled and there is no surface.
  std::optional<double> shareAlong(const std::array<int, 3>& node, int axis) const {
    constexpr double kMargin = 0.02;  // apart from the nodes, so that no triangle shrinks to nothing
    // Lines along different axes may disagree by rounding on which side of the surface a node lies.
    constexpr float kRounding = 0.01F;
    const std::vector<Crossing>& line = crossings_[axis]->line(node[(axis + 1) % 3], node[(axis + 2) % 3]);
    const auto from = static_cast<float>(node[axis]);
    int winding = 0;
    for (const Crossing& crossing : line) {
      if (crossing.position > from + 1 + kRounding) break;
      const bool was_solid = winding > 0;
      winding += crossing.winding;
      if (crossing.position < from - kRounding || was_solid == (winding > 0)) continue;
      return std::clamp<double>(crossing.position - from, kMargin, 1 - kMargin);
    }
    return std::nullopt;
  }

  // Vertices that close a gap have no place of their own: they are laid between their neighbours.
  void smoothBridges() {
    constexpr int kIterations = 10;
    std::map<std::int32_t, std::vector<std::int32_t>> neighbours;
    for (std::size_t i = 0; i < triangles_.size(); i += 3) {
      for (int c = 0; c < 3; ++c) {
        const std::int32_t vertex = triangles_[i + c];
        if (!is_bridge_[vertex]) continue;
        std::vector<std::int32_t>& around = neighbours[vertex];
        around.insert(around.end(), {triangles_[i + (c + 1) % 3], triangles_[i + (c + 2) % 3]});
      }
    }
    for (int i = 0; i < kIterations; ++i) {
      for (const auto& [vertex, around] : neighbours) {
        Eigen::Vector3f mean = Eigen::Vector3f::Zero();
        for (const std::int32_t other : around) mean += positionOf(other) / static_cast<float>(around.size());
        positionOf(vertex) = mean;
      }
    }
  }

  Eigen::Map<Eigen::Vector3f> positionOf(std::int32_t vertex) {
    return Eigen::Map<Eigen::Vector3f>(&positions_[3 * static_cast<std::size_t>(vertex)]);
  }

  const Grid& grid_;
  const Voxels& solid_;
  std::array<const Crossings*, 3> crossings_;
  std::array<std::vector<Polygon>, 256> polygons_;
  // Vertex on the edge from a node along each axis, of the slice of nodes below and the one above.
  std::array<std::array<std::vector<std::int32_t>, 3>, 2> vertex_;
  std::vector<float> positions_;
  std::vector<bool> is_bridge_;  // per vertex: it closes a gap
  std::vector<std::int32_t> triangles_;
};

}  // namespace

void ClosedMeshOptions::check() const {
  require(resolution_mm >= 0.05F && resolution_mm <= 20, "ClosedMeshOptions: resolution_mm is ",
          resolution_mm, "; expected 0.05 to 20");
}

ClosedMesh closedForPrinting(const Mesh& mesh, const ClosedMeshOptions& options) {
  options.check();
  mesh.check("closedForPrinting");
  require(mesh.triangles.rows() > 0, "closedForPrinting: the mesh has no triangles");

  // A closed, outward surface.
  Surface surface;
  for (Eigen::Index v = 0; v < mesh.vertices.rows(); ++v) {
    surface.points.emplace_back(mesh.vertices.row(v).cast<double>());
  }
  const Triangles welded = weldedTriangles(mesh.triangles, weldedVertices(mesh.vertices));
  for (Eigen::Index f = 0; f < welded.rows(); ++f) {
    const Triangle t = {welded(f, 0), welded(f, 1), welded(f, 2)};
    if (t[0] != t[1] && t[1] != t[2] && t[2] != t[0]) surface.triangles.push_back(t);
  }
  require(!surface.triangles.empty(), "closedForPrinting: all triangles of the mesh are degenerate");
  // Vertices without triangles have no say in where the base and the grid lie.
  Eigen::AlignedBox3d box;
  for (const Triangle& t : surface.triangles) {
    for (const int v : t) box.extend(surface.points[v]);
  }
  for (Point& point : surface.points) {
    if (!box.contains(point)) point = box.min();
  }
  const std::vector<std::vector<int>> loops = openings(surface.triangles);
  const auto longest = std::max_element(loops.begin(), loops.end(), [&](const auto& a, const auto& b) {
    return perimeter(surface.points, a) < perimeter(surface.points, b);
  });
  ClosedMesh result;
  for (auto loop = loops.begin(); loop != loops.end(); ++loop) {
    if (loop == longest && perimeter(surface.points, *loop) > 0.5 * box.diagonal().norm()) {
      result.base_direction = closeWithBase(surface, *loop).cast<float>();
    } else {
      closeWithFan(surface, *loop);
    }
  }
  turnOutwards(surface);

  // Solid or empty. The grid stands askew by fractions of a voxel, so that its lines do not run along the
  // edges and planes that meshes have at round coordinates; three nodes of margin are empty all round.
  Grid grid;
  grid.step = options.resolution_mm;
  grid.origin = box.min() - grid.step * Point(3.3719, 3.2871, 3.4137);
  double count = 1;
  for (int axis = 0; axis < 3; ++axis) {
    const double length = (box.max()[axis] - grid.origin[axis]) / grid.step + 4;
    count *= length;
    grid.size[axis] = static_cast<int>(std::min(length, 1e6));
  }
  require(count < 1e9, "closedForPrinting: at ", options.resolution_mm, " mm the mesh of ",
          box.diagonal().norm(), " mm needs a grid of ", count, " nodes; choose a coarser resolution_mm");
  const Crossings along_x(surface, grid, 0), along_y(surface, grid, 1), along_z(surface, grid, 2);
  Voxels solid(grid, along_x);
  solid.fillCavities();
  solid.keepLargestPart();

  result.mesh = SurfaceBuilder(grid, solid, {&along_x, &along_y, &along_z}).build();
  return result;
}

Mesh standingOnPlate(const ClosedMesh& closed) {
  Mesh mesh = closed.mesh;
  const Eigen::Matrix3f turn =
      Eigen::Quaternionf::FromTwoVectors(closed.base_direction, -Eigen::Vector3f::UnitZ()).toRotationMatrix();
  mesh.vertices = (closed.mesh.vertices * turn.transpose()).eval();
  const Eigen::RowVector3f low = mesh.vertices.colwise().minCoeff(),
                           high = mesh.vertices.colwise().maxCoeff();
  mesh.vertices.rowwise() -= Eigen::RowVector3f((low.x() + high.x()) / 2, (low.y() + high.y()) / 2, low.z());
  return mesh;
}

}  // namespace facet
