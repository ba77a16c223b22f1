// Warp intrinsics in their _sync form: every lane shows a value, all of them meet, each reads.
#pragma once
#include "block.h"

namespace emu {

inline unsigned lane() { return g.cur->lane; }
inline Warp& warp() { return g.w[g.cur->linear / 32]; }

// The value that lane `source` has in the same intrinsic; NaN bits if that lane takes no part.
template <class T>
EMU_RUNTIME inline T exchange(unsigned mask, T value, unsigned source, const char* op, int line) {
    static_assert(sizeof(T) <= sizeof warp().slot[0]);
    Warp& w = warp();
    memcpy(w.slot[g.cur->lane], &value, sizeof value);
    warp_barrier(mask, op, line);
    unsigned other = (g.cur->linear & ~31u) + source;
    bool present = (mask >> source & 1) && other < g.n && g.f[other].state != DONE;
    T result;
    if (present)
        memcpy(&result, w.slot[source], sizeof result);
    else
        memset(&result, 0xff, sizeof result);
    warp_barrier(mask, "the end of a warp intrinsic", line);
    return result;
}

EMU_RUNTIME inline unsigned ballot(int line, unsigned mask, int predicate) {
    Warp& w = warp();
    w.slot[g.cur->lane][0] = predicate != 0;
    warp_barrier(mask, "__ballot_sync", line);
    unsigned votes = 0, first = g.cur->linear & ~31u;
    for (unsigned i = 0; i < 32 && first + i < g.n; i++)
        if ((mask >> i & 1) && g.f[first + i].state != DONE && w.slot[i][0]) votes |= 1u << i;
    warp_barrier(mask, "the end of a warp intrinsic", line);
    return votes;
}

template <class T>
EMU_RUNTIME inline T shuffle_to(int line, unsigned mask, T value, int source, int width = 32) {
    unsigned segment = g.cur->lane & ~(width - 1);
    return exchange(mask, value, segment | (source & (width - 1)), "__shfl_sync", line);
}
template <class T>
EMU_RUNTIME inline T shuffle_down(int line, unsigned mask, T value, unsigned by, int width = 32) {
    unsigned within = (g.cur->lane & (width - 1)) + by;
    unsigned source = within < (unsigned)width ? g.cur->lane + by : g.cur->lane;
    return exchange(mask, value, source, "__shfl_down_sync", line);
}
template <class T>
EMU_RUNTIME inline T shuffle_up(int line, unsigned mask, T value, unsigned by, int width = 32) {
    unsigned within = g.cur->lane & (width - 1);
    unsigned source = within >= by ? g.cur->lane - by : g.cur->lane;
    return exchange(mask, value, source, "__shfl_up_sync", line);
}
template <class T>
EMU_RUNTIME inline T shuffle_xor(int line, unsigned mask, T value, int by, int width = 32) {
    unsigned other = g.cur->lane ^ by;
    bool inside = (other & ~(width - 1)) <= (g.cur->lane & ~(width - 1));
    return exchange(mask, value, inside ? other : g.cur->lane, "__shfl_xor_sync", line);
}

struct SyncWarp {  // __syncwarp has a default mask, and a macro knows the line
    int line;
    void operator()(unsigned mask = ~0u) const { warp_barrier(mask, "__syncwarp", line); }
};

}  // namespace emu

#define __syncwarp(...) emu::SyncWarp{__LINE__}(__VA_ARGS__)
#define __shfl_sync(...) emu::shuffle_to(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emu::shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emu::shuffle_up(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emu::shuffle_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, p) emu::ballot(__LINE__, mask, p)
#define __any_sync(mask, p) (emu::ballot(__LINE__, mask, p) != 0)
#define __all_sync(mask, p) (emu::ballot(__LINE__, mask, !(p)) == 0)
