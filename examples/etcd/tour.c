/*
 * etcd-tour TARGET [CA [CERTIFICATE]]: puts, gets, watches and holds a lease in an etcd server, over gRPC.
 *
 * The idea: etcd is written in Go, and knows nothing of vow. The stubs are made from its own API (rpc.proto),
 * and the target says how to speak to it: grpc://127.0.0.1:2379, or grpcs://… with TLS, for which there may
 * be files with a CA to trust, and with a certificate of our own and its key.
 *
 * The last chapter is what services use etcd for. One that runs has a key under a lease, and renews it; the
 * key of one that died goes when its lease runs out; and who watches is told of both.
 */
#include "rpc.vow.h"

#include <vow/vow.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

#define LEASE_SECONDS 2 /* etcd may make it longer */
#define TOUR_TIMEOUT_MS 60000

/* All keys of this program: from "tour/" up to "tour0", as '0' comes after '/'. */
static char first_key[] = "tour/";
static char end_key[] = "tour0";
static char colour_key[] = "tour/colour";
static char size_key[] = "tour/size";
static char printer_key[] = "tour/printer";

struct tour {
    vow_loop    *loop;
    vow_channel *channel;
    vow_call    *watch;
    vow_call    *renewal;
    int64_t      lease;
    int64_t      lease_ms;
    int          status;
};

/* Keys and values */

static ProtobufCBinaryData bytes(char *text)
{
    return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static vow_future *put(struct tour *tour, char *key, char *value, int64_t lease)
{
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;

    request.key = bytes(key);
    request.value = bytes(value);
    request.lease = lease;
    return etcdserverpb_kv_put(tour->channel, &request, NULL);
}

static vow_future *get_all(struct tour *tour)
{
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;

    request.key = bytes(first_key);
    request.range_end = bytes(end_key);
    return etcdserverpb_kv_range(tour->channel, &request, NULL);
}

static void print_pair(const char *before, const Mvccpb__KeyValue *pair)
{
    printf("%s%.*s = %.*s\n", before, (int)pair->key.len, (char *)pair->key.data, (int)pair->value.len,
           (char *)pair->value.data);
}

static vow_future *print_all(vow_future *reply, void *arg)
{
    const Etcdserverpb__RangeResponse *range = etcdserverpb_kv_range_result(reply);

    (void)arg;
    for (size_t i = 0; i < range->n_kvs; i++)
        print_pair("  ", range->kvs[i]);
    return NULL;
}

static vow_future *read_back(vow_future *puts, void *arg)
{
    (void)puts;
    return vow_then(get_all(arg), print_all, NULL);
}

/* Both keys are put at the same time, and read when both are there. */
static vow_future *put_and_get(struct tour *tour)
{
    static char green[] = "green";
    static char large[] = "large";
    vow_future *puts =
        vow_all(tour->loop, VOW_FUTURES(put(tour, colour_key, green, 0), put(tour, size_key, large, 0)));

    printf("two keys are put\n");
    return vow_then(puts, read_back, tour);
}

/* Leases, and a failure that is expected */

static vow_future *grant_lease(struct tour *tour)
{
    Etcdserverpb__LeaseGrantRequest request = ETCDSERVERPB__LEASE_GRANT_REQUEST__INIT;

    request.ttl = LEASE_SECONDS;
    return etcdserverpb_lease_lease_grant(tour->channel, &request, NULL);
}

static void tour_note_lease(struct tour *tour, vow_future *grant)
{
    const Etcdserverpb__LeaseGrantResponse *lease = etcdserverpb_lease_lease_grant_result(grant);

    tour->lease = lease->id;
    tour->lease_ms = lease->ttl * 1000;
}

static vow_future *revoke_lease(vow_future *grant, void *arg)
{
    struct tour                     *tour = arg;
    Etcdserverpb__LeaseRevokeRequest request = ETCDSERVERPB__LEASE_REVOKE_REQUEST__INIT;

    tour_note_lease(tour, grant);
    request.id = tour->lease;
    return etcdserverpb_lease_lease_revoke(tour->channel, &request, NULL);
}

static vow_future *put_under_lease(vow_future *revoked, void *arg)
{
    static char  red[] = "red";
    struct tour *tour = arg;

    (void)revoked;
    return put(tour, colour_key, red, tour->lease);
}

/* What a program can act on is the code; the text is for people. Any other failure ends the tour. */
static vow_future *lease_is_gone(vow_future *failed, void *arg)
{
    (void)arg;
    if (vow_future_code(failed) != VOW_NOT_FOUND)
        return vow_future_ref(failed);
    printf("  %s\n", vow_future_error(failed));
    return NULL;
}

static vow_future *use_a_revoked_lease(struct tour *tour)
{
    vow_future *revoked = vow_then(grant_lease(tour), revoke_lease, tour);

    printf("a lease that has been revoked takes no key\n");
    return vow_recover(vow_then(revoked, put_under_lease, tour), lease_is_gone, NULL);
}

/* Watching */

static void drop_call(void *call)
{
    vow_call_drop(call);
}

static vow_future *watch_events(vow_future *next, void *arg);

static vow_future *watch_next(struct tour *tour)
{
    return vow_then(vow_call_next(tour->watch), watch_events, tour);
}

/* Prints what happens to the key, until it is deleted. */
static vow_future *watch_events(vow_future *next, void *arg)
{
    struct tour                       *tour = arg;
    const Etcdserverpb__WatchResponse *response = etcdserverpb_watch_watch_result(next);

    if (!response || response->canceled)
        return vow_failure(tour->loop, VOW_ABORTED, "etcd has ended the watch: %s",
                           response ? response->cancel_reason : "no more responses");
    for (size_t i = 0; i < response->n_events; i++) {
        const Mvccpb__Event *event = response->events[i];

        if (event->type == MVCCPB__EVENT__EVENT_TYPE__DELETE) {
            printf("  the watch sees that it is gone\n");
            return NULL;
        }
        print_pair("  the watch sees ", event->kv);
    }
    return watch_next(tour);
}

/* A stream in both directions. It could watch more, and so etcd does not end it when this side does: who has
 * seen enough drops the call, which cancels it. */
static vow_call *watch_key(struct tour *tour, char *key)
{
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    Etcdserverpb__WatchRequest       request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    vow_call                        *call = etcdserverpb_watch_watch(tour->channel, NULL);

    create.key = bytes(key);
    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    request.create_request = &create;
    etcdserverpb_watch_watch_send_request(call, &request);
    return call;
}

/* A key that lives as long as its owner */

static vow_future *lease_renewed(vow_future *next, void *arg);

/* Every third of the lease's time, on one stream, until somebody drops this future. */
static vow_future *lease_renew(vow_future *slept, void *arg)
{
    struct tour                        *tour = arg;
    Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;

    (void)slept;
    request.id = tour->lease;
    etcdserverpb_lease_lease_keep_alive_send_request(tour->renewal, &request);
    return vow_then(vow_call_next(tour->renewal), lease_renewed, tour);
}

static vow_future *lease_renewed(vow_future *next, void *arg)
{
    struct tour                                *tour = arg;
    const Etcdserverpb__LeaseKeepAliveResponse *response = etcdserverpb_lease_lease_keep_alive_result(next);

    if (!response || response->ttl <= 0)
        return vow_failure(tour->loop, VOW_NOT_FOUND, "the lease has run out");
    return vow_then(vow_sleep(tour->loop, tour->lease_ms / 3), lease_renew, tour);
}

static vow_future *stop_renewing(vow_future *timed_out, void *arg)
{
    if (vow_future_code(timed_out) != VOW_DEADLINE_EXCEEDED)
        return vow_future_ref(timed_out);
    printf("after twice the lease's time:\n");
    return vow_then(get_all(arg), print_all, NULL);
}

static vow_future *lease_hold(vow_future *put, void *arg)
{
    struct tour *tour = arg;
    vow_future  *held;

    (void)put;
    tour->renewal = etcdserverpb_lease_lease_keep_alive(tour->channel, NULL);
    held = vow_attach(lease_renew(NULL, tour), tour->renewal, drop_call);
    return vow_recover(vow_timeout(held, 2 * tour->lease_ms), stop_renewing, tour);
}

static vow_future *register_printer(vow_future *grant, void *arg)
{
    static char  address[] = "10.0.0.7:9100";
    struct tour *tour = arg;

    tour_note_lease(tour, grant);
    return vow_then(put(tour, printer_key, address, tour->lease), lease_hold, tour);
}

/* What the watch sees, and what the printer does, at the same time: until the key has gone. */
static vow_future *watch_begun(vow_future *created, void *arg)
{
    struct tour *tour = arg;

    (void)created;
    return vow_all(tour->loop,
                   VOW_FUTURES(watch_next(tour), vow_then(grant_lease(tour), register_printer, tour)));
}

static vow_future *hold_a_lease(struct tour *tour)
{
    printf("a key lives as long as its lease is renewed\n");
    tour->watch = watch_key(tour, printer_key);
    return vow_attach(vow_then(vow_call_next(tour->watch), watch_begun, tour), tour->watch, drop_call);
}

/* The end */

static vow_future *print_deleted(vow_future *reply, void *arg)
{
    (void)arg;
    printf("  %d keys\n", (int)etcdserverpb_kv_delete_range_result(reply)->deleted);
    return NULL;
}

static vow_future *delete_all(struct tour *tour)
{
    Etcdserverpb__DeleteRangeRequest request = ETCDSERVERPB__DELETE_RANGE_REQUEST__INIT;

    printf("what is left is deleted\n");
    request.key = bytes(first_key);
    request.range_end = bytes(end_key);
    return vow_then(etcdserverpb_kv_delete_range(tour->channel, &request, NULL), print_deleted, NULL);
}

typedef vow_future *chapter_fn(struct tour *tour);

static chapter_fn *const chapters[] = { put_and_get, use_a_revoked_lease, hold_a_lease, delete_all };

#define CHAPTERS (sizeof chapters / sizeof chapters[0])

static vow_future *start_chapter(size_t index, void *arg)
{
    return chapters[index](arg);
}

static void finished(vow_future *all, void *arg)
{
    struct tour *tour = arg;

    if (vow_future_code(all) != VOW_OK) {
        fprintf(stderr, "etcd-tour: %s\n", vow_future_error(all));
        tour->status = 1;
    }
    vow_loop_close(tour->loop); /* the channel with it */
}

int main(int argc, char **argv)
{
    static struct tour     tour;
    const vow_tls_options *tls =
        VOW_TLS(.ca_file = argc > 2 ? argv[2] : NULL, .certificate_file = argc > 3 ? argv[3] : NULL);

    tour.loop = vow_loop_attach(uv_default_loop());
    if (argc < 2 || argc > 4 || !tour.loop) {
        fprintf(stderr,
                "usage: etcd-tour TARGET [CA [CERTIFICATE]], as in etcd-tour grpc://127.0.0.1:2379\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line as it happens, also into a pipe */
    tour.channel = vow_channel_open(tour.loop, argv[1], VOW_CHANNEL(.tls = tls));
    vow_done(vow_timeout(vow_each(tour.loop, CHAPTERS, 1, start_chapter, &tour), TOUR_TIMEOUT_MS), finished,
             &tour);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return tour.status;
}
