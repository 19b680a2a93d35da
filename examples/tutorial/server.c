/* tutorial-server ADDRESS: a weather station, until it is told to stop. */
#include "almanac.h"
#include "station.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#define GRACE_MS 5000

struct program {
    vow_loop   *loop;
    vow_server *server;
    uv_signal_t terminate;
};

static void drained(vow_future *future, void *arg)
{
    struct program *program = arg;

    if (vow_future_code(future) != VOW_OK)
        fprintf(stderr, "tutorial-server: %s\n", vow_future_error(future));
    uv_close((uv_handle_t *)&program->terminate, NULL);
    vow_loop_close(program->loop);
}

/* Finishes what runs, takes nothing new, then ends. */
static void stop(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;

    (void)number;
    uv_signal_stop(handle);
    vow_done(vow_server_drain(program->server, GRACE_MS), drained, program);
}

int main(int argc, char **argv)
{
    static struct station station;
    static struct program program;
    vow_error             error;

    program.loop = vow_loop_attach(uv_default_loop());
    if (argc != 2 || !program.loop) {
        fprintf(stderr, "usage: tutorial-server ADDRESS\n");
        return 2;
    }
    program.server = vow_server_open(program.loop, VOW_SERVER(.max_calls = 100));
    station_serve(&station, program.server);
    almanac_serve(program.server);
    if (vow_server_listen(program.server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "tutorial-server: %s\n", error.message);
        return 1;
    }
    uv_signal_init(uv_default_loop(), &program.terminate);
    program.terminate.data = &program;
    uv_signal_start(&program.terminate, stop, SIGTERM);
    printf("listening, port %d\n", vow_server_port(program.server));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
