/* vault-client TARGET NAME PASSWORD NUMBER...: opens boxes, with a token that it gets once. */
#include "vault.vow.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct client {
    vow_channel *issuer; /* without tokens: it gives them */
    vow_channel *vault;
    char        *name;
    char        *password;
};

/* Getting a token */

static vow_future *logged_in(vow_future *reply, void *arg)
{
    const Safe__Token *token = safe_vault_login_result(reply);
    vow_bearer_token  *fetched = malloc(sizeof *fetched);

    (void)arg;
    if (!fetched)
        return vow_failure(vow_future_loop(reply), VOW_RESOURCE_EXHAUSTED, "no memory for a token");
    *fetched = (vow_bearer_token){ .text = token->text, .lifetime_ms = token->lifetime_ms };
    /* The text lies in the reply, and goes with it. */
    return vow_attach(vow_keep(reply, fetched), fetched, free);
}

static vow_future *fetch(vow_loop *loop, void *arg)
{
    struct client    *client = arg;
    Safe__Credentials credentials = SAFE__CREDENTIALS__INIT;

    (void)loop;
    credentials.name = client->name;
    credentials.password = client->password;
    return vow_then(safe_vault_login(client->issuer, &credentials, NULL), logged_in, NULL);
}

/* The program */

static void show(vow_future *reply, void *arg)
{
    const Safe__Content *content = safe_vault_open_result(reply);

    (void)arg;
    puts(content ? content->text : vow_future_error(reply));
}

int main(int argc, char **argv)
{
    vow_loop          *loop = vow_loop_attach(uv_default_loop());
    struct client      client;
    vow_bearer_source *source;

    if (argc < 5 || !loop) {
        fprintf(stderr, "usage: vault-client TARGET NAME PASSWORD NUMBER...\n");
        return 2;
    }
    client = (struct client){
        .issuer = vow_channel_open(loop, argv[1], NULL),
        .vault = vow_channel_open(loop, argv[1], NULL),
        .name = argv[2],
        .password = argv[3],
    };
    source = vow_bearer_source_new(loop, NULL, fetch, &client);
    vow_channel_intercept(client.vault, vow_bearer_source_interceptor(source));
    for (int i = 4; i < argc; i++) {
        Safe__Box box = SAFE__BOX__INIT;

        box.number = (uint32_t)strtoul(argv[i], NULL, 10);
        vow_done(safe_vault_open(client.vault, &box, NULL), show, NULL);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    vow_loop_close(loop);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    vow_bearer_source_free(source);
    return 0;
}
