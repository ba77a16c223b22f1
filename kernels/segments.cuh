// Many arrays in one launch: all parameters of a network, say, with their gradients.
//
// A network has tens of arrays, most of them short, and a launch takes microseconds; so one launch
// serves all of them, wherever they lie.  The table of their addresses is one of its arguments,
// which CUDA copies when the launch is made (4 KB at most): nothing is sent ahead, and a captured
// launch keeps its table.
//
// A segment is one array in each row of the table, all of one size.  Every block works on CHUNK
// numbers of one segment.
#pragma once

#define VECTOR 4
#include "streams.cuh"

#define ROWS 5
#define SEGMENTS 64
#define CHUNK (THREADS * VECTOR * 4)

struct Segments {
  float* at[ROWS][SEGMENTS];          // null rows: there is no such array
  unsigned long long size[SEGMENTS];  // numbers in the segment
  unsigned first[SEGMENTS];           // its first block
  unsigned char wide[SEGMENTS];       // whether its addresses are multiples of 16
  int count;
};

// The numbers that one thread visits: four from `i` on, every `step`, up to `end`.
struct Part {
  int segment;
  bool wide;
  size_t i, end;

  __device__ __forceinline__ explicit Part(const Segments& table) {
    int low = 0, high = table.count - 1;  // the last segment that begins no later than this block
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (table.first[middle] <= blockIdx.x) low = middle;
      else high = middle - 1;
    }
    const size_t begin = (size_t)(blockIdx.x - table.first[low]) * CHUNK, size = table.size[low];
    segment = low, wide = table.wide[low];
    i = begin + threadIdx.x * VECTOR;
    end = size - begin < CHUNK ? size : begin + CHUNK;
  }
  __device__ __forceinline__ bool inside() const { return i < end; }
  __device__ __forceinline__ void next() { i += THREADS * VECTOR; }

  __device__ __forceinline__ Vector get(const float* from) const {
    if (wide && i + VECTOR <= end) return load(from + i);
    Vector v;
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) v.at[k] = i + k < end ? from[i + k] : 0.f;
    return v;
  }
  __device__ __forceinline__ void put(float* to, const Vector& v) const {
    if (wide && i + VECTOR <= end) {
      store(to + i, v);
    } else {
#pragma unroll
      for (int k = 0; k < VECTOR; ++k)
        if (i + k < end) to[i + k] = v.at[k];
    }
  }
};
