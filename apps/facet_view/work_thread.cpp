#include "apps/facet_view/work_thread.h"

#include <chrono>
#include <utility>

namespace facet {

WorkThread::WorkThread() : thread_([this] { serve(); }) {}

void WorkThread::add(std::function<void()> piece, bool urgent) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    (urgent ? urgent_ : waiting_).push_back(std::move(piece));
  }
  wake_.notify_one();
}

void WorkThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    urgent_.clear();
    waiting_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool WorkThread::busy() const {
  const std::lock_guard lock(mutex_);
  return working_ || !urgent_.empty() || !waiting_.empty();
}

void WorkThread::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !urgent_.empty() || !waiting_.empty(); });
    if (stopping_) return;
    std::deque<std::function<void()>>& queue = urgent_.empty() ? waiting_ : urgent_;
    std::function<void()> piece = std::move(queue.front());
    queue.pop_front();
    working_ = true;
    lock.unlock();
    piece();
    piece = nullptr;
    lock.lock();
    working_ = false;
  }
}

void MainQueue::send(std::function<void()> closure) {
  {
    const std::lock_guard lock(mutex_);
    closures_.push_back(std::move(closure));
  }
  sent_.notify_all();
  if (wake_) wake_();
}

std::vector<std::function<void()>> MainQueue::takeAll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(closures_, {});
}

bool MainQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return closures_.empty();
}

void MainQueue::wait(double seconds) const {
  std::unique_lock lock(mutex_);
  sent_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return !closures_.empty(); });
}

}  // namespace facet
