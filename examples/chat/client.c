/*
 * chat-client TARGET NAME: says what it reads on standard input, and prints what it hears, until one of both
 * ends.
 *
 * The idea: both directions of one call go on at the same time, and each is paced. What the server has no
 * room for is not read from standard input; what is not printed is not read from the server.
 */
#include "chat.vow.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

struct client {
    vow_loop    *loop;
    vow_call    *call;
    char        *name;
    uv_signal_t  interrupt;
    uv_pipe_t    pipe; /* standard input is one of these two */
    uv_tty_t     tty;
    uv_stream_t *input;
    char         line[1000];
    size_t       size;
    bool         has_room; /* for another line */
    int          status;
};

/* Hearing */

static vow_future *heard(vow_call *call, const Chat__Line *line, void *arg)
{
    (void)call;
    (void)arg;
    if (line->who[0])
        printf("%s: %s\n", line->who, line->text);
    else
        printf("* %s\n", line->text);
    fflush(stdout);
    return NULL;
}

static void client_close_input(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)client->input))
        uv_close((uv_handle_t *)client->input, NULL);
}

static void left(vow_future *end, void *arg)
{
    struct client *client = arg;

    if (vow_future_code(end) != VOW_OK && client->status == 0) {
        fprintf(stderr, "chat-client: %s\n", vow_future_error(end));
        client->status = 1;
    }
    client_close_input(client);
    uv_close((uv_handle_t *)&client->interrupt, NULL);
    vow_call_drop(client->call);
    vow_loop_close(client->loop);
}

/* Ctrl-C: the call is cancelled, and what reads it ends with it. */
static void interrupted(uv_signal_t *handle, int number)
{
    struct client *client = handle->data;

    (void)number;
    client->status = 130;
    vow_call_drop(client->call);
    client->call = NULL;
    client_close_input(client);
}

/* Saying */

static void client_say(struct client *client, char *text)
{
    Chat__Line line = CHAT__LINE__INIT;

    line.who = client->name;
    line.text = text;
    client->has_room = chat_room_join_send_request(client->call, &line);
}

/* Whole lines of what was read; one that is too long is said in parts. */
static void client_say_lines(struct client *client)
{
    char *end;

    while ((end = memchr(client->line, '\n', client->size)) || client->size == sizeof client->line - 1) {
        size_t taken = end ? (size_t)(end - client->line) + 1 : client->size;

        client->line[end ? taken - 1 : taken] = '\0';
        client_say(client, client->line);
        client->size -= taken;
        memmove(client->line, client->line + taken, client->size);
    }
}

static void room_to_read(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct client *client = handle->data;

    (void)suggested;
    *room = uv_buf_init(client->line + client->size, (unsigned)(sizeof client->line - 1 - client->size));
}

static void read_some(uv_stream_t *input, ssize_t size, const uv_buf_t *room);

/* The server has taken what was said, or the call has ended. */
static void go_on(vow_future *settled, void *arg)
{
    struct client *client = arg;

    if (vow_future_code(settled) == VOW_OK && !uv_is_closing((uv_handle_t *)client->input))
        uv_read_start(client->input, room_to_read, read_some);
}

/* The end of what is said; what the others say meanwhile is still heard. */
static void client_end(struct client *client)
{
    if (client->size > 0) { /* a last line without an end */
        client->line[client->size] = '\0';
        client_say(client, client->line);
    }
    vow_call_end(client->call);
    client_close_input(client);
}

static void read_some(uv_stream_t *input, ssize_t size, const uv_buf_t *room)
{
    struct client *client = input->data;

    (void)room;
    if (size < 0) {
        client_end(client);
        return;
    }
    client->size += (size_t)size;
    client_say_lines(client);
    if (client->has_room)
        return;
    uv_read_stop(input);
    vow_done(vow_call_when_room(client->call), go_on, client);
}

/* The program */

static bool client_open_input(struct client *client)
{
    uv_loop_t *uv = uv_default_loop();
    int        failed;

    if (uv_guess_handle(0) == UV_TTY) {
        failed = uv_tty_init(uv, &client->tty, 0, 0);
        client->input = (uv_stream_t *)&client->tty;
    } else {
        failed = uv_pipe_init(uv, &client->pipe, 0) || uv_pipe_open(&client->pipe, 0);
        client->input = (uv_stream_t *)&client->pipe;
    }
    client->input->data = client;
    return !failed && uv_read_start(client->input, room_to_read, read_some) == 0;
}

static void client_join(struct client *client, const char *target)
{
    static char  nothing[] = "";
    vow_channel *channel = vow_channel_open(client->loop, target, NULL);

    client->call = chat_room_join(channel, NULL);
    client_say(client, nothing); /* who it is */
    vow_done(chat_room_join_read_replies(client->call, heard, client), left, client);
}

int main(int argc, char **argv)
{
    static struct client client;

    client.loop = vow_loop_attach(uv_default_loop());
    if (argc != 3 || !client.loop) {
        fprintf(stderr, "usage: chat-client TARGET NAME\n");
        return 2;
    }
    if (!client_open_input(&client)) {
        fprintf(stderr, "chat-client: standard input is neither a terminal nor a pipe\n");
        return 2;
    }
    client.name = argv[2];
    client_join(&client, argv[1]);
    uv_signal_init(uv_default_loop(), &client.interrupt);
    client.interrupt.data = &client;
    uv_signal_start(&client.interrupt, interrupted, SIGINT);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return client.status;
}
