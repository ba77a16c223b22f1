// A header with a template, as the kernels' own have.
#pragma once

template <int WARPS>
static __device__ float block_sum(float v) {
    __shared__ float part[WARPS];
    for (int by = 16; by > 0; by /= 2) v += __shfl_down_sync(0xffffffffu, v, by);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    float sum = 0.0f;
    for (int i = 0; i < WARPS; i++) sum += part[i];
    return sum;
}
