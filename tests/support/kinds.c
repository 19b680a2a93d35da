#include "tests/support/kinds.h"

#include "runtime/protocol/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool build_has_grpc(void)
{
    return !vow_protocol_grpc.lacks;
}

bool build_has_tls(void)
{
    const char      *alpn[] = { "any", NULL };
    vow_tls_context *context = NULL;
    vow_error        error;
    bool has_tls = vow_tls_context_new(false, VOW_TLS(.trusts_anybody = true), alpn, &context, &error) !=
                   VOW_UNIMPLEMENTED;

    vow_tls_context_drop(context);
    return has_tls;
}

/* "(grpcs_simulated)" takes both. */
static bool kind_is_possible(const char *name)
{
    const char *kind = strrchr(name, '(');

    if (!kind)
        return true;
    if (strncmp(kind, "(grpc", 5) == 0 && !build_has_grpc())
        return false;
    return build_has_tls() || (strncmp(kind, "(tls", 4) != 0 && strncmp(kind, "(grpcs", 6) != 0);
}

int kinds_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *possible = calloc(count, sizeof *possible);
    size_t             kept = 0;
    int                failed;

    if (!possible)
        return 1;
    for (size_t i = 0; i < count; i++) {
        if (kind_is_possible(tests[i].name))
            possible[kept++] = tests[i];
    }
    if (kept < count)
        printf("%zu tests are of gRPC or TLS, which this build lacks\n", count - kept);
    failed = _cmocka_run_group_tests(name, possible, kept, NULL, NULL);
    free(possible);
    return failed;
}
