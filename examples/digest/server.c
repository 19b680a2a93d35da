/*
 * digest-server ADDRESS...: answers with the SHA-256 of what it is sent.
 *
 * The idea: the state of a file lives in the memory of its Sum call. So it is bounded by the server's
 * limit on calls, and gone when the file is abandoned or its connection lost, without a line of code here.
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

/* A file whose sum is due. */
struct file {
    struct file *next;
    vow_call    *call;
    uint64_t     id;
    uint64_t     size; /* bytes that have come */
    EVP_MD_CTX  *hash;
};

struct service {
    vow_loop    *loop;
    vow_server  *server;
    struct file *files;
    uv_signal_t  interrupt;
    uv_signal_t  terminate;
};

/* --- Files ------------------------------------------------------------------------------ */

static void file_free(struct service *service, struct file *file)
{
    struct file **place = &service->files;

    while (*place && *place != file)
        place = &(*place)->next;
    if (*place)
        *place = file->next;
    EVP_MD_CTX_free(file->hash);
    file->hash = NULL;
}

static struct file *file_find(const struct service *service, vow_call *feeding, uint64_t id)
{
    struct file *file = service->files;

    /* A client feeds its own files alone: what it calls a file means nothing to others. */
    while (file && (file->id != id || strcmp(vow_call_peer(file->call), vow_call_peer(feeding)) != 0))
        file = file->next;
    return file;
}

static bool file_add(struct file *file, ProtobufCBinaryData data)
{
    file->size += data.len;
    return EVP_DigestUpdate(file->hash, data.data, data.len) == 1;
}

/* Answers the Sum call, whose memory `file` is. */
static void file_finish(struct service *service, struct file *file)
{
    Digest__SumReply reply = DIGEST__SUM_REPLY__INIT;
    uint8_t          sum[EVP_MAX_MD_SIZE];
    unsigned         size = 0;
    vow_call        *call = file->call;
    bool             done = EVP_DigestFinal_ex(file->hash, sum, &size) == 1;

    file_free(service, file);
    reply.sha256 = (ProtobufCBinaryData){ .data = sum, .len = size };
    if (done)
        digest_digest_sum_reply(call, &reply);
    else
        vow_call_fail(call, VOW_INTERNAL, "OpenSSL could not finish the hash");
}

/* --- Sum ----------------------------------------------------------------------------------- */

struct abandoned {
    struct service *service;
    struct file    *file;
};

/* The client has gone, or dropped the file: its Sum is answered, and its memory goes with it. */
static void file_closed(vow_future *closed, void *arg)
{
    struct abandoned *abandoned = arg;

    if (vow_future_code(closed) == VOW_OK)
        return;
    file_free(abandoned->service, abandoned->file);
    vow_call_fail(abandoned->file->call, VOW_CANCELLED, "the file was abandoned");
}

static struct file *file_new(vow_call *call, uint64_t id)
{
    struct file *file = vow_call_alloc(call, sizeof *file);

    if (!file)
        return NULL;
    *file = (struct file){ .call = call, .id = id, .hash = EVP_MD_CTX_new() };
    if (file->hash && EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL) == 1)
        return file;
    EVP_MD_CTX_free(file->hash);
    vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "no memory for a hash");
   
    return NULL;
}

/* Waits for the rest of the file. */
static void file_wait(struct service *service, struct file *file)
{
    struct abandoned *abandoned = vow_call_alloc(file->call, sizeof *abandoned);

    if (!abandoned) {
        file_free(service, file);
        return;
    }
    *abandoned = (struct abandoned){ .service = service, .file = file };
    file->next = service->files;
    service->files = file;
    vow_done(vow_call_when_closed(file->call), file_closed, abandoned);
}

static void serve_sum(vow_call *call, const Digest__SumRequest *request, void *arg)
{
    struct service *service = arg;
    struct file    *file = file_new(call, request->file);

    if (!file)
        return;
    if (!file_add(file, request->data)) {
        file_free(service, file);
        vow_call_fail(call, VOW_INTERNAL, "OpenSSL could not hash");
    } else if (request->more) {
        file_wait(service, file);
    } else {
        file_finish(service, file);
    }
}

/* --- Feed ------------------------------------------------------------------------------------- */

static void serve_feed(vow_call *call, const Digest__Chunk *chunk, void *arg)
{
    Digest__FeedReply reply = DIGEST__FEED_REPLY__INIT;
    struct service   *service = arg;
    struct file      *file = file_find(service, call, chunk->file);

    if (!file) {
        vow_call_fail(call, VOW_NOT_FOUND, "no Sum waits for file %016llx", (unsigned long long)chunk->file);
        return;
    }
    if (chunk->offset != file->size) {
        vow_call_fail(call, VOW_OUT_OF_RANGE, "the chunk begins at %llu; %llu bytes have come",
                      (unsigned long long)chunk->offset, (unsigned long long)file->size);
        return;
    }
    if (!file_add(file, chunk->data)) {
        vow_call_fail(call, VOW_INTERNAL, "OpenSSL could not hash");
        return;
    }
    if (!chunk->more)
        file_finish(service, file);
    digest_digest_feed_reply(call, &reply);
}

/* --- The program --------------------------------------------------------------------------------- */

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
        if (strncmp(addresses[i], "tcp://", 6) == 0) /* where the port was left to the system, it is told here */
            printf("listening on %.*s:%d\n", (int)(strrchr(addresses[i], ':') - addresses[i]), addresses[i],
                   vow_server_port(service->server));
        else
            printf("listening on %s\n", addresses[i]);
    }
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static const digest_digest_service methods = { .sum = serve_sum, .feed = serve_feed };
    struct service                     service = { .loop = vow_loop_attach(uv_default_loop()) };

    if (argc < 2 || !service.loop) {
        fprintf(stderr, "usage: digest-server ADDRESS...\n       such as tcp://127.0.0.1:0 or unix:///tmp/digest\n");
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
