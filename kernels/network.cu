// What is done to all arrays of a network at once beside the optimizer's step, each in one launch
// (segments.cuh): the norm of its gradients, clipping, and the moving average of its weights.
//
//   kernel    reads + writes         FLOPs     as array operations
//   squares   4 + 0 bytes a number   2         a kernel or three for each array
//   clip      4 + 4                  1         and the host waits for the norm
//   limit     4 + 4                  2         two kernels for each array
//   average   8 + 4                  3         three kernels for each array
//
// The norm is summed in float64, as it is on the CPU, where squares cannot overflow: by block in an
// order that the thread's number gives, then the blocks' sums in theirs.  It never goes to the
// host: clip adds the sums anew in every block.
//
// Measured: not measured yet.
#include "segments.cuh"

// parts[block] = Σ g².  Rows: g.
extern "C" __global__ void __launch_bounds__(THREADS) squares(const Segments arrays, double* parts) {
  __shared__ double scratch[WARPS];
  double sum = 0.;
  Part part(arrays);
  const float* g = arrays.at[0][part.segment];
  for (; part.inside(); part.next()) {
    const Vector v = part.get(g);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) sum = fma((double)v.at[k], (double)v.at[k], sum);
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// √Σ parts, the same bits in every block.
static __device__ __forceinline__ double length(const double* parts, int count, double* scratch) {
  double sum = 0.;
  for (int i = threadIdx.x; i < count; i += THREADS) sum += parts[i];
  return sqrt(block_sum(sum, scratch));
}

// The norm whose parts `squares` has made.  One block.
extern "C" __global__ void __launch_bounds__(THREADS) total_norm(
    const double* parts, int count, float* norm) {
  __shared__ double scratch[WARPS];
  const double found = length(parts, count, scratch);
  if (threadIdx.x == 0) *norm = (float)found;
}

// g ← g·min(1, max_norm/(norm + 1e-6)); a norm of NaN spreads to all of it.  Rows: g.
extern "C" __global__ void __launch_bounds__(THREADS) clip(
    const Segments arrays, const double* parts, int count, double max_norm) {
  __shared__ double scratch[WARPS];
  const double factor = max_norm / (length(parts, count, scratch) + 1e-6);
  Part part(arrays);
  float* g = arrays.at[0][part.segment];
  if (!(factor >= 1.)) {
    for (; part.inside(); part.next()) {
      Vector v = part.get(g);
#pragma unroll
      for (int k = 0; k < VECTOR; ++k) v.at[k] *= (float)factor;
      part.put(g, v);
    }
  }
}

// p ← p limited to [low, high]; NaN stays NaN.  Rows: p.
extern "C" __global__ void __launch_bounds__(THREADS) limit(
    const Segments arrays, float low, float high) {
  Part part(arrays);
  float* p = arrays.at[0][part.segment];
  for (; part.inside(); part.next()) {
    Vector v = part.get(p);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) {
      v.at[k] = v.at[k] < low ? low : v.at[k];
      v.at[k] = v.at[k] > high ? high : v.at[k];
    }
    part.put(p, v);
  }
}

// mean ← decay·mean + share·p.  Rows: mean, p.
extern "C" __global__ void __launch_bounds__(THREADS) average(
    const Segments arrays, float decay, float share) {
  Part part(arrays);
  float* mean = arrays.at[0][part.segment];
  const float* p = arrays.at[1][part.segment];
  for (; part.inside(); part.next()) {
    Vector v = part.get(mean);
    const Vector w = part.get(p);
#pragma unroll
    for (int k = 0; k < VECTOR; ++k) v.at[k] = decay * v.at[k] + share * w.at[k];
    part.put(mean, v);
  }
}
