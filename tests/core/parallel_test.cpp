#include "core/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

using namespace facet;

namespace {

struct ThreadCount {
  explicit ThreadCount(int count) { setNumThreads(count); }
  ~ThreadCount() { setNumThreads(0); }
};

}  // namespace

TEST_CASE("parallelFor: every item is visited once, with equal chunks for any number of threads") {
  for (const int threads : {1, 2, 7}) {
    const ThreadCount guard(threads);
    CHECK(numThreads() == threads);
    std::vector<std::atomic<int>> visits(1003);
    std::atomic<int> odd_chunks = 0;
    parallelFor(1003, 10, [&](int begin, int end) {
      if (begin % 10 != 0 || end - begin != (begin == 1000 ? 3 : 10)) ++odd_chunks;
      for (int i = begin; i < end; ++i) ++visits[i];
    });
    CHECK(odd_chunks == 0);
    for (const auto& count : visits) CHECK(count == 1);
  }
}

TEST_CASE("parallelFor: nothing to do is fine") {
  parallelFor(0, 8, [](int, int) { FAIL("called"); });
}

TEST_CASE("parallelFor: an exception of the body reaches the caller, and the next call works") {
  const ThreadCount guard(4);
  CHECK_THROWS_WITH_AS(parallelFor(100, 1,
                                   [](int begin, int) {
                                     if (begin == 50) throw std::runtime_error("fifty");
                                   }),
                       "fifty", std::runtime_error);
  std::atomic<int> sum = 0;
  parallelFor(100, 1, [&](int begin, int) { sum += begin; });
  CHECK(sum == 4950);
}

TEST_CASE("parallelFor: a loop inside a loop finishes") {
  const ThreadCount guard(4);
  std::atomic<int> count = 0;
  parallelFor(20, 1,
              [&](int, int) { parallelFor(30, 4, [&](int begin, int end) { count += end - begin; }); });
  CHECK(count == 600);
}
