// The only inline PTX of the project: what tensor cores need and CUDA C++ has no plain function
// for.
//
// Each wrapper has a host body beside it (MG_EMU), which computes what the PTX manual says, lane by
// lane, so that the same kernels run on a CPU.
//
// How mma.sync spreads its operands over the 32 lanes of a warp (PTX ISA, "Matrix Fragments for
// mma.m16n8k8 / mma.m16n8k16").  Let g = lane / 4 and t = lane % 4.
//
//                              TF32: one number      BF16: two
//     a (16 rows × depth)      a[0]  (g, t)           (g, 2t) and (g, 2t+1)
//                              a[1]  (g+8, t)         (g+8, 2t) and (g+8, 2t+1)
//                              a[2]  (g, t+4)         (g, 2t+8) and (g, 2t+9)
//                              a[3]  (g+8, t+4)       (g+8, 2t+8) and (g+8, 2t+9)
//     b (depth × 8 columns)    b[0]  (t, g)           (2t, g) and (2t+1, g)
//                              b[1]  (t+4, g)         (2t+8, g) and (2t+9, g)
//     d (16 rows × 8 columns)  d[0] (g, 2t)   d[1] (g, 2t+1)   d[2] (g+8, 2t)   d[3] (g+8, 2t+1)
#pragma once

#ifdef MG_EMU
// Sum over the depth of a·b, on the host: every lane shows its registers to the others.
// ``element(register, index)`` reads number ``index`` of the PER values in a register.
template <int PER, class Element>
static inline void mma_on_host(float& d0, float& d1, float& d2, float& d3, const unsigned (&a)[4],
                               const unsigned (&b)[2], Element element) {
  struct Registers {
    unsigned a[4], b[2];
  } mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  emu::Warp& warp = emu::warp();
  const unsigned g = emu::lane() / 4, t = emu::lane() % 4;
  memcpy(warp.slot[emu::lane()], &mine, sizeof mine);
  emu::warp_barrier(~0u, "mma.sync", __LINE__);
  float* d[4] = {&d0, &d1, &d2, &d3};
  for (int i = 0; i < 4; i++) {
    const unsigned half = i / 2, column = 2 * t + i % 2;
    for (int k = 0; k < 8 * PER; k++) {  // number k of the depth lies in lane k/PER % 4
      const Registers* row = (const Registers*)warp.slot[4 * g + k / PER % 4];
      const Registers* col = (const Registers*)warp.slot[4 * column + k / PER % 4];
      *d[i] += element(row->a[half + k / (4 * PER) * 2], k % PER) *
               element(col->b[k / (4 * PER)], k % PER);
    }
  }
  emu::warp_barrier(~0u, "mma.sync, end", __LINE__);
}
#endif

// x rounded to TF32: 8 bits of exponent and 10 of mantissa, ties away from zero.
static __device__ __forceinline__ unsigned to_tf32(float x) {
#ifndef MG_EMU
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#else
  const unsigned bits = __float_as_uint(x);
  return x != x ? bits : (bits + 0x1000u) & 0xffffe000u;
#endif
}

// Two numbers rounded to BF16, 8 bits of exponent and 7 of mantissa, ties to even: low, high.
static __device__ __forceinline__ unsigned to_bf16_pair(float low, float high) {
#ifndef MG_EMU
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  auto rounded = [](float x) {
    const unsigned bits = __float_as_uint(x);
    return x != x ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  };
  return rounded(low) | rounded(high) << 16;
#endif
}

// d (16×8) += a (16×8, TF32) · b (8×8, TF32), added up in float32: 1024 multiply-adds.
static __device__ __forceinline__ void mma_tf32(float& d0, float& d1, float& d2, float& d3,
                                                const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifndef MG_EMU
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  mma_on_host<1>(d0, d1, d2, d3, a, b,
                 [](unsigned bits, int) { return __uint_as_float(bits & 0xffffe000u); });
#endif
}

// d (16×8) += a (16×16, BF16) · b (16×8, BF16), added up in float32: 2048 multiply-adds.
static __device__ __forceinline__ void mma_bf16(float& d0, float& d1, float& d2, float& d3,
                                                const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifndef MG_EMU
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  mma_on_host<2>(d0, d1, d2, d3, a, b, [](unsigned bits, int which) {
    return __uint_as_float(which ? bits & 0xffff0000u : bits << 16);
  });
#endif
}
