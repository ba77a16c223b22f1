// wgrad, rungs 1 to 5: dw (K, C/groups, R, S) from x (N, C, H, W) and dy (N, K, P, Q).
//
//     rows     output channels of one group      dy, as it stands
//     columns  (c, r, s)                         looked up in x
//     depth    pixels (n, p, q) of y
//
// A filter is small and the depth is long: 128×64×4×4 numbers are 8 tiles of 128×128, while a GPU
// has over 100 SMs, and each sums over the pixels of all images.  So the depth is split: every
// split adds up its own range into a copy of dw, and a second kernel adds the copies in their
// order.  Atomic additions would save that kernel, which reads splits · 4 B for each number of dw,
// and make the result differ in its last bits from run to run.
//
// What changes from rung to rung stands in rungs.cuh.
// Measured: not measured yet.
#ifndef MASK
#define MASK 0  // 1: dy is the gradient behind a LeakyReLU
#endif
#include "tile_gemm.cuh"

// blockIdx = (tile of columns, tile of rows, group and split); a split is ``range`` pixels, a
// multiple of 4 (16-byte loads).  partial is [splits][K][C/groups·R·S].
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) wgrad(
    const float* __restrict__ x, const float* __restrict__ dy, const float* __restrict__ saved,
    float slope, float* partial, int range, const Conv conv) {
  extern __shared__ __align__(16) float shared[];
  const int first_column = blockIdx.x * TILE_COLUMNS, first_row = blockIdx.y * TILE_ROWS;
  const int group = blockIdx.z % conv.groups, split = blockIdx.z / conv.groups;
  const int columns = conv.C * conv.R * conv.S, depth = conv.N * conv.P * conv.Q;
  const int first = split * range, last = min(depth, first + range);
  const Gradient<MASK> gradient({dy, saved, slope}, conv, group, last);
  const TapColumns taps({{x, nullptr, 0.f}, conv, group}, first_column, last);
  Sums sums = {};
  tile_gemm(shared, gradient, first_row, taps, first, last, sums);
  float* out = partial + (size_t)blockIdx.z * conv.K * columns;
#pragma unroll
  for (int i = 0; i < THREAD_ROWS; i++)
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS; j++) {
      const int row = first_row + Mine::row(i), column = first_column + Mine::column(j);
      if (row < conv.K && column < columns) out[row * columns + column] = sums.at[i][j];
    }
}

constexpr int ADD_THREADS = 256;

// dw[i] = partial[0][i] + partial[1][i] + …
extern "C" __global__ void __launch_bounds__(ADD_THREADS) add_splits(
    const float* __restrict__ partial, float* dw, int splits, int size) {
  const unsigned i = blockIdx.x * ADD_THREADS + threadIdx.x;
  if (i < (unsigned)size) {
    float sum = 0.f;
    for (int split = 0; split < splits; split++) sum += partial[(size_t)split * size + i];
    dw[i] = sum;
  }
}
