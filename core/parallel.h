#pragma once

#include <functional>

namespace facet {

// Number of worker threads used by parallelFor; defaults to the hardware's, set by --threads.
int numThreads();
void setNumThreads(int count);

// Calls body(begin, end) on disjoint chunks that cover [0, count), on up to numThreads() threads. Chunk
// borders do not depend on the number of threads, so a body that writes only its own items gives equal
// results for any number.
void parallelFor(int count, int chunk, const std::function<void(int, int)>& body);

}  // namespace facet
