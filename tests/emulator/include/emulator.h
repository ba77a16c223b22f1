// The CUDA device language on the CPU: a kernel file, read after this header, is plain C++.
//
//   language.h   words, types and functions that need no running block
//   fiber.h      a fiber for each CUDA thread
//   block.h      the scheduler of a block, barriers, what is reported
//   warp.h       warp intrinsics
//   memory.h     shared memory, poison, illegal accesses
//   atomics.h    atomic operations
//   launch.h     a whole launch, and what the driver asks about a kernel
//
// Beside them stand the CUDA headers that a kernel may include: cuda_fp16.h, cuda_bf16.h and
// cuda_pipeline_primitives.h.
#pragma once
#include "atomics.h"
#include "launch.h"
