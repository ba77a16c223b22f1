// The words, types and functions of CUDA C++ that need no running block.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <type_traits>
#include <utility>

#define MG_EMU 1  // a kernel file may ask whether it is emulated: ptx.cuh does
#define __CUDACC__ 1
#define __global__ __attribute__((used))  // the driver looks for this mark
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("emushared")))  // one block runs at a time

// ---------------------------------------------------------------------------- vector types

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
struct float3 { float x, y, z; };
struct int3 { int x, y, z; };

#define EMU_VECTOR2(T, name, A)                        \
    struct alignas(A) name { T x, y; };                \
    inline name make_##name(T x, T y) { return {x, y}; }
#define EMU_VECTOR4(T, name, A)                        \
    struct alignas(A) name { T x, y, z, w; };          \
    inline name make_##name(T x, T y, T z, T w) { return {x, y, z, w}; }
EMU_VECTOR2(float, float2, 8)
EMU_VECTOR4(float, float4, 16)
EMU_VECTOR2(int, int2, 8)
EMU_VECTOR4(int, int4, 16)
EMU_VECTOR2(unsigned, uint2, 8)
EMU_VECTOR4(unsigned, uint4, 16)
EMU_VECTOR2(double, double2, 16)

// ---------------------------------------------------------------------------- functions

template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
    using C = std::common_type_t<A, B>;
    return (C)b < (C)a ? (C)b : (C)a;
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
    using C = std::common_type_t<A, B>;
    return (C)a < (C)b ? (C)b : (C)a;
}

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline T __ldcg(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T v) { *p = v; }
template <class T> inline void __stcg(T* p, T v) { *p = v; }
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class To, class From>
inline To emu_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }

// The fast forms are computed exactly: a test that needs their error on a GPU must allow for it.
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __saturatef(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

// Rounded on their own: the compiler may not make one fused operation of two of these.
__noinline__ inline float __fadd_rn(float a, float b) { return a + b; }
__noinline__ inline float __fsub_rn(float a, float b) { return a - b; }
__noinline__ inline float __fmul_rn(float a, float b) { return a * b; }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned __int128)a * b >> 64;
}
inline double sinpi(double x) { return sin(M_PI * x); }
inline double cospi(double x) { return cos(M_PI * x); }
inline float sinpif(float x) { return (float)sinpi(x); }
inline float cospif(float x) { return (float)cospi(x); }
inline int __mulhi(int a, int b) { return (int64_t)a * b >> 32; }

// A float32 rounded to the 10 bits of TF32, halves away from zero, as cvt.rna.tf32.f32 does.
inline float emu_tf32(float x) {
    if (!isfinite(x)) return x;
    return __uint_as_float((__float_as_uint(x) + 0x1000) & 0xffffe000u);
}
