/*
 * chat-server ADDRESS: a room, in which everybody hears everybody.
 *
 * The idea: a member is a call, and a line that one of them sends is sent on all. Who does not keep up misses
 * lines, and is told how many: a room must not wait for its slowest member, nor keep what it has not read.
 */
#include "chat.vow.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define NAME_BYTES_MAX 39
#define TEXT_BYTES_MAX 1000

/* In the memory of its call. */
struct member {
    vow_call      *call;
    struct room   *room;
    struct member *next;
    char           name[NAME_BYTES_MAX + 1]; /* "": it has not said who it is, and is not in the room yet */
    bool           is_behind;                /* there is no room for another line */
    size_t         missed;                   /* lines, meanwhile */
};

struct room {
    vow_loop      *loop;
    struct member *members;
    uv_signal_t    interrupt;
    uv_signal_t    terminate;
};

/* What is heard */

static void member_tell(struct member *member, const char *who, const char *text);

/* It has read what it was sent, or has gone. */
static void member_has_room(vow_future *settled, void *arg)
{
    struct member *member = arg;
    char           text[60];

    if (vow_future_code(settled) != VOW_OK)
        return;
    snprintf(text, sizeof text, "%zu lines were missed", member->missed);
    member->is_behind = false;
    if (member->missed > 0)
        member_tell(member, "", text);
    member->missed = 0;
}

static void member_tell(struct member *member, const char *who, const char *text)
{
    Chat__Line line = CHAT__LINE__INIT;

    if (member->is_behind) {
        member->missed++;
        return;
    }
    line.who = (char *)(uintptr_t)who;
    line.text = (char *)(uintptr_t)text;
    if (chat_room_join_send_reply(member->call, &line))
        return;
    member->is_behind = true; /* after this line, which is on its way */
    vow_done(vow_call_when_room(member->call), member_has_room, member);
}

static void room_tell(struct room *room, const char *who, const char *text)
{
    for (struct member *member = room->members; member; member = member->next)
        member_tell(member, who, text);
}

/* What is said */

/* A terminal would obey them. */
static bool has_control_characters(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

static struct member *room_find(const struct room *room, const char *name)
{
    struct member *member = room->members;

    while (member && strcmp(member->name, name) != 0)
        member = member->next;
    return member;
}

/* NULL: it is in the room now. */
static vow_future *member_join(struct member *member, const char *name)
{
    struct room *room = member->room;

    if (!name[0] || strlen(name) > NAME_BYTES_MAX || has_control_characters(name))
        return vow_failure(room->loop, VOW_INVALID_ARGUMENT,
                           "a name has 1 to %d bytes, and no control characters", NAME_BYTES_MAX);
    if (room_find(room, name))
        return vow_failure(room->loop, VOW_ALREADY_EXISTS, "%s is in the room already", name);
    snprintf(member->name, sizeof member->name, "%s", name);
    member->next = room->members;
    room->members = member;
    room_tell(room, member->name, "joins");
    return NULL;
}

/* A failure ends the reading, and so the call. */
static vow_future *member_says(vow_call *call, const Chat__Line *line, void *arg)
{
    struct member *member = arg;

    (void)call;
    if (!member->name[0])
        return member_join(member, line->who);
    if (strlen(line->text) > TEXT_BYTES_MAX || has_control_characters(line->text))
        return vow_failure(member->room->loop, VOW_INVALID_ARGUMENT,
                           "a line has at most %d bytes, and no control characters", TEXT_BYTES_MAX);
    room_tell(member->room, member->name, line->text);
    return NULL;
}

/* It has said its last, was refused, or has gone. */
static void member_leaves(vow_future *end, void *arg)
{
    struct member  *member = arg;
    struct member **place = &member->room->members;

    (void)end;
    if (!member->name[0])
        return;
    while (*place != member)
        place = &(*place)->next;
    *place = member->next;
    room_tell(member->room, member->name, "leaves");
}

static void join(vow_call *call, void *arg)
{
    struct member *member = vow_call_alloc(call, sizeof *member);

    if (!member)
        return; /* the call has been failed */
    member->call = call;
    member->room = arg;
    vow_call_answer(
        call, vow_finally(chat_room_join_read_requests(call, member_says, member), member_leaves, member));
}

/* The program */

/* A chat never ends by itself, so there is nothing to drain: who is in the room is told that the server was
 * closed. */
static void stop(uv_signal_t *handle, int number)
{
    struct room *room = handle->data;

    (void)number;
    uv_close((uv_handle_t *)&room->interrupt, NULL);
    uv_close((uv_handle_t *)&room->terminate, NULL);
    vow_loop_close(room->loop);
}

static void watch_signal(uv_signal_t *handle, int number, struct room *room)
{
    uv_signal_init(uv_default_loop(), handle);
    handle->data = room;
    uv_signal_start(handle, stop, number);
}

int main(int argc, char **argv)
{
    static const chat_room_service service = { .join = join };
    static struct room             room;
    vow_server                    *server;
    vow_error                      error;

    room.loop = vow_loop_attach(uv_default_loop());
    if (argc != 2 || !room.loop) {
        fprintf(stderr, "usage: chat-server ADDRESS\n       such as tcp://127.0.0.1:7000\n");
        return 2;
    }
    server = vow_server_open(room.loop, NULL);
    chat_room_serve(server, &service, &room);
    if (vow_server_listen(server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "chat-server: %s\n", error.message);
        return 1;
    }
    watch_signal(&room.interrupt, SIGINT, &room);
    watch_signal(&room.terminate, SIGTERM, &room);
    printf("listening, port %d\n", vow_server_port(server));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
