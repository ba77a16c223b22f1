// One block at a time: which fiber runs, what a barrier waits for, and what is reported.
#pragma once
#include <setjmp.h>
#include <stdarg.h>

#include "fiber.h"

namespace emu {

struct Warp {
    alignas(16) unsigned char slot[32][64];  // what a lane shows the others in a warp intrinsic
};

struct Block {
    uint3 bid, bdim, gdim;
    Fiber* cur;
    Fiber* f;
    Warp* w;
    unsigned n;
    char* dyn;        // dynamic shared memory
    size_t dyn_size;
    void (*entry)(void*);
    void* arguments;
    uint64_t seed;
    bool eager;       // cp.async lands at once, not at the latest moment
    bool failed;
    char message[512];
    sigjmp_buf give_up;
    volatile int running;
    unsigned any, all, count;  // of the predicates of the last __syncthreads_or, _and, _count
    void* scheduler_sp;
#ifdef EMU_ASAN
    const void* scheduler_stack;
    size_t scheduler_size;
    void* scheduler_fake;
#endif
#ifdef EMU_TSAN
    void* tsan;
#endif
};
inline Block g;
inline Warp all_warps[MOST_THREADS / 32];

// ---------------------------------------------------------------------------- reports

// The kernel did what it must not: nothing of this launch runs on.
[[noreturn]] inline void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int k = vsnprintf(g.message, sizeof g.message, format, arguments);
    va_end(arguments);
    uint3 b = g.bid, t = g.cur->tid;
    if (k < (int)sizeof g.message)
        snprintf(g.message + k, sizeof g.message - k, " [block (%u,%u,%u) thread (%u,%u,%u)]",
                 b.x, b.y, b.z, t.x, t.y, t.z);
#if defined(EMU_ASAN) || defined(EMU_TSAN)
    fprintf(stderr, "emulator: %s\n", g.message);
    abort();  // a sanitizer cannot follow the jump
#endif
    g.failed = true;
    siglongjmp(g.give_up, 1);
}

// Who waits where, when nobody can go on.
inline void report(const char* what) {
    int k = snprintf(g.message, sizeof g.message, "%s in block (%u,%u,%u):", what, g.bid.x,
                     g.bid.y, g.bid.z);
    const Fiber* last = nullptr;
    for (unsigned i = 0, shown = 0; i < g.n && shown < 6 && k < 440; i++) {
        const Fiber& f = g.f[i];
        if (last && f.op == last->op && f.line == last->line && f.state == last->state) continue;
        k += snprintf(g.message + k, sizeof g.message - k, " thread %u at %s", i, f.op);
        if (f.state != DONE)
            k += snprintf(g.message + k, sizeof g.message - k, " line %d,", f.line);
        last = &f;
        shown++;
    }
    g.failed = true;
}

// ---------------------------------------------------------------------------- switching

EMU_UNSANITIZED inline void to_scheduler() {
    Fiber* me = g.cur;
#ifdef EMU_ASAN
    __sanitizer_start_switch_fiber(me->state == DONE ? nullptr : &me->fake_stack,
                                   g.scheduler_stack, g.scheduler_size);
#endif
#ifdef EMU_TSAN
    __tsan_switch_to_fiber(g.tsan, __tsan_switch_to_fiber_no_sync);
#endif
    emu_swap(&me->sp, g.scheduler_sp);
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(me->fake_stack, &g.scheduler_stack, &g.scheduler_size);
#endif
}

EMU_UNSANITIZED inline void to_fiber(Fiber* f) {
    g.cur = f;
#ifdef EMU_ASAN
    __sanitizer_start_switch_fiber(&g.scheduler_fake, f->stack, STACK);
#endif
#ifdef EMU_TSAN
    __tsan_switch_to_fiber(f->tsan, __tsan_switch_to_fiber_no_sync);
#endif
    emu_swap(&g.scheduler_sp, f->sp);
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(g.scheduler_fake, nullptr, nullptr);
#endif
}

// What ThreadSanitizer takes for the order of threads: the start and end of a block, barriers.
inline char begin_tag, end_tag, barrier_tag[1 + MOST_THREADS / 32][2];
inline unsigned generation[1 + MOST_THREADS / 32];  // of the block's barrier and of each warp's
inline void arrive([[maybe_unused]] char* tag) {
#ifdef EMU_TSAN
    __tsan_release(tag);
#endif
}
inline void leave([[maybe_unused]] char* tag) {
#ifdef EMU_TSAN
    __tsan_acquire(tag);
#endif
}

EMU_UNSANITIZED inline void fiber_main() {
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &g.scheduler_stack, &g.scheduler_size);
#endif
    leave(&begin_tag);
    g.entry(g.arguments);
    arrive(&end_tag);
    g.cur->state = DONE;
    g.cur->op = "its end";
    to_scheduler();
    __builtin_trap();
}

// ---------------------------------------------------------------------------- barriers

EMU_RUNTIME inline void block_barrier(const char* op, int line) {
    Fiber* me = g.cur;
    me->state = WAIT_BLOCK;
    me->op = op;
    me->line = line;
    char* tag = &barrier_tag[0][generation[0] & 1];
    arrive(tag);
    to_scheduler();
    leave(tag);
}

EMU_RUNTIME inline void warp_barrier(unsigned mask, const char* op, int line) {
    Fiber* me = g.cur;
    if (!(mask >> me->lane & 1))
        fail("%s (line %d): lane %u is not in its own mask %08x", op, line, me->lane, mask);
    me->state = WAIT_WARP;
    me->mask = mask;
    me->op = op;
    me->line = line;
    unsigned w = 1 + me->linear / 32;
    char* tag = &barrier_tag[w][generation[w] & 1];
    arrive(tag);
    to_scheduler();
    leave(tag);
}

// ---------------------------------------------------------------------------- the scheduler

inline uint64_t draw() {  // xorshift64*
    g.seed ^= g.seed >> 12;
    g.seed ^= g.seed << 25;
    g.seed ^= g.seed >> 27;
    return g.seed * 0x2545f4914f6cdd1dull >> 32;
}

// 0 … n-1, in another order for every seed but 0.
inline void shuffle(unsigned* order, size_t n) {
    for (size_t i = 0; i < n; i++) order[i] = i;
    if (g.seed)
        for (size_t i = n; i > 1; i--) std::swap(order[i - 1], order[draw() % i]);
}

// Let everyone go on who waits in a warp intrinsic that all the lanes it names have reached.
EMU_RUNTIME inline bool release_warp(unsigned w, unsigned first, unsigned end) {
    bool released = false;
    for (unsigned i = first; i < end; i++) {
        Fiber& f = g.f[i];
        if (f.state != WAIT_WARP) continue;
        bool complete = true;
        for (unsigned j = first; j < end && complete; j++) {
            Fiber& o = g.f[j];
            if (!(f.mask >> (j - first) & 1) || o.state == DONE) continue;
            complete = o.state == WAIT_WARP && o.mask == f.mask && o.op == f.op && o.line == f.line;
        }
        if (!complete) continue;
        generation[1 + w]++;
        unsigned mask = f.mask;
        for (unsigned j = first; j < end; j++)
            if ((mask >> (j - first) & 1) && g.f[j].state == WAIT_WARP) g.f[j].state = RUN;
        released = true;
    }
    return released;
}

// Run the fibers of one warp until each has ended or waits for the block.
EMU_RUNTIME inline void run_warp(unsigned w, const unsigned* lanes) {
    unsigned first = 32 * w, end = min(g.n, first + 32);
    do {
        for (unsigned k = 0; k < 32; k++) {
            unsigned i = first + lanes[k];
            if (i < end && g.f[i].state == RUN) to_fiber(&g.f[i]);
        }
    } while (release_warp(w, first, end));
}

EMU_RUNTIME inline void run_block() {
    unsigned warps = (g.n + 31) / 32, order[32], lanes[32];
    for (unsigned i = 0; i < g.n; i++) {
        Fiber& f = g.f[i];
        f.state = RUN;
        f.op = "its start";
        f.line = f.pending = f.group = 0;
        f.linear = i;
        f.lane = i & 31;
        f.tid = {i % g.bdim.x, i / g.bdim.x % g.bdim.y, i / (g.bdim.x * g.bdim.y)};
        start(f, fiber_main);
    }
    arrive(&begin_tag);
    for (;;) {
        shuffle(order, warps);
        shuffle(lanes, 32);
        for (unsigned k = 0; k < warps; k++) run_warp(order[k], lanes);
        unsigned done = 0, waiting = 0;
        for (unsigned i = 0; i < g.n; i++) {
            done += g.f[i].state == DONE;
            waiting += g.f[i].state == WAIT_BLOCK;
        }
        if (done == g.n) return leave(&end_tag);
        if (waiting + done != g.n) return report("deadlock, or a warp intrinsic in divergent code");
        if (done) return report("__syncthreads that some threads do not reach");
        g.any = 0, g.all = 1, g.count = 0;
        for (unsigned i = 0; i < g.n; i++) {
            Fiber& f = g.f[i];
            if (f.op != g.f[0].op || f.line != g.f[0].line)
                return report("__syncthreads reached in different places");
            g.any |= f.predicate != 0;
            g.all &= f.predicate != 0;
            g.count += f.predicate != 0;
        }
        for (unsigned i = 0; i < g.n; i++) g.f[i].state = RUN;
        generation[0]++;
    }
}

}  // namespace emu

// ---------------------------------------------------------------------------- as kernels say it

#ifdef EMU_TSAN
namespace emu {
EMU_RUNTIME inline uint3 tid() { return g.cur->tid; }
EMU_RUNTIME inline uint3 bid() { return g.bid; }
EMU_RUNTIME inline uint3 bdim() { return g.bdim; }
EMU_RUNTIME inline uint3 gdim() { return g.gdim; }
EMU_RUNTIME inline char* dynamic_shared() { return g.dyn; }
}  // namespace emu
#define threadIdx (emu::tid())
#define blockIdx (emu::bid())
#define blockDim (emu::bdim())
#define gridDim (emu::gdim())
#else
namespace emu {
inline char* dynamic_shared() { return g.dyn; }
}  // namespace emu
#define threadIdx (emu::g.cur->tid)
#define blockIdx (emu::g.bid)
#define blockDim (emu::g.bdim)
#define gridDim (emu::g.gdim)
#endif
#define warpSize 32

#define __syncthreads() emu::block_barrier("__syncthreads", __LINE__)
EMU_RUNTIME inline void emu_vote(int predicate, const char* op, int line) {
    emu::g.cur->predicate = predicate;
    emu::block_barrier(op, line);
}
#define __syncthreads_or(p) (emu_vote(p, "__syncthreads_or", __LINE__), (int)emu::g.any)
#define __syncthreads_and(p) (emu_vote(p, "__syncthreads_and", __LINE__), (int)emu::g.all)
#define __syncthreads_count(p) (emu_vote(p, "__syncthreads_count", __LINE__), (int)emu::g.count)
inline void __trap() { emu::fail("__trap"); }
