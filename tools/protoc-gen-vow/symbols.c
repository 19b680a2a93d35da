#include "symbols.h"

#include "scratch.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a. */
static size_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that has `name`, or the free one that it belongs in. There is always a free one. */
static vow_symbol *symbols_slot(const vow_symbols *symbols, const char *name)
{
    size_t index = name_hash(name) & (symbols->capacity - 1);

    while (symbols->slots[index].name && strcmp(symbols->slots[index].name, name) != 0)
        index = (index + 1) & (symbols->capacity - 1);
    return &symbols->slots[index];
}

const char *vow_symbols_owner(const vow_symbols *symbols, const char *name)
{
    return symbols->capacity > 0 ? symbols_slot(symbols, name)->owner : NULL;
}

static void symbols_grow(vow_symbols *symbols)
{
    vow_symbols larger = { .capacity = symbols->capacity > 0 ? 2 * symbols->capacity : 256 };

    larger.slots = vow_scratch_alloc(larger.capacity * sizeof *larger.slots);
    larger.count = symbols->count;
    for (size_t i = 0; i < symbols->capacity; i++) {
        if (symbols->slots[i].name)
            *symbols_slot(&larger, symbols->slots[i].name) = symbols->slots[i];
    }
    *symbols = larger;
}

void vow_symbols_claim(vow_symbols *symbols, const char *name, const char *owner)
{
    vow_symbol *slot;

    if (symbols->count >= symbols->capacity / 2)
        symbols_grow(symbols);
    slot = symbols_slot(symbols, name);
    if (slot->name)
        return;
    *slot = (vow_symbol){ name, owner };
    symbols->count++;
}
