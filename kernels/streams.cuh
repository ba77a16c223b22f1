// What the kernels that stream through memory share: wide loads, the walk along one channel of an
// NCHW tensor, and sums whose order is fixed.
//
// A sum over a whole tensor is made in two stages.  Each block adds what it reads, in an order that
// depends on the thread's number only, and writes its sum to a place of its own; whoever needs the
// total adds those in order.  No atomics: the result is the same to the last bit on every run, on
// every GPU, in whatever order the blocks happen to run.
#pragma once

#ifndef VECTOR
#define VECTOR 1  // numbers fetched at once: 4 where the sizes allow it, 16 bytes a load
#endif
#define THREADS 256  // in every block of these kernels
#define WARPS (THREADS / 32)

struct alignas(4 * VECTOR) Vector {
  float at[VECTOR];
};

static __device__ __forceinline__ Vector load(const float* from) {
  return *reinterpret_cast<const Vector*>(from);
}
static __device__ __forceinline__ void store(float* to, const Vector& value) {
  *reinterpret_cast<Vector*>(to) = value;
}

// The numbers of a flat array that one thread visits: from flat_first() on, every flat_stride().
static __device__ __forceinline__ size_t flat_first() {
  return ((size_t)blockIdx.x * THREADS + threadIdx.x) * VECTOR;
}
static __device__ __forceinline__ size_t flat_stride() {
  return (size_t)gridDim.x * THREADS * VECTOR;
}

// The sum of `value` over all threads of the block, given to each of them.  `scratch` holds WARPS
// numbers of shared memory.
template <class T>
static __device__ __forceinline__ T block_sum(T value, T* scratch) {
#pragma unroll
  for (int far = 16; far > 0; far >>= 1) value += __shfl_down_sync(0xffffffffu, value, far);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  T sum = scratch[0];
#pragma unroll
  for (int warp = 1; warp < WARPS; ++warp) sum += scratch[warp];
  __syncthreads();  // the scratch may be used again
  return sum;
}

// A tensor N×C×H×W seen by channel: N runs of `inner` = H·W numbers, C runs apart.
struct Channels {
  int batch, channels, inner;
};

// The part of one channel that one thread visits: slice `blockIdx.y` of `gridDim.y`.  A step of
// `stride` vectors is `over` images and `along` numbers; carrying the run's end spares the division.
struct Walk {
  int n, p, over, along, run;
  size_t start, image;
  Channels shape;

  __device__ __forceinline__ Walk(const Channels& s, int channel) : shape(s) {
    const int first = blockIdx.y * THREADS + threadIdx.x, stride = gridDim.y * THREADS;
    run = s.inner / VECTOR;
    n = first / run, p = first - n * run;
    over = stride / run, along = stride - over * run;
    image = (size_t)s.channels * s.inner;
    start = (size_t)channel * s.inner;
  }
  __device__ __forceinline__ bool inside() const { return n < shape.batch; }
  __device__ __forceinline__ size_t at() const { return start + n * image + (size_t)p * VECTOR; }
  __device__ __forceinline__ void next() {
    p += along, n += over;
    if (p >= run) p -= run, ++n;
  }
};

// The sum, in order, of one number from each slice of a channel.
static __device__ __forceinline__ float in_order(const float* parts, int count) {
  float sum = 0.f;
  for (int i = 0; i < count; ++i) sum += parts[i];
  return sum;
}
