// Small kernels for the emulator's own tests: first some that are right, then some that are not.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_pipeline_primitives.h>

#include "samples.cuh"

// ---------------------------------------------------------------------------- right

// The linear number of every thread of a three-dimensional grid, written once each.
extern "C" __global__ void numbers(int* y) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    y[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1 + block * 1000 + thread;
}

// Each block's numbers backwards, through dynamic shared memory.
extern "C" __global__ void __launch_bounds__(64) backwards(const float* x, float* y) {
    extern __shared__ __align__(16) float tile[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = tile[blockDim.x - 1 - threadIdx.x];
}

// Sums of blocks by a header's template, whose shared memory is static.
extern "C" __global__ void __launch_bounds__(96) sums(const float* x, float* y) {
    float s = block_sum<3>(x[blockIdx.x * 96 + threadIdx.x]);
    if (threadIdx.x == 0) y[blockIdx.x] = s;
}

extern "C" __global__ void shuffles(const int* x, int by, int width, int* y) {
    int v = x[threadIdx.x], n = blockDim.x;
    y[threadIdx.x] = __shfl_sync(0xffffffffu, v, by, width);
    y[n + threadIdx.x] = __shfl_down_sync(0xffffffffu, v, by, width);
    y[2 * n + threadIdx.x] = __shfl_up_sync(0xffffffffu, v, by, width);
    y[3 * n + threadIdx.x] = __shfl_xor_sync(0xffffffffu, v, by, width);
}

extern "C" __global__ void votes(const int* x, unsigned* y) {
    unsigned ballot = __ballot_sync(0xffffffffu, x[threadIdx.x]);
    int any = __any_sync(0xffffffffu, x[threadIdx.x]), all = __all_sync(0xffffffffu, x[threadIdx.x]);
    int block_any = __syncthreads_or(x[threadIdx.x]), block_all = __syncthreads_and(x[threadIdx.x]);
    int count = __syncthreads_count(x[threadIdx.x]);
    if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = ballot;
    if (threadIdx.x % 32 == 0) y[2 + threadIdx.x / 32] = any + 2 * all;
    if (threadIdx.x == 0) y[4] = block_any + 2 * block_all + 4 * count;
}

extern "C" __global__ void histogram(const int* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(y + x[i], 1);
}

// The order in which blocks and threads run.
extern "C" __global__ void tickets(int* counter, int* y) {
    y[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(counter, 1);
}

struct Affine { float slope; int shift; unsigned char twice; };
extern "C" __global__ void affine(const float4* x, float4* y, Affine by, bool negate) {
    float4 v = x[threadIdx.x];
    float s = (by.twice ? 2.0f : 1.0f) * (negate ? -by.slope : by.slope), d = by.shift;
    y[threadIdx.x] = make_float4(s * v.x + d, s * v.y + d, s * v.z + d, s * v.w + d);
}

extern "C" __global__ void roundings(const float* x, __half* half, __nv_bfloat16* bfloat, float* tf32) {
    int i = threadIdx.x;
    half[i] = __float2half_rn(x[i]);
    bfloat[i] = __float2bfloat16_rn(x[i]);
    tf32[i] = emu_tf32(x[i]);
}

// Sums of neighbouring tiles, fetched two stages ahead by cp.async.  KEEP 1 waits for the stage that
// is read; READ_BARRIER keeps it from being overwritten while somebody reads it.
#ifndef KEEP
#define KEEP 1
#endif
#ifndef READ_BARRIER
#define READ_BARRIER 1
#endif
extern "C" __global__ void __launch_bounds__(32) pipeline(const float* x, float* y, int tiles) {
    __shared__ __align__(16) float stage[2][128];
    const int t = threadIdx.x;
    float sum[4] = {0, 0, 0, 0};
    for (int k = 0; k < 2; k++) {
        if (k < tiles) __pipeline_memcpy_async(&stage[k][4 * t], x + 128 * k + 4 * t, 16);
        __pipeline_commit();
    }
    for (int k = 0; k < tiles; k++) {
        __pipeline_wait_prior(KEEP);
        __syncthreads();
        for (int j = 0; j < 4; j++) sum[j] += stage[k & 1][(4 * t + j + 64) % 128];
        if (READ_BARRIER) __syncthreads();
        if (k + 2 < tiles)
            __pipeline_memcpy_async(&stage[k & 1][4 * t], x + 128 * (k + 2) + 4 * t, 16);
        __pipeline_commit();
    }
    for (int j = 0; j < 4; j++) y[(4 * t + j + 64) % 128] = sum[j];
}

// The first `bytes` of 16 are copied, the others are zeros.
extern "C" __global__ void partial_copy(const float* x, float* y, int bytes) {
    __shared__ __align__(16) float tile[4];
    __pipeline_memcpy_async(tile, x, 16, 16 - bytes);
    __pipeline_commit();
    __pipeline_wait_prior(0);
    for (int i = 0; i < 4; i++) y[i] = tile[i];
}

#if __CUDA_ARCH__ >= 800
extern "C" __global__ void from_sm_80(float* y) { y[threadIdx.x] = 80; }
#endif

// ---------------------------------------------------------------------------- wrong

extern "C" __global__ void reads_beyond(const float* x, float* y, int by) { y[0] = x[by]; }
extern "C" __global__ void writes_beyond(float* y, int by) { y[by] = 1.0f; }

extern "C" __global__ void shared_beyond(float* y, int by) {
    extern __shared__ __align__(16) float tile[];
    tile[by] = 1.0f;
    y[0] = tile[by];
}
extern "C" __global__ void static_shared_beyond(float* y, int by) {
    __shared__ float tile[32];
    tile[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x + by];
}
extern "C" __global__ void unwritten_shared(float* y) {
    __shared__ float tile[32];
    if (threadIdx.x < 31) tile[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void unwritten_sum(const float* x, float* y) {
    float sum[2];
    for (int i = 0; i < 4; i++) sum[i & 1] += x[i];
    y[threadIdx.x] = sum[threadIdx.x & 1];
}
extern "C" __global__ void misaligned(const float* x, float* y, int by) {
    float4 v = *reinterpret_cast<const float4*>(x + by);
    y[threadIdx.x] = v.x;
}
extern "C" __global__ void misaligned_copy(const float* x, float* y) {
    __shared__ __align__(16) float tile[8];
    __pipeline_memcpy_async(tile + 1, x, 16);
    y[0] = tile[0];
}
extern "C" __global__ void no_barrier(const float* x, float* y) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = tile[63 - threadIdx.x];
}
extern "C" __global__ void no_second_barrier(const float* x, float* y) {
    __shared__ float tile[64];
    float sum = 0.0f;
    for (int k = 0; k < 3; k++) {
        tile[threadIdx.x] = x[threadIdx.x] + k;
        __syncthreads();
        sum += tile[(threadIdx.x + 32) & 63];
    }
    y[threadIdx.x] = sum;
}
extern "C" __global__ void barrier_for_some(float* y) {
    if (threadIdx.x < 32) __syncthreads();
    y[threadIdx.x] = 1.0f;
}
extern "C" __global__ void barriers_in_two_places(float* y) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 1.0f;
}
extern "C" __global__ void divergent_shuffle(float* y) {
    float v = threadIdx.x;
    if (threadIdx.x < 16)
        v = __shfl_down_sync(0xffffffffu, v, 1);
    else
        __syncwarp();
    y[threadIdx.x] = v;
}
extern "C" __global__ void foreign_mask(float* y) {
    y[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, 0);
}
extern "C" __global__ void absent_lane(float* y) {
    float v = 1.0f;
    if (threadIdx.x < 16) v = __shfl_xor_sync(0x0000ffffu, v, 16);
    y[threadIdx.x] = v;
}
extern "C" __global__ void gives_up(float* y) {
    if (y[threadIdx.x] > 0) __trap();
}
