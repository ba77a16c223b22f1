// Atomic operations: fibers give way only in barriers, so a plain read and write cannot be split.
#pragma once
#include "fiber.h"

template <class T> struct emu_same { using type = T; };
template <class T> using emu_same_t = typename emu_same<T>::type;  // deduced from the pointer only

#define EMU_ATOMIC(name, result)                             \
    template <class T>                                       \
    EMU_RUNTIME inline T name(T* p, emu_same_t<T> v) {       \
        T old = *p;                                          \
        *p = (result);                                       \
        return old;                                          \
    }
EMU_ATOMIC(atomicAdd, old + v)
EMU_ATOMIC(atomicSub, old - v)
EMU_ATOMIC(atomicMax, old > v ? old : v)
EMU_ATOMIC(atomicMin, old < v ? old : v)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicOr, old | v)
EMU_ATOMIC(atomicAnd, old & v)

template <class T>
EMU_RUNTIME inline T atomicCAS(T* p, emu_same_t<T> expected, emu_same_t<T> v) {
    T old = *p;
    if (old == expected) *p = v;
    return old;
}
