// Bias and activation, forward and backward.
//
// They do next to no arithmetic: they take as long as their bytes take.  So the point is to touch
// every byte once.
//
//   kernel             reads + writes             FLOPs     apart it would be
//   bias_act           4 + 4 bytes a number       2         16 bytes (bias, then activation)
//   bias_act_backward  8 + 4 bytes a number       3         16 bytes (activation, then a sum by channel)
//
// At 8 bytes a number, 300 GB/s (T4) or 4.8 TB/s (H200) pass 37 or 600 billion numbers a second; the
// fetches are 16 bytes wide where H·W is a multiple of 4.
//
// The activations are those of epilogue.cuh, which applies them behind a convolution; these kernels
// are for where nothing precedes.  Backward starts from the result y, from which each of them knows
// its derivative.
//
// Measured: not measured yet.
#include "epilogue.cuh"
#include "streams.cuh"

// The gradient g of the result y, taken back to the activation's input.
static __device__ __forceinline__ float activate_back(float g, float y, const Epilogue& e) {
  if (e.activation == RELU) return y > 0.f ? g : 0.f;
  if (e.activation == LEAKY_RELU) return y > 0.f ? g : e.slope * g;
  if (e.activation == TANH) return g * (1.f - y * y);
  return g;
}

// y = f(x + bias).  The tensor is one row of vectors; a thread carries its place (p in a run of H·W,
// channel c) from step to step, so that it divides once.  y may be x; a null bias is zero.
extern "C" __global__ void __launch_bounds__(THREADS) bias_act(
    const float* x, const float* bias, float* y, Channels shape, Epilogue e) {
  const unsigned run = shape.inner / VECTOR, channels = shape.channels;
  const unsigned vectors = shape.batch * channels * run, stride = gridDim.x * THREADS;
  const unsigned over = stride / run % channels, along = stride % run;
  unsigned i = blockIdx.x * THREADS + threadIdx.x, p = i % run, c = i / run % channels;
  for (; i < vectors; i += stride) {
    const float b = bias ? bias[c] : 0.f;
    Vector v = load(x + (size_t)i * VECTOR);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) v.at[k] = activate(v.at[k] + b, e);
    store(y + (size_t)i * VECTOR, v);
    p += along, c += over;
    if (p >= run) p -= run, ++c;
    if (c >= channels) c -= channels;
  }
}

// dx = f'(y)·g, and for each slice of each channel the sum of dx, of which bias_total makes the
// bias's gradient.  Block (c, slice).  dx may be g; parts may be null: no bias.
extern "C" __global__ void __launch_bounds__(THREADS) bias_act_backward(
    const float* g, const float* y, float* dx, float* parts, Channels shape, Epilogue e) {
  __shared__ float scratch[WARPS];
  float sum = 0.f;
  for (Walk walk(shape, blockIdx.x); walk.inside(); walk.next()) {
    Vector given = load(g + walk.at());
    const Vector seen = load(y + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      given.at[k] = activate_back(given.at[k], seen.at[k], e);
      sum += given.at[k];
    }
    store(dx + walk.at(), given);
  }
  sum = block_sum(sum, scratch);
  if (parts && threadIdx.x == 0) parts[blockIdx.x * gridDim.y + blockIdx.y] = sum;
}

// total[c] = Σ parts[c][slice], in order.
extern "C" __global__ void __launch_bounds__(THREADS) bias_total(
    const float* parts, float* total, int channels, int slices) {
  const int c = blockIdx.x * THREADS + threadIdx.x;
  if (c < channels) total[c] = in_order(parts + (size_t)c * slices, slices);
}
