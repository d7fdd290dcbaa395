#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/check.h"

namespace facet {
namespace {

// One parallelFor call: threads take chunks from `next` until none is left.
struct Job {
  const std::function<void(int, int)>* body;
  int count;
  int chunk;
  std::atomic<int> next = 0;
  std::mutex error_mutex;
  std::exception_ptr error = nullptr;

  void work() {
    const int num_chunks = (count - 1) / chunk + 1;
    for (int i = next++; i < num_chunks; i = next++) {
      try {
        (*body)(i * chunk, count - i * chunk > chunk ? (i + 1) * chunk : count);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next = num_chunks;
      }
    }
  }
};

// Waking a sleeping thread takes as long as a small job (some 50 µs), and jobs often follow each other
// closely: a thread looks around this long before it goes to sleep. It yields meanwhile, so that others lose
// nothing.
constexpr std::chrono::microseconds kAwake{100};

template <typename Condition>
void lookAround(const Condition& condition) {
  const auto until = std::chrono::steady_clock::now() + kAwake;
  while (!condition() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

// Threads kept between calls, because starting one costs as much as a small job.
class Pool {
 public:
  ~Pool() { stop(); }

  // Runs the job on this thread and up to `num_workers` others.
  void run(Job& job, int num_workers) {
    if (static_cast<int>(workers_.size()) < num_workers) grow(num_workers);
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      openings_ = num_workers;
    }
    wake_.notify_all();
    job.work();
    {
      const std::lock_guard lock(mutex_);
      openings_ = 0;
    }
    lookAround([this] { return working_ == 0; });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return working_ == 0; });
    job_ = nullptr;
  }

 private:
  void grow(int num_workers) {
    while (static_cast<int>(workers_.size()) < num_workers) workers_.emplace_back([this] { serve(); });
  }

  void serve();

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  Job* job_ = nullptr;
  // Changed under the mutex, looked at without it.
  std::atomic<int> openings_ = 0;  // workers that may still join the job
  std::atomic<int> working_ = 0;
  bool stopping_ = false;
};

// A body that itself calls parallelFor runs that inner loop alone: the threads are busy already.
thread_local bool is_inside_job = false;

void Pool::serve() {
  is_inside_job = true;
  while (true) {
    lookAround([this] { return openings_ > 0; });
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || openings_ > 0; });
    if (stopping_) return;
    --openings_;
    ++working_;
    Job* const job = job_;
    lock.unlock();
    job->work();
    lock.lock();
    if (--working_ == 0) done_.notify_one();
  }
}

int hardwareThreads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::atomic<int> thread_count = 0;  // 0: the hardware's

}  // namespace

int numThreads() {
  const int count = thread_count;
  return count > 0 ? count : hardwareThreads();
}

void setNumThreads(int count) {
  require(count >= 0, "setNumThreads: ", count, " threads; give 1 or more, or 0 for the hardware's number");
  thread_count = count;
}

void parallelFor(int count, int chunk, const std::function<void(int, int)>& body) {
  require(chunk > 0, "parallelFor: chunk ", chunk, " must be positive");
  if (count <= 0) return;
  Job job{&body, count, chunk};
  const int num_workers = std::min(numThreads(), (count - 1) / chunk + 1) - 1;

  static std::mutex pool_mutex;  // one job at a time; a second caller works alone
  std::unique_lock pool_lock(pool_mutex, std::defer_lock);
  if (num_workers > 0 && !is_inside_job && pool_lock.try_lock()) {
    static Pool pool;
    is_inside_job = true;
    pool.run(job, num_workers);
    is_inside_job = false;
  } else {
    job.work();
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace facet
