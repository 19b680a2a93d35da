/*
 * A server's side of bearer tokens.
 *
 * The idea: whatever goes wrong, the call is refused: a verifier that there was no memory for, a function
 * that says nothing, an identity that could not be kept.
 */
#include "runtime/service/bearer.h"
#include "runtime/service/memory.h"

#include <string.h>

#define TOKEN_SIZE_DEFAULT ((size_t)8 << 10)

struct vow_bearer_verifier {
    vow_interceptor       interceptor;
    vow_bearer_options    options;
    vow_bearer_verify_fn *verify;
    void                 *arg;
};

/* Reading */

bool vow_bearer_is_token(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t            size = strspn(text, allowed);

    return size > 0 && text[size + strspn(text + size, "=")] == '\0';
}

size_t vow_bearer_find(const vow_metadata *metadata, const char *name, const char **found)
{
    size_t count = 0;

    *found = NULL;
    for (; metadata->name; metadata++) {
        if (strcmp(metadata->name, name) != 0)
            continue;
        if (count++ == 0)
            *found = metadata->value;
    }
    return count;
}

/* What follows the scheme and its spaces; NULL: it is another scheme. Case does not matter (RFC 9110,
 * section 11.1). */
static const char *credentials_after_scheme(const char *credentials)
{
    for (const char *scheme = VOW_BEARER_SCHEME; *scheme; scheme++, credentials++) {
        if ((*scheme | 0x20) != (*credentials | 0x20))
            return NULL;
    }
    if (*credentials && *credentials != ' ')
        return NULL;
    return credentials + strspn(credentials, " ");
}

/* Gives the token, or NULL: `error` says what was expected, and nothing of what was sent. */
static const char *verifier_read_token(const vow_bearer_verifier *verifier, const vow_call *call,
                                       vow_error *error)
{
    const char *credentials;
    const char *token;
    size_t      count = vow_bearer_find(vow_call_metadata(call), VOW_BEARER_METADATA, &credentials);

    if (count == 0) {
        vow_error_set(error, VOW_UNAUTHENTICATED, "no authorization; send \"authorization: Bearer TOKEN\"");
        return NULL;
    }
    if (count > 1) {
        vow_error_set(error, VOW_UNAUTHENTICATED, "authorization is there %zu times; send it once", count);
        return NULL;
    }
    token = credentials_after_scheme(credentials);
    if (!token) {
        vow_error_set(error, VOW_UNAUTHENTICATED,
                      "authorization is of another scheme; send \"authorization: Bearer TOKEN\"");
        return NULL;
    }
    if (strlen(token) > verifier->options.max_token_size) {
        vow_error_set(error, VOW_UNAUTHENTICATED,
                      "the bearer token has %zu bytes; %zu are allowed (max_token_size)", strlen(token),
                      verifier->options.max_token_size);
        return NULL;
    }
    if (!vow_bearer_is_token(token)) {
        vow_error_set(error, VOW_UNAUTHENTICATED,
                      "the bearer token is malformed: it has A-Z a-z 0-9 - . _ ~ + /, then any number of =");
        return NULL;
    }
    return token;
}

/* A call */

static const char identity_key; /* of a call's identity among its slots */

/* Kept in the call. */
typedef struct identity {
    vow_call   *call;
    vow_future *future; /* whose value it is; NULL: nobody has been verified */
} identity;

static void identity_release(void *future)
{
    vow_drop(future);
}

/* The future is kept as long as the call's memory, since its handler may look at the identity until then. */
static vow_future *identity_verified(vow_future *settled, void *arg)
{
    identity   *identity = arg;
    vow_future *kept = vow_future_ref(settled);

    if (vow_future_code(kept) != VOW_OK)
        return kept;
    if (!vow_call_attach(identity->call, kept, identity_release))
        return vow_failure(vow_call_loop(identity->call), VOW_RESOURCE_EXHAUSTED,
                           "no memory for the caller's identity");
    identity->future = kept;
    return NULL;
}

void *vow_bearer_identity(vow_call *call)
{
    const identity *identity = vow_call_slot(call, &identity_key, sizeof *identity);

    return identity && identity->future ? vow_future_value(identity->future) : NULL;
}

static bool verifier_leaves_open(const vow_bearer_verifier *verifier, const vow_method *method)
{
    for (const vow_method *const *open = verifier->options.open_methods; open && *open; open++) {
        if (*open == method)
            return true;
    }
    return false;
}

static vow_future *verifier_begin(vow_call *call, void *arg)
{
    const vow_bearer_verifier *verifier = arg;
    identity                  *identity;
    const char                *token;
    vow_future                *verified;
    vow_error                  error;

    if (verifier_leaves_open(verifier, vow_call_method(call)))
        return NULL;
    token = verifier_read_token(verifier, call, &error);
    if (!token)
        return vow_failure(vow_call_loop(call), error.code, "%s", error.message);
    identity = vow_call_slot(call, &identity_key, sizeof *identity);
    if (!identity)
        return vow_failure(vow_call_loop(call), VOW_RESOURCE_EXHAUSTED,
                           "no memory for the caller's identity");
    identity->call = call;
    verified = verifier->verify(call, token, verifier->arg);
    if (!verified)
        return vow_failure(vow_call_loop(call), VOW_UNAUTHENTICATED, "the bearer token is not valid");
    return vow_then(verified, identity_verified, identity);
}

/* One token */

bool vow_bearer_equal(const char *token, const char *secret)
{
    size_t            token_size = strlen(token);
    size_t            secret_size = strlen(secret);
    volatile unsigned difference =
        token_size != secret_size; /* volatile: so that no compiler stops at the first */

    for (size_t i = 0; i < token_size; i++)
        difference |= (unsigned char)token[i] ^ (unsigned char)secret[i < secret_size ? i : secret_size];
    return difference == 0;
}

vow_future *vow_bearer_verify_static(vow_call *call, const char *token, void *arg)
{
    return vow_bearer_equal(token, arg) ? vow_value(vow_call_loop(call), arg, NULL) : NULL;
}

/* Life */

vow_bearer_verifier *vow_bearer_verifier_new(const vow_bearer_options *options, vow_bearer_verify_fn *verify,
                                             void *arg)
{
    vow_bearer_verifier *verifier = vow_service_alloc(sizeof *verifier);

    if (!verifier)
        return NULL;
    *verifier = (vow_bearer_verifier){ .verify = verify, .arg = arg };
    if (options)
        memcpy(&verifier->options, options,
               options->size < sizeof *options ? options->size : sizeof *options);
    if (verifier->options.max_token_size == 0)
        verifier->options.max_token_size = TOKEN_SIZE_DEFAULT;
    verifier->interceptor =
        (vow_interceptor){ .size = sizeof verifier->interceptor, .begin = verifier_begin, .arg = verifier };
    return verifier;
}

void vow_bearer_verifier_free(vow_bearer_verifier *verifier)
{
    vow_service_free(verifier);
}

static vow_future *missing_begin(vow_call *call, void *arg)
{
    (void)arg;
    return vow_failure(vow_call_loop(call), VOW_RESOURCE_EXHAUSTED,
                       "there was no memory to verify bearer tokens");
}

const vow_interceptor *vow_bearer_verifier_interceptor(const vow_bearer_verifier *verifier)
{
    static const vow_interceptor refuses = { .size = sizeof refuses, .begin = missing_begin };

    return verifier ? &verifier->interceptor : &refuses;
}
