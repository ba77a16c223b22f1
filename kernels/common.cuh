// What all kernels share: how a convolution is described, division by a constant, sums over a warp.
//
// Tensors are float32 and contiguous in N, C, H, W order.  Indices are 32-bit: the launching side
// refuses tensors of 2^31 elements or more.
#pragma once

// Division by a number that is known when the kernel is launched, but not when it is compiled.
//
// A GPU has no integer division instruction; n / d costs some 20 instructions.  But for n < 2^31
//
//     n / d = (high 32 bits of n·magic + n) >> shift,
//     shift = ⌈log2 d⌉,   magic = ⌊2^32·(2^shift - d) / d⌋ + 1
//
// (Granlund and Montgomery, "Division by invariant integers using multiplication", 1994): three.
// The host computes magic and shift.
struct Divisor {
  int value;
  unsigned magic;
  int shift;
};

static __device__ __forceinline__ int divide(int n, const Divisor& d) {
  return (int)((__umulhi((unsigned)n, d.magic) + (unsigned)n) >> d.shift);
}

// A convolution of an image by a filter, grouped: output channel k of a group is
//
//     out[n, k, p, q] = Σ over c, r, s of
//         filter[k, c, r, s] · image[n, c, p·stride_h + r·step_h + first_h,
//                                          q·stride_w + s·step_w + first_w]
//
// where pixels outside the image are 0.  For fprop ``first`` is minus the padding and ``step`` the
// dilation.  dgrad is several such convolutions, one for each class of pixels (dgrad.cu): there
// the "image" is dy, and pixel (p, q) of the result lies at (out_first_h + p·out_stride_h, …).
struct Conv {
  int N, groups;                   // images; groups of channels
  int C, H, W;                     // the image that is read: channels of one group, rows, columns
  int K, R, S;                     // the filter: output channels of one group, taps
  int P, Q;                        // how many outputs in one channel of one image
  int stride_h, stride_w;          // from one output to the next, in the image
  int first_h, first_w;            // the pixel that output 0 sees through tap 0
  int step_h, step_w;              // from one tap to the next, in the image
  int out_H, out_W;                // the tensor that is written
  int out_stride_h, out_stride_w;  // from one output to the next, in the tensor that is written
  int out_first_h, out_first_w;    // where output 0 lies there
  int filter;                      // where this convolution's filter begins in the array of filters
  int tap_first_r, tap_first_s;    // tap 0 in the whole filter (dgrad's classes take some taps)
  int tap_step_r, tap_step_s;      // from one tap to the next, in the whole filter
  Divisor by_PQ, by_Q, by_RS, by_S;  // the numbers that indices are divided by
};

// The sum of one value from each of the 32 threads of a warp, in thread 0; always added in the
// same order.
static __device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_down_sync(0xffffffffu, value, distance);
  return value;
}
