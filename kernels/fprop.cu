// fprop, rungs 1 to 5: y (N, K, P, Q) from x (N, C, H, W) and w (K, C/groups, R, S).
//
//     rows     output channels of one group      the filter, as it stands
//     columns  pixels (n, p, q) of y             looked up in x
//     depth    (c, r, s)
//
// A block computes one tile: blockIdx = (tile of columns, tile of rows, group).  What changes from
// rung to rung, why and by how much stands in rungs.cuh, for all three routines.
// Measured: not measured yet.
#include "output.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) fprop(
    const float* __restrict__ x, const float* __restrict__ w, const float* bias, float* y,
    float* channel_sums, const Conv conv, const Epilogue epilogue) {
  extern __shared__ __align__(16) float shared[];
  const int first_column = blockIdx.x * TILE_COLUMNS, first_row = blockIdx.y * TILE_ROWS,
            group = blockIdx.z;
  const int depth = conv.C * conv.R * conv.S;
  const Filter filter(w + group * conv.K * depth, conv.K, depth);
  const PixelColumns<false> pixels({{x, nullptr, 0.f}, conv, group}, first_column);
  Sums sums = {};
  tile_gemm(shared, filter, first_row, pixels, 0, depth, sums);
  write_image(shared, sums, conv, group, first_row, first_column, blockIdx.x, bias, y, channel_sums,
              epilogue);
}
