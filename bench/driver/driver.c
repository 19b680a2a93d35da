/*
 * The benchmark's driver: runs every peer on every workload in turn, and reports what that comes to.
 *
 * The idea: server and client are processes of their own, pinned to a core each, started afresh for each
 * run; rounds are interleaved (rounds.h). What was measured is reported in any case, after a failed run and
 * after Ctrl-C as well; the exit status says that it is not all. Where nothing was measured there is no
 * report, and the files of an earlier one stay as they are.
 */
#include "check.h"
#include "child.h"
#include "compare.h"
#include "json.h"
#include "machine.h"
#include "measure/fail.h"
#include "options.h"
#include "output.h"
#include "page.h"
#include "rounds.h"
#include "say.h"
#include "table.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define STATUS_WORSE 3

#define ROUNDS 5
#define SECONDS 1.0
#define QUICK_ROUNDS 3
#define QUICK_SECONDS 0.1
#define QUICK_WEIGHED_SHARE 0.2
#define QUICK_MOST_SECONDS 165
#define AGAIN_ROUNDS_LEAST 5 /* of what seems to be worse */

struct driver {
    bench_options    options;
    char             path[PATH_MAX];
    bench_setting    setting;
    bench_choice     choice;
    bench_record     record;
    bench_output     json;
    bench_output     html;
    bench_record     before; /* of --against */
    bench_comparison comparison;
};

/* The programs lie beside this one. */
static void folder_find(struct driver *driver)
{
    ssize_t size = readlink("/proc/self/exe", driver->path, sizeof driver->path - 1);

    if (size < 0)
        bench_fail("cannot find this program's own folder: %m");
    driver->path[size] = '\0';
    driver->setting.folder = dirname(driver->path);
}

static bool program_is_built(const bench_setting *setting, const char *program)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", setting->folder, program);
    return access(path, X_OK) == 0;
}

static bool programs_are_built(const bench_setting *setting, const bench_peer *peer, bench_kind kind)
{
    char server[64], client[64];

    bench_peer_server(peer, kind, server, sizeof server);
    bench_peer_client(peer, kind, client, sizeof client);
    return program_is_built(setting, server) && program_is_built(setting, client) &&
           (kind != BENCH_CHAIN || program_is_built(setting, "bench_proxy"));
}

static bool is_chosen(const struct driver *driver, const bench_names *names, const char *name,
                      bool is_for_full)
{
    bool is_left_out = driver->options.is_quick && is_for_full && names->count == 0;

    return !is_left_out && bench_names_match(names, name);
}

/* What the options name and the tables have a part for. Programs that are not here leave a peer out; that is
 * said before the first run. */
static void choose_peer(struct driver *driver, const bench_peer *peer)
{
    size_t missing = 0;
    size_t wanted = 0;

    for (size_t i = 0; i < bench_workload_count; i++) {
        const bench_workload *workload = &bench_workloads[i];

        if (!is_chosen(driver, &driver->options.workloads, workload->name, workload->is_for_full) ||
            !bench_peer_runs(peer, workload))
            continue;
        wanted++;
        if (programs_are_built(&driver->setting, peer, workload->kind))
            *bench_choice_has(&driver->choice, peer, workload) = true;
        else
            missing++;
    }
    if (wanted == 0 && driver->options.peers.count > 0 && peer != &bench_peers[BENCH_FLOOR])
        bench_say("%s has no part in these workloads", peer->name);
    if (missing > 0 && missing == wanted && bench_peer_is_ours(peer))
        bench_fail("%s's programs are not in %s; build them with ./dev build", peer->name,
                   driver->setting.folder);
    if (missing)
        bench_say("%s is left out of %zu of its %zu workloads: its programs are not in %s", peer->name,
                  missing, wanted, driver->setting.folder);
}

static void choose(struct driver *driver)
{
    bench_choice_init(&driver->choice);
    for (size_t i = 0; i < bench_peer_count; i++) {
        const bench_peer *peer = &bench_peers[i];

        if (i == BENCH_FLOOR || is_chosen(driver, &driver->options.peers, peer->name, peer->is_for_full))
            choose_peer(driver, peer);
    }
    if (bench_choice_count(&driver->choice) == 0)
        bench_fail_usage("none of these peers has a part in these workloads");
}

static void setting_choose(struct driver *driver)
{
    const bench_options *options = &driver->options;
    bool                 is_quick = options->is_quick;
    int                  cores[2];

    driver->choice.rounds = options->rounds ? options->rounds : is_quick ? QUICK_ROUNDS : ROUNDS;
    driver->choice.most_seconds = is_quick ? QUICK_MOST_SECONDS : 0;
    driver->setting.seconds = options->seconds > 0 ? options->seconds : is_quick ? QUICK_SECONDS : SECONDS;
    driver->setting.weighed_share = is_quick ? QUICK_WEIGHED_SHARE : 1;
    driver->setting.server_core = driver->setting.client_core = -1;
    if (bench_cores_find(cores, 2) < 2) {
        bench_say("fewer than 2 cores may be used here: server and client get in each other's way");
        return;
    }
    driver->setting.server_core = cores[0];
    driver->setting.client_core = cores[1];
}

/* Is there anything that both have? */
static bool against_has_part(const struct driver *driver)
{
    for (size_t i = 0; i < driver->before.cell_count; i++) {
        const bench_cell     *cell = &driver->before.cells[i];
        const bench_peer     *peer = bench_peer_find(cell->peer);
        const bench_workload *workload = bench_workload_find(cell->workload);

        if (peer && workload && peer != &bench_peers[BENCH_FLOOR] &&
            *bench_choice_has(&driver->choice, peer, workload))
            return true;
    }
    return false;
}

static void against_read(struct driver *driver)
{
    const char *path = driver->options.against;
    char        problem[256];

    if (!path)
        return;
    if (!bench_json_read(path, &driver->before, problem, sizeof problem))
        bench_fail_usage("cannot compare with %s: %s", path, problem);
    if (!against_has_part(driver))
        bench_fail_usage("cannot compare with %s: it has none of what is to be measured", path);
    if (driver->before.seconds != driver->setting.seconds)
        bench_say("%s was measured for %g s in each run, and this will be for %g s", path,
                  driver->before.seconds, driver->setting.seconds);
}

/* Ratios to the floor of the same machine can be compared even so, more or less. */
static void against_check_machine(const struct driver *driver)
{
    static const char *const facts[] = { "processor", "cores", "kernel", "TCP" };

    for (size_t i = 0; i < sizeof facts / sizeof *facts && driver->options.against; i++) {
        const char *there = bench_record_fact(&driver->before, facts[i]);
        const char *here = bench_record_fact(&driver->record, facts[i]);

        if (*there && strcmp(there, here) != 0)
            bench_say("%s is of another machine: its %s is \"%s\", and here it is \"%s\"",
                      driver->options.against, facts[i], there, here);
    }
}

static void duration_say(const struct driver *driver)
{
    size_t rounds = driver->choice.rounds;
    double seconds = bench_choice_seconds(&driver->choice, &driver->setting) * (double)rounds;
    double most = driver->choice.most_seconds;

    if (most > 0 && seconds > most)
        seconds = most;
    seconds = fmax(seconds, 1);
    bench_say("%zu run%s in each of %zu round%s, about %.*f %s", bench_choice_count(&driver->choice),
              bench_choice_count(&driver->choice) == 1 ? "" : "s", rounds, rounds == 1 ? "" : "s",
              seconds < 600 && seconds >= 120, seconds < 120 ? seconds : seconds / 60,
              seconds < 120 ? "s" : "minutes");
}

/* What seems to be worse is measured once more, beside the floor. */
static bool again_choose(const struct driver *driver, bench_choice *again)
{
    *again = (bench_choice){
        .rounds = driver->choice.rounds > AGAIN_ROUNDS_LEAST ? driver->choice.rounds : AGAIN_ROUNDS_LEAST,
    };
    bench_choice_init(again);
    for (size_t i = 0; i < driver->comparison.count; i++) {
        const bench_change   *change = &driver->comparison.changes[i];
        const bench_workload *workload = bench_workload_find(change->cell->workload);

        if (!change->is_worse || !change->is_ours)
            continue;
        *bench_choice_has(again, bench_peer_find(change->cell->peer), workload) = true;
        *bench_choice_has(again, &bench_peers[BENCH_FLOOR], workload) =
            *bench_choice_has(&driver->choice, &bench_peers[BENCH_FLOOR], workload);
    }
    return bench_choice_count(again) > 0;
}

/* False: something of vow's is worse, and was so when measured again. */
static bool against_hold(struct driver *driver)
{
    bench_choice     again;
    bench_record     record = { 0 };
    bench_comparison comparison;
    size_t           confirmed = 0;

    driver->comparison = bench_compare(&driver->before, &driver->record);
    if (again_choose(driver, &again) && !bench_signal_caught()) {
        bench_say("something seems to be worse; measuring it again, %zu times", again.rounds);
        bench_rounds_run(&driver->setting, &again, &record);
        comparison = bench_compare(&driver->before, &record);
        confirmed = bench_comparison_confirm(&driver->comparison, &comparison);
        bench_comparison_done(&comparison);
    }
    bench_record_done(&record);
    bench_choice_done(&again);
    return confirmed == 0;
}

static size_t terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : BENCH_TABLE_WIDE;
}

static bool report_json(struct driver *driver)
{
    return !driver->json.file ||
           bench_output_close(&driver->json, bench_output_empty(&driver->json) &&
                                                 bench_json_write(driver->json.file, &driver->record));
}

static bool report_html(struct driver *driver)
{
    const char             *against = driver->options.against;
    const bench_comparison *comparison = against ? &driver->comparison : NULL;

    if (!driver->html.file)
        return true;
    if (!bench_output_close(&driver->html,
                            bench_output_empty(&driver->html) &&
                                bench_page_write(driver->html.file, &driver->record, comparison, against)))
        return false;
    bench_say("%s has the plots", driver->html.path);
    return true;
}

/* False: not all of it could be written. */
static bool report(struct driver *driver)
{
    bool is_printed, has_json, has_html;

    bench_table_print(stdout, &driver->record, terminal_columns());
    if (driver->options.against)
        bench_table_print_changes(stdout, &driver->comparison, driver->options.against);
    is_printed = fflush(stdout) == 0;
    if (!is_printed)
        bench_say("cannot print the table: %m");
    has_json = report_json(driver);
    has_html = report_html(driver);
    return is_printed && has_json && has_html;
}

static int report_nothing(struct driver *driver)
{
    bench_output_drop(&driver->json);
    bench_output_drop(&driver->html);
    bench_say("%s; there is no report", bench_signal_caught() ? "interrupted before anything was measured"
                                                              : "nothing could be measured");
    return STATUS_FAILED;
}

/* What was measured, all or not. Gives the exit status. */
static int driver_report(struct driver *driver, bool is_all)
{
    int status = is_all ? 0 : STATUS_FAILED;

    if (driver->options.against && !against_hold(driver))
        status = STATUS_WORSE;
    if (bench_signal_caught())
        bench_say("interrupted; what was measured until then:");
    return report(driver) ? status : STATUS_FAILED;
}

static void driver_done(struct driver *driver)
{
    bench_comparison_done(&driver->comparison);
    bench_record_done(&driver->before);
    bench_record_done(&driver->record);
    bench_choice_done(&driver->choice);
}

int main(int argc, char **argv)
{
    static struct driver driver;
    bool                 is_all;
    int                  status;

    program_invocation_short_name = "bench"; /* as messages call it */
    driver.options = bench_options_read(argc, argv);
    folder_find(&driver);
    setting_choose(&driver);
    bench_signals_catch();
    if (driver.options.is_check)
        return bench_check_run(&driver.setting) ? 0 : STATUS_FAILED;
    choose(&driver);
    against_read(&driver);
    bench_output_open(&driver.json, driver.options.json);
    bench_output_open(&driver.html, driver.options.html);

    bench_machine_tell(&driver.setting, &driver.choice, &driver.record);
    against_check_machine(&driver);
    bench_machine_tell_overhead(&driver.record);
    duration_say(&driver);
    is_all = bench_rounds_run(&driver.setting, &driver.choice, &driver.record);
    status =
        bench_record_has_results(&driver.record) ? driver_report(&driver, is_all) : report_nothing(&driver);
    if (bench_signal_caught())
        status = 128 + bench_signal_caught();
    driver_done(&driver);
    return status;
}
