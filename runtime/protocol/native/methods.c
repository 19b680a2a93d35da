#include "runtime/base/memory.h"
#include "runtime/protocol/native/session.h"

#include <string.h>

#define FIRST_ROOM 16

void vow_methods_init(vow_methods *methods)
{
    *methods = (vow_methods){ .heard = NULL };
}

void vow_methods_done(vow_methods *methods)
{
    for (size_t i = 0; i < methods->heard_count; i++)
        vow_free(methods->heard[i].name);
    for (size_t i = 0; i < methods->told_room; i++)
        vow_free(methods->told[i].name);
    vow_free(methods->heard);
    vow_free(methods->told);
}

/* Hearing */

static bool heard_make_room(vow_methods *methods)
{
    size_t     room = methods->heard_room ? methods->heard_room * 2 : FIRST_ROOM;
    vow_heard *heard;

    if (methods->heard_count < methods->heard_room)
        return true;
    heard = vow_resize(methods->heard, room * sizeof *heard);
    if (!heard)
        return false;
    methods->heard = heard;
    methods->heard_room = room;
    return true;
}

static char *name_copy(vow_bytes name)
{
    char *copy = vow_alloc(name.size + 1);

    if (!copy)
        return NULL;
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    return copy;
}

void vow_methods_hear(vow_native *native, const vow_header *header)
{
    vow_methods *methods = &native->methods;
    vow_bytes    name = header->method_name;
    char        *copy;

    if (header->method != methods->heard_count + 1 || header->method > VOW_METHODS_MAX) {
        vow_native_break(native, "METHOD gives number %u; %zu is next, and %d the last", header->method,
                         methods->heard_count + 1, VOW_METHODS_MAX);
        return;
    }
    if (name.size == 0 || name.size > VOW_METHOD_NAME_MAX) {
        vow_native_break(native, "METHOD has a name of %zu bytes; 1 to %d are allowed", name.size, VOW_METHOD_NAME_MAX);
        return;
    }
    copy = heard_make_room(methods) ? name_copy(name) : NULL;
    if (!copy) {
        vow_native_lose(native, vow_status_no_memory());
        return;
    }
    methods->heard[methods->heard_count++] =
        (vow_heard){ copy, native->base.events->resolve(native->base.owner, copy) };
}

/* Telling */

/* Eight bytes at a time: a call pays for this whenever it is not for the method that was called last. */
static uint32_t name_hash(const char *name, size_t size)
{
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    uint64_t       hash = size;
    uint64_t       word;

    for (; size >= sizeof word; name += sizeof word, size -= sizeof word) {
        memcpy(&word, name, sizeof word);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, name, size);
    return (uint32_t)((hash ^ word) * factor >> 32);
}

/* Where `name` is, or belongs. */
static size_t told_place(const vow_methods *methods, const char *name, uint32_t hash)
{
    size_t          mask = methods->told_room - 1;
    size_t          place = hash & mask;
    const vow_told *told;

    while ((told = &methods->told[place])->name && (told->hash != hash || strcmp(told->name, name) != 0))
        place = (place + 1) & mask;
    return place;
}

static bool told_make_room(vow_methods *methods)
{
    vow_methods larger = { .told_room = methods->told_room ? methods->told_room * 2 : FIRST_ROOM };

    if (methods->told_count * 2 < methods->told_room)
        return true;
    larger.told = vow_alloc_zeroed(larger.told_room * sizeof *larger.told);
    if (!larger.told)
        return false;
    for (size_t i = 0; i < methods->told_room; i++) {
        const vow_told *told = &methods->told[i];

        if (told->name)
            larger.told[told_place(&larger, told->name, told->hash)] = *told;
    }
    vow_free(methods->told);
    methods->told = larger.told;
    methods->told_room = larger.told_room;
    return true;
}

/* False: there is no number for it. */
static bool methods_tell_first(vow_native *native, vow_told *told, vow_bytes name, uint32_t hash)
{
    vow_methods     *methods = &native->methods;
    const vow_header header = { .kind = VOW_FRAME_METHOD,
                                .method = (uint32_t)methods->told_count + 1,
                                .method_name = name };
    char            *copy;

    if (header.method > VOW_METHODS_MAX)
        return false;
    copy = name_copy(name);
    if (!copy)
        return false;
    if (vow_output_frame(&native->output, &header, (vow_bytes){ NULL, 0 }) != VOW_OK) {
        vow_free(copy);
        return false;
    }
    methods->told_count++;
    *told = (vow_told){ copy, header.method, hash };
    return true;
}

uint32_t vow_methods_tell(vow_native *native, const vow_method *method)
{
    vow_methods *methods = &native->methods;
    vow_bytes    name = { (const uint8_t *)method->name, 0 };
    vow_told    *told;
    uint32_t     hash;

    if (methods->last && strcmp(methods->last, method->name) == 0)
        return methods->last_number;
    if (!told_make_room(methods))
        return 0;
    name.size = strlen(method->name);
    hash = name_hash(method->name, name.size);
    told = &methods->told[told_place(methods, method->name, hash)];
    if (!told->name && !methods_tell_first(native, told, name, hash))
        return 0;
    methods->last = told->name;
    methods->last_number = told->number;
    return told->number;
}
