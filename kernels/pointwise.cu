// Bias and activation, forward and backward, and the loss of a GAN's discriminator with its gradient.
//
// All of these do next to no arithmetic: they take as long as their bytes take.  So the point is to
// touch every byte once.
//
//   kernel             reads + writes             FLOPs     apart it would be
//   bias_act           4 + 4 bytes a number       2         16 bytes (bias, then activation)
//   bias_act_backward  8 + 4 bytes a number       3         16 bytes (activation, then a sum by channel)
//   bce_logits         8 + 4 bytes a logit        ~30       36 bytes (loss, sum, sigmoid, difference)
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

// Binary cross entropy of logits x with targets t (or one target for all where `target` is null):
//
//   loss = t·ln(1 + e^-x) + (1 - t)·ln(1 + e^x),   gradient = (1 - t)·σ(x) - t·σ(-x)
//
// Written so, neither overflows and neither cancels: near-certain logits keep all digits of both.
// Each block writes its part of Σ loss, and the gradient times `scale` (1/n for the mean's).
extern "C" __global__ void __launch_bounds__(THREADS) bce_logits(
    const float* x, const float* target, float all, float scale, float* gradient, float* parts, int
    n) {
  __shared__ float scratch[WARPS];
  float sum = 0.f;
  for (int i = blockIdx.x * THREADS + threadIdx.x; i < n; i += gridDim.x * THREADS) {
    const float v = x[i], t = target ? target[i] : all;
    const float z = expf(-fabsf(v));
    const float small = log1pf(z), large = small + fabsf(v);  // ln(1 + e^-|x|) and ln(1 + e^|x|)
    const float r = 1.f / (1.f + z);
    const float high = v >= 0.f ? r : z * r, low = v >= 0.f ? z * r : r;  // σ(x) and σ(-x)
    sum += t * (v >= 0.f ? small : large) + (1.f - t) * (v >= 0.f ? large : small);
    if (gradient) gradient[i] = scale * ((1.f - t) * high - t * low);
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// loss = scale·Σ parts, in order.  One block.
extern "C" __global__ void __launch_bounds__(THREADS) bce_total(
    const float* parts, int count, float scale, float* loss) {
  __shared__ float scratch[WARPS];
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += THREADS) sum += parts[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *loss = scale * sum;
}
