/*
 * protoc-gen-vow, as its users meet it: run by protoc, its output given to the compilers.
 *
 * CMake says where everything is: VOW_TEST_GENERATOR, VOW_TEST_PROTOC, VOW_TEST_PROTOC_GEN_C, VOW_TEST_CC and
 * VOW_TEST_CXX are programs; VOW_TEST_PROTOS is the folder tests/proto/generator, VOW_TEST_PROTO_INCLUDE one
 * that has google/protobuf/empty.proto and protobuf-c/protobuf-c.proto; VOW_TEST_INCLUDES are the options
 * with which the compilers find <vow/vow.h> and <protobuf-c/protobuf-c.h>, VOW_TEST_LIBRARIES those that link
 * protobuf-c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* posix_openpt */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define PROTOC                                                                                               \
    VOW_TEST_PROTOC " -I" VOW_TEST_PROTOS " -I" VOW_TEST_PROTO_INCLUDE                                       \
                    " --plugin=protoc-gen-vow=" VOW_TEST_GENERATOR                                           \
                    " --plugin=protoc-gen-c=" VOW_TEST_PROTOC_GEN_C
#define WITH_MESSAGES PROTOC " --vow_out=messages=" VOW_TEST_PROTOC_GEN_C ":. "
#define WARNINGS " -Wall -Wextra -Wshadow -Wconversion -Werror -I. " VOW_TEST_INCLUDES " "

/* A folder of its own for each test, and what the last command in it has printed. */
struct folder {
    char   path[64];
    char   output[1 << 18];
    size_t size;
};

static int folder_open(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);

    assert_non_null(folder);
    strcpy(folder->path, "/tmp/vow-generator-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

static int folder_close(void **state)
{
    struct folder *folder = *state;
    char           command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder->path);
    assert_int_equal(system(command), 0);
    free(folder);
    return 0;
}

/* Runs a shell command in the folder; gives its exit status. A signal fails the test. */
static int run(struct folder *folder, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int run(struct folder *folder, const char *format, ...)
{
    char    command[8192];
    va_list values;
    FILE   *pipe;
    int     size, status;

    size = snprintf(command, sizeof command, "cd %s && exec 2>&1 && ", folder->path);
    va_start(values, format);
    size += vsnprintf(command + size, sizeof command - (size_t)size, format, values);
    va_end(values);
    assert_true((size_t)size < sizeof command);

    pipe = popen(command, "r");
    assert_non_null(pipe);
    folder->size = fread(folder->output, 1, sizeof folder->output - 1, pipe);
    folder->output[folder->size] = '\0';
    status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 128)
        fail_msg("%s\n%s", command, folder->output);
    return WEXITSTATUS(status);
}

#define succeed(folder, ...)                                                                                 \
    do {                                                                                                     \
        if (run(folder, __VA_ARGS__) != 0)                                                                   \
            fail_msg("%s", (folder)->output);                                                                \
    } while (0)

static void assert_says(const struct folder *folder, const char *text)
{
    if (!strstr(folder->output, text))
        fail_msg("\"%s\" is missing in:\n%s", text, folder->output);
}

static void assert_does_not_say(const struct folder *folder, const char *text)
{
    if (strstr(folder->output, text))
        fail_msg("\"%s\" is in:\n%s", text, folder->output);
}

/* The files without .proto. The first ones are taken by protoc-c itself, too. */
static const char *const stems[] = {
    "weather", "spoken",   "comments", "proto2",      "bare",          "library",
    "own",     "messages", "empty",    "places/base", "places/shared", "places/map-view.v2",
    "hostile", "kinds",
};
#define TAKEN_BY_PROTOC_C 12

/* Of protobuf's own files; generated as a user of them has to. */
#define WELL_KNOWN "google/protobuf/empty.proto google/protobuf/timestamp.proto"

static void compile_header(struct folder *folder, const char *stem)
{
    succeed(folder, "printf '#include \"%s.vow.h\"\\nint main(void);\\n' >use.c", stem);
    succeed(folder, VOW_TEST_CC " -std=c11" WARNINGS "-fsyntax-only use.c");
    succeed(folder, VOW_TEST_CC " -std=gnu17" WARNINGS "-fsyntax-only use.c");
    succeed(folder, VOW_TEST_CXX " -std=c++20" WARNINGS "-fsyntax-only -x c++ use.c");
}

static void compile_source(struct folder *folder, const char *stem)
{
    succeed(folder, VOW_TEST_CC " -std=c11" WARNINGS "-pedantic -c -o %s.vow.o %s.vow.c", stem, stem);
    succeed(folder, VOW_TEST_CC " -std=c11 -I. -w -c -o %s.pb-c.o %s.pb-c.c", stem, stem);
}

static void generate_all(struct folder *folder)
{
    succeed(folder, WITH_MESSAGES WELL_KNOWN);
    for (size_t i = 0; i < COUNT(stems); i++)
        succeed(folder, WITH_MESSAGES "%s.proto", stems[i]);
}

static void the_header_of_the_weather_service_is_the_golden_one(void **state)
{
    struct folder *folder = *state;

    succeed(folder, WITH_MESSAGES "weather.proto");
    succeed(folder, "diff -u " VOW_TEST_PROTOS "/weather.vow.h.golden weather.vow.h");
}

static void what_is_generated_with_its_messages_compiles_as_c_and_as_cpp(void **state)
{
    struct folder *folder = *state;

    generate_all(folder);
    for (size_t i = 0; i < COUNT(stems); i++) {
        compile_header(folder, stems[i]);
        compile_source(folder, stems[i]);
    }
}

static void what_is_generated_beside_protoc_c_compiles_as_c_and_as_cpp(void **state)
{
    struct folder *folder = *state;

    succeed(folder, PROTOC " --c_out=. --vow_out=. " WELL_KNOWN);
    for (size_t i = 0; i < TAKEN_BY_PROTOC_C; i++)
        succeed(folder, PROTOC " --c_out=. --vow_out=. %s.proto", stems[i]);
    for (size_t i = 0; i < TAKEN_BY_PROTOC_C; i++) {
        compile_header(folder, stems[i]);
        compile_source(folder, stems[i]);
    }
}

static void several_files_are_generated_in_one_run(void **state)
{
    struct folder *folder = *state;

    succeed(folder, WITH_MESSAGES "places/base.proto places/shared.proto");
    succeed(folder, "ls places | tr '\\n' ' '");
    assert_string_equal(folder->output, "base.pb-c.c base.pb-c.h base.vow.c base.vow.h "
                                        "shared.pb-c.c shared.pb-c.h shared.vow.c shared.vow.h ");
}

/* Maps, oneofs and optional fields at work; and no two files define one name. */
static void a_program_of_everything_links_and_runs(void **state)
{
    struct folder *folder = *state;

    generate_all(folder);
    succeed(folder,
            VOW_TEST_CC " -std=c11 -w -I. " VOW_TEST_INCLUDES " -o program " VOW_TEST_PROTOS
                        "/program.c " VOW_TEST_PROTOS "/runtime.c *.c */*.c */*/*.c " VOW_TEST_LIBRARIES);

    succeed(folder, "./program files.bin");

    assert_string_equal(folder->output, "weather.Station/GetReport is called with weather.ReportRequest\n"
                                        "weather.Station/Watch is begun\n"
                                        "weather.Station/Watch is sent weather.WatchRequest\n"
                                        "weather.Station/Watch is ended\n"
                                        "weather.Station/Upload is begun\n"
                                        "weather.Station/Upload is sent weather.Report\n"
                                        "weather.Station/Watch is sent weather.Report\n"
                                        "a report of the city \"\" comes to its argument\n"
                                        "weather.Station/Watch is read\n"
                                        "the request is the value\n"
                                        "the result is the value\n"
                                        "the cast is the message\n"
                                        "weather.Station/GetReport is served and idempotent\n"
                                        "the handler has the city \"\" and its argument\n"
                                        "weather.Station/GetReport is answered with weather.Report\n"
                                        "weather.Station/PutReport is unimplemented\n"
                                        "weather.Station/Watch is unimplemented\n"
                                        "weather.Station/Upload is served\n"
                                        "the handler of a stream has its argument\n"
                                        "a report of the city \"\" comes to its argument\n"
                                        "weather.Station/Upload is read\n"
                                        "weather.Station/Upload is answered with weather.Report\n"
                                        "weather.Station/Follow is unimplemented\n"
                                        "nothing takes 0 bytes\n"
                                        "an optional zero takes 2 bytes, and is there alone\n");
}

/* places/shared.proto imports protobuf-c.proto before a file that its own importers see through it. */
static void the_files_behind_a_method_are_all_that_its_types_need_and_no_more(void **state)
{
    struct folder *folder = *state;

    generate_all(folder);
    succeed(folder, VOW_TEST_CC
            " -std=c11 -w -I. " VOW_TEST_INCLUDES " -o program " VOW_TEST_PROTOS "/program.c " VOW_TEST_PROTOS
            "/runtime.c weather.*.c kinds.*.c places/*.c google/protobuf/*.c " VOW_TEST_LIBRARIES);
    succeed(folder, "./program files.bin");

    /* protoc finds every type in it, and nothing else to read. */
    succeed(folder, VOW_TEST_PROTOC " --descriptor_set_in=files.bin -o all.bin places/map-view.v2.proto");
    succeed(folder,
            VOW_TEST_PROTOC " -I" VOW_TEST_PROTO_INCLUDE " --decode=google.protobuf.FileDescriptorSet "
                            "google/protobuf/descriptor.proto <files.bin");
    assert_says(folder, "name: \"places/base.proto\"");
    assert_says(folder, "name: \"places/shared.proto\"");
    assert_says(folder, "name: \"places/map-view.v2.proto\"");
    assert_says(folder, "name: \"google/protobuf/empty.proto\"");
    assert_does_not_say(folder, "source_code_info");
    assert_does_not_say(folder, "weather");
    assert_does_not_say(folder, "protobuf-c.proto");
    assert_does_not_say(folder, "descriptor.proto");
}

static void names_that_would_clash_get_an_underscore_in_the_order_of_the_file(void **state)
{
    struct folder *folder = *state;

    succeed(folder, WITH_MESSAGES "hostile.proto");
    succeed(folder, "cat hostile.vow.h");

    assert_says(folder, " *int_class_9_httpserver_plans_get(");
    assert_says(folder, " *int_class_9_httpserver_plans_get_result(const vow_future *reply)");
    assert_says(folder, " *int_class_9_httpserver_plans_get_result_(vow_channel *channel");
    assert_says(folder, " *int_class_9_httpserver_plans_get_result__result(const vow_future *reply)");
    assert_says(folder, " *int_class_9_httpserver_plans_put_result(vow_channel *channel");
    assert_says(folder, " *int_class_9_httpserver_plans_put_(vow_channel *channel");
    assert_says(folder, " *int_class_9_httpserver_plans_serve_(vow_channel *channel");
    assert_says(folder, "} int_class_9_httpserver_plans_service;");
    assert_says(folder, "    void (*get_report)(");
    assert_says(folder, "    void (*get_report_)(");
    assert_says(folder, " *int_class_9_httpserver_report_request_of(");
    assert_says(folder, " *int_class_9_httpserver_report__request_of(");
}

static void members_that_are_words_of_c_or_cpp_end_in_an_underscore(void **state)
{
    static const char *const members[] = { "delete_",   "register_", "bool_", "and_",
                                           "requires_", "errno_",    "linux_" };
    struct folder           *folder = *state;

    succeed(folder, WITH_MESSAGES "hostile.proto");
    succeed(folder, "cat hostile.vow.h");
    for (size_t i = 0; i < COUNT(members); i++) {
        char member[64];

        snprintf(member, sizeof member, "    void (*%s)(", members[i]);
        assert_says(folder, member);
    }
}

static void a_package_called_vow_keeps_clear_of_the_library(void **state)
{
    struct folder *folder = *state;

    succeed(folder, WITH_MESSAGES "library.proto");
    succeed(folder, "cat library.vow.h");
    assert_says(folder, " *vow__channel_open(vow_channel *channel, const Vow__Error *request");
    assert_does_not_say(folder, " *vow_channel_open(");
}

static void the_options_of_protobuf_c_are_followed(void **state)
{
    struct folder *folder = *state;

    succeed(folder, WITH_MESSAGES "own.proto");
    succeed(folder, "cat own.vow.h own.vow.c");
    assert_says(folder, "short_name_own_echo(vow_channel *channel, const Short__Name__Carrier *request");
    assert_says(folder, "&request->underneath, options)");
    assert_says(folder, "\"test.own.option.Own/Echo\""); /* on the wire, a package keeps its name */
}

/* protobuf-c.proto says no_generate. */
static void of_a_file_without_messages_to_build_on_nothing_is_generated(void **state)
{
    struct folder *folder = *state;

    succeed(folder, PROTOC " --vow_out=. protobuf-c/protobuf-c.proto");
    succeed(folder, "ls");
    assert_string_equal(folder->output, "");
}

static void comments_are_carried_over_and_stay_comments(void **state)
{
    struct folder *folder = *state;

    succeed(folder, PROTOC " --vow_out=. comments.proto");
    succeed(folder, "cat comments.vow.h");

    assert_says(folder, "/*\n * A doc comment.\n *\n * rpc Doc(Text) returns (Text)\n */\n");
    assert_says(folder, "/*\n * Three slashes.\n * / *\n *\n * rpc Slashes");
    assert_says(folder, "/*\n * After the method.\n *\n");
    assert_says(folder, "/*\n * no space\n *\n *    indented\n *\n * rpc Layout");
    assert_says(folder, "/*\n * Turns ? direction, gruesst \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80, broken ");
    assert_says(folder, "/* rpc Blank(Text) returns (Text) */\n");
    assert_says(folder, "/* rpc Close(Text) returns (Text) */\n");
    assert_says(folder, " * and a trigraph ? ?/\n * and another one ? ?/ inside, / * / and * / *.\n");
    assert_does_not_say(folder, "opens again");
}

static void methods_with_streams_send_one_message_at_a_time(void **state)
{
    struct folder *folder = *state;

    succeed(folder, PROTOC " --vow_out=. weather.proto");
    succeed(folder, "cat weather.vow.h weather.vow.c");
    assert_says(
        folder,
        "vow_call *weather_station_watch(vow_channel *channel, const Weather__WatchRequest *request,");
    assert_says(folder,
                "bool weather_station_watch_send_reply(vow_call *call, const Weather__Report *reply)");
    assert_says(folder,
                "vow_call *weather_station_upload(vow_channel *channel, const vow_call_options *options)");
    assert_says(folder,
                "bool weather_station_upload_send_request(vow_call *call, const Weather__Report *request)");
    assert_says(folder, "    void (*upload)(vow_call *call, void *arg);\n");
    assert_says(folder, "    service->upload(call, handler->arg);\n");
    assert_says(folder, "typedef vow_future *weather_station_upload_request_fn(vow_call *call, "
                        "const Weather__Report *request, void *arg);");
    assert_says(folder, "weather_station_upload_read_requests(vow_call *call, "
                        "weather_station_upload_request_fn *on_request, void *arg)");
    assert_says(folder, "const Weather__Report *weather_station_upload_request(const vow_future *next)");
    assert_says(folder, "weather_station_watch_read_replies(vow_call *call, "
                        "weather_station_watch_reply_fn *on_reply, void *arg)");
    assert_says(folder, "weather_station_follow_read_requests");
    assert_says(folder, "weather_station_follow_read_replies");
    assert_does_not_say(folder, "weather_station_upload_read_replies");
    assert_does_not_say(folder, "weather_station_watch_read_requests");
    assert_does_not_say(folder, "weather_station_watch_send_request");
    assert_does_not_say(folder, "weather_station_watch_reply(");
    assert_does_not_say(folder, "weather_station_upload_send_reply");
}

/* What of a file is in the way. */
enum obstacle {
    MESSAGES,
    SERVICES,       /* which protoc-gen-vow leaves out when it makes the messages */
    SERVICES_IN_CPP /* the same; what protoc-c makes of them is C, and no C++ */
};

static const struct refusal {
    const char   *name; /* in refused/ */
    enum obstacle obstacle;
    const char   *text; /* of the message, after the file's name */
} refusals[] = {
    { "group", MESSAGES,
      ":4: field tail of p.M is a group, on which protoc-c crashes: use a nested message" },
    { "keyword_field", MESSAGES, ":3: field restrict of M has a name that is a keyword in C" },
    { "base_field", MESSAGES, ":3: protoc-c gives field base of M the name M.base, which the ProtobufCMess" },
    { "count_field", MESSAGES, ":4: protoc-c gives field n_a of M the name M.n_a, which field a of M has" },
    { "infinite", MESSAGES, ":3: field a of M has a default that protoc-c cannot write in C: drop" },
    { "oneof_names", MESSAGES, ":5: field a of M is in no oneof, on which protoc-c crashes" },
    { "case", MESSAGES, ":4: protoc-c gives message p.foo the name P__Foo, which message p.Foo has" },
    { "nested_case", MESSAGES, ":6: protoc-c gives message Foo.BarCase the name Foo__BarCase, which oneof" },
    { "nameless", MESSAGES, ":2: protoc-c names the C type of message _ \"\", which is no name in C" },
    { "no_messages", MESSAGES, ": has services, and (pb_c_file).no_generate" },
    { "keyword_method", SERVICES, ":4: protoc-c names a member `register` after rpc Register of S" },
    { "operator_method", SERVICES_IN_CPP, ":4: protoc-c names a member `and` after rpc And of S" },
    { "init_method", SERVICES, ":4: protoc-c gives rpc Init of S the name s__init, which service S has" },
    { "base_method", SERVICES, ":4: protoc-c gives rpc Base of S the name S_Service.base" },
    { "case_method", SERVICES,
      ":5: protoc-c gives rpc GetReport of S the name s__get_report, which rpc get" },
};

static void a_file_that_protoc_c_cannot_take_is_refused_with_its_place_and_the_reason(void **state)
{
    struct folder *folder = *state;

    for (size_t i = 0; i < COUNT(refusals); i++) {
        char expected[256];

        if (run(folder, PROTOC " --vow_out=. refused/%s.proto", refusals[i].name) == 0)
            fail_msg("%s is not refused", refusals[i].name);
        snprintf(expected, sizeof expected, "--vow_out: refused/%s.proto%s", refusals[i].name,
                 refusals[i].text);
        assert_says(folder, expected);
    }
}

static void what_is_wrong_with_protoc_c_s_services_alone_is_no_hindrance_with_messages(void **state)
{
    struct folder *folder = *state;

    for (size_t i = 0; i < COUNT(refusals); i++) {
        char stem[64];
        bool refused;

        snprintf(stem, sizeof stem, "refused/%s", refusals[i].name);
        refused = run(folder, WITH_MESSAGES "%s.proto", stem) != 0;
        if (refused != (refusals[i].obstacle == MESSAGES))
            fail_msg("%s is %s\n%s", stem, refused ? "refused" : "not refused", folder->output);
        if (refused)
            continue;
        compile_header(folder, stem);
        compile_source(folder, stem);
    }
}

static bool protoc_c_takes(struct folder *folder, const char *stem, bool in_cpp)
{
    if (run(folder, PROTOC " --c_out=. %s.proto && ls %s.pb-c.c", stem, stem) != 0)
        return false;
    if (in_cpp)
        return run(folder,
                   VOW_TEST_CXX " -std=c++20 -I. " VOW_TEST_INCLUDES " -fsyntax-only -w -x c++ %s.pb-c.h",
                   stem) == 0;
    return run(folder, VOW_TEST_CC " -std=c11 -I. " VOW_TEST_INCLUDES " -fsyntax-only -w %s.pb-c.c", stem) ==
           0;
}

/* Each refusal is one too many once protoc-c has learned to take the file. */
static void every_refusal_still_has_its_reason(void **state)
{
    struct folder *folder = *state;

    if (strcmp(PROTOBUF_C_VERSION, "1.4.1") != 0)
        skip();
    assert_true(protoc_c_takes(folder, "places/base", false));
    assert_true(protoc_c_takes(folder, "places/base", true));
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char stem[64];

        snprintf(stem, sizeof stem, "refused/%s", refusals[i].name);
        if (protoc_c_takes(folder, stem, refusals[i].obstacle == SERVICES_IN_CPP))
            fail_msg("protoc-c takes %s", stem);
    }
}

static void a_file_with_optional_fields_is_told_how_to_get_its_messages(void **state)
{
    struct folder *folder = *state;

    succeed(folder, PROTOC " --vow_out=. kinds.proto");
    assert_says(folder,
                "kinds.proto:26: protoc does not run protoc-c on files with optional fields of proto3; "
                "--vow_out=messages:DIR makes their .pb-c files too");
    succeed(folder, WITH_MESSAGES "kinds.proto");
    assert_string_equal(folder->output, "");
}

static void a_file_whose_name_would_break_an_include_is_refused(void **state)
{
    struct folder *folder = *state;

    succeed(folder, "echo 'syntax = \"proto3\";' >'a\"b.proto'");
    assert_int_not_equal(run(folder, PROTOC " -I. --vow_out=. 'a\"b.proto'"), 0);
    assert_says(folder, "the name of the file has a character that cannot stand in an #include: rename it");
}

static void an_unknown_parameter_is_named(void **state)
{
    struct folder *folder = *state;

    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages,speed=9:. weather.proto"), 0);
    assert_says(folder, "unknown parameter \"speed=9\"; there are messages and messages=PROGRAM");
    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages=:. weather.proto"), 0);
    assert_says(folder, "unknown parameter \"messages=\"");
}

static void a_program_for_messages_that_does_not_work_is_named(void **state)
{
    struct folder *folder = *state;

    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages=/nowhere/protoc-gen-c:. weather.proto"), 0);
    assert_says(folder,
                "cannot run /nowhere/protoc-gen-c: No such file or directory; install protobuf-c's compiler");
    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages=/bin/false:. weather.proto"), 0);
    assert_says(folder, "/bin/false failed with status 1");
    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages=/bin/echo:. weather.proto"), 0);
    assert_says(folder, "/bin/echo is not protobuf-c's compiler plugin");
    succeed(folder, "printf '#!/bin/sh\\nkill -SEGV $$\\n' >crashes && chmod +x crashes");
    assert_int_not_equal(run(folder, PROTOC " --vow_out=messages=./crashes:. weather.proto"), 0);
    assert_says(folder, "./crashes crashed (Segmentation fault)");
}

static void help_and_version_are_printed(void **state)
{
    struct folder *folder = *state;

    succeed(folder, VOW_TEST_GENERATOR " --version");
    assert_memory_equal(folder->output, "protoc-gen-vow ", 15);
    succeed(folder, VOW_TEST_GENERATOR " --help");
    assert_says(folder, "protoc-gen-vow makes stubs for vow");
    assert_int_equal(run(folder, VOW_TEST_GENERATOR " weather.proto"), 1);
    assert_says(folder, "unknown argument \"weather.proto\"; see protoc-gen-vow --help");
}

static void on_a_terminal_it_says_what_it_is_for(void **state)
{
    struct folder *folder = *state;
    int            terminal = posix_openpt(O_RDWR | O_NOCTTY);

    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal), 0);
    assert_int_equal(unlockpt(terminal), 0);
    assert_int_equal(run(folder, VOW_TEST_GENERATOR " <%s", ptsname(terminal)), 1);
    assert_says(folder, "protoc-gen-vow makes stubs for vow");
    close(terminal);
}

static void what_is_no_request_is_an_error_and_no_crash(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(run(folder, VOW_TEST_GENERATOR " </dev/null"), 1);
    assert_says(folder, "standard input is not a request from protoc");
    assert_int_equal(run(folder, "head -c 100000 /dev/zero | " VOW_TEST_GENERATOR), 1);
    assert_int_equal(run(folder, VOW_TEST_GENERATOR " <" VOW_TEST_GENERATOR), 1);
    assert_says(folder,
                "protoc-gen-vow: standard input is not a request from protoc; see protoc-gen-vow --help");
}

/* What protoc sends to a plugin. */
static void save_request(struct folder *folder)
{
    succeed(folder, "printf '#!/bin/sh\\ncat >request.bin\\n' >save && chmod +x save");
    succeed(folder, PROTOC " --plugin=protoc-gen-save=./save --save_out=. weather.proto");
}

static void a_request_that_is_cut_or_damaged_anywhere_is_no_crash(void **state)
{
    struct folder *folder = *state;
    long           size;

    save_request(folder);
    succeed(folder, "wc -c <request.bin");
    size = strtol(folder->output, NULL, 10);
    assert_true(size > 1000);
    for (long cut = 0; cut < size; cut += 1 + size / 120) {
        run(folder, "head -c %ld request.bin | " VOW_TEST_GENERATOR " >/dev/null", cut);
        run(folder,
            "{ head -c %ld request.bin; printf '\\377'; tail -c +%ld request.bin; } | " VOW_TEST_GENERATOR
            " >/dev/null",
            cut, cut + 2);
    }
}

static size_t wrap(uint8_t *bytes, size_t size, uint8_t tag)
{
    uint8_t head[8] = { tag };
    size_t  head_size = 1;

    for (size_t left = size; head_size == 1 || left > 0; left >>= 7)
        head[head_size++] = (uint8_t)((left & 0x7f) | (left >> 7 ? 0x80 : 0));
    memmove(bytes + head_size, bytes, size);
    memcpy(bytes, head, head_size);
    return head_size + size;
}

/* A request for a file with one message, in which `depth` others are nested. */
static void write_nested_request(struct folder *folder, size_t depth)
{
    static const uint8_t wanted[] = { 0x0a, 0x01, 'a' }; /* file_to_generate */
    static uint8_t       bytes[1 << 20];
    size_t               size = 0;
    char                 path[128];
    FILE                *file;

    for (size_t i = 0; i < depth; i++)
        size = wrap(bytes, size, 0x1a); /* DescriptorProto.nested_type */
    size = wrap(bytes, size, 0x22);     /* FileDescriptorProto.message_type */
    size = wrap(bytes, size, 0x7a);     /* CodeGeneratorRequest.proto_file */

    snprintf(path, sizeof path, "%s/request.bin", folder->path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(wanted, 1, sizeof wanted, file), sizeof wanted);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void a_request_may_nest_so_deep_and_no_deeper(void **state)
{
    struct folder *folder = *state;

    write_nested_request(folder, 97);
    succeed(folder, VOW_TEST_GENERATOR " <request.bin");
    assert_says(folder, "the request is incomplete: something in it has no name");
    write_nested_request(folder, 98);
    assert_int_equal(run(folder, VOW_TEST_GENERATOR " <request.bin"), 1);
    assert_says(folder, "the request nests messages deeper than 100");
    write_nested_request(folder, 100000);
    assert_int_equal(run(folder, VOW_TEST_GENERATOR " <request.bin"), 1);
    assert_says(folder, "the request nests messages deeper than 100");
}

#define folder_test(name) cmocka_unit_test_setup_teardown(name, folder_open, folder_close)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        folder_test(the_header_of_the_weather_service_is_the_golden_one),
        folder_test(what_is_generated_with_its_messages_compiles_as_c_and_as_cpp),
        folder_test(what_is_generated_beside_protoc_c_compiles_as_c_and_as_cpp),
        folder_test(several_files_are_generated_in_one_run),
        folder_test(a_program_of_everything_links_and_runs),
        folder_test(the_files_behind_a_method_are_all_that_its_types_need_and_no_more),
        folder_test(names_that_would_clash_get_an_underscore_in_the_order_of_the_file),
        folder_test(members_that_are_words_of_c_or_cpp_end_in_an_underscore),
        folder_test(a_package_called_vow_keeps_clear_of_the_library),
        folder_test(the_options_of_protobuf_c_are_followed),
        folder_test(of_a_file_without_messages_to_build_on_nothing_is_generated),
        folder_test(comments_are_carried_over_and_stay_comments),
        folder_test(methods_with_streams_send_one_message_at_a_time),
        folder_test(a_file_that_protoc_c_cannot_take_is_refused_with_its_place_and_the_reason),
        folder_test(what_is_wrong_with_protoc_c_s_services_alone_is_no_hindrance_with_messages),
        folder_test(every_refusal_still_has_its_reason),
        folder_test(a_file_with_optional_fields_is_told_how_to_get_its_messages),
        folder_test(a_file_whose_name_would_break_an_include_is_refused),
        folder_test(an_unknown_parameter_is_named),
        folder_test(a_program_for_messages_that_does_not_work_is_named),
        folder_test(help_and_version_are_printed),
        folder_test(on_a_terminal_it_says_what_it_is_for),
        folder_test(what_is_no_request_is_an_error_and_no_crash),
        folder_test(a_request_that_is_cut_or_damaged_anywhere_is_no_crash),
        folder_test(a_request_may_nest_so_deep_and_no_deeper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
