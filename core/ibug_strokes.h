#pragma once

#include <array>

namespace facet {

// The iBUG-68 landmarks as lines to draw: jaw, brows, bridge and bottom of the nose, eyes, outer and inner
// lips, each from its first point to its last.
struct IbugStroke {
  int first, last;
  bool is_closed;
};
inline constexpr std::array<IbugStroke, 9> kIbugStrokes = {{{0, 16, false},
                                                            {17, 21, false},
                                                            {22, 26, false},
                                                            {27, 30, false},
                                                            {31, 35, false},
                                                            {36, 41, true},
                                                            {42, 47, true},
                                                            {48, 59, true},
                                                            {60, 67, true}}};

}  // namespace facet
