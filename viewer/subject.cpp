#include "viewer/subject.h"

namespace facet {

void applyTo(ShapedHead& head, const SubjectFrame& frame) {
  if (frame.expression.size() > 0) head.setAll(ShapeGroup::kExpression, frame.expression);
  if (frame.shapes.size() > 0) head.setAll(ShapeGroup::kShapes, frame.shapes);
  if (frame.joints_deg.size() > 0) head.setAll(ShapeGroup::kJoints, frame.joints_deg);
}

bool drives(const SubjectFrame& frame, ShapeGroup group) {
  return (group == ShapeGroup::kExpression && frame.expression.size() > 0) ||
         (group == ShapeGroup::kShapes && frame.shapes.size() > 0) ||
         (group == ShapeGroup::kJoints && frame.joints_deg.size() > 0);
}

bool hasUnsavedWork(const Subject& subject) { return subject.unsaved || subject.edited; }

}  // namespace facet
