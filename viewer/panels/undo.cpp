#include "viewer/panels/undo.h"

#include <utility>

namespace facet {
namespace {

constexpr std::size_t kMaxSteps = 100;

}  // namespace

EditUndo::Step EditUndo::shapeStep(const std::shared_ptr<Subject>& subject) {
  Step step{subject, subject->head, {}, {}, {}};
  for (int group = 0; group < kNumShapeGroups; ++group) {
    step.values[static_cast<std::size_t>(group)] = subject->head->values(static_cast<ShapeGroup>(group));
  }
  return step;
}

EditUndo::Step EditUndo::landmarkStep(const std::shared_ptr<Subject>& subject) {
  return {subject, {}, {}, subject->landmarks, subject->photo};
}

void EditUndo::beginShape(const std::shared_ptr<Subject>& subject) {
  const bool goes_on = pending_ && !pending_->landmarks && pending_->head.lock() == subject->head;
  if (!goes_on) pending_ = shapeStep(subject);
}

void EditUndo::beginLandmarks(const std::shared_ptr<Subject>& subject) {
  const bool goes_on = pending_ && pending_->landmarks && pending_->subject.lock() == subject;
  if (!goes_on) pending_ = landmarkStep(subject);
}

std::optional<EditUndo::Step> EditUndo::opposite(const Step& step) {
  const std::shared_ptr<Subject> subject = step.subject.lock();
  if (!subject) return std::nullopt;  // closed since
  if (step.landmarks) {
    if (subject->photo != step.photo.lock()) return std::nullopt;  // of another frame
    return landmarkStep(subject);
  }
  const std::shared_ptr<ShapedHead> head = step.head.lock();
  if (!head || head != subject->head) return std::nullopt;
  return shapeStep(subject);
}

bool EditUndo::differs(const Step& step) {
  const std::optional<Step> now = opposite(step);
  if (!now) return false;
  if (!step.landmarks) return now->values != step.values;
  return now->landmarks->moved != step.landmarks->moved ||
         now->landmarks->ibug68.positions_px != step.landmarks->ibug68.positions_px;
}

void EditUndo::settle(bool busy) {
  if (!pending_ || busy) return;
  if (differs(*pending_)) {
    done_.push_back(std::move(*pending_));
    if (done_.size() > kMaxSteps) done_.erase(done_.begin());
    undone_.clear();
  }
  pending_.reset();
}

bool EditUndo::swap(std::vector<Step>& from, std::vector<Step>& to) {
  while (!from.empty()) {
    const Step step = std::move(from.back());
    from.pop_back();
    std::optional<Step> back = opposite(step);
    if (!back) continue;
    to.push_back(std::move(*back));
    const std::shared_ptr<Subject> subject = step.subject.lock();
    if (step.landmarks) {
      subject->landmarks = *step.landmarks;
      return true;
    }
    for (int g = 0; g < kNumShapeGroups; ++g)
      subject->head->setAll(static_cast<ShapeGroup>(g), step.values[static_cast<std::size_t>(g)]);
    subject->edited = true;
    return true;
  }
  return false;
}

bool EditUndo::undo() { return swap(done_, undone_); }
bool EditUndo::redo() { return swap(undone_, done_); }

}  // namespace facet
