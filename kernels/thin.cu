// fprop and dgrad at the image ends of a network, where one side has 1 to 4 channels.
//
// A tile of 64 or 128 output channels is nearly empty when there are 3, and a depth of 3 channels
// is over before a pipeline has begun.  So these kernels keep the few channels in one thread and
// spread the pixels over the threads; shared memory holds filters at most.
//
//   few_outputs   an image made from many channels: a generator's last layer (dgrad to 3 channels),
//                 a PatchGAN's verdicts (fprop to 1)
//   few_inputs    many channels made from an image: a discriminator's first layer (fprop from 3)
//                 and the gradient that comes back from its last (dgrad from 1)
//
// For a batch of 64, 3×64×64 to 64×32×32 by k4 s2 (0.4 GFLOP, 20 MB): 20 FLOP a byte, which is
// about where memory and arithmetic take equally long (an H100 SXM does 67 TFLOP/s and 3.35 TB/s).
// A tile with 128 rows for 3 channels would do 43 times the arithmetic.
//
// Both directions are the same sum: common.cuh's Conv describes fprop, and each of dgrad's classes
// of pixels, which see the same taps, as a small convolution of dy (see dgrad.cu).  The filter is
// read where it lies; its strides say which of its dimensions is the output's.
//
// Measured: not measured yet.
#include "common.cuh"
#include "epilogue.cuh"

#ifndef OUTPUTS
#define OUTPUTS 4  // few_outputs: the channels that a thread computes; those beyond K stay idle
#define LANES 32   // few_outputs: threads side by side, each with pixels of its own
#define PIXELS 4   // few_outputs: pixels of a thread, LANES apart
#endif
constexpr int THREADS = 256;
constexpr int SLICES = THREADS / LANES;  // threads that share a pixel and divide its input channels
constexpr int WIDE = 16;                 // few_inputs: outputs of a thread
constexpr int PAIR = 2;                  // few_inputs: pixels of a thread

struct Filter {
  int output, input;  // from one output channel to the next, and from one input channel, within a group
  int group;          // from one group to the next
  int S;              // columns of the whole filter
};

// One output pixel: where its first tap lies in its image, and where its result goes.
struct Pixel {
  int h, w;      // of the first tap
  int from, to;  // the image's first channel, and the pixel in the result's first channel
  bool inside;   // whether there is such a pixel; if not, it reads what pixel 0 does

  // The number of channel c that tap (r, s) sees, 0 beyond the border.
  __device__ __forceinline__ float seen(const float* x, const Conv& conv, int c, int r, int s) const {
    const int y = h + r * conv.step_h, z = w + s * conv.step_w;
    const bool there = (unsigned)y < (unsigned)conv.H && (unsigned)z < (unsigned)conv.W;
    return there ? __ldg(x + from + (c * conv.H + y) * conv.W + z) : 0.f;
  }
};

static __device__ __forceinline__ Pixel locate(const Conv& conv, int group, int column) {
  const bool inside = column < conv.N * conv.P * conv.Q;
  if (!inside) column = 0;
  const int n = divide(column, conv.by_PQ), pq = column - n * conv.by_PQ.value;
  const int p = divide(pq, conv.by_Q), q = pq - p * conv.by_Q.value, image = n * conv.groups + group;
  const int row = p * conv.out_stride_h + conv.out_first_h;
  return {p * conv.stride_h + conv.first_h, q * conv.stride_w + conv.first_w,
          image * conv.C * conv.H * conv.W,
          (image * conv.K * conv.out_H + row) * conv.out_W + q * conv.out_stride_w + conv.out_first_w,
          inside};
}

static __device__ __forceinline__ int tap(const Conv& conv, const Filter& filter, int r, int s) {
  return (conv.tap_first_r + r * conv.tap_step_r) * filter.S + conv.tap_first_s + s * conv.tap_step_s;
}

// blockIdx = (LANES·PIXELS pixels, group).  SLICES threads share a pixel, each with every SLICES-th
// input channel; their sums meet in shared memory, always in the same order.  Threads of a warp that
// have the same slice read the same filter number (one fetch) and neighbouring pixels.  Where an
// image has a single output pixel, LANES is 1: no pixels to spread, all threads share one.
extern "C" __global__ void __launch_bounds__(THREADS) few_outputs(
    const float* __restrict__ x, const float* __restrict__ w, const float* bias, float* out,
    const __grid_constant__ Conv conv, const Filter filter, const Epilogue epilogue) {
  __shared__ float shared[SLICES][OUTPUTS * PIXELS][LANES];
  const int lane = threadIdx.x % LANES, slice = threadIdx.x / LANES, group = blockIdx.y;
  float sums[OUTPUTS][PIXELS] = {};
  const int first = blockIdx.x * LANES * PIXELS + lane;
  Pixel pixels[PIXELS];
#pragma unroll
  for (int i = 0; i < PIXELS; ++i) pixels[i] = locate(conv, group, first + i * LANES);
  for (int c = slice; c < conv.C; c += SLICES)
    for (int r = 0; r < conv.R; ++r)
      for (int s = 0; s < conv.S; ++s) {
        const float* from = w + group * filter.group + c * filter.input + tap(conv, filter, r, s);
        float factor[OUTPUTS];
#pragma unroll
        for (int k = 0; k < OUTPUTS; ++k)
          factor[k] = k < conv.K ? __ldg(from + k * filter.output) : 0.f;
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
          const float v = pixels[i].seen(x, conv, c, r, s);
#pragma unroll
          for (int k = 0; k < OUTPUTS; ++k) sums[k][i] = fmaf(v, factor[k], sums[k][i]);
        }
      }
#pragma unroll
  for (int k = 0; k < OUTPUTS; ++k)
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) shared[slice][k * PIXELS + i][lane] = sums[k][i];
  for (int half = SLICES / 2; half > 0; half /= 2) {
    __syncthreads();
    if (slice < half)
      for (int i = 0; i < OUTPUTS * PIXELS; ++i)
        shared[slice][i][lane] += shared[slice + half][i][lane];
  }
  __syncthreads();
  for (int i = slice; i < OUTPUTS * PIXELS; i += SLICES) {
    const int k = i / PIXELS;
    const Pixel pixel = locate(conv, group, first + i % PIXELS * LANES);
    if (k < conv.K && pixel.inside) {
      const float b = bias ? bias[group * conv.K + k] : 0.f;
      out[pixel.to + k * conv.out_H * conv.out_W] = activate(shared[0][i][lane] + b, epilogue);
    }
  }
}

// blockIdx = (THREADS·PAIR pixels, WIDE output channels, group).  All the filters that the block
// needs lie in shared memory, WIDE numbers of one tap behind one another: for each tap a thread
// reads two pixels and four times 16 bytes, which all threads read together, for 32 multiply-adds.
extern "C" __global__ void __launch_bounds__(THREADS) few_inputs(
    const float* __restrict__ x, const float* __restrict__ w, const float* bias, float* out,
    const __grid_constant__ Conv conv, const Filter filter, const Epilogue epilogue) {
  extern __shared__ __align__(16) float filters[];  // [C·R·S][WIDE]
  const int group = blockIdx.z, channel = blockIdx.y * WIDE, taps = conv.R * conv.S;
  for (int i = threadIdx.x; i < conv.C * taps * WIDE; i += THREADS) {
    const int k = channel + i % WIDE, c = i / WIDE / taps;
    const int r = i / WIDE % taps / conv.S, s = i / WIDE % conv.S;
    const float* from = w + group * filter.group + c * filter.input + tap(conv, filter, r, s);
    filters[i] = k < conv.K ? from[k * filter.output] : 0.f;
  }
  __syncthreads();
  const int first = blockIdx.x * THREADS * PAIR + threadIdx.x;
  const Pixel one = locate(conv, group, first), two = locate(conv, group, first + THREADS);
  float sums[PAIR][WIDE] = {};
  const float* now = filters;
  for (int c = 0; c < conv.C; ++c)
    for (int r = 0; r < conv.R; ++r)
      for (int s = 0; s < conv.S; ++s, now += WIDE) {
        const float u = one.seen(x, conv, c, r, s), v = two.seen(x, conv, c, r, s);
#pragma unroll
        for (int k = 0; k < WIDE; k += 4) {
          const float4 f = *reinterpret_cast<const float4*>(now + k);
          const float factor[4] = {f.x, f.y, f.z, f.w};
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            sums[0][k + j] = fmaf(u, factor[j], sums[0][k + j]);
            sums[1][k + j] = fmaf(v, factor[j], sums[1][k + j]);
          }
        }
      }
  const int plane = conv.out_H * conv.out_W;
#pragma unroll
  for (int k = 0; k < WIDE; ++k)
    if (channel + k < conv.K) {
      const float b = bias ? bias[group * conv.K + channel + k] : 0.f;
      if (one.inside) out[one.to + (channel + k) * plane] = activate(sums[0][k] + b, epilogue);
      if (two.inside) out[two.to + (channel + k) * plane] = activate(sums[1][k] + b, epilogue);
    }
}
