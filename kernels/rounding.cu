// float32 numbers with BF16's eight binary digits, and BF16 as what waits in memory.
//
//   kernel    reads + writes         as array operations
//   rounded   4 + 4 bytes a number   9 launches, 70 bytes
//   packed    4 + 2                  10 launches, 76 bytes
//   unpacked  2 + 4                  2 launches, 14 bytes
//
// BF16 is the upper half of a float32.  The nearest one is found by adding half of what is cut off,
// or a little less if the last bit that stays is 0: then a tie goes to the even number.  What is
// beyond the largest by half a step or more carries into the exponent and becomes infinite, as it
// should; a NaN's bits could carry too, so it is told apart and made quiet.
//
// Measured: not measured yet.
#include "streams.cuh"

struct alignas(2 * VECTOR) Halves {
  unsigned short at[VECTOR];
};

static __device__ __forceinline__ unsigned nearest(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return bits >> 16 | 0x40u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static __device__ __forceinline__ float widened(unsigned half) {
  return __uint_as_float(half << 16);
}

// y = x to eight binary digits.  y may be x.
extern "C" __global__ void __launch_bounds__(THREADS) rounded(const float* x, float* y, size_t n) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector v = load(x + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) v.at[k] = widened(nearest(v.at[k]));
    store(y + i, v);
  }
}

// The upper halves of the rounded numbers.
extern "C" __global__ void __launch_bounds__(THREADS) packed(
    const float* x, unsigned short* halves, size_t n) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    const Vector v = load(x + i);
    Halves h;
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) h.at[k] = (unsigned short)nearest(v.at[k]);
    *reinterpret_cast<Halves*>(halves + i) = h;
  }
}

// The numbers whose upper halves these are.
extern "C" __global__ void __launch_bounds__(THREADS) unpacked(
    const unsigned short* halves, float* x, size_t n) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    const Halves h = *reinterpret_cast<const Halves*>(halves + i);
    Vector v;
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) v.at[k] = widened(h.at[k]);
    store(x + i, v);
  }
}
