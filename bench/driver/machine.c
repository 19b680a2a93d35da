#include "machine.h"

#include "measure/overhead.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define COMMAND_SIZE 4352

/* What vow stands on beside libuv. */
static const char *const own_packages[] = { "libprotobuf-c1", "libnghttp2-14", "libssl3" };

/* The value of the first line in `path` that begins with `key`; "": there is none. `after` parts the two. */
static void file_find(const char *path, const char *key, char after, char *value, size_t size)
{
    char  line[512];
    FILE *file = fopen(path, "r");

    *value = '\0';
    while (file && !*value && fgets(line, sizeof line, file)) {
        char *start = strchr(line, after);

        if (start && strncmp(line, key, strlen(key)) == 0) {
            start += 1 + strspn(start + 1, " \t\"");
            start[strcspn(start, "\"\n")] = '\0';
            snprintf(value, size, "%s", start);
        }
    }
    if (file)
        fclose(file);
}

static void command_first_line(char *value, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first line that a command prints; "": it prints none. */
static void command_first_line(char *value, size_t size, const char *format, ...)
{
    char    command[COMMAND_SIZE];
    va_list values;
    FILE   *output;

    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    *value = '\0';
    output = popen(command, "r");
    if (!output)
        return;
    if (fgets(value, (int)size, output))
        value[strcspn(value, "\n")] = '\0';
    pclose(output);
}

static void tell_if_known(bench_record *record, const char *name, const char *value)
{
    if (*value)
        bench_record_tell(record, name, "%s", value);
}

static void tell_cores(const bench_setting *setting, bench_record *record)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (setting->client_core >= 0)
        bench_record_tell(record, "cores", "server on %d, client on %d, of %ld", setting->server_core,
                          setting->client_core, online);
    else
        bench_record_tell(record, "cores", "one, which server and client shared and waited for");
}

static void tell_package(bench_record *record, const char *name, const char *package)
{
    char version[BENCH_FACT_SIZE];

    command_first_line(version, sizeof version, "dpkg-query -W -f '${Version}' %s 2>/dev/null", package);
    tell_if_known(record, name, version);
}

static void tell_packages(const bench_choice *choice, bench_record *record)
{
    for (size_t p = 0; p < bench_peer_count; p++) {
        const bench_peer *peer = &bench_peers[p];
        char              name[BENCH_FACT_NAME_SIZE];
        bool              takes_part = false;

        for (size_t w = 0; w < bench_workload_count; w++)
            takes_part = takes_part || *bench_choice_has(choice, peer, &bench_workloads[w]);
        if (!takes_part || !peer->package)
            continue;
        snprintf(name, sizeof name, "%s: %s", peer->name, peer->package);
        tell_package(record, name, peer->package);
    }
}

void bench_machine_tell(const bench_setting *setting, const bench_choice *choice, bench_record *record)
{
    char           value[BENCH_FACT_SIZE];
    struct utsname system;
    time_t         now = time(NULL);

    strftime(value, sizeof value, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    tell_if_known(record, "date", value);
    command_first_line(value, sizeof value, "git -C '%s' describe --always --dirty --abbrev=12 2>/dev/null",
                       setting->folder);
    tell_if_known(record, "commit", value);
    file_find("/proc/cpuinfo", "model name", ':', value, sizeof value);
    tell_if_known(record, "processor", value);
    tell_cores(setting, record);
    if (uname(&system) == 0)
        bench_record_tell(record, "kernel", "%s %s, %s", system.sysname, system.release, system.machine);
    command_first_line(value, sizeof value, "cat /proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null");
    tell_if_known(record, "TCP", value); /* some pace what they send, on loopback as well */
    file_find("/etc/os-release", "PRETTY_NAME", '=', value, sizeof value);
    tell_if_known(record, "system", value);
    bench_record_tell(record, "compiler", "%s", __VERSION__);
    bench_record_tell(record, "libuv", "%s", uv_version_string());
    for (size_t i = 0; i < sizeof own_packages / sizeof *own_packages; i++)
        tell_package(record, own_packages[i], own_packages[i]);
    tell_packages(choice, record);
    if (setting->weighed_share < 1)
        bench_record_tell(record, "weighed", "%.0f %% of the calls, streams and connections",
                          setting->weighed_share * 100);
}

void bench_machine_tell_overhead(bench_record *record)
{
    bench_overhead overhead = bench_overhead_measure();

    bench_record_tell(record, "clock", "%.1f ns, once for each read", overhead.clock_ns);
    bench_record_tell(record, "counting a call", "%.1f ns", overhead.call_ns);
    bench_record_tell(record, "open loop's timer", "%.1f us late (p99 %.1f), with nothing else to do",
                      overhead.late_p50_us, overhead.late_p99_us);
}
