// Random numbers made where they are needed: uniform, normal, whole and bernoulli.
//
// Philox4x32-10 is a function, not a machine: ten rounds of multiplying and mixing turn a counter of
// 128 bits and a key of 64 into four words of 32 bits, and every counter gives others.  Number i of
// an array is made from counter `base + offset + i/4`, whoever computes it: the numbers do not
// depend on the grid, nor on the GPU, and no thread waits for another.
//
// Key and base lie in the GPU's memory.  The host counts what is drawn and gives every draw its
// offset; a captured sequence of draws ends with `go_on`, so that each replay draws new numbers.
//
// 16 bytes a counter, some 90 integer operations: for float32 about as long as writing them takes.
//
// Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"; Box &
// Muller 1958.
//
// Measured: not measured yet.
#include "streams.cuh"

typedef unsigned long long u64;

struct Philox {
  u64 key, base, stream;  // the counter is (base + offset, stream)
};
struct Four {
  unsigned at[4];
};

static __device__ __forceinline__ Four philox(const Philox& state, u64 place) {
  unsigned a = (unsigned)place, b = (unsigned)(place >> 32);
  unsigned c = (unsigned)state.stream, d = (unsigned)(state.stream >> 32);
  unsigned k = (unsigned)state.key, l = (unsigned)(state.key >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned high0 = __umulhi(0xD2511F53u, a), low0 = 0xD2511F53u * a;
    const unsigned high1 = __umulhi(0xCD9E8D57u, c), low1 = 0xCD9E8D57u * c;
    a = high1 ^ b ^ k, b = low1, c = high0 ^ d ^ l, d = low0;
    k += 0x9E3779B9u, l += 0xBB67AE85u;
  }
  return {{a, b, c, d}};
}

// y[i] = value(words, i % N) for N numbers from each counter.
template <int N, class T, class Value>
static __device__ __forceinline__ void fill(
    const Philox* from, size_t offset, T* y, size_t n, const Value& value) {
  const Philox state = *from;
  const size_t stride = (size_t)gridDim.x * THREADS;
  for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i * N < n; i += stride) {
    const Four words = philox(state, state.base + offset + i);
#pragma unroll
    for (int k = 0; k < N; ++k)
      if (i * N + k < n) y[i * N + k] = value(words, k);
  }
}

// Multiples of 2⁻²⁴ and 2⁻⁵³ from 0 to below 1, and for logarithms numbers above 0.
static __device__ __forceinline__ float unit(unsigned word) { return (word >> 8) * 0x1p-24f; }
static __device__ __forceinline__ double unit(unsigned high, unsigned low) {
  return ((high >> 5) * 67108864. + (low >> 6)) * 0x1p-53;
}
static __device__ __forceinline__ float above_zero(unsigned word) {
  return fmaf((float)word, 0x1p-32f, 0x1p-33f);
}

extern "C" __global__ void __launch_bounds__(THREADS) words(
    const Philox* state, size_t offset, unsigned* y, size_t n) {
  fill<4>(state, offset, y, n, [](const Four& w, int k) { return w.at[k]; });
}

extern "C" __global__ void __launch_bounds__(THREADS) uniform(
    const Philox* state, size_t offset, float* y, size_t n) {
  fill<4>(state, offset, y, n, [](const Four& w, int k) { return unit(w.at[k]); });
}

extern "C" __global__ void __launch_bounds__(THREADS) uniform_double(
    const Philox* state, size_t offset, double* y, size_t n) {
  fill<2>(state, offset, y, n, [](const Four& w, int k) {
    return unit(w.at[2 * k], w.at[2 * k + 1]);
  });
}

// √(-2 ln u)·cos 2πv and √(-2 ln u)·sin 2πv from two uniform numbers u and v.
extern "C" __global__ void __launch_bounds__(THREADS) normal(
    const Philox* state, size_t offset, float* y, size_t n) {
  fill<4>(state, offset, y, n, [](const Four& w, int k) {
    const float radius = sqrtf(-2.f * logf(above_zero(w.at[k & 2])));
    const float angle = 2.f * unit(w.at[(k & 2) + 1]);
    return radius * (k & 1 ? sinpif(angle) : cospif(angle));
  });
}

extern "C" __global__ void __launch_bounds__(THREADS) normal_double(
    const Philox* state, size_t offset, double* y, size_t n) {
  fill<2>(state, offset, y, n, [](const Four& w, int k) {
    const double radius = sqrt(-2. * log(unit(w.at[0], w.at[1]) + 0x1p-54));
    const double angle = 2. * unit(w.at[2], w.at[3]);
    return radius * (k & 1 ? sinpi(angle) : cospi(angle));
  });
}

// low + ⌊span·x/2⁶⁴⌋ for a word x of 64 bits: uneven by span/2⁶⁴ at most.
extern "C" __global__ void __launch_bounds__(THREADS) integers(
    const Philox* state, size_t offset, long long* y, size_t n, long long low, size_t span) {
  fill<2>(state, offset, y, n, [=](const Four& w, int k) {
    const u64 word = (u64)w.at[2 * k] << 32 | w.at[2 * k + 1];
    return low + (long long)__umul64hi(word, span);
  });
}

// 0 with probability p, else 1: what dropout multiplies by.
extern "C" __global__ void __launch_bounds__(THREADS) kept(
    const Philox* state, size_t offset, float* y, size_t n, float p) {
  fill<4>(state, offset, y, n, [=](const Four& w, int k) {
    return unit(w.at[k]) >= p ? 1.f : 0.f;
  });
}

// The state as the host gives it, with the launch's arguments.
extern "C" __global__ void __launch_bounds__(THREADS) begin(Philox* state, const Philox from) {
  if (threadIdx.x == 0) *state = from;
}

// So many counters are used up.
extern "C" __global__ void __launch_bounds__(THREADS) go_on(Philox* state, size_t count) {
  if (threadIdx.x == 0) state->base += count;
}
