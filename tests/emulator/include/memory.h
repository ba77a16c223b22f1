// Shared memory, undefined when a block starts, and accesses outside of any memory.
//
// Every block finds NaN bits in its shared memory, static and dynamic.  The dynamic part ends at a
// page that may not be touched, as do the arrays that the driver passes: an access beyond the end
// stops the launch with a message.
#pragma once
#include <signal.h>

#include "block.h"

// The bounds of the section that every `__shared__` variable is put in; absent where there is none.
extern "C" {
extern char __start_emushared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emushared[] __attribute__((weak, visibility("hidden")));
}
#define EMU_DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(emu::dynamic_shared())

namespace emu {

inline char* shared_end;  // where dynamic shared memory ends: at the forbidden page
inline size_t shared_capacity;

// Right-justified, in 16-byte steps, against the forbidden page.
inline void make_shared(size_t bytes) {
    size_t needed = (bytes + PAGE - 1) / PAGE * PAGE;
    if (needed > shared_capacity) {
        char* base = map(needed + PAGE);
        mprotect(base + needed, PAGE, PROT_NONE);
        shared_end = base + needed;
        shared_capacity = needed;
    }
    g.dyn_size = (bytes + 15) & ~(size_t)15;
    g.dyn = bytes ? shared_end - g.dyn_size : nullptr;
}

EMU_UNSANITIZED inline void poison() {
    for (volatile char* p = __start_emushared; p < __stop_emushared; p++) *p = (char)0xff;
    for (size_t i = 0; i < g.dyn_size; i++) ((volatile char*)g.dyn)[i] = (char)0xff;
}

inline void on_signal(int number, siginfo_t* info, void*) {
    if (!g.running) {
        signal(number, SIG_DFL);
        return;
    }
    fail("illegal memory access at %p (signal %d) after %s, line %d", info->si_addr, number,
         g.cur->op, g.cur->line);
}

// Illegal accesses are reported while this lives; a sanitizer reports them itself.
struct Watch {
#if !defined(EMU_ASAN) && !defined(EMU_TSAN)
    struct sigaction segmentation, bus;
    stack_t stack;
    Watch() {
        static char spare[65536];  // the kernel's own stack may be what has run out
        stack_t own{};
        own.ss_sp = spare;
        own.ss_size = sizeof spare;
        sigaltstack(&own, &stack);
        struct sigaction action {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(SIGSEGV, &action, &segmentation);
        sigaction(SIGBUS, &action, &bus);
    }
    ~Watch() {
        sigaction(SIGSEGV, &segmentation, nullptr);
        sigaction(SIGBUS, &bus, nullptr);
        sigaltstack(&stack, nullptr);
    }
#endif
};

}  // namespace emu
