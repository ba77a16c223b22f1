// Batch normalisation in training, with the LeakyReLU that follows it, forward and backward.
//
//   y = f((x - μ)·s·w + b),  s = 1/√(σ² + ε);  μ and σ² of one channel, over batch and image
//
// Arithmetic is nothing, bytes are all.  Forward reads x three times (sum, squares about the mean,
// result) and writes y once: 16 bytes a number.  One pass less would be E[x²] - μ², which loses
// every digit when |μ| is large beside σ; two passes do not, and for what fits the L2 (50 MB on an
// H100) the second and third read never reach memory, which leaves 8 bytes.
//
// Backward needs two sums over a channel before it can write anything.  With h the gradient taken
// back through f:
//
//   dx = w·s·(h - Σh/M - (x - μ)·s²·Σ(h·(x - μ))/M),   dw = s·Σ(h·(x - μ)),   db = Σh
//
// so g and x are read twice and dx written: 20 bytes.  f's derivative needs the sign of its input;
// that is computed again from x by the same two instructions as forward, hence with the same
// result, and y, another 8 bytes, is not read at all.
//
// Block (c, slice): one part of one channel; sums as streams.cuh says.  The next kernel adds the
// few parts itself, which saves a launch and a kernel of one block.  In channels of H·W = 1 numbers
// lie C apart and loads do not coalesce: right, but for the small matrices of linear layers only.
//
// Measured: not measured yet.
#include "streams.cuh"

// s·w, and what f sees: the same bits forward and backward.
static __device__ __forceinline__ float factor(float var, float eps, const float* weight, int c) {
  return 1.f / sqrtf(var + eps) * (weight ? weight[c] : 1.f);
}
static __device__ __forceinline__ float normal(float x, float mean, float scale, float shift) {
  return fmaf(x - mean, scale, shift);
}

// parts[c][slice] = Σ x.
extern "C" __global__ void __launch_bounds__(THREADS) norm_sum(
    const float* x, float* parts, Channels shape) {
  __shared__ float scratch[WARPS];
  float sum = 0.f;
  for (Walk walk(shape, blockIdx.x); walk.inside(); walk.next()) {
    const Vector v = load(x + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) sum += v.at[k];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x * gridDim.y + blockIdx.y] = sum;
}

// With m the rounded mean that the sums give: rests[c][slice] = Σ (x - m), squares[c][slice] =
// Σ (x - m)².  The first would be 0 if m were exact; it corrects both the mean and the squares.
extern "C" __global__ void __launch_bounds__(THREADS) norm_centred(
    const float* x, const float* sums, float* rests, float* squares, Channels shape) {
  __shared__ float scratch[WARPS];
  const int place = blockIdx.x * gridDim.y;
  const float mean = in_order(sums + place, gridDim.y) / ((float)shape.batch * shape.inner);
  float rest = 0.f, square = 0.f;
  for (Walk walk(shape, blockIdx.x); walk.inside(); walk.next()) {
    const Vector v = load(x + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = v.at[k] - mean;
      rest += d;
      square = fmaf(d, d, square);
    }
  }
  rest = block_sum(rest, scratch);
  square = block_sum(square, scratch);
  if (threadIdx.x == 0) rests[place + blockIdx.y] = rest, squares[place + blockIdx.y] = square;
}

// y, and once a channel: its mean, its variance and the running statistics.  Null weight: 1, null
// bias: 0, null running statistics: none are kept.
extern "C" __global__ void __launch_bounds__(THREADS) norm_apply(
    const float* x, const float* sums, const float* rests, const float* squares, const float*
    weight, const float* bias, float* y, float* mean_out, float* var_out, float* running_mean,
    float* running_var, Channels shape, float eps, float momentum, float slope) {
  const int c = blockIdx.x, place = c * gridDim.y;
  const float count = (float)shape.batch * shape.inner;
  const float rest = in_order(rests + place, gridDim.y) / count;
  const float mean = in_order(sums + place, gridDim.y) / count + rest;
  const float var = fmaxf(in_order(squares + place, gridDim.y) / count - rest * rest, 0.f);
  const float scale = factor(var, eps, weight, c), shift = bias ? bias[c] : 0.f;
  for (Walk walk(shape, c); walk.inside(); walk.next()) {
    Vector v = load(x + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float z = normal(v.at[k], mean, scale, shift);
      v.at[k] = z > 0.f ? z : slope * z;
    }
    store(y + walk.at(), v);
  }
  if (blockIdx.y == 0 && threadIdx.x == 0) {
    mean_out[c] = mean, var_out[c] = var;
    if (running_mean) running_mean[c] = (1.f - momentum) * running_mean[c] + momentum * mean;
    const float unbiased = var * (count / (count - 1.f));
    if (running_var) running_var[c] = (1.f - momentum) * running_var[c] + momentum * unbiased;
  }
}

// plain[c][slice] = Σ h and products[c][slice] = Σ h·(x - μ).
extern "C" __global__ void __launch_bounds__(THREADS) norm_backward_sums(
    const float* g, const float* x, const float* mean_in, const float* var_in, const float* weight,
    const float* bias, float* plain, float* products, Channels shape, float eps, float slope) {
  __shared__ float scratch[WARPS];
  const int c = blockIdx.x, place = c * gridDim.y + blockIdx.y;
  const float mean = mean_in[c];
  const float scale = factor(var_in[c], eps, weight, c), shift = bias ? bias[c] : 0.f;
  float sum = 0.f, product = 0.f;
  for (Walk walk(shape, c); walk.inside(); walk.next()) {
    const Vector given = load(g + walk.at()), v = load(x + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float h = normal(v.at[k], mean, scale, shift) > 0.f ? given.at[k] : slope * given.at[k];
      sum += h;
      product = fmaf(h, v.at[k] - mean, product);
    }
  }
  sum = block_sum(sum, scratch);
  product = block_sum(product, scratch);
  if (threadIdx.x == 0) plain[place] = sum, products[place] = product;
}

// dx, and once a channel dw and db.  dx may be g.
extern "C" __global__ void __launch_bounds__(THREADS) norm_backward(
    const float* g, const float* x, const float* mean_in, const float* var_in, const float* weight,
    const float* bias, const float* plain, const float* products, float* dx, float* dweight, float*
    dbias, Channels shape, float eps, float slope) {
  const int c = blockIdx.x, place = c * gridDim.y;
  const float count = (float)shape.batch * shape.inner;
  const float mean = mean_in[c], inverse = 1.f / sqrtf(var_in[c] + eps);
  const float scale = factor(var_in[c], eps, weight, c), shift = bias ? bias[c] : 0.f;
  const float sum = in_order(plain + place, gridDim.y);
  const float product = in_order(products + place, gridDim.y);
  const float level = sum / count, slant = product / count * inverse * inverse;
  for (Walk walk(shape, c); walk.inside(); walk.next()) {
    Vector given = load(g + walk.at());
    const Vector v = load(x + walk.at());
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = v.at[k] - mean;
      const float h = normal(v.at[k], mean, scale, shift) > 0.f ? given.at[k] : slope * given.at[k];
      given.at[k] = scale * (h - level - d * slant);
    }
    store(dx + walk.at(), given);
  }
  if (blockIdx.y == 0 && threadIdx.x == 0) {
    if (dweight) dweight[c] = product * inverse;
    if (dbias) dbias[c] = sum;
  }
}
