/*
 * chat-server ADDRESS: a room, in which everybody hears everybody.
 *
 * The idea: a member is a call, and a line that one of them sends is sent on all. Who does not keep up misses
 * lines: a room must not wait for its slowest member, nor keep what it has not read.
 */
#include "chat.vow.h"

#include <stdio.h>
#include <uv.h>

struct member {
    vow_call      *call;
    struct room   *room;
    struct member *next;
    char           name[40];
    bool           is_behind; /* there is no room for another line */
};

struct room {
    struct member *members;
};

/* It has read what it was sent, or has gone. */
static void member_has_room(vow_future *settled, void *arg)
{
    struct member *member = arg;

    if (vow_future_code(settled) == VOW_OK)
        member->is_behind = false;
}

static void member_tell(struct member *member, const Chat__Line *line)
{
    if (member->is_behind || chat_room_join_send_reply(member->call, line))
        return;
    member->is_behind = true;
    vow_done(vow_call_when_room(member->call), member_has_room, member);
}

static void room_tell(struct room *room, const char *who, const char *text)
{
    Chat__Line line = CHAT__LINE__INIT;

    line.who = (char *)(uintptr_t)who;
    line.text = (char *)(uintptr_t)text;
    for (struct member *member = room->members; member; member = member->next)
        member_tell(member, &line);
}

static vow_future *member_says(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    const Chat__Line *line = chat_line_of(message);
    struct member    *member = arg;

    (void)call;
    if (!member->name[0]) {
        snprintf(member->name, sizeof member->name, "%s", line->who);
        room_tell(member->room, member->name, "joins");
    }
    if (line->text[0])
        room_tell(member->room, member->name, line->text);
    return NULL;
}

static void member_leaves(vow_future *end, void *arg)
{
    struct member  *member = arg;
    struct member **place = &member->room->members;

    (void)end;
    while (*place != member)
        place = &(*place)->next;
    *place = member->next;
    room_tell(member->room, member->name, "leaves");
}

static void join(vow_call *call, void *arg)
{
    struct room   *room = arg;
    struct member *member = vow_call_alloc(call, sizeof *member);

    if (!member)
        return; /* the call has been failed */
    member->call = call;
    member->room = room;
    member->next = room->members;
    room->members = member;
    vow_call_answer(call, vow_finally(vow_call_read(call, member_says, member), member_leaves, member));
}

int main(int argc, char **argv)
{
    static const chat_room_service service = { .join = join };
    static struct room             room;
    vow_loop                      *loop = vow_loop_attach(uv_default_loop());
    vow_server                    *server;
    vow_error                      error;

    if (argc != 2 || !loop) {
        fprintf(stderr, "usage: chat-server ADDRESS\n");
        return 2;
    }
    server = vow_server_open(loop, NULL);
    chat_room_serve(server, &service, &room);
    if (vow_server_listen(server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "chat-server: %s\n", error.message);
        return 1;
    }
    printf("listening, port %d\n", vow_server_port(server));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
