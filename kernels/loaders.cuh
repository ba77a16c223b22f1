// The operands' loaders: they bring one tile of a matrix from global into shared memory.
//
//     Filter       rows of fprop and dgrad: a matrix as it stands
//     Gradient     rows of wgrad: dy, rows × (pixels of all images)
//     Activation   columns: looked up in an image; pixels are the columns of fprop and dgrad,
//                  taps the columns of wgrad
//
// Everything outside (padding, the tile's overhang) is copied as 0, so the arithmetic has no edges.
#pragma once
#include "rungs.cuh"

// A tensor to copy from.  If MASKED it is the gradient behind a LeakyReLU: what was negative there
// (``saved``, the LeakyReLU's input or, for a positive slope, its output) is multiplied by slope on
// the way.  That saves the pass over dy that would write the product and read it again, 8 B each.
template <bool MASKED>
struct Tensor {
  const float* values;
  const float* saved;
  float slope;

  __device__ __forceinline__ float masked(float value, float saved_value) const {
    return saved_value > 0.f ? value : slope * value;
  }

  __device__ __forceinline__ void copy(float* to, int offset, bool inside) const {
#if RUNG >= 3
    if (!MASKED) {
      if (!inside) offset = 0;  // an address that exists, though nothing is read there:
      __pipeline_memcpy_async(to, values + offset, 4, inside ? 0 : 4);  // 4 bytes of zeros
      return;
    }
#endif
    float v = 0.f;
    if (inside) {
      v = __ldg(values + offset);
      if (MASKED) v = masked(v, __ldg(saved + offset));
    }
    *to = v;
  }

  // Four numbers in a row, at an address that is a multiple of 16 bytes.
  __device__ __forceinline__ float4 four(int offset, bool inside) const {
    float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
    if (inside) {
      v = __ldg(reinterpret_cast<const float4*>(values + offset));
      if (MASKED) {
        const float4 s = __ldg(reinterpret_cast<const float4*>(saved + offset));
        v = make_float4(masked(v.x, s.x), masked(v.y, s.y), masked(v.z, s.z), masked(v.w, s.w));
      }
    }
    return v;
  }
};

// The filter: number (row, d) lies at row·depth + d.
struct Filter {
  Tensor<false> from;
  int rows, last;  // rows that exist; where the depth ends
  int pitch;       // from one row to the next

  __device__ __forceinline__ Filter(const float* filter, int rows, int depth)
      : from{filter, nullptr, 0.f}, rows(rows), last(depth), pitch(depth) {}
  __device__ __forceinline__ int offset(int d) const { return d; }
};

// dy as a matrix: number (row, d) is pixel d of all images in channel ``row`` of a group.
template <bool MASKED>
struct Gradient {
  Tensor<MASKED> from;
  int rows, last, pitch;
  int next_image;  // numbers of the channels between the end of a channel and its next image
  Divisor by_PQ;

  __device__ __forceinline__ Gradient(Tensor<MASKED> dy, const Conv& conv, int group, int last)
      : from(dy), rows(conv.K), last(last), pitch(conv.P * conv.Q), by_PQ(conv.by_PQ) {
    from.values += group * conv.K * pitch;
    if (MASKED) from.saved += group * conv.K * pitch;
    next_image = (conv.groups * conv.K - 1) * pitch;
  }
  __device__ __forceinline__ int offset(int d) const { return d + quotient(d, by_PQ) * next_image; }
};

// Copies a tile of Filter or Gradient, whose rows are contiguous along the depth.
template <class Matrix>
static __device__ __forceinline__ void fetch_rows(float* tile, const Matrix& matrix, int first_row,
                                                  int depth) {
#if WIDE
#pragma unroll
  for (int i = threadIdx.x; i < TILE_ROWS * TILE_DEPTH / 4; i += THREADS) {
    const int row = i / (TILE_DEPTH / 4), d = i % (TILE_DEPTH / 4) * 4;
    const bool inside = first_row + row < matrix.rows && depth + d < matrix.last;
    const float4 v =
        matrix.from.four(matrix.offset(depth + d) + (first_row + row) * matrix.pitch, inside);
    tile[(d + 0) * ROW_PITCH + row] = v.x;
    tile[(d + 1) * ROW_PITCH + row] = v.y;
    tile[(d + 2) * ROW_PITCH + row] = v.z;
    tile[(d + 3) * ROW_PITCH + row] = v.w;
  }
#else
#pragma unroll
  for (int j = 0; j < TILE_DEPTH / DEPTH_LANES; j++) {
    const int d = threadIdx.x % DEPTH_LANES + j * DEPTH_LANES;
    const int offset = matrix.offset(depth + d);
#pragma unroll
    for (int i = 0; i < TILE_ROWS * DEPTH_LANES / THREADS; i++) {
      const int row = threadIdx.x / DEPTH_LANES + i * (THREADS / DEPTH_LANES);
      const bool inside = first_row + row < matrix.rows && depth + d < matrix.last;
      matrix.from.copy(tile + d * ROW_PITCH + row, offset + (first_row + row) * matrix.pitch,
                       inside);
    }
  }
#endif
}

// Where a pixel or a tap is in the image; their sum is the number that both select.
struct Place {
  int offset, h, w;
};
constexpr int OUTSIDE = 1 << 29;  // a row that no image has, not even added to another of this kind

// Looks up the image that a convolution reads, for one group of channels.
template <bool MASKED>
struct Image {
  Tensor<MASKED> from;
  const Conv& conv;
  int group, pixels, taps;

  __device__ __forceinline__ Image(Tensor<MASKED> from, const Conv& conv, int group)
      : from(from),
        conv(conv),
        group(group),
        pixels(conv.N * conv.P * conv.Q),
        taps(conv.C * conv.R * conv.S) {}

  // What tap 0 of the group's channel 0 sees when the filter makes output ``index``.
  __device__ __forceinline__ Place pixel(int index, int last) const {
    const int n = quotient(index, conv.by_PQ), pq = index - n * conv.by_PQ.value;
    const int p = quotient(pq, conv.by_Q), q = pq - p * conv.by_Q.value;
    const int h = p * conv.stride_h + conv.first_h, w = q * conv.stride_w + conv.first_w;
    const int plane = (n * conv.groups + group) * conv.C;
    return {(plane * conv.H + h) * conv.W + w, index < last ? h : OUTSIDE, w};
  }

  // How far from there tap ``index`` = (c, r, s) is.
  __device__ __forceinline__ Place tap(int index) const {
    const int c = quotient(index, conv.by_RS), rs = index - c * conv.by_RS.value;
    const int r = quotient(rs, conv.by_S), s = rs - r * conv.by_S.value;
    const int h = r * conv.step_h, w = s * conv.step_w;
    return {(c * conv.H + h) * conv.W + w, index < taps ? h : OUTSIDE, w};
  }

  __device__ __forceinline__ void copy(float* to, const Place& pixel, const Place& tap) const {
    const bool inside = (unsigned)(pixel.h + tap.h) < (unsigned)conv.H &&
                        (unsigned)(pixel.w + tap.w) < (unsigned)conv.W;
    from.copy(to, pixel.offset + tap.offset, inside);
  }
};

// Columns of fprop and dgrad: a thread stays with one pixel and walks over the taps.  Neighbouring
// threads read neighbouring pixels.
template <bool MASKED>
struct PixelColumns {
  Image<MASKED> image;
  Place pixel;

  __device__ __forceinline__ PixelColumns(const Image<MASKED>& image, int first_column)
      : image(image), pixel(image.pixel(first_column + threadIdx.x % TILE_COLUMNS, image.pixels)) {}

  __device__ __forceinline__ void fetch(float* tile, int depth) const {
#pragma unroll 4  // more copies at once take registers that the sums need
    for (int j = 0; j < TILE_DEPTH * TILE_COLUMNS / THREADS; j++) {
      const int d = threadIdx.x / TILE_COLUMNS + j * (THREADS / TILE_COLUMNS);
      image.copy(tile + d * COLUMN_PITCH + threadIdx.x % TILE_COLUMNS, pixel, image.tap(depth + d));
    }
  }
};

// Columns of wgrad: a thread stays with a few taps and walks over the pixels.  Again neighbouring
// threads read neighbouring pixels, which are the depth here, so the tile is stored transposed.
struct TapColumns {
  static constexpr int COUNT = TILE_COLUMNS * DEPTH_LANES / THREADS;
  Image<false> image;
  int last;
  Place taps[COUNT];

  __device__ __forceinline__ TapColumns(const Image<false>& image, int first_column, int last)
      : image(image), last(last) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) taps[i] = image.tap(first_column + column(i));
  }
  static __device__ __forceinline__ int column(int i) {
    return threadIdx.x / DEPTH_LANES + i * (THREADS / DEPTH_LANES);
  }

  __device__ __forceinline__ void fetch(float* tile, int depth) const {
#pragma unroll
    for (int j = 0; j < TILE_DEPTH / DEPTH_LANES; j++) {
      const int d = threadIdx.x % DEPTH_LANES + j * DEPTH_LANES;
      const Place pixel = image.pixel(depth + d, last);
#pragma unroll
      for (int i = 0; i < COUNT; i++)
        image.copy(tile + d * COLUMN_PITCH + column(i), pixel, taps[i]);
    }
  }
};
