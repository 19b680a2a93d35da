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

static size_t told_place(const vow_methods *methods, const vow_method *method)
{
    size_t mask = methods->told_room - 1;
    size_t place = ((uintptr_t)method >> 4) * 0x9e3779b97f4a7c15u >> 20 & mask;

    while (methods->told[place].method && methods->told[place].method != method)
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
        if (methods->told[i].method)
            larger.told[told_place(&larger, methods->told[i].method)] = methods->told[i];
    }
    vow_free(methods->told);
    methods->told = larger.told;
    methods->told_room = larger.told_room;
    return true;
}

static uint32_t methods_tell_first(vow_native *native, const vow_method *method)
{
    vow_methods     *methods = &native->methods;
    uint32_t         number = (uint32_t)methods->told_count + 1;
    const vow_header header = { .kind = VOW_FRAME_METHOD,
                                .method = number,
                                .method_name = { (const uint8_t *)method->name, strlen(method->name) } };

    if (number > VOW_METHODS_MAX || vow_output_frame(&native->output, &header, (vow_bytes){ NULL, 0 }) != VOW_OK)
        return 0;
    methods->told_count++;
    return number;
}

uint32_t vow_methods_tell(vow_native *native, const vow_method *method)
{
    vow_methods *methods = &native->methods;
    vow_told    *told;

    if (methods->last == method)
        return methods->last_number;
    if (!told_make_room(methods))
        return 0;
    told = &methods->told[told_place(methods, method)];
    if (!told->method) {
        uint32_t number = methods_tell_first(native, method);

        if (number == 0)
            return 0;
        *told = (vow_told){ method, number };
    }
    methods->last = method;
    methods->last_number = told->number;
    return told->number;
}
