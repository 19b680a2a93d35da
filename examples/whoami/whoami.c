/* A server that asks its clients for certificates, and a client that has one. Certificates are in the folder
 * it is given. */
#include "whoami.vow.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

/* Decides by a whole name of the certificate, which the server has verified. */
static bool caller_has_name(const vow_call *call, const char *name)
{
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;

    if (!vow_call_connection(call, &info) || !info.peer_names)
        return false;
    for (size_t i = 0; info.peer_names[i]; i++) {
        if (strcmp(info.peer_names[i], name) == 0)
            return true;
    }
    return false;
}

static void knock(vow_call *call, const Whoami__Nothing *nothing, void *arg)
{
    static char    welcome[] = "come in, alice";
    Whoami__Answer answer = WHOAMI__ANSWER__INIT;

    (void)nothing;
    (void)arg;
    if (!caller_has_name(call, "dns:alice.example")) {
        vow_call_fail(call, VOW_PERMISSION_DENIED, "only alice comes in here");
        return;
    }
    answer.text = welcome;
    whoami_door_knock_reply(call, &answer);
}

static void answered(vow_future *reply, void *arg)
{
    const Whoami__Answer *answer = whoami_door_knock_result(reply);

    puts(answer ? answer->text : vow_future_message(reply));
    vow_loop_close(arg); /* the server and the channel with it */
}

/* "FOLDER/NAME" */
static const char *in_folder(char text[500], const char *folder, const char *name)
{
    snprintf(text, 500, "%s/%s", folder, name);
    return text;
}

int main(int argc, char **argv)
{
    static const whoami_door_service service = { .knock = knock };
    Whoami__Nothing                  nothing = WHOAMI__NOTHING__INIT;
    vow_loop                        *loop = vow_loop_attach(uv_default_loop());
    const char                      *folder = argc > 1 ? argv[1] : ".";
    const char                      *who = argc > 2 ? argv[2] : "alice.pem";
    char                             ca[500];
    char                             own[500];
    char                             target[100];
    vow_server                      *server;
    vow_channel                     *channel;
    vow_error                        error;

    in_folder(ca, folder, "ca.pem");
    in_folder(own, folder, "server.pem");
    server = vow_server_open(
        loop, VOW_SERVER(.tls = VOW_TLS(.certificate_file = own, .ca_file = ca, .is_required = true)));
    whoami_door_serve(server, &service, NULL);
    if (vow_server_listen(server, "tcp://127.0.0.1:0", &error) != VOW_OK) {
        fprintf(stderr, "whoami: %s\n", error.message);
        return 1;
    }

    snprintf(target, sizeof target, "tls://127.0.0.1:%d", vow_server_port(server));
    in_folder(own, folder, who);
    channel = vow_channel_open(
        loop, target,
        VOW_CHANNEL(.tls = VOW_TLS(.certificate_file = own, .ca_file = ca, .server_name = "localhost")));
    vow_done(whoami_door_knock(channel, &nothing, NULL), answered, loop);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
