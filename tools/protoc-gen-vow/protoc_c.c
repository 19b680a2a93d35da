#include "protoc_c.h"

#include "schema.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void request_reduce(vow_request *request)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        request->proto_file[i]->n_service = 0;
        request->proto_file[i]->service = NULL;
    }
    request->parameter = NULL;
}

/* In a file and not in a pipe, so that neither side ever waits for the other to read. */
static FILE *request_store(const vow_request *request)
{
    size_t   size = google__protobuf__compiler__code_generator_request__get_packed_size(request);
    uint8_t *bytes = vow_scratch_alloc(size);
    FILE    *stored = tmpfile();

    google__protobuf__compiler__code_generator_request__pack(request, bytes);
    if (!stored)
        return NULL;
    if (fwrite(bytes, 1, size, stored) != size || fflush(stored) != 0 || fseek(stored, 0, SEEK_SET) != 0) {
        fclose(stored);
        return NULL;
    }
    return stored;
}

static const char *output_read(int from, vow_text *output)
{
    char    part[65536];
    ssize_t size;

    while ((size = read(from, part, sizeof part)) != 0) {
        if (size > 0)
            vow_text_add(output, part, (size_t)size);
        else if (errno != EINTR)
            return strerror(errno);
    }
    return NULL;
}

static const char *process_wait(const char *program, pid_t process)
{
    int status;

    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR)
            return vow_scratch_format("cannot wait for %s: %s", program, strerror(errno));
    }
    if (WIFSIGNALED(status))
        return vow_scratch_format("%s crashed (%s): protobuf-c does not support something in these files",
                                  program, strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return vow_scratch_format("%s failed with status %d", program, WEXITSTATUS(status));
    return NULL;
}

static const char *program_start(const char *program, int input, const int output[2], pid_t *process)
{
    char                      *arguments[] = { vow_scratch_copy(program, strlen(program)), NULL };
    posix_spawn_file_actions_t actions;
    int                        failed;

    failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return strerror(failed);
    failed = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    if (!failed)
        failed = posix_spawnp(process, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? strerror(failed) : NULL;
}

static const char *program_run(const char *program, FILE *input, vow_text *output)
{
    int         ends[2];
    const char *wrong;
    const char *unread;
    pid_t       process;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return vow_scratch_format("cannot run %s: %s", program, strerror(errno));
    wrong = program_start(program, fileno(input), ends, &process);
    close(ends[1]);
    if (wrong) {
        close(ends[0]);
        return vow_scratch_format("cannot run %s: %s; install protobuf-c's compiler, or say where it is with "
                                  "--vow_out=messages=PROGRAM:DIR",
                                  program, wrong);
    }
    unread = output_read(ends[0], output);
    close(ends[0]);
    wrong = process_wait(program, process);
    if (!wrong && unread)
        wrong = vow_scratch_format("cannot read what %s writes: %s", program, unread);
    return wrong;
}

const char *vow_protoc_c_run(const char *program, vow_request *request, vow_response **response)
{
    vow_text    output = { 0 };
    const char *wrong;
    FILE       *input;

    request_reduce(request);
    input = request_store(request);
    if (!input)
        return vow_scratch_format("cannot write a temporary file: %s", strerror(errno));
    wrong = program_run(program, input, &output);
    fclose(input);
    if (wrong)
        return wrong;
    *response = google__protobuf__compiler__code_generator_response__unpack(
        &vow_scratch_allocator, output.size, (const uint8_t *)output.data);
    if (!*response)
        return vow_scratch_format("%s is not protobuf-c's compiler plugin: it answers with something else",
                                  program);
    if ((*response)->error)
        return vow_scratch_format("%s: %s", program, (*response)->error);
    return NULL;
}
