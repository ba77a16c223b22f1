// One step of an optimizer over all parameters at once, which lie behind one another in memory.
//
//   kernel                      reads + writes                       FLOPs a parameter
//   grad_squares (if clipping)  4 + 0 bytes                          2
//   sgd, with momentum          8 + 4, 12 + 8 bytes a parameter      2, 4
//   rmsprop, with all options   12 + 8, 20 + 16                      8, 14
//   adam, with amsgrad          16 + 12, 20 + 16                     14
//
// Written as array operations, Adam is 13 kernels and 120 bytes a parameter; and a launch
// takes microseconds, which for the hundreds of small arrays of a network is most of the time.  So:
// one launch, every number read once and written once.  6 million parameters (a DCGAN) are 170 MB:
// some 0.55 ms of a T4's memory, 35 µs of an H200's.
//
// The formulas, and the order of their operations, are those of minigan.optim; the constants that
// depend on the step's number are computed by the host in float64.  Before the update the gradient
// is, in this order, clipped (the norm of all of it at most max_norm, in one more pass; the sum is
// in float64 as it is on the CPU, where squares cannot overflow), turned around for maximising, and
// given weight_decay·p.  After it parameters may be clipped to [-limit, limit] (the first WGAN).
//
// Measured: not measured yet.
#include "streams.cuh"

struct Shared {
  float max_norm, sign, decay, limit;  // sign is -1 to maximise; no limit is infinity
  int parts;                           // how many the partial sums of grad_squares are
};
struct Adam {
  float beta1, share1, beta2, share2, eps, rate, root, shrink;  // share is 1 - beta
};
struct RMSprop {
  float lr, alpha, share, eps, momentum;
};
struct SGD {
  float lr, momentum, share;  // share is 1 - dampening, 1 in the first step
  int nesterov;
};

// parts[block] = Σ g².
extern "C" __global__ void __launch_bounds__(THREADS) grad_squares(
    const float* g, double* parts, size_t n) {
  __shared__ double scratch[WARPS];
  double sum = 0.;
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    const Vector v = load(g + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) sum = fma((double)v.at[k], (double)v.at[k], sum);
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// What the gradient is multiplied by: min(1, max_norm/(norm + 1e-6)), NaN where the norm is NaN.
// Every block adds the parts anew, in the same order.  The norm itself goes to `norm`, if given.
static __device__ __forceinline__ float clipping(const double* parts, const Shared& s,
                                                 double* scratch, float* norm) {
  if (!parts) return s.sign;
  double sum = 0.;
  for (int i = threadIdx.x; i < s.parts; i += THREADS) sum += parts[i];
  const double length = sqrt(block_sum(sum, scratch)), factor = s.max_norm / (length + 1e-6);
  if (norm && blockIdx.x == 0 && threadIdx.x == 0) *norm = (float)length;
  return factor >= 1. ? s.sign : (float)factor * s.sign;
}

static __device__ __forceinline__ float gradient(float g, float p, float factor,
                                                 const Shared& s) {
  return s.decay != 0.f ? g * factor + s.decay * p : g * factor;
}

static __device__ __forceinline__ float limited(float p, float limit) {
  return p > limit ? limit : p < -limit ? -limit : p;  // NaN stays NaN
}

// m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²,  p ← p·shrink - rate·m/(√v·root + ε)
// with rate = lr/(1 - β₁ᵗ), root = 1/√(1 - β₂ᵗ) and AdamW's shrink = 1 - lr·decay (else 1);
// `largest`, if given, holds the largest v so far and takes its place (AMSGrad).
extern "C" __global__ void __launch_bounds__(THREADS) adam(
    float* p, const float* g, float* m, float* v, float* largest, const double* parts, float* norm,
    size_t n, Shared s, Adam a) {
  __shared__ double scratch[WARPS];
  const float factor = clipping(parts, s, scratch, norm);
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector ps = load(p + i), ms = load(m + i), vs = load(v + i), top;
    const Vector gs = load(g + i);
    if (largest) top = load(largest + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = gradient(gs.at[k], ps.at[k], factor, s);
      ms.at[k] = a.beta1 * ms.at[k] + a.share1 * d;
      vs.at[k] = a.beta2 * vs.at[k] + a.share2 * (d * d);
      float second = vs.at[k];
      if (largest) second = top.at[k] = top.at[k] > second ? top.at[k] : second;
      const float step = a.rate * (ms.at[k] / (sqrtf(second) * a.root + a.eps));
      ps.at[k] = limited(a.shrink * ps.at[k] - step, s.limit);
    }
    store(p + i, ps), store(m + i, ms), store(v + i, vs);
    if (largest) store(largest + i, top);
  }
}

// v ← α·v + (1 - α)·g²,  d = g/(√v + ε),  p ← p - lr·d.  With `average` (the mean of g, centred
// form) √(v - average²) in the place of √v; with `velocity` u ← μ·u + d in the place of d.
extern "C" __global__ void __launch_bounds__(THREADS) rmsprop(
    float* p, const float* g, float* v, float* average, float* velocity, const double* parts, float*
    norm, size_t n, Shared s, RMSprop a) {
  __shared__ double scratch[WARPS];
  const float factor = clipping(parts, s, scratch, norm);
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector ps = load(p + i), vs = load(v + i), means, speeds;
    const Vector gs = load(g + i);
    if (average) means = load(average + i);
    if (velocity) speeds = load(velocity + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = gradient(gs.at[k], ps.at[k], factor, s);
      vs.at[k] = a.alpha * vs.at[k] + a.share * (d * d);
      float second = vs.at[k];
      if (average) {
        means.at[k] = a.alpha * means.at[k] + a.share * d;
        second -= means.at[k] * means.at[k];
        second = second < 0.f ? 0.f : second;  // a variance that rounding made negative
      }
      float step = d / (sqrtf(second) + a.eps);
      if (velocity) step = speeds.at[k] = a.momentum * speeds.at[k] + step;
      ps.at[k] = limited(ps.at[k] - a.lr * step, s.limit);
    }
    store(p + i, ps), store(v + i, vs);
    if (average) store(average + i, means);
    if (velocity) store(velocity + i, speeds);
  }
}

// p ← p - lr·g; with `velocity` u ← μ·u + share·g and u, or Nesterov's g + μ·u, in the place of g.
extern "C" __global__ void __launch_bounds__(THREADS) sgd(
    float* p, const float* g, float* velocity, const double* parts, float* norm, size_t n, Shared s,
    SGD a) {
  __shared__ double scratch[WARPS];
  const float factor = clipping(parts, s, scratch, norm);
  for (size_t i = flat_first(); i < n; i += flat_stride()) {
    Vector ps = load(p + i), speeds;
    const Vector gs = load(g + i);
    if (velocity) speeds = load(velocity + i);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      float d = gradient(gs.at[k], ps.at[k], factor, s);
      if (velocity) {
        speeds.at[k] = a.momentum * speeds.at[k] + a.share * d;
        d = a.nesterov ? a.momentum * speeds.at[k] + d : speeds.at[k];
      }
      ps.at[k] = limited(ps.at[k] - a.lr * d, s.limit);
    }
    store(p + i, ps);
    if (velocity) store(velocity + i, speeds);
  }
}
