/*
 * Interceptors: a door that opens for those whose key another service knows, and a caller that writes down
 * how each of its calls went. Neither the door's handler nor the calls themselves know of keys or logs.
 */
#include "house.vow.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

/* The door */

/* Who is at the door: the guard writes it, the handler reads it. */
struct visitor {
    char name[40];
};

static const char visitor_key[] = "visitor"; /* its address is the key */

static vow_future *guard_found(vow_future *found, void *arg)
{
    vow_call           *call = arg;
    const House__Owner *owner = house_keys_find_result(found);
    struct visitor     *visitor = vow_call_slot(call, visitor_key, sizeof *visitor);

    if (!visitor)
        return vow_failure(vow_call_loop(call), VOW_RESOURCE_EXHAUSTED, "no memory for a visitor");
    snprintf(visitor->name, sizeof visitor->name, "%s", owner->name);
    return NULL; /* the call goes on */
}

static vow_future *guard_begin(vow_call *call, void *arg)
{
    vow_channel *keys = arg;
    const char  *key = vow_call_metadata_get(call, "key");
    House__Key   ask = HOUSE__KEY__INIT;

    if (!key)
        return vow_failure(vow_call_loop(call), VOW_UNAUTHENTICATED, "the door opens to a key");
    ask.key = (char *)key;
    return vow_then(house_keys_find(keys, &ask, VOW_CALL(.parent = call)), guard_found, call);
}

static void door_open(vow_call *call, const House__Knock *knock, void *arg)
{
    const struct visitor *visitor = vow_call_slot(call, visitor_key, sizeof *visitor);
    House__Opened         opened = HOUSE__OPENED__INIT;
    char                  welcome[60];

    (void)knock;
    (void)arg;
    if (!visitor) {
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "no memory for a visitor");
        return;
    }
    snprintf(welcome, sizeof welcome, "welcome, %s", visitor->name);
    opened.welcome = welcome;
    house_door_open_reply(call, &opened);
}

/* The keys */

static void keys_find(vow_call *call, const House__Key *key, void *arg)
{
    static char  ann[] = "Ann";
    House__Owner owner = HOUSE__OWNER__INIT;

    (void)arg;
    if (strcmp(key->key, "1234") != 0) {
        vow_call_fail(call, VOW_UNAUTHENTICATED, "nobody has this key");
        return;
    }
    owner.name = ann;
    house_keys_find_reply(call, &owner);
}

/* The caller */

static const char *key = "1234";

static vow_future *key_begin(vow_call *call, void *arg)
{
    (void)arg;
    vow_call_replace_metadata(call, VOW_METADATA({ .name = "key", .value = key }));
    return NULL;
}

static void log_end(vow_call *call, const vow_call_result *result, void *arg)
{
    (void)arg;
    printf("%s: %s%s%s; %llu bytes sent, %llu received\n", vow_call_method(call)->name,
           vow_code_name(result->code), *result->message ? ": " : "", result->message,
           (unsigned long long)result->sent_bytes, (unsigned long long)result->received_bytes);
}

static void knock(vow_channel *channel)
{
    House__Knock         request = HOUSE__KNOCK__INIT;
    vow_future          *reply = house_door_open(channel, &request, NULL);
    const House__Opened *opened;

    vow_wait(reply);
    opened = house_door_open_result(reply);
    puts(opened ? opened->welcome : "the door stays shut");
    vow_drop(reply);
}

int main(void)
{
    static const house_door_service door_service = { .open = door_open };
    static const house_keys_service keys_service = { .find = keys_find };
    vow_loop                       *loop = vow_loop_attach(uv_default_loop());
    vow_server                     *door = vow_server_open(loop, NULL);
    vow_server                     *keys = vow_server_open(loop, NULL);
    vow_channel                    *to_door = vow_channel_open(loop, "memory://door", NULL);
    vow_channel                    *to_keys = vow_channel_open(loop, "memory://keys", NULL);

    house_door_serve(door, &door_service, NULL);
    house_keys_serve(keys, &keys_service, NULL);
    vow_server_intercept(door, VOW_INTERCEPTOR(.begin = guard_begin, .arg = to_keys));
    vow_channel_intercept(to_door, VOW_INTERCEPTOR(.end = log_end));
    vow_channel_intercept(to_door, VOW_INTERCEPTOR(.begin = key_begin));
    if (vow_server_listen(door, "memory://door", NULL) != VOW_OK ||
        vow_server_listen(keys, "memory://keys", NULL) != VOW_OK)
        return 1;

    knock(to_door);
    key = "4321";
    knock(to_door);

    vow_loop_close(loop);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
