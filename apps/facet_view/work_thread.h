#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace facet {

// A thread that does one piece of work after the other. Pieces do not throw.
class WorkThread {
 public:
  WorkThread();
  ~WorkThread() { stop(); }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  // Urgent pieces come before the others that wait.
  void add(std::function<void()> piece, bool urgent = false);
  // Drops what has not begun and waits for the end of the piece that runs.
  void stop();
  bool busy() const;

 private:
  void serve();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> urgent_, waiting_;
  bool working_ = false, stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

// Closures that other threads send to the main one; they are run in the order in which they came.
class MainQueue {
 public:
  // `wake` is called after each one that was sent, on the sender's thread.
  explicit MainQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  void send(std::function<void()> closure);
  std::vector<std::function<void()>> takeAll();
  bool empty() const;
  // Waits until something is there, or so long.
  void wait(double seconds) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable sent_;
  std::vector<std::function<void()>> closures_;
  std::function<void()> wake_;
};

}  // namespace facet
