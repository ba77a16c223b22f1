// One step of an optimizer over all parameters of a network, in one launch.
//
//   kernel                  reads + writes                       FLOPs a parameter
//   sgd, with momentum      8 + 4, 12 + 8 bytes a parameter      2, 4
//   rmsprop, with options   12 + 8, 20 + 16                      8, 14
//   adam, with amsgrad      16 + 12, 20 + 16                     14
//
// Written as array operations, Adam is 13 kernels and 120 bytes a parameter; and a launch
// takes microseconds, which for the tens of short arrays of a network is most of the time.  So: one
// launch (segments.cuh), every number read once and written once.  6 million parameters (a DCGAN)
// are 170 MB: some 0.55 ms of a T4's memory, 35 µs of an H200's.
//
// The settings lie in the GPU's memory, and so does the number of Adam's steps, which a launch of
// its own counts: nothing of a step comes from the host, so a captured step can be replayed, and
// `settings` sends new ones where a learning rate has changed.
//
// The formulas, and the order of their operations, are those of minigan.optim; what depends on the
// step's number is computed in float64.  The gradient is first turned around for maximising and
// given decay·p.
//
// Measured: not measured yet.
#include "segments.cuh"

#define WORDS 32

struct Words {
  unsigned at[WORDS];
};
struct Adam {
  double lr, beta1, beta2, apart;  // apart is AdamW's decay
  long long step;                  // how many have been taken
  float eps, sign, decay;          // sign is -1 to maximise
  float now1, share1, now2, share2, rate, root, shrink;  // written by adam_step
};
struct RMSprop {
  float lr, alpha, share, eps, momentum, sign, decay;  // share is 1 - alpha
};
struct SGD {
  float lr, momentum, share, sign, decay;  // share is 1 - dampening, 1 in the first step
  int nesterov;
};

// Settings as the host gives them, with the launch's arguments.
extern "C" __global__ void __launch_bounds__(THREADS) settings(
    unsigned* to, const Words from, int count) {
  const int i = threadIdx.x;
  if (i < count) to[i] = from.at[i];
}

static __device__ __forceinline__ float gradient(float g, float p, float sign, float decay) {
  return decay != 0.f ? g * sign + decay * p : g * sign;
}

// The next step's number, and what depends on it: rate = lr/(1 - β₁ᵗ), root = 1/√(1 - β₂ᵗ) and
// AdamW's shrink = 1 - lr·decay (else 1).
extern "C" __global__ void __launch_bounds__(THREADS) adam_step(Adam* rule) {
  if (threadIdx.x == 0) {
    Adam& a = *rule;
    const double t = (double)++a.step;
    a.now1 = (float)a.beta1, a.share1 = (float)(1. - a.beta1);
    a.now2 = (float)a.beta2, a.share2 = (float)(1. - a.beta2);
    a.rate = (float)(a.lr / (1. - pow(a.beta1, t)));
    a.root = (float)(1. / sqrt(1. - pow(a.beta2, t)));
    a.shrink = (float)(1. - a.lr * a.apart);
  }
}

// m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²,  p ← p·shrink - rate·m/(√v·root + ε);
// `largest`, if given, holds the largest v so far and takes its place (AMSGrad).
// Rows: p, g, m, v, largest.
extern "C" __global__ void __launch_bounds__(THREADS) adam(const Segments arrays, const Adam* rule) {
  const Adam a = *rule;
  Part part(arrays);
  const int s = part.segment;
  float *p = arrays.at[0][s], *m = arrays.at[2][s], *v = arrays.at[3][s], *largest = arrays.at[4][s];
  const float* g = arrays.at[1][s];
  for (; part.inside(); part.next()) {
    Vector ps = part.get(p), ms = part.get(m), vs = part.get(v), top = {};
    const Vector gs = part.get(g);
    if (largest) top = part.get(largest);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = gradient(gs.at[k], ps.at[k], a.sign, a.decay);
      ms.at[k] = a.now1 * ms.at[k] + a.share1 * d;
      vs.at[k] = a.now2 * vs.at[k] + a.share2 * (d * d);
      float second = vs.at[k];
      if (largest) second = top.at[k] = top.at[k] > second ? top.at[k] : second;
      const float step = a.rate * (ms.at[k] / (sqrtf(second) * a.root + a.eps));
      ps.at[k] = a.shrink * ps.at[k] - step;
    }
    part.put(p, ps), part.put(m, ms), part.put(v, vs);
    if (largest) part.put(largest, top);
  }
}

// v ← α·v + (1 - α)·g²,  d = g/(√v + ε),  p ← p - lr·d.  With `average` (the mean of g, centred
// form) √(v - average²) in the place of √v; with `velocity` u ← μ·u + d in the place of d.
// Rows: p, g, v, average, velocity.
extern "C" __global__ void __launch_bounds__(THREADS) rmsprop(
    const Segments arrays, const RMSprop* rule) {
  const RMSprop a = *rule;
  Part part(arrays);
  const int s = part.segment;
  float *p = arrays.at[0][s], *v = arrays.at[2][s];
  float *average = arrays.at[3][s], *velocity = arrays.at[4][s];
  const float* g = arrays.at[1][s];
  for (; part.inside(); part.next()) {
    Vector ps = part.get(p), vs = part.get(v), means = {}, speeds = {};
    const Vector gs = part.get(g);
    if (average) means = part.get(average);
    if (velocity) speeds = part.get(velocity);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      const float d = gradient(gs.at[k], ps.at[k], a.sign, a.decay);
      vs.at[k] = a.alpha * vs.at[k] + a.share * (d * d);
      float second = vs.at[k];
      if (average) {
        means.at[k] = a.alpha * means.at[k] + a.share * d;
        second -= means.at[k] * means.at[k];
        second = second < 0.f ? 0.f : second;  // a variance that rounding made negative
      }
      float step = d / (sqrtf(second) + a.eps);
      if (velocity) step = speeds.at[k] = a.momentum * speeds.at[k] + step;
      ps.at[k] -= a.lr * step;
    }
    part.put(p, ps), part.put(v, vs);
    if (average) part.put(average, means);
    if (velocity) part.put(velocity, speeds);
  }
}

// p ← p - lr·g; with `velocity` u ← μ·u + share·g and u, or Nesterov's g + μ·u, in the place of g.
// Rows: p, g, velocity.
extern "C" __global__ void __launch_bounds__(THREADS) sgd(const Segments arrays, const SGD* rule) {
  const SGD a = *rule;
  Part part(arrays);
  float *p = arrays.at[0][part.segment], *velocity = arrays.at[2][part.segment];
  const float* g = arrays.at[1][part.segment];
  for (; part.inside(); part.next()) {
    Vector ps = part.get(p), speeds = {};
    const Vector gs = part.get(g);
    if (velocity) speeds = part.get(velocity);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      float d = gradient(gs.at[k], ps.at[k], a.sign, a.decay);
      if (velocity) {
        speeds.at[k] = a.momentum * speeds.at[k] + a.share * d;
        d = a.nesterov ? a.momentum * speeds.at[k] + d : speeds.at[k];
      }
      ps.at[k] -= a.lr * d;
    }
    part.put(p, ps);
    if (velocity) part.put(velocity, speeds);
  }
}
