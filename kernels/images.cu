// Images of bytes as a network sees them: the chosen ones of a data set, x/127.5 - 1 in float32.
//
// A batch is gathered and scaled where the data lie, in one launch that reads 1 and writes 4 bytes a
// number; as array operations it is four launches and 26 bytes.  Quotient and difference are
// rounded one by one, as on the CPU: the same bits.
//
// Measured: not measured yet.
#include "streams.cuh"

struct alignas(VECTOR) Bytes {
  unsigned char at[VECTOR];
};

// x/127.5, rightly rounded for every byte: a product, and what is missing to x.  A division would
// prepare for numbers that no byte is.
static __device__ __forceinline__ float quotient(float x) {
  const float inverse = 1.f / 127.5f, about = __fmul_rn(x, inverse);
  return __fmaf_rn(__fmaf_rn(-about, 127.5f, x), inverse, about);
}

// y[i] is image chosen[i], or image i where `chosen` is null; `size` bytes each.  Block (part, i).
extern "C" __global__ void __launch_bounds__(THREADS) centred(
    const unsigned char* images, const long long* chosen, float* y, size_t size, int count) {
  for (int i = blockIdx.y; i < count; i += gridDim.y) {
    const unsigned char* from = images + (chosen ? (size_t)chosen[i] : (size_t)i) * size;
    for (size_t p = flat_first(); p < size; p += flat_stride()) {
      const Bytes bytes = *reinterpret_cast<const Bytes*>(from + p);
      Vector v;
#pragma unroll
      for (int k = 0; k < VECTOR; ++k) v.at[k] = __fsub_rn(quotient((float)bytes.at[k]), 1.f);
      store(y + i * size + p, v);
    }
  }
}
