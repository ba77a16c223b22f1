// Convolution by Winograd's minimal filtering: fewer multiplications, paid for with additions and
// memory.
//
// Two neighbouring outputs of an r-tap filter cost r + 1 products instead of 2·r:
//
//   fprop    y = Aᵀ[(G w) ⊙ (B x)]A      (G w stands for G w Gᵀ, and so on: rows, then columns)
//   dgrad    x = Bᵀ[(G w) ⊙ (A y)]B      the same form's adjoints
//   wgrad    w = Gᵀ[(B x) ⊙ (A y)]G
//
// An image is cut into tiles of 2×2 outputs.  The products at each of the (r+1)² places, summed over
// channels, are (r+1)² matrix products (batched_gemm.cu), and everything else streams:
//
//   filter   taps  places  multiply-adds an output  saved     numbers written and read in between
//   k3 s1    3     16      4 instead of 9           2.25 ×    4 for each of x, 4 for each of y
//   k4 s2    2     9       9 instead of 16          1.78 ×    9/4 for each of x, 9/4 for each of y
//
// (multiply-adds for each pair of channels).  k4 s2 becomes 2 taps of stride 1 when 2×2 pixels are
// read as one pixel of four times the channels: no copy, only another way to count (STRIDE).
//
// When does it win?  64×64×32×32 to 128×16×16 by k4 s2: 4.3 GFLOP become 2.4; 14 million numbers in
// between are written and read, 113 MB.  At 60 TFLOP/s and 3.3 TB/s: 31 µs saved, 34 µs paid.  Four
// times the channels on both sides, at the same number of pixels: 16 times the arithmetic saved for
// 4 times the memory, some 500 µs saved for 140 µs.  So it is for the wide layers; the launching side
// computes the ratio of the two for a layer (ladder_winograd.saving) and compares it with what was
// measured (ladder_tiles.WINOGRAD).
//
// For r = 2 all coefficients are 0 and ±1; for r = 3 the filter's have halves.  Rounding errors are
// some times the direct form's.
//
// Source: Winograd 1980; Lavin & Gray 2015, arXiv 1509.09308.
// Measured: not measured yet.
#include "common.cuh"
#include "epilogue.cuh"

#ifndef TAPS
#define TAPS 2    // r: with STRIDE 2 a 4×4 filter, 3 with STRIDE 1 a 3×3 filter
#define STRIDE 2  // blocks of STRIDE×STRIDE pixels are pixels
#endif
constexpr int THREADS = 256;
constexpr int N = TAPS + 1, PLACES = N * N;  // a tile is N×N wide and makes 2×2 outputs

struct Shape {
  int images, C, H, W, K, P, Q;
  int top, left;   // padding
  int tall, wide;  // tiles in a column and in a row of an image
};

// The transforms of one row or column; `back` is the transposed matrix.

struct Image {  // B, N×N
  static __device__ __forceinline__ void apply(const float* x, float* v) {
#if TAPS == 2
    v[0] = x[0] - x[1], v[1] = x[1], v[2] = x[2] - x[1];
#else
    v[0] = x[0] - x[2], v[1] = x[1] + x[2], v[2] = x[2] - x[1], v[3] = x[3] - x[1];
#endif
  }
};
struct ImageBack {
  static __device__ __forceinline__ void apply(const float* v, float* x) {
#if TAPS == 2
    x[0] = v[0], x[1] = v[1] - v[0] - v[2], x[2] = v[2];
#else
    x[0] = v[0], x[1] = v[1] - v[2] - v[3], x[2] = v[1] + v[2] - v[0], x[3] = v[3];
#endif
  }
};
struct Output {  // A, N×2: from outputs to places
  static __device__ __forceinline__ void apply(const float* y, float* v) {
#if TAPS == 2
    v[0] = y[0], v[1] = y[0] + y[1], v[2] = y[1];
#else
    v[0] = y[0], v[1] = y[0] + y[1], v[2] = y[0] - y[1], v[3] = y[1];
#endif
  }
};
struct OutputBack {  // from places to outputs
  static __device__ __forceinline__ void apply(const float* v, float* y) {
#if TAPS == 2
    y[0] = v[0] + v[1], y[1] = v[1] + v[2];
#else
    y[0] = v[0] + v[1] + v[2], y[1] = v[1] - v[2] + v[3];
#endif
  }
};
struct Filter {  // G, N×TAPS
  static __device__ __forceinline__ void apply(const float* w, float* u) {
#if TAPS == 2
    u[0] = w[0], u[1] = w[0] + w[1], u[2] = w[1];
#else
    const float even = 0.5f * (w[0] + w[2]), odd = 0.5f * w[1];
    u[0] = w[0], u[1] = even + odd, u[2] = even - odd, u[3] = w[2];
#endif
  }
};
struct FilterBack {
  static __device__ __forceinline__ void apply(const float* u, float* w) {
#if TAPS == 2
    w[0] = u[0] + u[1], w[1] = u[1] + u[2];
#else
    const float sum = 0.5f * (u[1] + u[2]);
    w[0] = u[0] + sum, w[1] = 0.5f * (u[1] - u[2]), w[2] = sum + u[3];
#endif
  }
};

// A transform on the columns, then on the rows, of a square.
template <class Transform, int FROM, int TO>
static __device__ __forceinline__ void transform(const float (&in)[FROM][FROM],
                                                 float (&out)[TO][TO]) {
  float half[TO][FROM];
#pragma unroll
  for (int j = 0; j < FROM; ++j) {
    float column[FROM], made[TO];
#pragma unroll
    for (int i = 0; i < FROM; ++i) column[i] = in[i][j];
    Transform::apply(column, made);
#pragma unroll
    for (int i = 0; i < TO; ++i) half[i][j] = made[i];
  }
#pragma unroll
  for (int i = 0; i < TO; ++i) Transform::apply(half[i], out[i]);
}

// A tile's place among all tiles.
struct Tile {
  int image, row, column;
  __device__ __forceinline__ Tile(int tile, int tall, int wide)
      : image(tile / (tall * wide)), row(tile / wide % tall), column(tile % wide) {}
};

// u[place][cc][k] = G w, or u[place][k][cc] if `transposed`.  A channel cc of blocks of pixels is
// (row in the block, column in the block, c).
extern "C" __global__ void __launch_bounds__(THREADS) winograd_filters(
    const float* w, float* u, const Shape shape, int transposed) {
  const int channels = STRIDE * STRIDE * shape.C, size = channels * shape.K;
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i < size) {
    const int k = transposed ? i / channels : i % shape.K;
    const int cc = transposed ? i % channels : i / shape.K;
    const int c = cc % shape.C, across = cc / shape.C % STRIDE, down = cc / shape.C / STRIDE;
    const float* from = w + (k * shape.C + c) * TAPS * STRIDE * TAPS * STRIDE;
    float taps[TAPS][TAPS], made[N][N];
#pragma unroll
    for (int r = 0; r < TAPS; ++r)
#pragma unroll
      for (int s = 0; s < TAPS; ++s)
        taps[r][s] = from[(r * STRIDE + down) * TAPS * STRIDE + s * STRIDE + across];
    transform<Filter>(taps, made);
#pragma unroll
    for (int place = 0; place < PLACES; ++place) u[place * size + i] = made[place / N][place % N];
  }
}

// v[place][cc][tile] = B x.  blockIdx = (THREADS tiles, cc).
extern "C" __global__ void __launch_bounds__(THREADS) winograd_image(
    const float* __restrict__ x, float* v, const Shape shape) {
  const int tiles = shape.images * shape.tall * shape.wide, i = blockIdx.x * THREADS + threadIdx.x;
  const int cc = blockIdx.y, c = cc % shape.C;
  const int across = cc / shape.C % STRIDE, down = cc / shape.C / STRIDE;
  if (i < tiles) {
    const Tile tile(i, shape.tall, shape.wide);
    const float* image = x + (tile.image * shape.C + c) * shape.H * shape.W;
    float pixels[N][N], made[N][N];
#pragma unroll
    for (int r = 0; r < N; ++r)
#pragma unroll
      for (int s = 0; s < N; ++s) {
        const int h = (2 * tile.row + r) * STRIDE + down - shape.top;
        const int w = (2 * tile.column + s) * STRIDE + across - shape.left;
        const bool inside = (unsigned)h < (unsigned)shape.H && (unsigned)w < (unsigned)shape.W;
        pixels[r][s] = inside ? __ldg(image + h * shape.W + w) : 0.f;
      }
    transform<Image>(pixels, made);
#pragma unroll
    for (int place = 0; place < PLACES; ++place)
      v[((size_t)place * gridDim.y + cc) * tiles + i] = made[place / N][place % N];
  }
}

// m[place][k][tile] = A y.  blockIdx = (THREADS tiles, k).
extern "C" __global__ void __launch_bounds__(THREADS) winograd_gradient(
    const float* __restrict__ y, float* m, const Shape shape) {
  const int tiles = shape.images * shape.tall * shape.wide;
  const int i = blockIdx.x * THREADS + threadIdx.x, k = blockIdx.y;
  if (i < tiles) {
    const Tile tile(i, shape.tall, shape.wide);
    const float* image = y + (tile.image * shape.K + k) * shape.P * shape.Q;
    float outputs[2][2], made[N][N];
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int p = 2 * tile.row + r, q = 2 * tile.column + s;
        outputs[r][s] = p < shape.P && q < shape.Q ? __ldg(image + p * shape.Q + q) : 0.f;
      }
    transform<Output>(outputs, made);
#pragma unroll
    for (int place = 0; place < PLACES; ++place)
      m[((size_t)place * gridDim.y + k) * tiles + i] = made[place / N][place % N];
  }
}

// y = Aᵀ m A, plus bias, activated.  blockIdx = (THREADS tiles, k).
extern "C" __global__ void __launch_bounds__(THREADS) winograd_output(
    const float* __restrict__ m, const float* bias, float* y, const Shape shape, const Epilogue
    epilogue) {
  const int tiles = shape.images * shape.tall * shape.wide;
  const int i = blockIdx.x * THREADS + threadIdx.x, k = blockIdx.y;
  if (i < tiles) {
    const Tile tile(i, shape.tall, shape.wide);
    float places[N][N], made[2][2];
#pragma unroll
    for (int place = 0; place < PLACES; ++place)
      places[place / N][place % N] = m[((size_t)place * gridDim.y + k) * tiles + i];
    transform<OutputBack>(places, made);
    const float b = bias ? bias[k] : 0.f;
    float* image = y + (tile.image * shape.K + k) * shape.P * shape.Q;
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int p = 2 * tile.row + r, q = 2 * tile.column + s;
        if (p < shape.P && q < shape.Q) image[p * shape.Q + q] = activate(made[r][s] + b, epilogue);
      }
  }
}

// x = Bᵀ v B, plus bias, activated.  Tiles overlap: tile t makes blocks of pixels 2·t … 2·t + TAPS.
// A thread owns the 2×2 blocks from (2·t, 2·u) on and gathers what the up to four tiles that reach
// them give, so nothing is added by two threads.  blockIdx = (THREADS threads, cc), with
// `tall` × `wide` threads for an image: enough to write pixels that no tile reaches, too.
extern "C" __global__ void __launch_bounds__(THREADS) winograd_image_back(
    const float* __restrict__ v, const float* bias, float* x, const Shape shape, int tall, int wide,
    const Epilogue epilogue) {
  const int tiles = shape.images * shape.tall * shape.wide, i = blockIdx.x * THREADS + threadIdx.x;
  const int cc = blockIdx.y, c = cc % shape.C;
  const int across = cc / shape.C % STRIDE, down = cc / shape.C / STRIDE;
  if (i < shape.images * tall * wide) {
    const Tile owned(i, tall, wide);
    float sums[2][2] = {};
#pragma unroll
    for (int above = 1; above >= 0; --above)
#pragma unroll
      for (int before = 1; before >= 0; --before) {
        const int row = owned.row - above, column = owned.column - before;
        if ((unsigned)row < (unsigned)shape.tall && (unsigned)column < (unsigned)shape.wide) {
          const size_t at = (size_t)(owned.image * shape.tall + row) * shape.wide + column;
          float places[N][N], made[N][N];
#pragma unroll
          for (int place = 0; place < PLACES; ++place)
            places[place / N][place % N] = __ldg(v + ((size_t)place * gridDim.y + cc) * tiles + at);
          transform<ImageBack>(places, made);
#pragma unroll
          for (int r = 0; r < 2; ++r)
#pragma unroll
            for (int s = 0; s < 2; ++s)
              if (2 * above + r < N && 2 * before + s < N)
                sums[r][s] += made[2 * above + r][2 * before + s];
        }
      }
    const float b = bias ? bias[c] : 0.f;
    float* image = x + (owned.image * shape.C + c) * shape.H * shape.W;
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int h = (2 * owned.row + r) * STRIDE + down - shape.top;
        const int w = (2 * owned.column + s) * STRIDE + across - shape.left;
        const bool inside = (unsigned)h < (unsigned)shape.H && (unsigned)w < (unsigned)shape.W;
        if (inside) image[h * shape.W + w] = activate(sums[r][s] + b, epilogue);
      }
  }
}

// w = Gᵀ u G, from u[split][place][cc][k], the splits added in order.
extern "C" __global__ void __launch_bounds__(THREADS) winograd_filters_back(
    const float* u, float* w, const Shape shape, int splits) {
  const int size = STRIDE * STRIDE * shape.C * shape.K, i = blockIdx.x * THREADS + threadIdx.x;
  if (i < size) {
    const int k = i % shape.K, cc = i / shape.K;
    const int c = cc % shape.C, across = cc / shape.C % STRIDE, down = cc / shape.C / STRIDE;
    float places[N][N] = {}, made[TAPS][TAPS];
    for (int split = 0; split < splits; ++split)
#pragma unroll
      for (int place = 0; place < PLACES; ++place)
        places[place / N][place % N] += u[(size_t)(split * PLACES + place) * size + i];
    transform<FilterBack>(places, made);
    float* to = w + (k * shape.C + c) * TAPS * STRIDE * TAPS * STRIDE;
#pragma unroll
    for (int r = 0; r < TAPS; ++r)
#pragma unroll
      for (int s = 0; s < TAPS; ++s)
        to[(r * STRIDE + down) * TAPS * STRIDE + s * STRIDE + across] = made[r][s];
  }
}
