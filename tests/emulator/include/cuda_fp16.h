// Half precision, as much of it as the kernels use: values are stored as 16 bits, computed in float.
#pragma once
#include "emulator.h"

struct __half {
    _Float16 value;
    __half() = default;
    __half(float x) : value((_Float16)x) {}
    operator float() const { return (float)value; }
};
typedef __half half;
struct alignas(4) __half2 { __half x, y; };
typedef __half2 half2;

inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline float __half2float(__half x) { return (float)x; }
inline __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
template <> struct emu::Code<__half> { static constexpr char kind = 'f'; };
