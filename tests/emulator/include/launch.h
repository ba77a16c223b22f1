// A launch: the blocks of the grid one after the other, in the order of the seed.
#pragma once
#include "memory.h"
#include "warp.h"

namespace emu {

// ---------------------------------------------------------------------------- signatures

// A parameter's type in NumPy's letters, "f4" or "V52", after a "*" for each pointer.
template <class T> struct Code {
    static constexpr char kind = std::is_floating_point_v<T> ? 'f'
                                 : std::is_same_v<T, bool>   ? 'b'
                                 : std::is_unsigned_v<T>     ? 'u'
                                 : std::is_integral_v<T>     ? 'i'
                                                             : 'V';
};
template <class T> inline int spell(char* to, int room) {
    using Plain = std::remove_cv_t<T>;
    if constexpr (std::is_pointer_v<Plain>) {
        int k = snprintf(to, room, "*");
        return k + spell<std::remove_pointer_t<Plain>>(to + k, room - k);
    } else if constexpr (std::is_void_v<Plain>) {
        return snprintf(to, room, "V0");
    } else {
        return snprintf(to, room, "%c%zu", Code<Plain>::kind, sizeof(Plain));
    }
}

// The parameters' types, a blank after each; returns how many there are.
template <class... A> inline int signature(void (*)(A...), char* to, int room) {
    int k = 0;
    to[0] = 0;
    ((k += spell<std::decay_t<A>>(to + k, room - k), k += snprintf(to + k, room - k, " ")), ...);
    return sizeof...(A);
}

// ---------------------------------------------------------------------------- running

template <class... A, size_t... I>
inline void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*(std::decay_t<A>*)arguments[I]...);
}

inline int run_grid(const unsigned* grid, const unsigned* block, size_t shared, uint64_t seed) {
    g.f = fibers;
    g.w = all_warps;
    g.n = block[0] * block[1] * block[2];
    g.bdim = {block[0], block[1], block[2]};
    g.gdim = {grid[0], grid[1], grid[2]};
    g.seed = seed * 0x9e3779b97f4a7c15ull;
    g.eager = seed & 1;
    g.failed = false;
    g.message[0] = 0;
    make_fibers(g.n);
    make_shared(shared);
#ifdef EMU_TSAN
    g.tsan = __tsan_get_current_fiber();
#endif
    size_t blocks = (size_t)grid[0] * grid[1] * grid[2];
    unsigned* order = (unsigned*)malloc(blocks * sizeof(unsigned));
    shuffle(order, blocks);
    Watch watch;
    g.running = 1;
    if (!sigsetjmp(g.give_up, 1))
        for (volatile size_t i = 0; i < blocks && !g.failed; i = i + 1) {
            unsigned b = order[i];
            g.bid = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
            poison();
            run_block();
        }
    g.running = 0;
    free(order);
    return g.failed;
}

template <class... A>
inline int launch(void (*kernel)(A...), const unsigned* grid, const unsigned* block, size_t shared,
                  void** arguments, uint64_t seed, char* message, int room) {
    struct Call {
        void (*kernel)(A...);
        void** arguments;
    } what{kernel, arguments};
    g.entry = [](void* p) {
        Call* c = (Call*)p;
        call(c->kernel, c->arguments, std::index_sequence_for<A...>{});
    };
    g.arguments = &what;
    int failed = run_grid(grid, block, shared, seed);
    snprintf(message, room, "%s", g.message);
    return failed;
}

}  // namespace emu

// What the driver calls for a kernel.
#define EMU_KERNEL(name)                                                                        \
    extern "C" int emu_launch_##name(const unsigned* grid, const unsigned* block, size_t shared, \
                                     void** arguments, uint64_t seed, char* message, int room) { \
        return emu::launch(name, grid, block, shared, arguments, seed, message, room);           \
    }                                                                                            \
    extern "C" int emu_signature_##name(char* to, int room) {                                    \
        return emu::signature(name, to, room);                                                   \
    }
