/* What the system's transports do at their edges: names, files, descriptors, signals. */
#include "runtime/transport/transport.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define PATIENCE_S 20

/* Listens with one more server, which it closes at once. */
static vow_code listen_briefly(world *world, const char *address, vow_error *error)
{
    vow_server *server = vow_server_open(world->loop, NULL);
    vow_code    code = vow_server_listen(server, address, error);

    vow_server_close(server);
    return code;
}

/* How an echo over a channel of its own ends; the text lives until the next. */
static const char *echo_at(world *world, const char *target)
{
    vow_channel *channel = vow_channel_open(world->loop, target, NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *error = world_error(world, calls_calls_echo(channel, &request, NULL));

    vow_channel_close(channel);
    return error;
}

/* Addresses */

static void an_address_that_makes_no_sense_is_refused_with_what_to_write(void **state)
{
    static const struct {
        const char *address;
        const char *says;
    } bad[] = {
        { "tcp://127.0.0.1", "there is no port" },
        { "tcp://[::1]", "there is no port" },
        { "tcp://[::1", "there is no port" },
        { "tcp://127.0.0.1:", "the port is no number from 0 to 65535" },
        { "tcp://127.0.0.1:65536", "the port is no number from 0 to 65535" },
        { "tcp://127.0.0.1:-1", "the port is no number from 0 to 65535" },
        { "tcp://127.0.0.1:80x", "the port is no number from 0 to 65535" },
        { "tcp://::1:7000", "an IPv6 address stands in brackets" },
        { "unix://relative", "the path does not begin with a slash" },
        { "memory://", "a name of memory:// has 1 to" },
        { "http://127.0.0.1:80", "write tcp://host:port" },
        { "127.0.0.1:80", "write tcp://host:port" },
        { "", "write tcp://host:port" },
    };
    world    *world = *state;
    vow_error error;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *told = echo_at(world, bad[i].address);

        if (!strstr(told, bad[i].says) || strncmp(told, "INVALID_ARGUMENT", 16) != 0)
            fail_msg("a call to \"%s\" said %s", bad[i].address, told);
        if (listen_briefly(world, bad[i].address, &error) != VOW_INVALID_ARGUMENT ||
            !strstr(error.message, bad[i].says))
            fail_msg("listening on \"%s\" said %s", bad[i].address, error.message);
    }
}

static void an_address_for_listening_alone_is_no_target(void **state)
{
    assert_string_equal(
        echo_at(*state, "tcp://127.0.0.1:0"),
        "INVALID_ARGUMENT: tcp://127.0.0.1:0: port 0 is for listening; vow_server_port says which one "
        "the server got; write tcp://host:port");
    assert_string_equal(echo_at(*state, "tcp://:7000"),
                        "INVALID_ARGUMENT: tcp://:7000: there is no host; write tcp://host:port");
}

static void an_address_of_another_machine_can_not_be_listened_on(void **state)
{
    vow_error error;

    assert_int_equal(listen_briefly(*state, "tcp://192.0.2.1:0", &error), VOW_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "tcp://192.0.2.1:0"));
}

static void a_name_that_does_not_resolve_is_told_with_the_target(void **state)
{
    const char *told = echo_at(*state, "tcp://x.invalid:7000");

    assert_memory_equal(told, "UNAVAILABLE: ", 13);
    assert_non_null(strstr(told, "tcp://x.invalid:7000: the name cannot be resolved: "));
}

static void localhost_is_resolved_after_the_call_has_begun(void **state)
{
    world       *world = *state;
    char         target[40];
    vow_channel *channel;
    vow_future  *reply;
    Calls__Text  request = CALLS__TEXT__INIT;

    snprintf(target, sizeof target, "tcp://localhost:%d", vow_server_port(world->server));
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    assert_false(vow_future_settled(reply));
    assert_int_equal(world_settle(world, reply), VOW_OK);
    vow_channel_close(channel);
}

static void ipv6_addresses_stand_in_brackets(void **state)
{
    world      *world = *state;
    vow_server *server = vow_server_open(world->loop, NULL);
    char        target[40];

    if (vow_server_listen(server, "tcp://[::1]:0", NULL) == VOW_OK) { /* a machine may have no IPv6 */
        snprintf(target, sizeof target, "tcp://[::1]:%d", vow_server_port(server));
        assert_string_equal(echo_at(world, target), "UNIMPLEMENTED: calls.Calls/Echo is not served here");
    }
    vow_server_close(server);
}

static void a_name_of_memory_is_taken_once(void **state)
{
    world      *world = *state;
    vow_server *server = vow_server_open(world->loop, NULL);
    vow_error   error;

    assert_int_equal(vow_server_listen(server, "memory://once", &error), VOW_OK);
    assert_int_equal(listen_briefly(world, "memory://once", &error), VOW_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, "memory://once: the name is in use"));
    vow_server_close(server);
    assert_int_equal(listen_briefly(world, "memory://once", &error), VOW_OK);
}

/* Files of Unix sockets */

static const char *unix_path(void)
{
    static char path[60];

    snprintf(path, sizeof path, "/tmp/vow-transport-%ld", (long)getpid());
    return path;
}

static const char *unix_address(void)
{
    static char address[80];

    snprintf(address, sizeof address, "unix://%s", unix_path());
    return address;
}

/* Gives a listening socket that leaves its file behind. */
static int unix_listen(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int                listening = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, unix_path());
    unlink(address.sun_path);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 8), 0);
    return listening;
}

static void a_unix_path_that_is_too_long_is_refused_on_both_sides(void **state)
{
    world      *world = *state;
    char        address[160] = "unix:///tmp/";
    vow_error   error;
    const char *told;

    memset(address + strlen(address), 'p', 108 - strlen("/tmp/"));
    assert_int_equal(listen_briefly(world, address, &error), VOW_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "the path has 108 bytes; a Unix socket's has at most 107"));
    told = echo_at(world, address);
    assert_memory_equal(told, "INVALID_ARGUMENT", 16);
    assert_non_null(strstr(told, "the path has 108 bytes; a Unix socket's has at most 107"));
    address[strlen(address) - 1] = '\0';
    assert_int_equal(listen_briefly(world, address, &error), VOW_OK);
    assert_memory_equal(echo_at(world, address), "UNAVAILABLE", 11);
}

static void the_file_of_a_socket_that_nobody_listens_on_is_replaced(void **state)
{
    world      *world = *state;
    vow_server *server = vow_server_open(world->loop, NULL);
    vow_error   error = { VOW_OK, "" };

    close(unix_listen());
    assert_int_equal(access(unix_path(), F_OK), 0);
    assert_memory_equal(echo_at(world, unix_address()), "UNAVAILABLE", 11);
    if (vow_server_listen(server, unix_address(), &error) != VOW_OK)
        fail_msg("%s", error.message);
    assert_memory_equal(echo_at(world, unix_address()), "UNIMPLEMENTED", 13);
    vow_server_close(server);
    assert_int_equal(access(unix_path(), F_OK), -1);
}

static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
    int       listening = unix_listen();
    vow_error error;

    assert_int_equal(listen_briefly(*state, unix_address(), &error), VOW_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, "the address is in use"));
    assert_int_equal(access(unix_path(), F_OK), 0);
    close(listening);
    unlink(unix_path());
}

static void any_other_file_is_left_alone(void **state)
{
    char      text[8] = "";
    int       file = open(unix_path(), O_CREAT | O_EXCL | O_RDWR, 0600);
    vow_error error;

    assert_int_equal(write(file, "theirs", 6), 6);
    assert_int_equal(listen_briefly(*state, unix_address(), &error), VOW_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, ": there is a file that is no socket; choose another path"));
    assert_int_equal(pread(file, text, 6, 0), 6);
    assert_string_equal(text, "theirs");
    assert_int_equal(access(unix_path(), F_OK), 0);
    close(file);
    unlink(unix_path());
}

/* The life of the loop */

static vow_code idle_set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    vow_server *server = vow_server_open(loop, NULL);
    int        *port = arg;
    vow_code    code = vow_server_listen(server, "tcp://127.0.0.1:0", error);

    (void)index;
    *port = vow_server_port(server);
    return code;
}

static void an_idle_connection_does_not_keep_uv_run_going(void **state)
{
    int          port;
    vow_threads *threads = vow_threads_start(1, idle_set_up, &port, NULL);
    uv_loop_t    uv;
    vow_loop    *loop;
    char         target[40];
    vow_channel *channel;
    Calls__Text  request = CALLS__TEXT__INIT;

    (void)state;
    assert_non_null(threads);
    uv_loop_init(&uv);
    loop = vow_loop_attach(&uv);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", port);
    channel = vow_channel_open(loop, target, NULL);
    vow_detach(calls_calls_echo(channel, &request, NULL));
    alarm(PATIENCE_S);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0); /* answered, still connected, and it returns */
    alarm(0);
    vow_channel_close(channel);
    vow_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    vow_threads_stop(threads, 1000);
}

/* In a process of its own */

/* Runs `body` in a child, which must end by itself, and in time. */
static void in_a_child(void (*body)(void))
{
    pid_t child = fork();
    int   status;

    if (child == 0) {
        alarm(PATIENCE_S);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        fail_msg("the child was killed by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status))
        fail_msg("the child failed in line %d", WEXITSTATUS(status) + 256);
}

/* A line above 256 leaves room for it in an exit status. */
#define CHILD_CHECK(holds) ((holds) ? (void)0 : _exit(__LINE__ - 256))

static vow_code child_echo(vow_channel *channel, const char **why)
{
    static char text[300];
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *reply = calls_calls_echo(channel, &request, NULL);
    vow_code    code = vow_wait(reply);

    snprintf(text, sizeof text, "%s", vow_future_error(reply));
    *why = text;
    vow_drop(reply);
    return code;
}

/* Takes all descriptors that are left; gives the last. */
static int take_all_descriptors(void)
{
    struct rlimit few = { 64, 64 };
    int           last = -1;
    int           next;

    setrlimit(RLIMIT_NOFILE, &few);
    while ((next = dup(STDERR_FILENO)) >= 0)
        last = next;
    return last;
}

static void out_of_descriptors(void)
{
    world       *world = world_new(WORLD_TCP);
    vow_channel *other = vow_channel_open(world->loop, world->address, VOW_CHANNEL(.backoff_min_ms = 1));
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *why;
    vow_future  *waiting;
    int          last;

    CHILD_CHECK(child_echo(world->channel, &why) == VOW_OK);
    last = take_all_descriptors();
    CHILD_CHECK(child_echo(other, &why) == VOW_RESOURCE_EXHAUSTED);
    CHILD_CHECK(strstr(why, world->address) && strstr(why, "out of file descriptors"));
    CHILD_CHECK(child_echo(world->channel, &why) == VOW_OK);

    /* One for the caller's end: the server has none to accept with, and goes on once there is. */
    close(last);
    waiting = calls_calls_echo(other, &request, VOW_CALL(.wait_for_ready = true));
    world_advance_ms(world, 50);
    CHILD_CHECK(!vow_future_settled(waiting));
    CHILD_CHECK(child_echo(world->channel, &why) == VOW_OK);
    close(last - 1);
    CHILD_CHECK(vow_wait(waiting) == VOW_OK);
    CHILD_CHECK(child_echo(world->channel, &why) == VOW_OK);
}

static void out_of_descriptors_a_server_goes_on_and_a_caller_is_told(void **state)
{
    (void)state;
    in_a_child(out_of_descriptors);
}

struct writer {
    vow_stream *stream;
    int         listening; /* where it connects to */
    bool        was_opened;
};

static void writer_opened(void *owner)
{
    struct writer *writer = owner;

    writer->was_opened = true;
    close(
        accept(writer->listening, NULL, NULL)); /* the peer goes between the connection and the first byte */
    vow_stream_write(writer->stream, &(vow_slice){ (const uint8_t *)"lost", 4 }, 1);
}

static vow_room writer_room(void *owner)
{
    static uint8_t bytes[16];

    (void)owner;
    return (vow_room){ bytes, sizeof bytes };
}

static void writer_read(void *owner, size_t size)
{
    (void)owner;
    (void)size;
}

static void writer_written(void *owner)
{
    (void)owner;
}

static void writer_closed(void *owner, const vow_status *why)
{
    struct writer *writer = owner;

    (void)why;
    writer->stream = NULL;
}

static const vow_stream_events writer_events = { writer_opened, writer_room, writer_read, writer_written,
                                                 writer_closed };

static void write_to_who_has_gone(void)
{
    struct writer    writer = { .listening = unix_listen() };
    struct sigaction action;
    uv_loop_t        uv;
    vow_loop        *loop;

    signal(SIGPIPE, SIG_DFL); /* as a program has it that has set up nothing */
    uv_loop_init(&uv);
    loop = vow_loop_attach(&uv);
    sigaction(SIGPIPE, NULL, &action);
    CHILD_CHECK(action.sa_handler == SIG_IGN);
    writer.stream = vow_stream_connect(loop, unix_address(), &writer_events, &writer, NULL);
    CHILD_CHECK(writer.stream != NULL);
    vow_loop_hold(loop);
    while (writer.stream)
        uv_run(&uv, UV_RUN_ONCE);
    unlink(unix_path());
    CHILD_CHECK(writer.was_opened);
}

static void writing_to_a_peer_that_vanished_does_not_end_the_program(void **state)
{
    (void)state;
    in_a_child(write_to_who_has_gone);
}

static void handle_nothing(int number)
{
    (void)number;
}

static void keep_a_handler(void)
{
    struct sigaction action;
    uv_loop_t        uv;

    signal(SIGPIPE, handle_nothing);
    uv_loop_init(&uv);
    CHILD_CHECK(vow_loop_attach(&uv) != NULL);
    sigaction(SIGPIPE, NULL, &action);
    CHILD_CHECK(action.sa_handler == handle_nothing);
}

static void a_programs_own_handler_of_sigpipe_stays(void **state)
{
    (void)state;
    in_a_child(keep_a_handler);
}

/* Bytes that were given back */

typedef struct giver {
    vow_stream *stream;
    uint8_t     bytes[8];
    size_t      room;
    size_t      read;
    vow_code    closed_as;
    bool        is_done;
} giver;

static void giver_opened(void *owner)
{
    giver *giver = owner;

    assert_int_equal(vow_stream_unread(giver->stream, "abc", 3), VOW_OK);
}

static vow_room giver_room(void *owner)
{
    giver *giver = owner;

    return (vow_room){ giver->bytes, giver->room };
}

static void giver_read(void *owner, size_t size)
{
    giver *giver = owner;

    giver->read += size;
    giver->is_done = true;
}

static void giver_written(void *owner)
{
    (void)owner;
}

static void giver_closed(void *owner, const vow_status *why)
{
    giver *giver = owner;

    giver->stream = NULL;
    giver->closed_as = why->code;
    giver->is_done = true;
}

static bool giver_is_done(const world *world, void *arg)
{
    (void)world;
    return ((const giver *)arg)->is_done;
}

static void bytes_that_were_given_back_are_read_first_or_the_stream_ends(void **state)
{
    static const vow_stream_events events = { giver_opened, giver_room, giver_read, giver_written,
                                              giver_closed };
    world                         *world = *state;

    for (size_t room = 2; room <= 3; room++) {
        giver     giver = { .room = room };
        vow_error error;

        giver.stream = vow_stream_connect(world->loop, world->address, &events, &giver, &error);
        assert_non_null(giver.stream);
        world_run_until(world, giver_is_done, &giver);
        assert_int_equal(giver.read, room == 3 ? 3 : 0);
        assert_int_equal(giver.closed_as, room == 3 ? VOW_OK : VOW_RESOURCE_EXHAUSTED);
        if (room == 3) {
            assert_memory_equal(giver.bytes, "abc", 3);
            vow_stream_close(giver.stream);
        }
    }
}

/* A peer that sends faster than we read */

typedef struct reader {
    vow_stream *stream;
    int         listening; /* where it connects to */
    int         peer;      /* -1: not yet */
    size_t      sent;
    size_t      read;
} reader;

/* As much as the socket holds. */
static void reader_opened(void *owner)
{
    static const uint8_t bytes[16384];
    reader              *reader = owner;
    int                  room = 1 << 20;
    ssize_t              sent;

    reader->peer = accept(reader->listening, NULL, NULL);
    setsockopt(reader->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    while ((sent = send(reader->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        reader->sent += (size_t)sent;
    vow_stream_adopt(reader->stream, reader->stream->events, reader);
}

static vow_room reader_room(void *owner)
{
    static uint8_t bytes[32768];

    (void)owner;
    return (vow_room){ bytes, sizeof bytes };
}

static void reader_read(void *owner, size_t size)
{
    ((reader *)owner)->read += size;
}

static void reader_written(void *owner)
{
    (void)owner;
}

static void reader_closed(void *owner, const vow_status *why)
{
    (void)why;
    ((reader *)owner)->stream = NULL;
}

static void a_connection_is_read_for_no_more_than_a_budget_in_an_iteration(void **state)
{
    static const vow_stream_events events = { reader_opened, reader_room, reader_read, reader_written, reader_closed };
    world                         *world = *state;
    reader                         reader = { .listening = unix_listen(), .peer = -1 };
    size_t                         most = 0;

    reader.stream = vow_stream_connect(world->loop, unix_address(), &events, &reader, NULL);
    assert_non_null(reader.stream);
    while (reader.peer < 0)
        uv_run(world->uv, UV_RUN_NOWAIT);
    assert_true(reader.sent > VOW_READ_BUDGET);
    while (reader.stream && reader.read < reader.sent) {
        size_t before = reader.read;

        uv_run(world->uv, UV_RUN_NOWAIT);
        most = reader.read - before > most ? reader.read - before : most;
    }
    assert_non_null(reader.stream);
    assert_int_equal(most, VOW_READ_BUDGET);
    vow_stream_close(reader.stream);
    close(reader.peer);
    close(reader.listening);
    unlink(unix_path());
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open_tcp, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_address_that_makes_no_sense_is_refused_with_what_to_write),
        IN_WORLD(an_address_for_listening_alone_is_no_target),
        IN_WORLD(an_address_of_another_machine_can_not_be_listened_on),
        IN_WORLD(a_name_that_does_not_resolve_is_told_with_the_target),
        IN_WORLD(localhost_is_resolved_after_the_call_has_begun),
        IN_WORLD(ipv6_addresses_stand_in_brackets),
        IN_WORLD(a_name_of_memory_is_taken_once),
        IN_WORLD(a_unix_path_that_is_too_long_is_refused_on_both_sides),
        IN_WORLD(the_file_of_a_socket_that_nobody_listens_on_is_replaced),
        IN_WORLD(a_socket_that_somebody_listens_on_is_left_alone),
        IN_WORLD(any_other_file_is_left_alone),
        IN_WORLD(bytes_that_were_given_back_are_read_first_or_the_stream_ends),
        IN_WORLD(a_connection_is_read_for_no_more_than_a_budget_in_an_iteration),
        cmocka_unit_test(an_idle_connection_does_not_keep_uv_run_going),
        cmocka_unit_test(out_of_descriptors_a_server_goes_on_and_a_caller_is_told),
        cmocka_unit_test(writing_to_a_peer_that_vanished_does_not_end_the_program),
        cmocka_unit_test(a_programs_own_handler_of_sigpipe_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
