#include "viewer/timeline.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("Timeline: shows the frames when they are due, at any speed") {
  Timeline timeline;
  timeline.setFrames({2.0, 2.1, 2.2, 2.5});
  CHECK_FALSE(timeline.advance(1));
  timeline.play();
  CHECK_FALSE(timeline.advance(0.05));
  CHECK(timeline.advance(0.06));
  CHECK(timeline.current() == 1);
  timeline.speed = 0.5;
  CHECK_FALSE(timeline.advance(0.15));
  CHECK(timeline.advance(0.05));
  CHECK(timeline.current() == 2);
}

TEST_CASE("Timeline: loops after the last frame has stood as long as the others, or stops there") {
  Timeline timeline;
  timeline.setFrames({0, 0.1, 0.2});
  timeline.play();
  CHECK(timeline.advance(0.25));
  CHECK(timeline.current() == 2);
  CHECK(timeline.advance(0.1));
  CHECK(timeline.current() == 0);
  CHECK(timeline.playing());
  timeline.loop = false;
  timeline.advance(5);
  CHECK(timeline.current() == 2);
  CHECK_FALSE(timeline.playing());
  timeline.play();  // from the start again
  CHECK(timeline.current() == 0);
}

TEST_CASE("Timeline: seeking stays within the clip and plays on, stepping pauses") {
  Timeline timeline;
  timeline.seek(3);
  timeline.play();
  CHECK_FALSE(timeline.playing());  // nothing to play
  timeline.setFrames({0, 1, 2});
  timeline.play();
  timeline.seek(9);
  CHECK(timeline.current() == 2);
  CHECK(timeline.playing());
  timeline.step(-1);
  CHECK(timeline.current() == 1);
  CHECK_FALSE(timeline.playing());
}
