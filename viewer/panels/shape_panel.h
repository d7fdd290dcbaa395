#pragma once

#include <string>
#include <vector>

#include "viewer/panels/panel.h"

namespace facet {

// Sliders of everything that shapes the head.
class ShapePanel {
 public:
  void draw(PanelContext& context);
  ShapeGroup group = ShapeGroup::kShapes;
  float sigma_range = 3;
  bool symmetric = true;
  // Copies and pastes all parameters as JSON by the clipboard.
  static void copy(PanelContext& context);
  static void paste(PanelContext& context);

 private:
  struct Row {
    ShapeGroup group;
    int index;  // -1 = heading of the group
  };
  void drawTools(PanelContext& context, ShapedHead& head);
  void drawButtons(PanelContext& context);
  // Calls `change` with the groups that are listed; what it does to sliders that are not is taken back.
  template <typename Change>
  void changeListed(ShapedHead& head, const Change& change) const;
  void drawRow(PanelContext& context, const Row& row);
  void findRows(const ShapedHead& head);

  std::string filter_;
  std::vector<Row> rows_;
  unsigned seed_ = 1;
};

}  // namespace facet
