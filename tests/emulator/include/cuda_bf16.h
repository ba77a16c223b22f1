// bfloat16, as much of it as the kernels use: the upper half of a float, rounded to nearest even.
#pragma once
#include "emulator.h"

inline unsigned short emu_bfloat16(float x) {
    unsigned bits = __float_as_uint(x);
    if (isnan(x)) return 0x7fff;
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
struct __nv_bfloat16 {
    unsigned short bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float x) : bits(emu_bfloat16(x)) {}
    operator float() const { return __uint_as_float((unsigned)bits << 16); }
};
struct alignas(4) __nv_bfloat162 { __nv_bfloat16 x, y; };

inline __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
inline float __bfloat162float(__nv_bfloat16 x) { return (float)x; }
inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) {
    return {__nv_bfloat16(a), __nv_bfloat16(b)};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
template <> struct emu::Code<__nv_bfloat16> { static constexpr char kind = 'u'; };  // as NumPy has it
