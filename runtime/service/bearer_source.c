/*
 * A channel's side of bearer tokens.
 *
 * The idea: one future for the fetch under way, which all calls that need its token wait for. It is the
 * source's as well, so that a call which gives up takes nothing from the others.
 */
#include "runtime/service/bearer.h"
#include "runtime/service/memory.h"

#include <string.h>

#define EARLY_MS_DEFAULT 10000
#define NS_PER_MS 1000000u
#define NEVER UINT64_MAX

/* Metadata of a call, as vow limits it (docs/limits.md). */
#define METADATA_MAX 100

struct vow_bearer_source {
    vow_interceptor           interceptor;
    vow_bearer_source_options options;
    vow_loop                 *loop;
    vow_bearer_fetch_fn      *fetch;
    void                     *arg;
    vow_future               *refresh;     /* of the fetch under way; NULL: none is */
    char                     *value;       /* "Bearer TOKEN" of the last one that succeeded; NULL: none yet */
    uint64_t                  expires_ns;  /* on the loop's clock; 0: must not be used again */
    uint64_t                  generation;  /* counts tokens */
    bool                      is_fetching; /* `fetch` is running */
};

/* Tokens */

static bool source_is_fresh(const vow_bearer_source *source)
{
    return source->value && vow_loop_now_ns(source->loop) < source->expires_ns;
}

static uint64_t source_expiry(const vow_bearer_source *source, int64_t lifetime_ms)
{
    uint64_t now = vow_loop_now_ns(source->loop);
    int64_t  early_ms = source->options.early_ms;

    if (lifetime_ms == VOW_NO_TIMEOUT || lifetime_ms >= (int64_t)((NEVER - now) / NS_PER_MS))
        return NEVER;
    if (lifetime_ms <= 0)
        return 0;
    if (early_ms > lifetime_ms / 2)
        early_ms = lifetime_ms / 2;
    return now + (uint64_t)(lifetime_ms - early_ms) * NS_PER_MS;
}

/* Gives NULL, or why the token is none. */
static vow_future *source_keep(vow_bearer_source *source, const vow_bearer_token *token)
{
    static const char scheme[] = VOW_BEARER_SCHEME " ";
    size_t            size;
    char             *value;

    if (!token || !token->text || !vow_bearer_is_token(token->text))
        return vow_failure(
            source->loop, VOW_INTERNAL,
            "what was fetched is no bearer token: it has A-Z a-z 0-9 - . _ ~ + /, then any number of =");
    size = strlen(token->text) + 1;
    value = vow_service_alloc(sizeof scheme - 1 + size);
    if (!value)
        return vow_failure(source->loop, VOW_RESOURCE_EXHAUSTED, "no memory for a bearer token");
    memcpy(value, scheme, sizeof scheme - 1);
    memcpy(value + sizeof scheme - 1, token->text, size);
    vow_service_free(source->value);
    source->value = value;
    source->expires_ns = source_expiry(source, token->lifetime_ms);
    source->generation++;
    return NULL;
}

/* A handle that was kept any longer would keep a loop from ending. */
static vow_future *source_fetched(vow_future *settled, void *arg)
{
    vow_bearer_source *source = arg;
    vow_future        *refresh = source->refresh;

    source->refresh = NULL;
    vow_drop(refresh);
    if (vow_future_code(settled) != VOW_OK)
        return vow_future_ref(settled);
    return source_keep(source, vow_future_value(settled));
}

/* One at a time: who comes later gets the one under way. (Where there was no memory for it, it has failed
 * already.) */
static vow_future *source_refresh(vow_bearer_source *source)
{
    vow_future *fetched;

    if (source->refresh && !vow_future_settled(source->refresh))
        return source->refresh;
    vow_drop(source->refresh);
    source->is_fetching = true;
    fetched = source->fetch(source->loop, source->arg);
    source->is_fetching = false;
    if (!fetched)
        fetched = vow_failure(source->loop, VOW_UNAUTHENTICATED, "there is no bearer token for this call");
    source->refresh = vow_either(fetched, source_fetched, source);
    return source->refresh;
}

/* A call */

/* Kept in the call. */
typedef struct bearer {
    vow_call          *call;
    vow_bearer_source *source;
    uint64_t           generation; /* of the token it was sent with; 0: none */
} bearer;

/* What is wrong with the metadata then, too much of it, the call says by itself. */
static vow_future *bearer_authorize(bearer *bearer)
{
    const vow_metadata *before = vow_call_sent_metadata(bearer->call);
    vow_metadata        all[METADATA_MAX + 2] = { { .name = NULL } };
    size_t              count = 0;

    for (; before[count].name && count < METADATA_MAX; count++)
        all[count] = before[count];
    all[count] = (vow_metadata){ .name = VOW_BEARER_METADATA, .value = bearer->source->value };
    bearer->generation = bearer->source->generation;
    vow_call_replace_metadata(bearer->call, all);
    return NULL;
}

static vow_future *bearer_refreshed(vow_future *settled, void *arg)
{
    (void)settled;
    return bearer_authorize(arg);
}

static vow_future *source_begin(vow_call *call, void *arg)
{
    vow_bearer_source *source = arg;
    const char        *own;
    bearer            *bearer;

    if (vow_bearer_find(vow_call_sent_metadata(call), VOW_BEARER_METADATA, &own) > 0)
        return NULL;
    if (source->is_fetching)
        return vow_failure(source->loop, VOW_FAILED_PRECONDITION,
                           "%s gets the token that its own channel waits for; use another channel",
                           vow_call_method(call)->name);
    bearer = vow_call_slot(call, source, sizeof *bearer);
    if (!bearer)
        return vow_failure(source->loop, VOW_RESOURCE_EXHAUSTED, "no memory for a bearer token");
    bearer->call = call;
    bearer->source = source;
    if (source_is_fresh(source))
        return bearer_authorize(bearer);
    return vow_then(vow_future_ref(source_refresh(source)), bearer_refreshed, bearer);
}

/* A token that was revoked is found out by its refusal. Others may have got a new one since. */
static void source_end(vow_call *call, const vow_call_result *result, void *arg)
{
    vow_bearer_source *source = arg;
    const bearer      *bearer;

    if (result->code != VOW_UNAUTHENTICATED)
        return;
    bearer = vow_call_slot(call, source, sizeof *bearer);
    if (bearer && bearer->generation == source->generation)
        source->expires_ns = 0;
}

/* Life */

vow_bearer_source *vow_bearer_source_new(vow_loop *loop, const vow_bearer_source_options *options,
                                         vow_bearer_fetch_fn *fetch, void *arg)
{
    vow_bearer_source *source = vow_service_alloc(sizeof *source);

    if (!source)
        return NULL;
    *source = (vow_bearer_source){ .loop = loop, .fetch = fetch, .arg = arg };
    if (options)
        memcpy(&source->options, options, options->size < sizeof *options ? options->size : sizeof *options);
    if (source->options.early_ms <= 0)
        source->options.early_ms = EARLY_MS_DEFAULT;
    source->interceptor = (vow_interceptor){
        .size = sizeof source->interceptor, .begin = source_begin, .end = source_end, .arg = source
    };
    return source;
}

void vow_bearer_source_free(vow_bearer_source *source)
{
    if (!source)
        return;
    vow_drop(source->refresh);
    vow_service_free(source->value);
    vow_service_free(source);
}

static vow_future *missing_begin(vow_call *call, void *arg)
{
    (void)arg;
    return vow_failure(vow_call_loop(call), VOW_RESOURCE_EXHAUSTED,
                       "there was no memory to get bearer tokens");
}

const vow_interceptor *vow_bearer_source_interceptor(const vow_bearer_source *source)
{
    static const vow_interceptor fails = { .size = sizeof fails, .begin = missing_begin };

    return source ? &source->interceptor : &fails;
}
