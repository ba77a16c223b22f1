// The ladder: what changes from rung to rung, why, and by how much.
//
// Every convolution here is a matrix product ("implicit GEMM"): a filter matrix, rows × depth,
// times an image matrix, depth × columns, that is never stored; its elements are looked up in the
// image.
//
//               rows              columns               depth
//     fprop     output channels   pixels of all y       C·R·S
//     dgrad     input channels    pixels of all x       K·taps that reach the pixel
//     wgrad     output channels   C·R·S                 pixels of all y
//
// FLOPs = 2·rows·columns·depth.  All rungs compute the same sums in float32 and differ in where the
// operands come from.  (B is bytes; "intensity" is FLOP per byte.)
//
// Bounds are computed, from data sheets and from fprop's machine code for 8.0.  What counts of a GPU is
// what one multiprocessor (SM) does in a cycle:
//
//                                        A100           H100
//     instructions started, of warps     4              4
//     multiply-adds, float32             64, 2 warps'   128, 4 warps'
//     multiply-adds, TF32 and BF16       512 and 1024   1024 and 2048
//     bytes from level 1 or shared       128            128: one number for each thread of a warp
//
// A file is compiled once for each rung and tile, chosen by the macros RUNG, WIDE, TILE_ROWS,
// TILE_COLUMNS, TILE_DEPTH and STAGES.  minigan/conv/ladder_tiles.py has the tiles.
#pragma once
#include "common.cuh"

#ifndef RUNG
#define RUNG 2
#define TILE_ROWS 64
#define TILE_COLUMNS 64
#define TILE_DEPTH 8
#define STAGES 1
#endif

// ------------------------------------------------------------------------------------------------
// Rung 0: one thread computes one output (naive.cu).
//
// Each multiply-add reads both factors, 8 B for 2 FLOP: intensity 0.25 FLOP/B.  Two reads take two
// cycles of the level 1 cache, in which an A100's SM could start 4 warps' multiply-adds and an
// H100's 8: at most 1/4 and 1/8 of the peak, and much less where the cache misses.
// Measured: not measured yet.

// ------------------------------------------------------------------------------------------------
// Rung 1: a block of 16×16 threads shares a tile in shared memory.
//
// Changed: 16 steps of the depth of both operands are copied to shared memory first; there every
// number is read by 16 threads.
// Why: traffic to L2 and DRAM falls 16 times, to an intensity of 4 FLOP/B: rung 0's bound no longer
// depends on what the caches happen to keep.
// Still: 2 reads of shared memory for each multiply-add, so the bound itself stays, 1/4 (A100) and
// 1/8 (H100) of the peak; of 133 instructions that a warp runs for a tile, 16 are multiply-adds.
// 44 registers a thread: 40 of the 64 warps that an SM has room for.
// Measured: not measured yet.
#if RUNG == 1
constexpr int THREAD_ROWS = 1, THREAD_COLUMNS = 1;  // outputs of one thread
constexpr int PAD = 1;  // a row of the tile is 17 numbers long: a column of it lies in 16 banks
constexpr int DEPTH_LANES = 16;

// ------------------------------------------------------------------------------------------------
// Rung 2: a thread computes 8×8 outputs in registers.
//
// Changed:
// 1. For each step of the depth a thread reads 8 + 8 numbers and does 64 multiply-adds: 8 times
//    fewer reads of shared memory, done by 4 loads of 16 bytes.  Of a warp, 64 multiply-adds take
//    32 cycles of an A100's SM (16 of an H100's), the loads 12: 2 for each of those that neighbours
//    share, 4 for each of the others.  Arithmetic is the limit now: up to 4 times faster (A100).
// 2. A tile of 128×64 has an intensity of 2·128·64 / (192·4) = 21 FLOP/B towards L2, one of 64×64
//    has 16.  (An A100 balances at 19.5 TFLOP/s / 1.56 TB/s = 12.5, an H100 at 67 / 3.35 = 20.)
// 3. Indices are divided by multiplication (common.cuh): a tap (in wgrad, a pixel) takes 2
//    divisions, some 40 instructions before and 6 now.  For a tile a warp runs some 730
//    instructions, 512 of them multiply-adds: an A100, which starts two of those a cycle and four
//    instructions, does not feel the others; an H100 reaches 70 % of its peak at most.
// 4. Rows are read by 16-byte loads if WIDE: where they begin at multiples of 16 bytes and what is
//    contiguous in them (the depth in fprop and dgrad, an image in wgrad) is a multiple of 4 long.
// Price: 64 sums, 16 factors and the indices fill 115 to 168 registers, so an SM holds 12 to 16
// warps of the 64 (T4: 32) that it has room for: fewer to work while one waits.
// Measured: not measured yet.
#elif RUNG == 2
constexpr int THREAD_ROWS = 8, THREAD_COLUMNS = 8;
constexpr int PAD = 4;
constexpr int DEPTH_LANES = 8;

// ------------------------------------------------------------------------------------------------
// Rung 3: copies run ahead of the arithmetic (cp.async, from compute capability 8.0).
//
// Changed: global memory is copied to shared memory without passing through registers, and STAGES
// tiles are in flight: while one is multiplied, the next STAGES - 1 arrive.  One barrier a step
// instead of two.
// Why: in rung 2 all warps of a block wait for memory (some 500 ns from DRAM) in every step, and
// only other blocks fill the gap.  With 4 stages of 6 KiB a block has 18 KiB in flight; hiding the
// latency takes 1.56 TB/s / 108 SMs · 500 ns = 7 KiB in each SM of an A100.  The time falls from
// (wait + arithmetic) to the larger of the two.  A tile of 128×64×8 is 131 kFLOP, 0.73 µs of an
// A100's SM: one block alone would work 59 % of the time in rung 2.  Three fit and fill each
// other's gaps, so the gain lies between nothing and 1.7 times; most for few blocks, as in small layers.
// Price: 785 instructions for a tile, 512 of them multiply-adds (H100: 65 % of the peak); 4 copies
// of 4 bytes instead of one load of 16 for the filter, because the tile is stored transposed and
// cp.async cannot rearrange; STAGES times the shared memory.
// Measured: not measured yet.
#elif RUNG == 3
constexpr int THREAD_ROWS = 8, THREAD_COLUMNS = 8;
constexpr int PAD = 4;
constexpr int DEPTH_LANES = 8;

// ------------------------------------------------------------------------------------------------
// Rung 4: tensor cores, TF32 (from 8.0; opt-in, minigan.cuda.allow_tf32).
//
// Changed: a warp multiplies 16×8 by 8×8 in one instruction, 1024 multiply-adds instead of 32.  An
// A100 does 156 TFLOP/s this way and 19.5 without: 8 times, if nothing else took time.  The tile of
// a warp is 64×32 (32×32 in the small tile); for 16 mma of a depth of 8 it reads 96·8 numbers, 24
// loads a lane.  Tile rows are padded by 8, so that the 32 lanes of a fragment (4 of depth × 8) hit
// 32 banks.  A tile of 128×128 has an intensity of 32 FLOP/B (21 before) and an A100 would want 100
// from DRAM: what L2 catches decides.
// Still: for a depth of 16 a block's mma take 512 cycles of an A100's tensor cores.  Reading and
// writing shared memory takes as many, and the 600 instructions of each of its 8 warps take 1200:
// they look up, copy and round (two instructions each).  So 43 % of the peak, 66 TFLOP/s, is the
// limit, 3.4 times rung 3's (H100: 21 %).  Copies by whole rows, without an instruction for each
// number, are what rung 6 would be about.
// Price: factors are rounded (cvt.rna) to 11 significant bits: relative error at most 2^-11 each.
// Sums stay float32.  At most 128 registers: 16 warps on an SM.
// Measured: not measured yet.
#elif RUNG == 4
#define TENSOR_CORES 1
constexpr int PAD = 8;
constexpr int DEPTH_LANES = 4;

// ------------------------------------------------------------------------------------------------
// Rung 5: tensor cores, BF16 (from 8.0; opt-in, minigan.cuda.allow_bf16).
//
// Changed: factors are rounded to 8 significant bits as they are read from shared memory, two in a
// register by one instruction, and an mma has a depth of 16: 2048 multiply-adds.  The peak doubles
// (A100: 312 TFLOP/s), but tensors and tiles stay float32, so memory and shared memory see the same
// traffic as in rung 4.  A warp runs 480 instructions for a tile, 600 before: by that at most 1.25
// times faster, 83 TFLOP/s of an A100.
// Price: relative error at most 2^-8 of each factor.  Sums stay float32.
// Measured: not measured yet.
#elif RUNG == 5
#define TENSOR_CORES 1
constexpr int PAD = 4;
constexpr int DEPTH_LANES = 8;
#else
#error "RUNG is 1 … 5; rung 0 is naive.cu"
#endif

#ifndef WIDE
#define WIDE 0  // 1, in rung 2 only: 16-byte loads of rows
#endif

#ifdef TENSOR_CORES
constexpr int WARP_ROWS = TILE_ROWS / 2, WARP_COLUMNS = 32;  // outputs of one warp
constexpr int THREADS = (TILE_ROWS / WARP_ROWS) * (TILE_COLUMNS / WARP_COLUMNS) * 32;
constexpr int THREAD_ROWS = WARP_ROWS / 8, THREAD_COLUMNS = WARP_COLUMNS / 4;
#else
constexpr int THREADS = (TILE_ROWS / THREAD_ROWS) * (TILE_COLUMNS / THREAD_COLUMNS);
#endif

// Blocks that an SM must have registers for: 12 warps, so at most 168 registers for a thread; 16
// warps and 128 registers with tensor cores, whose threads keep no operands for long.
#ifdef TENSOR_CORES
constexpr int BLOCKS = 512 / THREADS;
#else
constexpr int BLOCKS = THREADS < 256 ? 384 / THREADS : 1;
#endif

#if RUNG >= 3
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "rungs 3 to 5 need compute capability 8.0"
#endif
#include <cuda_pipeline_primitives.h>
#endif

// Tiles lie in shared memory as [TILE_DEPTH][width + PAD].  What is contiguous along the depth in
// global memory is stored transposed: DEPTH_LANES neighbouring threads take neighbouring depths, 32
// / DEPTH_LANES neighbouring rows.  With PAD = 32 / DEPTH_LANES (and a width that is a multiple of
// 32) lane (depth d, row i) stores into bank PAD·d + i: all 32 differ.
constexpr int ROW_PITCH = TILE_ROWS + PAD, COLUMN_PITCH = TILE_COLUMNS + PAD;
constexpr int ROW_TILE = TILE_DEPTH * ROW_PITCH, COLUMN_TILE = TILE_DEPTH * COLUMN_PITCH;

static_assert(THREADS % TILE_COLUMNS == 0 && TILE_DEPTH % (THREADS / TILE_COLUMNS) == 0,
              "a thread copies whole columns");
static_assert(TILE_DEPTH % DEPTH_LANES == 0 && TILE_ROWS % (THREADS / DEPTH_LANES) == 0 &&
                  TILE_COLUMNS % (THREADS / DEPTH_LANES) == 0,
              "copies cover the tile");

// Rung 1 divides the plain way.
static __device__ __forceinline__ int quotient(int n, const Divisor& d) {
#if RUNG == 1
  return n / d.value;
#else
  return divide(n, d);
#endif
}
