/* A server and a client on one libuv loop, in one process. */
#include "hello.vow.h"

#include <stdio.h>
#include <uv.h>

static void greet(vow_call *call, const Hello__Person *person, void *arg)
{
    Hello__Greeting greeting = HELLO__GREETING__INIT;
    char            text[100];

    (void)arg;
    snprintf(text, sizeof text, "hello, %s", person->name);
    greeting.text = text;
    hello_greeter_greet_reply(call, &greeting);
}

static void greeted(vow_future *reply, void *arg)
{
    const Hello__Greeting *greeting = hello_greeter_greet_result(reply);

    puts(greeting ? greeting->text : vow_future_error(reply));
    vow_loop_close(arg); /* the server and the channel with it */
}

int main(void)
{
    static const hello_greeter_service service = { .greet = greet };
    static char                        name[] = "world";
    Hello__Person                      person = HELLO__PERSON__INIT;
    vow_loop                          *loop = vow_loop_attach(uv_default_loop());
    vow_server                        *server = vow_server_open(loop, NULL);
    vow_channel                       *channel = vow_channel_open(loop, "memory://hello", NULL);

    hello_greeter_serve(server, &service, NULL);
    if (vow_server_listen(server, "memory://hello", NULL) != VOW_OK)
        return 1;
    person.name = name;
    vow_done(hello_greeter_greet(channel, &person, NULL), greeted, loop);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
