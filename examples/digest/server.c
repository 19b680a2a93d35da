/*
 * digest-server ADDRESS...: answers with the SHA-256 of what it is sent.
 *
 * The idea: a call is a file. Its hash is attached to the future that answers it, and so goes with the call,
 * however that ends: answered, abandoned, out of time, its connection lost. Chunks are hashed as they come
 * and not kept; what has not been read holds its sender back.
 */
#include "digest.vow.h"

#include <vow/vow.h>

#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define GRACE_MS 5000

struct service {
    vow_loop   *loop;
    vow_server *server;
    uv_signal_t interrupt;
    uv_signal_t terminate;
};

/* Sum */

/* A file, in the memory of its call. */
struct sum {
    vow_call   *call;
    EVP_MD_CTX *hash;
};

static vow_future *sum_add(vow_call *call, const Digest__Chunk *chunk, void *arg)
{
    struct sum *sum = arg;

    if (EVP_DigestUpdate(sum->hash, chunk->data.data, chunk->data.len) != 1)
        return vow_failure(vow_call_loop(call), VOW_INTERNAL, "OpenSSL could not hash");
    return NULL; /* ready for the next */
}

/* The last chunk has come. */
static vow_future *sum_finish(vow_future *end, void *arg)
{
    Digest__SumReply reply = DIGEST__SUM_REPLY__INIT;
    struct sum      *sum = arg;
    uint8_t          bytes[EVP_MAX_MD_SIZE];
    unsigned         size = 0;

    if (EVP_DigestFinal_ex(sum->hash, bytes, &size) != 1)
        return vow_failure(vow_future_loop(end), VOW_INTERNAL, "OpenSSL could not finish the hash");
    reply.sha256 = (ProtobufCBinaryData){ .data = bytes, .len = size };
    digest_digest_sum_reply(sum->call, &reply);
    return NULL;
}

static void hash_free(void *object)
{
    EVP_MD_CTX_free(object);
}

static void serve_sum(vow_call *call, void *arg)
{
    struct sum *sum = vow_call_alloc(call, sizeof *sum);
    vow_future *answer;

    (void)arg;
    if (!sum)
        return; /* the call has been failed */
    *sum = (struct sum){ .call = call, .hash = EVP_MD_CTX_new() };
    if (!sum->hash || EVP_DigestInit_ex(sum->hash, EVP_sha256(), NULL) != 1) {
        hash_free(sum->hash);
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "no memory for a hash");
        return;
    }
    answer = vow_then(digest_digest_sum_read_requests(call, sum_add, sum), sum_finish, sum);
    vow_call_answer(call, vow_attach(answer, sum->hash, hash_free));
}

/* The program */

static void drained(vow_future *future, void *arg)
{
    struct service *service = arg;

    if (vow_future_code(future) != VOW_OK)
        fprintf(stderr, "digest-server: %s\n", vow_future_error(future));
    uv_close((uv_handle_t *)&service->interrupt, NULL);
    uv_close((uv_handle_t *)&service->terminate, NULL);
    vow_loop_close(service->loop);
}

static void stop(uv_signal_t *handle, int number)
{
    struct service *service = handle->data;

    (void)number;
    uv_signal_stop(&service->interrupt);
    uv_signal_stop(&service->terminate);
    vow_done(vow_server_drain(service->server, GRACE_MS), drained, service);
}

static void watch_signal(uv_loop_t *uv, uv_signal_t *handle, int number, struct service *service)
{
    uv_signal_init(uv, handle);
    handle->data = service;
    uv_signal_start(handle, stop, number);
}

static bool listen_on_all(struct service *service, char *addresses[], int count)
{
    vow_error error;

    for (int i = 0; i < count; i++) {
        if (vow_server_listen(service->server, addresses[i], &error) != VOW_OK) {
            fprintf(stderr, "digest-server: %s\n", error.message);
            return false;
        }
        if (strncmp(addresses[i], "tcp://", 6) ==
            0) /* where the port was left to the system, it is told here */
            printf("listening on %.*s:%d\n", (int)(strrchr(addresses[i], ':') - addresses[i]), addresses[i],
                   vow_server_port(service->server));
        else
            printf("listening on %s\n", addresses[i]);
    }
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static const digest_digest_service methods = { .sum = serve_sum };
    struct service                     service = { .loop = vow_loop_attach(uv_default_loop()) };

    if (argc < 2 || !service.loop) {
        fprintf(stderr,
                "usage: digest-server ADDRESS...\n       such as tcp://127.0.0.1:0 or unix:///tmp/digest\n");
        return 2;
    }
    service.server = vow_server_open(service.loop, NULL);
    digest_digest_serve(service.server, &methods, &service);
    if (!listen_on_all(&service, argv + 1, argc - 1))
        return 1;
    watch_signal(uv_default_loop(), &service.interrupt, SIGINT, &service);
    watch_signal(uv_default_loop(), &service.terminate, SIGTERM, &service);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
