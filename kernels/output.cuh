// How a block of fprop or dgrad writes its tile of outputs.
#pragma once
#include "epilogue.cuh"
#include "tile_gemm.cuh"

// Writes a block's tile into an image tensor (fprop, dgrad), and its sums over the columns to
// ``channel_sums`` [channels][tiles], if that is given: always in the same order.
static __device__ __forceinline__ void write_image(float* shared, Sums& sums, const Conv& conv,
                                                   int group, int first_row, int first_column,
                                                   int tile, const float* bias, float* out,
                                                   float* channel_sums, const Epilogue& e) {
  const int first_channel = group * conv.K, plane = conv.out_H * conv.out_W,
            columns = conv.N * conv.P * conv.Q;
  if (bias) {
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++) {
      const int row = first_row + Mine::row(i);
      const float b = row < conv.K ? __ldg(bias + first_channel + row) : 0.f;
#pragma unroll
      for (int j = 0; j < THREAD_COLUMNS; j++) sums.at[i][j] += b;
    }
  }
#pragma unroll
  for (int j = 0; j < THREAD_COLUMNS; j++) {
    const int column = first_column + Mine::column(j);
    if (column < columns) {
      const int n = quotient(column, conv.by_PQ), pq = column - n * conv.by_PQ.value;
      const int p = quotient(pq, conv.by_Q), q = pq - p * conv.by_Q.value;
      const int h = conv.out_first_h + p * conv.out_stride_h,
                w = conv.out_first_w + q * conv.out_stride_w;
      float* to = out + (n * conv.groups * conv.K + first_channel) * plane + h * conv.out_W + w;
#pragma unroll
      for (int i = 0; i < THREAD_ROWS; i++) {
        const int row = first_row + Mine::row(i);
        if (row < conv.K) to[row * plane] = activate(sums.at[i][j], e);
      }
    }
  }
  if (channel_sums) {
    constexpr int SLOTS = TILE_COLUMNS / THREAD_COLUMNS;  // threads that share a row
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++) {
      float sum = 0.f;
#pragma unroll
      for (int j = 0; j < THREAD_COLUMNS; j++)
        if (first_column + Mine::column(j) < columns) sum += sums.at[i][j];
      shared[Mine::row(i) * SLOTS + Mine::slot()] = sum;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < TILE_ROWS; i += THREADS) {
      if (first_row + i < conv.K) {
        float sum = 0.f;
        for (int slot = 0; slot < SLOTS; slot++) sum += shared[i * SLOTS + slot];
        channel_sums[(size_t)(first_channel + first_row + i) * e.tiles + e.first_tile + tile] = sum;
      }
    }
  }
}
