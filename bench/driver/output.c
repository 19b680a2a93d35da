#include "output.h"

#include "measure/fail.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void bench_output_open(bench_output *output, const char *path)
{
    int descriptor;

    if (!path)
        return;
    output->path = path;
    output->is_new = access(path, F_OK) != 0;
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    output->file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!output->file)
        bench_fail_usage("cannot write %s: %m", path);
}

/* A pipe or a device can't be emptied, and need not be. */
bool bench_output_empty(const bench_output *output)
{
    return ftruncate(fileno(output->file), 0) == 0 || errno == EINVAL;
}

bool bench_output_close(bench_output *output, bool is_written)
{
    bool is_closed = fclose(output->file) == 0;

    output->file = NULL;
    if (!is_closed || !is_written)
        bench_say("cannot write %s: %m", output->path);
    return is_closed && is_written;
}

void bench_output_drop(bench_output *output)
{
    if (!output->file)
        return;
    fclose(output->file);
    output->file = NULL;
    if (output->is_new)
        unlink(output->path);
}
