#pragma once

#include <memory>
#include <string>

#include "core/morphable_model.h"
#include "viewer/scene.h"

// Heads and pictures for the viewer's tests.
namespace facet::test {

// The synthetic head with named shapes as its last expressions, joints and regions.
inline MorphableModel shapedModel() {
  MorphableModel model = makeSyntheticModel(3, 8, 6, 3);
  model.expression_names = {"mood 0", "jawOpen", "mouth_smile_L", "mouthSmile_R", "jawLeft", "jawRight"};
  model.num_blendshapes = 5;
  const int count = model.numVertices();
  Skeleton skeleton;
  skeleton.names = {"root", "jaw", "left_eye", "right_eye"};
  skeleton.parent = {-1, 0, 0, 0};
  skeleton.regressor.resize(4, count);
  for (int j = 0; j < 4; ++j) skeleton.regressor.insert(j, 10 * j) = 1;
  skeleton.regressor.makeCompressed();
  skeleton.weights = Eigen::MatrixXf::Zero(count, 4);
  for (int v = 0; v < count; ++v) {
    const float jaw = model.mean(v, 1) < 0 ? 0.75F : 0.0F;
    skeleton.weights(v, 1) = jaw;
    skeleton.weights(v, 0) = 1 - jaw;
  }
  model.skeleton = skeleton;
  model.region_names = {"upper", "lower"};
  model.region.resize(static_cast<std::size_t>(count));
  for (int v = 0; v < count; ++v) model.region[v] = model.mean(v, 1) < 0;
  model.check();
  return model;
}

inline std::shared_ptr<Subject> subjectOf(MorphableModel model, const std::string& name = "head") {
  const auto subject = std::make_shared<Subject>();
  subject->name = name;
  subject->kind = "model";
  subject->head = std::make_shared<ShapedHead>(std::move(model));
  return subject;
}

inline Scene sceneOf(std::shared_ptr<Subject> subject) {
  Scene scene;
  scene.add(std::move(subject));
  return scene;
}

// Index of a control by its name; throws for a name that the head has not.
inline int controlIndex(const ShapedHead& head, ShapeGroup group, const std::string& name) {
  const auto& controls = head.controls(group);
  for (int i = 0; i < static_cast<int>(controls.size()); ++i) {
    if (controls[i].name == name) return i;
  }
  throw std::invalid_argument("no control " + name);
}

}  // namespace facet::test
