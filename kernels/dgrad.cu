// dgrad, rungs 1 to 5: dx (N, C, H, W) from dy (N, K, P, Q) and w; also the transposed convolution.
//
// A pixel h of x takes part in output p through tap r where  stride·p + dilation·r = h + padding.
// So all pixels with the same residue of (h + padding) modulo the stride see the same taps: for
// each of these classes dgrad is a small stride-1 convolution of dy, written to every stride-th
// pixel of x. For kernel 4, stride 2, padding 1: even rows see taps 1 and 3, odd rows taps 0 and 2;
// with the columns that makes four classes of 2×2 taps.
//
// The textbook way, a stride-1 convolution of dy with zeros put between its pixels, would multiply
// stride² = 4 times as often.  The other one, adding each product where it belongs in x, needs
// atomics, whose order changes from run to run.  The classes need neither.
//
//     rows     input channels of one group       the class's taps of the filter, transposed
//     columns  pixels (n, i, j) of the class     looked up in dy
//     depth    (k, r, s), taps of the class only
//
// What changes from rung to rung stands in rungs.cuh.
// Measured: not measured yet.
#ifndef MASK
#define MASK 0  // 1: dy is the gradient behind a LeakyReLU
#endif
#include "output.cuh"

constexpr int CLASSES = 4;  // in one launch; a stride of 2 in both directions has 4

struct Classes {
  int count;
  Conv conv[CLASSES];
};

constexpr int PACK_THREADS = 256;

// filters[class's][group][c][k][r][s] = w[group·K + k][c][taps of the class]: the rows of the
// matrix, made contiguous along the depth so that the same loader serves fprop and dgrad.  (A Conv
// reads dy, so its C is the number of output channels and its K the number of input channels.)
extern "C" __global__ void __launch_bounds__(PACK_THREADS) pack_filter(
    const float* __restrict__ w, float* filters, int R, int S,
    const __grid_constant__ Classes classes) {
  const Conv& conv = classes.conv[blockIdx.y];
  const unsigned i = blockIdx.x * PACK_THREADS + threadIdx.x;
  if (i < (unsigned)(conv.groups * conv.K * conv.C * conv.R * conv.S)) {
    const int s = i % conv.S, r = i / conv.S % conv.R, k = i / (conv.R * conv.S) % conv.C;
    const int c = i / (conv.R * conv.S) / conv.C % conv.K,
              group = i / (conv.R * conv.S) / conv.C / conv.K;
    const int tap =
        (conv.tap_first_r + r * conv.tap_step_r) * S + conv.tap_first_s + s * conv.tap_step_s;
    filters[conv.filter + i] = w[((group * conv.C + k) * conv.K + c) * R * S + tap];
  }
}

// blockIdx = (tile of columns, tile of rows, group and class)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) dgrad(
    const float* __restrict__ dy, const float* __restrict__ saved, float slope,
    const float* __restrict__ filters, const float* bias, float* dx, float* channel_sums,
    const __grid_constant__ Classes classes, const Epilogue epilogue) {
  extern __shared__ __align__(16) float shared[];
  const int group = blockIdx.z / classes.count, which = blockIdx.z % classes.count;
  const Conv& conv = classes.conv[which];
  const int first_column = blockIdx.x * TILE_COLUMNS, first_row = blockIdx.y * TILE_ROWS;
  const int depth = conv.C * conv.R * conv.S;
  const Filter filter(filters + conv.filter + group * conv.K * depth, conv.K, depth);
  const PixelColumns<MASK> pixels({{dy, saved, slope}, conv, group}, first_column);
  Sums sums = {};
  tile_gemm(shared, filter, first_row, pixels, 0, depth, sums);
  write_image(shared, sums, conv, group, first_row, first_column, which * gridDim.x + blockIdx.x,
              bias, dx, channel_sums, epilogue);
}
