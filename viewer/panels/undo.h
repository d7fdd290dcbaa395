#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "viewer/subject.h"

namespace facet {

// What the user changed by hand, sliders of heads and landmarks of photos, to go back to.
class EditUndo {
 public:
  // Before a change of that head's sliders, or of that photo's landmarks; changes until the next settle()
  // with `busy` false are one step.
  void beginShape(const std::shared_ptr<Subject>& subject);
  void beginLandmarks(const std::shared_ptr<Subject>& subject);
  // Once per frame: ends the step when nothing is being dragged any more.
  void settle(bool busy);
  // Whether something was there to undo or to redo.
  bool undo();
  bool redo();
  bool canUndo() const { return !done_.empty(); }
  bool canRedo() const { return !undone_.empty(); }

 private:
  struct Step {
    std::weak_ptr<Subject> subject;
    // Sliders, of this head …
    std::weak_ptr<ShapedHead> head;
    std::array<Eigen::VectorXf, kNumShapeGroups> values;
    // … or landmarks, of this picture.
    std::optional<PhotoLandmarks> landmarks;
    std::weak_ptr<const Image8> photo;
  };
  static Step shapeStep(const std::shared_ptr<Subject>& subject);
  static Step landmarkStep(const std::shared_ptr<Subject>& subject);
  // The step back from where the subject stands now; nothing when what the step is of is gone.
  static std::optional<Step> opposite(const Step& step);
  static bool differs(const Step& step);
  static bool swap(std::vector<Step>& from, std::vector<Step>& to);

  std::optional<Step> pending_;
  std::vector<Step> done_, undone_;
};

}  // namespace facet
