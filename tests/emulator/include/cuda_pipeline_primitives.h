// cp.async: a copy lands when it is waited for, or, under every other seed, when it is issued.
//
// Landing at the latest moment shows a missing or too short wait (the kernel reads NaN or what was
// there before); landing at once shows a stage that is overwritten while it is still read.
#pragma once
#include "emulator.h"

namespace emu {
EMU_RUNTIME inline void land(const Copy& c) {
    memcpy(c.to, c.from, c.bytes - c.zeros);
    memset((char*)c.to + c.bytes - c.zeros, 0, c.zeros);
}
}  // namespace emu

EMU_RUNTIME inline void __pipeline_memcpy_async(void* to, const void* from, size_t bytes,
                                                size_t zeros = 0) {
    emu::Fiber& f = *emu::g.cur;
    if (bytes != 4 && bytes != 8 && bytes != 16) emu::fail("cp.async of %zu bytes", bytes);
    if (zeros > bytes) emu::fail("cp.async of %zu bytes with %zu zeros", bytes, zeros);
    if (((uintptr_t)to | (uintptr_t)from) & (bytes - 1))
        emu::fail("cp.async of %zu bytes is not aligned to them", bytes);
    if (emu::g.eager) return emu::land({to, from, bytes, zeros, 0});
    if (f.pending == emu::MOST_COPIES) emu::fail("too many cp.async without a wait");
    f.copies[f.pending++] = {to, from, bytes, zeros, f.group};
}

EMU_RUNTIME inline void __pipeline_commit() { emu::g.cur->group++; }

// Lands all groups but the `keep` that were committed last.
EMU_RUNTIME inline void __pipeline_wait_prior(int keep) {
    emu::Fiber& f = *emu::g.cur;
    int left = 0;
    for (int i = 0; i < f.pending; i++) {
        if (f.copies[i].group + keep < f.group)
            emu::land(f.copies[i]);
        else
            f.copies[left++] = f.copies[i];
    }
    f.pending = left;
}
