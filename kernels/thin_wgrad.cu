// wgrad at the image ends of a network: x or dy has 1 to 4 channels.
//
//   dw[k, c, r, s] = Σ over n, p, q of  dy[n, k, p, q] · x[n, c, p·stride + r·step + first, …]
//
// The result is small (64×3×4×4: 3072 numbers) and the sum long (65,536 pixels of a batch of 64),
// so pixels are what threads divide.  A thread keeps GRADIENTS × CHANNELS × TAPS sums in registers,
// 4×3×4 for an image of 3 channels and k4: a pixel costs it 4 + 12 reads and 48 multiply-adds.  A
// block adds up its threads by shuffles and its warps through shared memory, once; add_parts adds
// the blocks that took other pixels, in their order.  No atomics: the same bits in every run.
//
// dy is read once for each filter row and each 4 taps in it: 4 times for k4, from L2 where it fits.
//
// Measured: not measured yet.
#include "common.cuh"

#ifndef GRADIENTS
#define GRADIENTS 4  // channels of dy in a thread
#define CHANNELS 3   // channels of x
#define TAPS 4       // taps of a filter row
#endif
constexpr int THREADS = 256, WARPS = THREADS / 32, SUMS = GRADIENTS * CHANNELS * TAPS;

struct Parts {
  int across, pieces;  // blocks of CHANNELS and of TAPS that cover C and S
  int range;           // pixels of a block
};

// blockIdx = (GRADIENTS and CHANNELS of a group, filter row and piece of it, range of pixels).
// parts is [ranges][K of all groups][C][R][S].
extern "C" __global__ void __launch_bounds__(THREADS) thin_wgrad(
    const float* __restrict__ x, const float* __restrict__ dy, float* parts, const Conv conv,
    const Parts sizes) {
  __shared__ float shared[WARPS][SUMS];
  const int down = (conv.K + GRADIENTS - 1) / GRADIENTS;
  const int group = blockIdx.x / (down * sizes.across), tile = blockIdx.x % (down * sizes.across);
  const int first_k = tile / sizes.across * GRADIENTS, first_c = tile % sizes.across * CHANNELS;
  const int r = blockIdx.y / sizes.pieces, first_s = blockIdx.y % sizes.pieces * TAPS;
  const int outputs = conv.P * conv.Q, plane = conv.H * conv.W;
  const int begin = blockIdx.z * sizes.range, end = min(begin + sizes.range, conv.N * outputs);
  float sums[GRADIENTS][CHANNELS][TAPS] = {};
  for (int i = begin + threadIdx.x; i < end; i += THREADS) {
    const int n = divide(i, conv.by_PQ), pq = i - n * outputs;
    const int p = divide(pq, conv.by_Q), q = pq - p * conv.Q;
    const int h = p * conv.stride_h + r * conv.step_h + conv.first_h;
    const int w = q * conv.stride_w + first_s * conv.step_w + conv.first_w;
    const float* gradient = dy + ((n * conv.groups + group) * conv.K + first_k) * outputs + pq;
    const float* row = x + ((n * conv.groups + group) * conv.C + first_c) * plane + h * conv.W;
    const bool inside = (unsigned)h < (unsigned)conv.H;
    float g[GRADIENTS];
#pragma unroll
    for (int k = 0; k < GRADIENTS; ++k)
      g[k] = first_k + k < conv.K ? __ldg(gradient + k * outputs) : 0.f;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
#pragma unroll
      for (int s = 0; s < TAPS; ++s) {
        const int at = w + s * conv.step_w;
        const bool seen = inside && first_c + c < conv.C && (unsigned)at < (unsigned)conv.W;
        const float v = seen ? __ldg(row + c * plane + at) : 0.f;
#pragma unroll
        for (int k = 0; k < GRADIENTS; ++k) sums[k][c][s] = fmaf(g[k], v, sums[k][c][s]);
      }
  }
#pragma unroll
  for (int k = 0; k < GRADIENTS; ++k)
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
#pragma unroll
      for (int s = 0; s < TAPS; ++s) {
        const float sum = warp_sum(sums[k][c][s]);
        if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32][(k * CHANNELS + c) * TAPS + s] = sum;
      }
  __syncthreads();
  for (int i = threadIdx.x; i < SUMS; i += THREADS) {
    const int s = first_s + i % TAPS, c = first_c + i / TAPS % CHANNELS;
    const int k = first_k + i / TAPS / CHANNELS;
    float sum = 0.f;
    for (int warp = 0; warp < WARPS; ++warp) sum += shared[warp][i];
    if (k < conv.K && c < conv.C && s < conv.S) {
      const int channel = blockIdx.z * conv.groups * conv.K + group * conv.K + k;
      parts[((size_t)channel * conv.C + c) * conv.R * conv.S + r * conv.S + s] = sum;
    }
  }
}

// dw[i] = parts[0][i] + parts[1][i] + …
extern "C" __global__ void __launch_bounds__(THREADS) add_parts(
    const float* __restrict__ parts, float* dw, int ranges, int size) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i < size) {
    float sum = 0.f;
    for (int range = 0; range < ranges; ++range) sum += parts[(size_t)range * size + i];
    dw[i] = sum;
  }
}
