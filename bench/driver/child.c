#include "child.h"

#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* for an end that has been asked for */
#define WORDS_SIZE 300   /* of a program that are quoted */

static volatile sig_atomic_t signal_caught;
static sigset_t              signals_before; /* what was blocked when the driver started */

static void signal_catch(int number)
{
    signal_caught = number;
}

void bench_signals_catch(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = signal_catch };
    sigset_t         caught;

    sigemptyset(&caught);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaddset(&caught, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    /* Blocked but in ppoll, so that none slips in between a look at the flag and the wait. */
    sigprocmask(SIG_BLOCK, &caught, &signals_before);
}

int bench_signal_caught(void)
{
    return signal_caught;
}

size_t bench_cores_find(int *cores, size_t most)
{
    cpu_set_t allowed;
    size_t    count = 0;

    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 0;
    for (int core = 0; core < CPU_SETSIZE && count < most; core++) {
        if (CPU_ISSET((size_t)core, &allowed))
            cores[count++] = core;
    }
    return count;
}

/* What it has written to standard error, its lines in one, without its name. False: that is too much to
 * quote. */
static bool child_words(const bench_child *child, char words[WORDS_SIZE])
{
    char    text[WORDS_SIZE - 40] = "";
    ssize_t size = pread(child->errors, text, sizeof text - 1, 0);
    char   *line, *rest = text;
    size_t  used = 0, name;

    *words = '\0';
    while ((line = strsep(&rest, "\n"))) {
        name = strncmp(line, "bench_", 6) == 0 ? strcspn(line, " ") : 0;
        if (name > 0 && line[name - 1] == ':' && line[name])
            line += name + 1;
        if (*line && used < WORDS_SIZE)
            used += (size_t)snprintf(words + used, WORDS_SIZE - used, "%s%s", used ? "; " : "", line);
    }
    return size < (ssize_t)sizeof text - 1 && used < WORDS_SIZE;
}

bool bench_child_fail(bench_child *child, const char *format, ...)
{
    char    words[WORDS_SIZE];
    size_t  used;
    va_list values;

    if (*child->problem)
        return false;
    va_start(values, format);
    vsnprintf(child->problem, sizeof child->problem, format, values);
    va_end(values);
    child_words(child, words);
    used = strlen(child->problem);
    if (*words)
        snprintf(child->problem + used, sizeof child->problem - used, ": %s", words);
    return false;
}

/* Passes on what it has written to standard error. */
static void child_show_errors(const bench_child *child)
{
    char    text[WORDS_SIZE];
    off_t   at = 0;
    ssize_t size;

    while ((size = pread(child->errors, text, sizeof text, at)) > 0) {
        if (at == 0)
            bench_say_no_progress();
        fwrite(text, 1, (size_t)size, stderr);
        at += size;
    }
}

static void child_become(char *const argv[], const bench_child *child, int output, int core)
{
    cpu_set_t only;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a terminal's Ctrl-C is for the driver, which then stops its children */
    sigprocmask(SIG_SETMASK, &signals_before, NULL);
    dup2(child->errors, STDERR_FILENO);
    CPU_ZERO(&only);
    if (core >= 0) {
        CPU_SET((size_t)core, &only);
        if (sched_setaffinity(0, sizeof only, &only) != 0)
            dprintf(STDERR_FILENO, "cannot pin it to core %d: %m\n", core);
    }
    if (dup2(output, STDOUT_FILENO) >= 0)
        execv(argv[0], argv);
    dprintf(STDERR_FILENO, "cannot start %s: %m\n", argv[0]);
    _exit(127);
}

bool bench_child_start(bench_child *child, const char *title, char *const argv[], int core)
{
    int pipe_ends[2];

    *child = (bench_child){ .title = title };
    child->errors = memfd_create(title, MFD_CLOEXEC);
    if (child->errors < 0)
        goto fail;
    if (fcntl(child->errors, F_SETFL, O_APPEND) != 0 || pipe2(pipe_ends, O_CLOEXEC) != 0)
        goto fail_errors;
    child->output = pipe_ends[0];
    child->pid = fork();
    if (child->pid == 0)
        child_become(argv, child, pipe_ends[1], core);
    close(pipe_ends[1]);
    if (child->pid < 0)
        goto fail_pipe;
    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd < 0)
        goto fail_process;
    return true;

fail_process:
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
fail_pipe:
    close(child->output);
fail_errors:
    close(child->errors);
    child->errors = -1;
fail:
    snprintf(child->problem, sizeof child->problem, "cannot be started: %m");
    child->pid = 0;
    return false;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until `fd` can be read. False: time is over, or a signal has come. */
static bool wait_readable(int fd, int64_t due_ms)
{
    struct pollfd   wanted = { .fd = fd, .events = POLLIN };
    int64_t         left_ms = due_ms - now_ms();
    struct timespec left = { 0 };

    if (left_ms > 0)
        left = (struct timespec){ .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
    return !signal_caught && ppoll(&wanted, 1, &left, &signals_before) > 0;
}

static void child_forget(bench_child *child)
{
    close(child->output);
    close(child->pidfd);
    child->pid = 0;
}

/* Of one that has ended: was that as it should, which it is not before it has done its work? */
static bool child_collect(bench_child *child, bool is_done)
{
    int status = 0;

    waitpid(child->pid, &status, 0);
    if (WIFSIGNALED(status))
        bench_child_fail(child, "was killed by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        bench_child_fail(child, "ended with status %d", WEXITSTATUS(status));
    else if (!is_done)
        bench_child_fail(child, "left before it was done");
    child_forget(child);
    return !*child->problem;
}

static bool child_is_late(bench_child *child, const char *what, int timeout_ms)
{
    return !signal_caught && bench_child_fail(child, "has not %s within %g s", what, timeout_ms / 1e3);
}

bool bench_child_read_line(bench_child *child, char *line, size_t size, int timeout_ms)
{
    int64_t due_ms = now_ms() + timeout_ms;

    for (size_t used = 0; used < size; used++) {
        if (!wait_readable(child->output, due_ms))
            return child_is_late(child, "said what it should", timeout_ms);
        if (read(child->output, line + used, 1) != 1)
            return wait_readable(child->pidfd, now_ms() + PATIENCE_MS)
                       ? child_collect(child, false)
                       : child_is_late(child, "ended", PATIENCE_MS);
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
    }
    return bench_child_fail(child, "says more than %zu bytes in a line", size);
}

bool bench_child_finish(bench_child *child, int timeout_ms)
{
    if (!wait_readable(child->pidfd, now_ms() + timeout_ms))
        return child_is_late(child, "ended", timeout_ms);
    return child_collect(child, true);
}

bool bench_child_runs(bench_child *child, int patience_ms)
{
    struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };

    if (child->pid == 0)
        return false;
    return poll(&ended, 1, patience_ms) == 0 || child_collect(child, false);
}

bool bench_child_blame(bench_child *const children[], size_t count, int patience_ms)
{
    char words[WORDS_SIZE];

    for (size_t i = 0; i < count; i++) {
        bench_child *child = children[i];

        if (child->pid && i + 1 < count)
            bench_child_runs(child, i == 0 ? patience_ms : 0);
        if (!*child->problem)
            continue;
        if (child->errors >= 0 && !child_words(child, words))
            child_show_errors(child);
        bench_say("%s %s", child->title, child->problem);
        return true;
    }
    return false;
}

static void child_end(bench_child *child)
{
    struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };

    kill(child->pid, SIGTERM);
    if (poll(&ended, 1, PATIENCE_MS) != 1)
        kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child_forget(child);
}

/* What one has written that failed is in the words about it, or follows from another's failure. */
void bench_child_stop(bench_child *child)
{
    bool was_started = child->title != NULL && child->errors >= 0;

    if (child->pid)
        child_end(child);
    if (!was_started)
        return;
    if (!*child->problem)
        child_show_errors(child);
    close(child->errors);
    child->errors = -1;
}
