// BatchNorm's statistics behind a convolution: mean and variance of each channel of y.
//
// The convolution has already added up each tile (epilogue.cuh).  What is left:
//
//     finish_sums       mean[c] = Σ tile sums / count
//     centred_squares   partial[c][slice] = Σ (y - mean[c])²
//     finish_sums       variance[c] = Σ partial / count
//
// Σ y² - count·mean² would save the second pass over y and loses all its digits where the mean is
// large against the deviation; the centred sum does not.  No atomics: the same bits in every run.
// Measured: not measured yet.
#include "common.cuh"

constexpr int THREADS = 256, WARPS = THREADS / 32;

// out[c] = Σ over parts of partial[c][part], divided by count.  One warp for each channel.
extern "C" __global__ void __launch_bounds__(THREADS) finish_sums(
    const float* __restrict__ partial, float* out, int channels, int parts, float count) {
  const int c = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
  float sum = 0.f;
  if (c < channels)
    for (int part = lane; part < parts; part += 32) sum += partial[(size_t)c * parts + part];
  sum = warp_sum(sum);
  if (c < channels && lane == 0) out[c] = sum / count;
}

// One block for slice blockIdx.x of channel blockIdx.y; y is [N][channels][pixels].
extern "C" __global__ void __launch_bounds__(THREADS) centred_squares(
    const float* __restrict__ y, const float* __restrict__ mean, float* partial, int N,
    int channels, const Divisor pixels) {
  __shared__ float warps[WARPS];
  const int c = blockIdx.y, numbers = N * pixels.value;
  const float centre = mean[c];
  float sum = 0.f;
  for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < (unsigned)numbers;
       i += gridDim.x * THREADS) {
    const int n = divide(i, pixels), pixel = i - n * pixels.value;
    const float deviation = y[((size_t)n * channels + c) * pixels.value + pixel] - centre;
    sum = fmaf(deviation, deviation, sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    sum = 0.f;
    for (int warp = 0; warp < WARPS; warp++) sum += warps[warp];
    partial[c * gridDim.x + blockIdx.x] = sum;
  }
}
