// Rung 0: the three routines as they are defined, one thread for each number of the result.
//
// Nothing is shared and nothing is kept: each multiply-add reads both its factors, 8 B for 2 FLOP,
// so reading is the limit: 1/4 (A100) or 1/8 (H100) of the peak if all comes from the level 1 cache
// (rungs.cuh).  These kernels say what the others have to compute; they are also the quickest to
// start, for results of a few thousand numbers.
// Measured: not measured yet.
#include "common.cuh"
#include "epilogue.cuh"

constexpr int THREADS = 256;

// y (N, K, P, Q) from x (N, C, H, W) and w (K, C/groups, R, S).
extern "C" __global__ void __launch_bounds__(THREADS) fprop_naive(
    const float* __restrict__ x, const float* __restrict__ w, const float* bias, float* y,
    const Conv conv, const Epilogue epilogue) {
  const unsigned i = blockIdx.x * THREADS + threadIdx.x;  // (n, channel, p, q)
  const int channels = conv.groups * conv.K;
  if (i < (unsigned)(conv.N * channels * conv.P * conv.Q)) {
    const int q = i % conv.Q, p = i / conv.Q % conv.P, k = i / (conv.P * conv.Q) % channels,
              n = i / (conv.P * conv.Q) / channels;
    const float* image = x + (n * conv.groups + k / conv.K) * conv.C * conv.H * conv.W;
    const float* filter = w + k * conv.C * conv.R * conv.S;
    float sum = 0.f;
    for (int c = 0; c < conv.C; c++)
      for (int r = 0; r < conv.R; r++)
        for (int s = 0; s < conv.S; s++) {
          const int h = p * conv.stride_h + r * conv.step_h + conv.first_h,
                    v = q * conv.stride_w + s * conv.step_w + conv.first_w;
          if (h >= 0 && h < conv.H && v >= 0 && v < conv.W)
            sum = fmaf(image[(c * conv.H + h) * conv.W + v], filter[(c * conv.R + r) * conv.S + s],
                       sum);
        }
    y[i] = activate(sum + (bias ? bias[k] : 0.f), epilogue);
  }
}

// dy[i] behind a LeakyReLU, if there was one (see Tensor in loaders.cuh).
static __device__ __forceinline__ float gradient(const float* dy, const float* saved, float slope,
                                                 int i) {
  return saved && !(saved[i] > 0.f) ? slope * dy[i] : dy[i];
}

// dx (N, C, H, W) from dy and w; ``conv`` is fprop's.  Every pixel looks for the outputs that saw
// it: stride·p + r·step + first = h.
extern "C" __global__ void __launch_bounds__(THREADS) dgrad_naive(
    const float* __restrict__ dy, const float* __restrict__ saved, float slope,
    const float* __restrict__ w, const float* bias, float* dx, const Conv conv,
    const Epilogue epilogue) {
  const unsigned i = blockIdx.x * THREADS + threadIdx.x;  // (n, channel, h, v)
  const int channels = conv.groups * conv.C;
  if (i < (unsigned)(conv.N * channels * conv.H * conv.W)) {
    const int v = i % conv.W, h = i / conv.W % conv.H, channel = i / (conv.H * conv.W) % channels,
              n = i / (conv.H * conv.W) / channels;
    const int group = channel / conv.C, c = channel % conv.C;
    float sum = 0.f;
    for (int k = 0; k < conv.K; k++)
      for (int r = 0; r < conv.R; r++)
        for (int s = 0; s < conv.S; s++) {
          const int down = h - conv.first_h - r * conv.step_h,
                    across = v - conv.first_w - s * conv.step_w;
          const int p = down / conv.stride_h, q = across / conv.stride_w;
          if (down >= 0 && across >= 0 && down == p * conv.stride_h &&
              across == q * conv.stride_w && p < conv.P && q < conv.Q) {
            const int y = (((n * conv.groups + group) * conv.K + k) * conv.P + p) * conv.Q + q;
            sum = fmaf(gradient(dy, saved, slope, y),
                       w[(((group * conv.K + k) * conv.C + c) * conv.R + r) * conv.S + s], sum);
          }
        }
    dx[i] = activate(sum + (bias ? bias[channel] : 0.f), epilogue);
  }
}

// dw (K, C/groups, R, S) from x and dy.
extern "C" __global__ void __launch_bounds__(THREADS) wgrad_naive(
    const float* __restrict__ x, const float* __restrict__ dy, const float* __restrict__ saved,
    float slope, float* dw, const Conv conv) {
  const unsigned i = blockIdx.x * THREADS + threadIdx.x;  // (k, c, r, s)
  if (i < (unsigned)(conv.groups * conv.K * conv.C * conv.R * conv.S)) {
    const int s = i % conv.S, r = i / conv.S % conv.R, c = i / (conv.R * conv.S) % conv.C,
              k = i / (conv.R * conv.S) / conv.C;
    float sum = 0.f;
    for (int n = 0; n < conv.N; n++)
      for (int p = 0; p < conv.P; p++)
        for (int q = 0; q < conv.Q; q++) {
          const int h = p * conv.stride_h + r * conv.step_h + conv.first_h,
                    v = q * conv.stride_w + s * conv.step_w + conv.first_w;
          if (h >= 0 && h < conv.H && v >= 0 && v < conv.W) {
            const int y = ((n * conv.groups * conv.K + k) * conv.P + p) * conv.Q + q;
            const int pixel =
                (((n * conv.groups + k / conv.K) * conv.C + c) * conv.H + h) * conv.W + v;
            sum = fmaf(gradient(dy, saved, slope, y), x[pixel], sum);
          }
        }
    dw[i] = sum;
  }
}
