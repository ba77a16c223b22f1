// The matrix products in the middle of Winograd's algorithm (winograd.cu): a batch of them, float32.
//
//   out[batch][row][column] = Σ over depth of  left[batch](row, depth) · right[batch](column, depth)
//
// Both operands are stored matrices, which is what sets this apart from the convolutions' tiles: no
// pixel has to be looked up.  DEPTH_LAST says how both lie: 0 as [depth][row], 1 as [row][depth].
//
// A block makes TILE×TILE outputs, a thread 8×8 of them: for each step of the depth it reads 8 + 8
// numbers from shared memory in four 16-byte loads and does 64 multiply-adds.  Shared memory is
// twofold: while one part is used, the numbers of the next DEPTH steps are on their way in registers
// and are then put into the other part, so that one barrier a step suffices.  A tile of 128 has 32
// FLOP for each byte that it reads, one of 64 has 16.
//
// A long depth and few tiles (wgrad: thousands of image tiles) are divided into splits, each with a
// result of its own, for someone to add in order.
//
// Measured: not measured yet.
#ifndef TILE
#define TILE 64
#define DEPTH_LAST 0
#endif
constexpr int DEPTH = 8;                    // steps at a time
constexpr int SIDE = TILE / 8;              // threads along a side of the tile
constexpr int THREADS = SIDE * SIDE;
constexpr int LOADS = TILE * DEPTH / THREADS;
constexpr int PITCH = TILE + 4;             // rows stay aligned; a column's stores hit other banks
constexpr int BLOCKS = THREADS < 128 ? 5 : 512 / THREADS;  // on an SM: registers for 10 or 16 warps

struct Sizes {
  int rows, columns, depth, range;  // range: steps of the depth in one split, a multiple of DEPTH
};

// Registers for a thread's share of TILE×DEPTH numbers of an operand.
struct Share {
  float at[LOADS];

  static __device__ __forceinline__ int row(int i) {
    return DEPTH_LAST ? threadIdx.x / DEPTH + i * (THREADS / DEPTH) : threadIdx.x % TILE;
  }
  static __device__ __forceinline__ int step(int i) {
    return DEPTH_LAST ? threadIdx.x % DEPTH : threadIdx.x / TILE + i * (THREADS / TILE);
  }
  __device__ __forceinline__ void fetch(const float* from, int rows, int depth, int first_row,
                                        int first, int end) {
#pragma unroll
    for (int i = 0; i < LOADS; ++i) {
      const int r = first_row + row(i), d = first + step(i);
      const size_t place = DEPTH_LAST ? (size_t)r * depth + d : (size_t)d * rows + r;
      at[i] = r < rows && d < end ? __ldg(from + place) : 0.f;
    }
  }
  __device__ __forceinline__ void put(float (*to)[PITCH]) const {
#pragma unroll
    for (int i = 0; i < LOADS; ++i) to[step(i)][row(i)] = at[i];
  }
};

// The thread's 8 numbers of one step: 4 in the first half of the tile's side, 4 in the second.
static __device__ __forceinline__ void pick(const float* from, int place, float (&eight)[8]) {
  const float4 a = *reinterpret_cast<const float4*>(from + 4 * place);
  const float4 b = *reinterpret_cast<const float4*>(from + TILE / 2 + 4 * place);
  eight[0] = a.x, eight[1] = a.y, eight[2] = a.z, eight[3] = a.w;
  eight[4] = b.x, eight[5] = b.y, eight[6] = b.z, eight[7] = b.w;
}

// blockIdx = (tile of columns, tile of rows, split·batch + matrix); out is [split][batch][…].
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) batched_gemm(
    const float* __restrict__ left, const float* __restrict__ right, float* out, const Sizes sizes,
    int batch) {
  __shared__ __align__(16) float lefts[2][DEPTH][PITCH];
  __shared__ __align__(16) float rights[2][DEPTH][PITCH];
  const int matrix = blockIdx.z % batch, split = blockIdx.z / batch;
  const int first_row = blockIdx.y * TILE, first_column = blockIdx.x * TILE;
  const int begin = split * sizes.range, end = min(begin + sizes.range, sizes.depth);
  const int across = threadIdx.x % SIDE, down = threadIdx.x / SIDE;
  left += (size_t)matrix * sizes.rows * sizes.depth;
  right += (size_t)matrix * sizes.columns * sizes.depth;
  float sums[8][8] = {};
  Share l, r;
  l.fetch(left, sizes.rows, sizes.depth, first_row, begin, end);
  r.fetch(right, sizes.columns, sizes.depth, first_column, begin, end);
  l.put(lefts[0]), r.put(rights[0]);
  __syncthreads();
  for (int d = begin, now = 0; d < end; d += DEPTH, now ^= 1) {
    const bool more = d + DEPTH < end;
    if (more) {
      l.fetch(left, sizes.rows, sizes.depth, first_row, d + DEPTH, end);
      r.fetch(right, sizes.columns, sizes.depth, first_column, d + DEPTH, end);
    }
#pragma unroll 2  // all eight would take more registers than there are
    for (int step = 0; step < DEPTH; ++step) {
      float a[8], b[8];
      pick(lefts[now][step], down, a);
      pick(rights[now][step], across, b);
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
    }
    if (more) l.put(lefts[now ^ 1]), r.put(rights[now ^ 1]);
    __syncthreads();
  }
  out += (size_t)blockIdx.z * sizes.rows * sizes.columns;
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int row = first_row + i / 4 * (TILE / 2) + 4 * down + i % 4;
      const int column = first_column + j / 4 * (TILE / 2) + 4 * across + j % 4;
      if (row < sizes.rows && column < sizes.columns)
        out[(size_t)row * sizes.columns + column] = sums[i][j];
    }
}
