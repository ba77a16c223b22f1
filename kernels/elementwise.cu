// Functions of each number alone that take several array operations, in one launch each.
//
//   kernel             reads + writes          as array operations
//   smooth             4 + 4 bytes a number    sigmoid: 7 launches and 48 bytes, softplus: 8 and 52
//   backward           8 + 4                   2 to 3 launches, 20 to 32 bytes
//   logistic           12 + 4                  13 launches, 100 bytes
//   logistic_backward  16 + 4                  17 launches, 150 bytes
//
// The formulas are those of minigan.ops (Sigmoid, Softplus, LogisticLoss, and the gradients of
// LeakyReLU, tanh and sigmoid), where e^-|x| never overflows and nothing cancels.  A critic's
// logits are few: for them it is the number of launches that counts.
//
// Measured: not measured yet.
#include "streams.cuh"

enum Smooth { SIGMOID, SOFTPLUS };
enum Backward { LEAKY_RELU, TANH, SIGMOID_BACK };

static __device__ __forceinline__ float sigmoid(float x) {
  const float z = expf(-fabsf(x));
  return (x >= 0.f ? 1.f : z) / (1.f + z);
}

// y = σ(x) = 1/(1 + e^-x) or ln(1 + e^x).  y may be x.
extern "C" __global__ void __launch_bounds__(THREADS) smooth(
    const float* x, float* y, size_t n, int function) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector v = load(x + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float u = v.at[k];
      v.at[k] = function == SIGMOID ? sigmoid(u) : (u > 0.f ? u : 0.f) + log1pf(expf(-fabsf(u)));
    }
    store(y + i, v);
  }
}

// dx = f'·g, f' being known from s: of LeakyReLU by the sign of its input or result, of tanh and σ
// from their results.  dx may be g.
extern "C" __global__ void __launch_bounds__(THREADS) backward(
    const float* g, const float* s, float* dx, size_t n, int function, float slope) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector given = load(g + i);
    const Vector seen = load(s + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float y = seen.at[k];
      const float factor = function == TANH           ? 1.f - y * y
                           : function == SIGMOID_BACK ? y * (1.f - y)
                           : y > 0.f                  ? 1.f
                                                      : slope;
      given.at[k] *= factor;
    }
    store(dx + i, given);
  }
}

// y = p·ln(1 + e^-x) + q·ln(1 + e^x): with q = 1 - p the cross entropy of logits x.
extern "C" __global__ void __launch_bounds__(THREADS) logistic(
    const float* x, const float* p, const float* q, float* y, size_t n) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    const Vector us = load(x + i), ps = load(p + i), qs = load(q + i);
    Vector v;
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float u = us.at[k], common = log1pf(expf(-fabsf(u)));
      v.at[k] = ps.at[k] * (common + (u > 0.f ? 0.f : -u)) +
                qs.at[k] * (common + (u > 0.f ? u : 0.f));
    }
    store(y + i, v);
  }
}

// dx = g·(q·σ(x) - p·σ(-x)).  dx may be g.
extern "C" __global__ void __launch_bounds__(THREADS) logistic_backward(
    const float* g, const float* x, const float* p, const float* q, float* dx, size_t n) {
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector given = load(g + i);
    const Vector us = load(x + i), ps = load(p + i), qs = load(q + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k)
      given.at[k] *= qs.at[k] * sigmoid(us.at[k]) - ps.at[k] * sigmoid(-us.at[k]);
    store(dx + i, given);
  }
}
