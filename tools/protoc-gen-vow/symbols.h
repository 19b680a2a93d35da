/*
 * Who has which C name.
 *
 * The idea: every name is claimed before anything is written, so that two things with one name are
 * found here, with the names of both, and not by the C compiler of whoever uses the stubs.
 */
#ifndef VOW_GENERATOR_SYMBOLS_H
#define VOW_GENERATOR_SYMBOLS_H

#include <stddef.h>

typedef struct vow_symbol {
    const char *name;
    const char *owner;
} vow_symbol;

/* Zero is an empty set. */
typedef struct vow_symbols {
    vow_symbol *slots;
    size_t      capacity; /* 0, or a power of two */
    size_t      count;
} vow_symbols;

/* Who has `name`; NULL: nobody. */
const char *vow_symbols_owner(const vow_symbols *symbols, const char *name);

/* Gives `name` to `owner`, unless it has an owner already. Both must outlive the set. */
void vow_symbols_claim(vow_symbols *symbols, const char *name, const char *owner);

#endif
