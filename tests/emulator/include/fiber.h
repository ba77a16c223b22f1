// A fiber for each CUDA thread: a stack of its own, and a switch that costs a few instructions.
//
// All fibers run on one thread of the operating system and give way only in barriers and warp
// intrinsics.  The sanitizers are told of every switch; between two fibers ThreadSanitizer sees no
// order but that of the barriers, so it finds a missing one whatever the order in which they ran.
#pragma once
#include <stdlib.h>
#include <sys/mman.h>

#include "language.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define EMU_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define EMU_TSAN 1
#endif

#if defined(EMU_ASAN) || defined(EMU_TSAN)
#define EMU_UNSANITIZED __attribute__((no_sanitize_address, no_sanitize_thread, noinline))
#else
#define EMU_UNSANITIZED
#endif
#ifdef EMU_TSAN  // what the emulator itself reads and writes is no access of the kernel's
#define EMU_RUNTIME __attribute__((no_sanitize_thread, noinline))
#else
#define EMU_RUNTIME
#endif

namespace emu {

enum State : uint8_t { RUN, WAIT_BLOCK, WAIT_WARP, DONE };

struct Copy {  // one cp.async that has been issued and has not landed
    void* to;
    const void* from;
    size_t bytes, zeros;
    int group;
};
constexpr int MOST_COPIES = 4096;

struct Fiber {
    void* sp;
    char* stack;
    uint3 tid;
    unsigned linear, lane;
    State state;
    unsigned mask;   // of the warp intrinsic it waits in
    const char* op;  // what it waits in, and where
    int line;
    int predicate;
    Copy* copies;
    int pending, group;
#ifdef EMU_ASAN
    void* fake_stack;
#endif
#ifdef EMU_TSAN
    void* tsan;
#endif
};

constexpr size_t PAGE = 4096;
#if defined(EMU_ASAN) || defined(EMU_TSAN)
constexpr size_t STACK = 512 * 1024;
#else
constexpr size_t STACK = 128 * 1024;
#endif
constexpr unsigned MOST_THREADS = 1024;

inline Fiber fibers[MOST_THREADS];
inline unsigned fibers_made;

inline char* map(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) abort();
    return (char*)p;
}

// Stacks for n fibers, each above a page that may not be touched.
inline void make_fibers(unsigned n) {
    for (; fibers_made < n; fibers_made++) {
        Fiber& f = fibers[fibers_made];
        char* base = map(PAGE + STACK);
        mprotect(base, PAGE, PROT_NONE);
        f.stack = base + PAGE;
        f.copies = (Copy*)map(MOST_COPIES * sizeof(Copy));
#ifdef EMU_TSAN
        f.tsan = __tsan_create_fiber(0);
#endif
    }
}

// Save what a call must keep, change the stack, restore: the System V ABI of x86-64.
extern "C" void emu_swap(void** save, void* to);
asm(R"(.text
.globl emu_swap
.type emu_swap,@function
emu_swap:
 pushq %rbp
 pushq %rbx
 pushq %r12
 pushq %r13
 pushq %r14
 pushq %r15
 movq %rsp,(%rdi)
 movq %rsi,%rsp
 popq %r15
 popq %r14
 popq %r13
 popq %r12
 popq %rbx
 popq %rbp
 ret
.size emu_swap,.-emu_swap
)");

// A fiber that starts `main` when it is switched to for the first time.
inline void start(Fiber& f, void (*main)()) {
    void** top = (void**)(f.stack + STACK) - 1;
    *--top = (void*)main;
    top -= 6;
    memset(top, 0, 6 * sizeof *top);
    f.sp = top;
}

}  // namespace emu
