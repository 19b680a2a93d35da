/* vault-server ADDRESS FILE: a service with an access log on its output, metrics in FILE, and tokens at its
 * door. */
#include "vault.vow.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#define LIFETIME_MS 60000
#define WRITE_METRICS_EACH_MS 15000
#define GRACE_MS 5000

struct user {
    const char *name;
    const char *password;
    char        token[33]; /* of this run */
};

struct program {
    struct user  users[2];
    vow_loop    *loop;
    vow_server  *server;
    vow_metrics *metrics;
    const char  *file;
    uv_timer_t   timer;
    uv_signal_t  terminate;
};

/* The service */

static void login(vow_call *call, const Safe__Credentials *credentials, void *arg)
{
    struct program *program = arg;
    Safe__Token     token = SAFE__TOKEN__INIT;

    for (size_t i = 0; i < 2; i++) {
        struct user *user = &program->users[i];

        if (strcmp(user->name, credentials->name) == 0 &&
            vow_bearer_equal(credentials->password, user->password)) {
            token.text = user->token;
            token.lifetime_ms = LIFETIME_MS;
            safe_vault_login_reply(call, &token);
            return;
        }
    }
    vow_call_fail(call, VOW_UNAUTHENTICATED, "no such name and password");
}

static void open_box(vow_call *call, const Safe__Box *box, void *arg)
{
    const struct user *user = vow_bearer_identity(call);
    Safe__Content      content = SAFE__CONTENT__INIT;
    char               text[100];

    (void)arg;
    if (box->number > 9) {
        vow_call_fail(call, VOW_NOT_FOUND, "there is no box %u", box->number);
        return;
    }
    snprintf(text, sizeof text, "box %u, opened by %s: nothing but dust", box->number, user->name);
    content.text = text;
    safe_vault_open_reply(call, &content);
}

/* Tokens */

/* One that asks another service gives the future of that call, and of what it makes of it. */
static vow_future *verify(vow_call *call, const char *token, void *arg)
{
    struct program *program = arg;

    for (size_t i = 0; i < 2; i++) {
        if (vow_bearer_equal(token, program->users[i].token))
            return vow_value(vow_call_loop(call), &program->users[i], NULL);
    }
    return NULL;
}

static int user_make_token(struct user *user)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(user->token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* Log and metrics */

static void write_to(const char *text, size_t size, void *file)
{
    fwrite(text, 1, size, file);
}

/* Where the textfile collector of Prometheus's node_exporter finds them: a file that is always whole. */
static void write_metrics(struct program *program)
{
    char  name[200];
    FILE *file;

    snprintf(name, sizeof name, "%s.new", program->file);
    file = fopen(name, "w");
    if (!file)
        return;
    vow_metrics_print(program->metrics, write_to, file);
    if (fclose(file) == 0)
        rename(name, program->file);
}

static void write_metrics_again(uv_timer_t *timer)
{
    write_metrics(timer->data);
}

/* The program */

static void drained(vow_future *future, void *arg)
{
    struct program *program = arg;

    (void)future;
    write_metrics(program);
    uv_close((uv_handle_t *)&program->timer, NULL);
    uv_close((uv_handle_t *)&program->terminate, NULL);
    vow_loop_close(program->loop);
}

static void stop(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;

    (void)number;
    uv_signal_stop(handle);
    vow_done(vow_server_drain(program->server, GRACE_MS), drained, program);
}

static void program_start_timer_and_signal(struct program *program)
{
    uv_timer_init(uv_default_loop(), &program->timer);
    program->timer.data = program;
    uv_timer_start(&program->timer, write_metrics_again, 0, WRITE_METRICS_EACH_MS);
    uv_signal_init(uv_default_loop(), &program->terminate);
    program->terminate.data = program;
    uv_signal_start(&program->terminate, stop, SIGTERM);
}

int main(int argc, char **argv)
{
    static const safe_vault_service service = { .login = login, .open = open_box };
    static const vow_method *const  open_methods[] = { &safe_vault_login_method, NULL };
    static struct program program = { .users = { { "ann", "swordfish", "" }, { "bob", "mellon", "" } } };
    vow_access_log       *log = vow_access_log_new(VOW_ACCESS_LOG(.format = VOW_LOG_JSON), write_to, stdout);
    vow_bearer_verifier  *verifier =
        vow_bearer_verifier_new(VOW_BEARER(.open_methods = open_methods), verify, &program);
    vow_error error;
    int       status;

    program.loop = vow_loop_attach(uv_default_loop());
    program.metrics = vow_metrics_new(NULL);
    if (argc != 3 || !program.loop || user_make_token(&program.users[0]) ||
        user_make_token(&program.users[1])) {
        fprintf(stderr, "usage: vault-server ADDRESS FILE\n");
        return 2;
    }
    program.file = argv[2];
    program.server = vow_server_open(program.loop, NULL);
    /* The first sees what all others have made of a call: what was refused is logged and counted, too. */
    vow_server_intercept(program.server, vow_access_log_interceptor(log));
    vow_server_intercept(program.server, vow_metrics_interceptor(program.metrics));
    vow_server_intercept(program.server, vow_bearer_verifier_interceptor(verifier));
    safe_vault_serve(program.server, &service, &program);
    if (vow_server_listen(program.server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "vault-server: %s\n", error.message);
        return 1;
    }
    program_start_timer_and_signal(&program);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("listening, port %d\n", vow_server_port(program.server));
    status = uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    vow_bearer_verifier_free(verifier);
    vow_metrics_free(program.metrics);
    vow_access_log_free(log);
    return status;
}
