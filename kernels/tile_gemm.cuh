// The one body of all rungs from 1 on: a block adds up rows · columns over a range of the depth.
//
//     for every tile of the depth:   copy both operands' tiles to shared memory   (loaders.cuh)
//                                    multiply them into the sums of each thread   (multiply)
//
// Each thread keeps THREAD_ROWS × THREAD_COLUMNS sums in registers; Mine says which outputs of the
// tile they are.
#pragma once
#include "loaders.cuh"
#include "ptx.cuh"

struct Sums {
  float at[THREAD_ROWS][THREAD_COLUMNS];
};

#ifdef TENSOR_CORES

// Rungs 4 and 5: the sums lie as mma.sync leaves them (ptx.cuh), 2 rows and 2 columns of each of
// the fragments of 16×8 outputs that make up the warp's tile.
struct Mine {
  static __device__ __forceinline__ int lane() { return threadIdx.x % 32; }
  static __device__ __forceinline__ int warp_row() { return threadIdx.x / 32 % 2 * WARP_ROWS; }
  static __device__ __forceinline__ int warp_column() { return threadIdx.x / 64 * WARP_COLUMNS; }

  static __device__ __forceinline__ int row(int i) {
    return warp_row() + i / 2 * 16 + i % 2 * 8 + lane() / 4;
  }
  static __device__ __forceinline__ int column(int j) {
    return warp_column() + j / 2 * 8 + lane() % 4 * 2 + j % 2;
  }
  // The threads that share a row, counted from 0.
  static __device__ __forceinline__ int slot() { return threadIdx.x / 64 * 4 + lane() % 4; }
};

static __device__ __forceinline__ void multiply(const float* rows, const float* columns,
                                                Sums& sums) {
  const int g = Mine::lane() / 4, t = Mine::lane() % 4;
  rows += Mine::warp_row() + g;
  columns += Mine::warp_column() + g;
  constexpr int DEPTH = RUNG == 4 ? 8 : 16;  // of one mma
  constexpr int FRAGMENT_ROWS = THREAD_ROWS / 2, FRAGMENT_COLUMNS = THREAD_COLUMNS / 2;
#pragma unroll
  for (int d = 0; d < TILE_DEPTH; d += DEPTH) {
    // one register of a fragment: TF32 holds depth k, BF16 depths 2k and 2k+1
    auto factor = [&](const float* tile, int pitch, int k) {
#if RUNG == 4
      return to_tf32(tile[(d + k) * pitch]);
#else
      return to_bf16_pair(tile[(d + 2 * k) * pitch], tile[(d + 2 * k + 1) * pitch]);
#endif
    };
    unsigned a[FRAGMENT_ROWS][4], b[FRAGMENT_COLUMNS][2];
#pragma unroll
    for (int i = 0; i < FRAGMENT_ROWS; i++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        a[i][e] = factor(rows + i * 16 + e % 2 * 8, ROW_PITCH, t + e / 2 * 4);
#pragma unroll
    for (int j = 0; j < FRAGMENT_COLUMNS; j++)
#pragma unroll
      for (int e = 0; e < 2; e++) b[j][e] = factor(columns + j * 8, COLUMN_PITCH, t + e * 4);
#pragma unroll
    for (int i = 0; i < FRAGMENT_ROWS; i++)
#pragma unroll
      for (int j = 0; j < FRAGMENT_COLUMNS; j++) {
        float (&upper)[THREAD_COLUMNS] = sums.at[2 * i];
        float (&lower)[THREAD_COLUMNS] = sums.at[2 * i + 1];
#if RUNG == 4
        mma_tf32(upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1], a[i], b[j]);
#else
        mma_bf16(upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1], a[i], b[j]);
#endif
      }
  }
}

#else

// Rungs 1 to 3.  A thread's 8 rows (columns) are two runs of 4, half a tile apart: 16-byte loads,
// and the runs of neighbouring threads are neighbours, so they lie in different banks.
struct Mine {
  static constexpr int ACROSS = TILE_COLUMNS / THREAD_COLUMNS;  // threads that share a row
  static constexpr int RUN = THREAD_ROWS < 4 ? 1 : 4;

  static __device__ __forceinline__ int row(int i) {
    return i / RUN * (TILE_ROWS * RUN / THREAD_ROWS) + threadIdx.x / ACROSS * RUN + i % RUN;
  }
  static __device__ __forceinline__ int column(int j) {
    return j / RUN * (TILE_COLUMNS * RUN / THREAD_COLUMNS) + threadIdx.x % ACROSS * RUN + j % RUN;
  }
  static __device__ __forceinline__ int slot() { return threadIdx.x % ACROSS; }
};

static __device__ __forceinline__ void multiply(const float* rows, const float* columns,
                                                Sums& sums) {
#pragma unroll
  for (int d = 0; d < TILE_DEPTH; d++, rows += ROW_PITCH, columns += COLUMN_PITCH) {
    float a[THREAD_ROWS], b[THREAD_COLUMNS];
#if RUNG == 1
    a[0] = rows[Mine::row(0)];
    b[0] = columns[Mine::column(0)];
#else
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i += 4) {
      const float4 v = *reinterpret_cast<const float4*>(rows + Mine::row(i));
      a[i] = v.x, a[i + 1] = v.y, a[i + 2] = v.z, a[i + 3] = v.w;
    }
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS; j += 4) {
      const float4 v = *reinterpret_cast<const float4*>(columns + Mine::column(j));
      b[j] = v.x, b[j + 1] = v.y, b[j + 2] = v.z, b[j + 3] = v.w;
    }
#endif
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++)
#pragma unroll
      for (int j = 0; j < THREAD_COLUMNS; j++) sums.at[i][j] = fmaf(a[i], b[j], sums.at[i][j]);
  }
}

#endif

// Adds rows · columns for the depths first … last - 1; ``first`` is a multiple of 4.
// Shared memory holds STAGES tiles of the rows, then STAGES tiles of the columns.
template <class Rows, class Columns>
static __device__ __forceinline__ void tile_gemm(float* shared, const Rows& rows, int first_row,
                                                 const Columns& columns, int first, int last,
                                                 Sums& sums) {
  float* row_tiles = shared;
  float* column_tiles = shared + STAGES * ROW_TILE;
  const int steps = (last - first + TILE_DEPTH - 1) / TILE_DEPTH;
  auto fetch = [&](int step) {
    const int stage = step % STAGES, depth = first + step * TILE_DEPTH;
    fetch_rows(row_tiles + stage * ROW_TILE, rows, first_row, depth);
    columns.fetch(column_tiles + stage * COLUMN_TILE, depth);
  };
#if RUNG < 3
  for (int step = 0; step < steps; step++) {
    fetch(step);
    __syncthreads();  // the tile is complete
    multiply(row_tiles, column_tiles, sums);
    __syncthreads();  // nobody reads it any more
  }
#else
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < steps) fetch(step);
    __pipeline_commit();  // one group of copies for each step, even if it is empty
  }
  for (int step = 0; step < steps; step++) {
    __pipeline_wait_prior(STAGES - 2);  // this thread's copies for this step have arrived,
    __syncthreads();                    // and everybody's; the tile of step - 1 is read
    if (step + STAGES - 1 < steps) fetch(step + STAGES - 1);  // no more: it is overwritten
    __pipeline_commit();
    multiply(row_tiles + step % STAGES * ROW_TILE, column_tiles + step % STAGES * COLUMN_TILE,
             sums);
  }
  __syncthreads();
#endif
}
