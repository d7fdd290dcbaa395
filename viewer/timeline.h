#pragma once

#include <vector>

namespace facet {

// Which frame of a clip is shown, and when the next one is due.
class Timeline {
 public:
  // Times of the frames, s, rising; a photo has one.
  void setFrames(std::vector<double> time_s);

  int numFrames() const { return static_cast<int>(time_s_.size()); }
  int current() const { return current_; }
  double time_s(int frame) const { return time_s_.at(frame); }
  void seek(int frame);   // clamped; does not stop playing
  void step(int frames);  // stops playing
  void play();            // from the start if it stands at the end
  void pause() { playing_ = false; }
  bool playing() const { return playing_; }
  bool loop = true;
  double speed = 1;  // of playing; 0.25 to 2 are offered
  // Moves on by `seconds` of real time; whether another frame is shown now.
  bool advance(double seconds);

 private:
  std::vector<double> time_s_;
  int current_ = 0;
  bool playing_ = false;
  double clock_s_ = 0;
};

}  // namespace facet
