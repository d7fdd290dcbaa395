#pragma once

// Marks small functions that run on the host and inside CUDA kernels; the same header compiles with g++
// alone.
#if defined(__CUDACC__)
#define FACET_HD __host__ __device__
#else
#define FACET_HD
#endif
