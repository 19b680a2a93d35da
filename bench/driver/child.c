#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* for an end that has been asked for */

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

static void child_become(char *const argv[], int output, int core)
{
    cpu_set_t only;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a terminal's Ctrl-C is for the driver, which then stops its children */
    sigprocmask(SIG_SETMASK, &signals_before, NULL);
    CPU_ZERO(&only);
    if (core >= 0) {
        CPU_SET((size_t)core, &only);
        if (sched_setaffinity(0, sizeof only, &only) != 0)
            fprintf(stderr, "bench: cannot pin %s to core %d: %m\n", argv[0], core);
    }
    if (dup2(output, STDOUT_FILENO) >= 0)
        execv(argv[0], argv);
    fprintf(stderr, "bench: cannot start %s: %m\n", argv[0]);
    _exit(127);
}

bool bench_child_start(bench_child *child, const char *title, char *const argv[], int core)
{
    int pipe_ends[2];

    *child = (bench_child){ .title = title };
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        goto fail;
    child->output = pipe_ends[0];
    child->pid = fork();
    if (child->pid == 0)
        child_become(argv, pipe_ends[1], core);
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
fail:
    fprintf(stderr, "bench: cannot start %s: %m\n", title);
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

/* Of one that has ended: was that well? If not, says how. */
static bool child_collect(bench_child *child)
{
    int status = 0;

    waitpid(child->pid, &status, 0);
    child_forget(child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "bench: %s was killed by signal %d (%s)\n", child->title, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "bench: %s ended with status %d\n", child->title, WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool child_is_late(const bench_child *child, const char *what, int timeout_ms)
{
    if (!signal_caught)
        fprintf(stderr, "bench: %s has not %s within %g s\n", child->title, what, timeout_ms / 1e3);
    return false;
}

bool bench_child_read_line(bench_child *child, char *line, size_t size, int timeout_ms)
{
    int64_t due_ms = now_ms() + timeout_ms;

    for (size_t used = 0; used < size; used++) {
        if (!wait_readable(child->output, due_ms))
            return child_is_late(child, "said what it should", timeout_ms);
        if (read(child->output, line + used, 1) != 1) {
            fprintf(stderr, "bench: %s left without saying what it should\n", child->title);
            bench_child_finish(child, PATIENCE_MS);
            return false;
        }
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
    }
    fprintf(stderr, "bench: %s says more than %zu bytes in a line\n", child->title, size);
    return false;
}

bool bench_child_finish(bench_child *child, int timeout_ms)
{
    if (!wait_readable(child->pidfd, now_ms() + timeout_ms))
        return child_is_late(child, "ended", timeout_ms);
    return child_collect(child);
}

bool bench_child_runs(bench_child *child, int patience_ms)
{
    struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };

    if (child->pid == 0)
        return false;
    if (poll(&ended, 1, patience_ms) == 0)
        return true;
    if (child_collect(child))
        fprintf(stderr, "bench: %s left before it was told to\n", child->title);
    return false;
}

void bench_child_stop(bench_child *child)
{
    struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };

    if (child->pid == 0)
        return;
    kill(child->pid, SIGTERM);
    if (poll(&ended, 1, PATIENCE_MS) != 1)
        kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child_forget(child);
}
