#include "viewer/scene.h"

#include <doctest/doctest.h>

#include "tests/render/shapes.h"
#include "tests/viewer/heads.h"
#include "viewer/surface.h"

using namespace facet;
using facet::test::shapedModel;
using facet::test::subjectOf;

TEST_CASE("Scene: the first head is framed, later ones are shown through the same camera") {
  Scene scene;
  scene.add(subjectOf(shapedModel(), "a"));
  CHECK(scene.current == 0);
  const float distance = scene.camera.distance_mm;
  CHECK(distance != OrbitCamera().distance_mm);
  MorphableModel large = shapedModel();
  large.mean *= 3;
  scene.add(subjectOf(large, "b"));
  CHECK(scene.subject()->name == "b");
  CHECK(scene.camera.distance_mm == distance);
  scene.frameCamera();
  CHECK(scene.camera.distance_mm > 2 * distance);
}

TEST_CASE("Scene: closing keeps current and second what they were, or goes on to a neighbour") {
  Scene scene;
  for (const char* name : {"a", "b", "c"}) scene.add(subjectOf(shapedModel(), name));
  scene.second = 1;
  scene.close(0);
  CHECK(scene.subject()->name == "c");
  CHECK(scene.secondSubject()->name == "b");
  scene.close(scene.current);
  CHECK(scene.subject()->name == "b");
  CHECK(scene.secondSubject() == nullptr);
  scene.close(0);
  CHECK(scene.subject() == nullptr);
  scene.close(0);
  scene.applyFrame();
  scene.frameCamera();
}

TEST_CASE("Scene: the timeline is the current clip's and drives its head") {
  const auto clip = subjectOf(shapedModel(), "clip");
  for (int i = 0; i < 3; ++i) {
    SubjectFrame frame;
    frame.time_s = 0.04 * i;
    frame.shapes = Eigen::VectorXf::Constant(5, 0.25F * static_cast<float>(i));
    clip->frames.push_back(frame);
  }
  Scene scene;
  scene.add(clip);
  scene.add(subjectOf(shapedModel(), "still"));
  CHECK(scene.timeline.numFrames() == 0);
  scene.show(0);
  REQUIRE(scene.timeline.numFrames() == 3);
  scene.timeline.seek(2);
  clip->head->set(ShapeGroup::kIdentity, 0, 1);
  scene.applyFrame();
  CHECK(clip->head->value(ShapeGroup::kShapes, 4) == 0.5F);
  CHECK(clip->head->value(ShapeGroup::kIdentity, 0) == 1);  // frames say nothing of it
}

TEST_CASE("Scene: a shaped head is as it was left when it is shown again, a clip at the same frame") {
  const auto portrait = subjectOf(shapedModel(), "portrait");
  SubjectFrame photo;
  photo.shapes = Eigen::VectorXf::Constant(5, 0.5F);
  portrait->frames = {photo};
  Scene scene;
  scene.add(portrait);
  CHECK(portrait->head->value(ShapeGroup::kShapes, 0) == 0.5F);
  portrait->head->set(ShapeGroup::kShapes, 0, 0.9F);
  const auto clip = subjectOf(shapedModel(), "clip");
  clip->frames = {photo, photo, photo};
  for (int i = 0; i < 3; ++i) clip->frames[i].time_s = i;
  scene.add(clip);
  scene.show(0);
  CHECK(portrait->head->value(ShapeGroup::kShapes, 0) == 0.9F);
  const auto other_take = std::make_shared<Subject>(*clip);
  scene.add(other_take);
  scene.timeline.seek(2);
  scene.show(1);
  CHECK(scene.timeline.current() == 2);
}

TEST_CASE("Scene: what is said twice stands there once") {
  Scene scene;
  scene.say(MessageKind::kError, "broken");
  scene.messages[0].shown_s = 4;
  scene.say(MessageKind::kError, "broken");
  REQUIRE(scene.messages.size() == 1);
  CHECK(scene.messages[0].shown_s == 0);
  scene.say(MessageKind::kInfo, "done");
  CHECK(scene.messages.size() == 2);
}

TEST_CASE("surfaceLayout: triangles stand by material, vertices are split at the texture's seams") {
  const Mesh sphere = test::makeSphere(8, 12, 10);
  std::vector<std::uint8_t> material(static_cast<std::size_t>(sphere.triangles.rows()), 0);
  for (std::size_t f = 0; f < material.size(); f += 3) material[f] = 2;
  const auto layout = surfaceLayout(sphere, material);
  REQUIRE(layout->parts.size() == 2);
  CHECK(layout->parts[0].material == 0);
  CHECK(layout->parts[1].material == 2);
  CHECK(layout->parts[1].first_triangle == layout->parts[0].num_triangles);
  CHECK(layout->parts[0].num_triangles + layout->parts[1].num_triangles == sphere.triangles.rows());
  CHECK(layout->vertex.size() > static_cast<std::size_t>(sphere.vertices.rows()));
  for (Eigen::Index f = 0; f < layout->triangles.rows(); ++f) {
    const int original = layout->triangle[f];
    CHECK(material[original] == (f < layout->parts[0].num_triangles ? 0 : 2));
    for (int k = 0; k < 3; ++k) {
      CHECK(layout->vertex[layout->triangles(f, k)] == sphere.triangles(original, k));
      CHECK(layout->uv.row(layout->triangles(f, k)) == sphere.uv.row(sphere.uv_triangles(original, k)));
    }
  }
  CHECK(surfaceLayout(sphere, {})->id != layout->id);
  CHECK(surfaceLayout(sphere, {})->parts.size() == 1);
}

TEST_CASE("Scene: a head goes back to the shape that it was added with, a clip's to that of its frame") {
  Scene scene;
  auto subject = std::make_shared<Subject>();
  subject->head = std::make_shared<ShapedHead>(makeSyntheticModel());
  ShapedHead& head = *subject->head;
  head.set(ShapeGroup::kIdentity, 0, 1.5F);
  scene.add(subject);
  head.set(ShapeGroup::kIdentity, 0, -1);
  head.resetToHome(ShapeGroup::kIdentity);
  CHECK(head.value(ShapeGroup::kIdentity, 0) == 1.5F);
  head.reset(ShapeGroup::kIdentity);
  CHECK(head.value(ShapeGroup::kIdentity, 0) == 0);
  head.setCoefficients(Eigen::VectorXf::Constant(1, 0.5F), {}, {});
  CHECK(head.home(ShapeGroup::kIdentity)[0] == 1.5F);

  subject->frames.resize(2);
  for (int i = 0; i < 2; ++i) {
    subject->frames[i].time_s = i;
    subject->frames[i].shapes = Eigen::VectorXf::Constant(1, static_cast<float>(i) + 1);
  }
  scene.show(0);
  scene.timeline.seek(1);
  scene.applyFrame();
  head.set(ShapeGroup::kShapes, 0, -2);
  head.resetToHome(ShapeGroup::kShapes);
  CHECK(head.value(ShapeGroup::kShapes, 0) == 2);
  CHECK(head.home(ShapeGroup::kIdentity)[0] == 1.5F);
}
