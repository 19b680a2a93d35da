/*
 * vow-load: calls a method again and again, and says how long the answers took.
 *
 * The story: the options make a plan; a scout finds the schema, makes the requests ready and tries one call;
 * a run, or a search of several, makes the result; the result is shown and comes to an exit status.
 */
#include "tools/vow-load/options.h"
#include "tools/vow-load/scout.h"
#include "tools/vow-load/search.h"
#include "tools/vow-load/show.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

/* The line on the terminal is renewed no oftener. */
#define LIVE_EACH_S 0.45

typedef struct program {
    load_options  options;
    load_requests requests;
    load_schema  *schema;
    vow_method    method;
    load_plan     plan;
    double        first_call_s;
    double        live_s; /* since the line was renewed */
    bool          is_live;
} program;

static void complain(const char *text)
{
    fprintf(stderr, "vow-load: %s\n", text);
}

static void program_plan(program *program)
{
    const load_options *options = &program->options;
    load_problem        problem;

    program->method = (vow_method){
        .size = sizeof program->method,
        .name = options->method,
        .request = &vow_raw_descriptor,
        .reply = &vow_raw_descriptor,
    };
    program->plan = (load_plan){
        .target = options->target,
        .tls = &options->tls,
        .method = &program->method,
        .metadata = options->metadata,
        .requests = &program->requests,
        .first_request = options->has_no_trial ? 0 : 1,
        .timeout_ms = options->timeout_ms,
        .connect_ns = options->connect_ns,
        .give_up_ns = options->give_up_ns,
        .outstanding = (size_t)options->outstanding,
        .connections = (size_t)options->connections,
        .threads = (size_t)options->threads,
        .spins = options->spins,
    };
    load_options_schedule(options, &program->plan.schedule, &problem); /* the options have been checked */
    program->first_call_s = NAN;
}

/* Each connection takes a file descriptor; the soft limit is often 1,024. */
static void program_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Better said now than after the run. Leaves no empty file, for there may be no report. */
static bool program_can_write(const char *path, load_problem *problem)
{
    bool  is_new = path && access(path, F_OK) != 0;
    FILE *file = path ? fopen(path, "a") : NULL;

    if (path && !file)
        return load_problem_set(problem, "cannot write %s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    if (is_new)
        unlink(path);
    return true;
}

/* False: a file could not be written, and that has been said. */
static bool program_write(const load_options *options, const load_findings *findings)
{
    load_problem problem;

    if ((!options->json_out || load_show_json(options->json_out, findings, &problem)) &&
        (!options->html_out || load_show_html(options->html_out, findings, &problem)))
        return true;
    complain(problem.text);
    return false;
}

static load_status program_scout(program *program, load_problem *problem)
{
    load_scout *scout = load_scout_open(&program->plan);
    load_status status;

    if (!scout) {
        load_problem_set(problem, "no memory or file descriptors for a loop");
        return LOAD_NOTHING;
    }
    status = load_scout_requests(scout, &program->options, &program->requests, &program->method,
                                 &program->schema, problem);
    if (status == LOAD_WELL && !program->options.has_no_trial) {
        status = load_scout_call(scout, &program->first_call_s, problem);
        if (status == LOAD_WELL && *problem->text)
            fprintf(stderr, "vow-load: the first call failed, and others may not: %s\n", problem->text);
    }
    load_scout_close(scout);
    return status;
}

static void program_watch(const load_moment *moment, void *arg)
{
    program *program = arg;

    program->live_s += moment->length;
    if (!program->is_live || program->live_s < LIVE_EACH_S)
        return;
    program->live_s = 0;
    load_show_moment(stderr, moment);
}

static void program_clear_line(const program *program)
{
    if (program->is_live)
        fputs("\r\033[K", stderr);
}

/* What came of it */

static load_status program_show(program *program, load_findings *findings)
{
    const load_options *options = &program->options;
    load_verdict        verdict;
    load_status         status;

    load_verdict_of(&verdict, findings->plan, findings->result, options->expectations,
                    options->expectation_count);
    if (options->finds_capacity && findings->capacity == 0 && verdict.status == LOAD_WELL)
        verdict.status = LOAD_MISSED;
    status = verdict.status;
    findings->options = options;
    findings->verdict = &verdict;
    findings->first_call_s = program->first_call_s;
    program_clear_line(program);
    /* Of nothing there is no report, and an earlier one stays. */
    if (findings->result->begun == 0) {
        complain(verdict.words);
        return status;
    }
    load_show_text(stdout, findings);
    if (*verdict.warning)
        complain(verdict.warning);
    return program_write(options, findings) ? status : LOAD_USAGE;
}

static load_status program_run(program *program)
{
    load_result  *result = load_run(&program->plan, program_watch, program);
    load_findings findings = { .plan = &program->plan, .result = result };
    load_status   status = program_show(program, &findings);

    load_result_free(result, &program->plan);
    return status;
}

static load_status program_search(program *program)
{
    load_search  *search = load_search_run(&program->plan, &program->options, program_watch, program);
    load_findings findings = {
        .plan = &search->plan,
        .result = search->result,
        .trials = search->trials,
        .trial_count = search->trial_count,
        .capacity = search->capacity,
    };
    load_status status = program_show(program, &findings);

    /* The figures shown may be those of a run before, which knows nothing of it. */
    if (search->end != LOAD_COMPLETE && search->result->end == LOAD_COMPLETE)
        printf("\nthe search was broken off: %s\n", search->why.text);
    if (search->end == LOAD_SERVER_GONE || search->end == LOAD_NO_CONNECTION)
        status = LOAD_GONE;
    load_search_free(search);
    return status;
}

int main(int argc, char **argv)
{
    static program program;
    load_problem   problem;
    load_status    status = LOAD_USAGE;
    char           words[300];

    if (!load_options_parse(&program.options, argc, argv, &problem)) {
        complain(problem.text);
        fputs("vow-load --help says more.\n", stderr);
        return LOAD_USAGE;
    }
    if (program.options.wants_help || program.options.wants_version) {
        if (program.options.wants_help)
            fputs(load_help, stdout);
        else
            printf("vow-load %s\n", vow_version());
        return LOAD_WELL;
    }
    program_raise_files();
    program_plan(&program);
    program.is_live = isatty(STDERR_FILENO) && !program.options.is_quiet;
    if (program_can_write(program.options.json_out, &problem) &&
        program_can_write(program.options.html_out, &problem))
        status = program_scout(&program, &problem);
    if (status == LOAD_WELL) {
        load_show_plan(words, sizeof words, &program.plan);
        printf("%s %s\n%s\n\n", program.plan.target, program.method.name,
               program.options.finds_capacity ? "search for the capacity" : words);
        fflush(stdout);
        status = program.options.finds_capacity ? program_search(&program) : program_run(&program);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            complain("cannot print the report");
            status = LOAD_USAGE;
        }
    } else {
        complain(problem.text);
    }
    load_requests_done(&program.requests);
    load_schema_free(program.schema);
    load_options_done(&program.options);
    return (int)status;
}
