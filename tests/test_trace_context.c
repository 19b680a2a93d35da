/* W3C Trace Context: what is read of a traceparent and a tracestate, and what is taken for malformed. */
#include "runtime/rpc/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID "b7ad6b7169203331"
#define KEY_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY_255 "a" KEY_64 KEY_64 KEY_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
#define EIGHT_MEMBERS "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1"
#define MEMBERS_32 EIGHT_MEMBERS "," EIGHT_MEMBERS "," EIGHT_MEMBERS "," EIGHT_MEMBERS

struct text_case {
    const char *name;
    const char *text;
};

/* traceparent */

static void a_traceparent_is_read(void **state)
{
    static const char text[] = "00-" TRACE_ID "-" PARENT_ID "-01";
    vow_trace         trace;

    (void)state;
    assert_true(vow_trace_parse(text, sizeof text - 1, &trace));
    assert_string_equal(trace.trace_id, TRACE_ID);
    assert_string_equal(trace.parent_id, PARENT_ID);
    assert_int_equal(trace.flags, VOW_TRACE_SAMPLED);
}

static void a_traceparent_is_written_as_it_was_read(void **state)
{
    static const char text[] = "00-" TRACE_ID "-" PARENT_ID "-03";
    char              written[VOW_TRACE_PARENT_SIZE];
    vow_trace         trace;

    (void)state;
    assert_true(vow_trace_parse(text, sizeof text - 1, &trace));
    vow_trace_print(&trace, written);
    assert_string_equal(written, text);
}

/* Level 2, section 3.2.2.5: other flags are set to zero. */
static void flags_that_nobody_has_defined_are_not_passed_on(void **state)
{
    static const char text[] = "00-" TRACE_ID "-" PARENT_ID "-ff";
    vow_trace         trace;

    (void)state;
    assert_true(vow_trace_parse(text, sizeof text - 1, &trace));
    assert_int_equal(trace.flags, VOW_TRACE_SAMPLED | VOW_TRACE_RANDOM);
}

static void a_later_version_is_read_as_far_as_this_one_goes(void **state)
{
    static const struct text_case cases[] = {
        { "no more than this version has", "01-" TRACE_ID "-" PARENT_ID "-01" },
        { "more, behind a dash", "cc-" TRACE_ID "-" PARENT_ID "-01-what-the-future-will-be-like" },
        { "an empty field more", "fe-" TRACE_ID "-" PARENT_ID "-01-" },
    };
    char written[VOW_TRACE_PARENT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vow_trace trace;

        if (!vow_trace_parse(cases[i].text, strlen(cases[i].text), &trace))
            fail_msg("%s", cases[i].name);
        vow_trace_print(&trace, written);
        assert_string_equal(written, "00-" TRACE_ID "-" PARENT_ID "-01");
    }
}

static void a_malformed_traceparent_is_none(void **state)
{
    static const struct text_case cases[] = {
        { "nothing", "" },
        { "one byte too few", "00-" TRACE_ID "-" PARENT_ID "-0" },
        { "one byte too many for its version", "00-" TRACE_ID "-" PARENT_ID "-01-" },
        { "more than a later version's fields, without a dash", "01-" TRACE_ID "-" PARENT_ID "-01.x" },
        { "the forbidden version", "ff-" TRACE_ID "-" PARENT_ID "-01" },
        { "a version in upper case", "0A-" TRACE_ID "-" PARENT_ID "-01" },
        { "a version of other characters", ".0-" TRACE_ID "-" PARENT_ID "-01" },
        { "a trace id of zeros", "00-00000000000000000000000000000000-" PARENT_ID "-01" },
        { "a trace id in upper case", "00-0AF7651916CD43DD8448EB211C80319C-" PARENT_ID "-01" },
        { "a trace id of other characters", "00-0af7651916cd43dd8448eb211c80319x-" PARENT_ID "-01" },
        { "a parent id of zeros", "00-" TRACE_ID "-0000000000000000-01" },
        { "a parent id of other characters", "00-" TRACE_ID "-b7ad6b716920333 -01" },
        { "flags of other characters", "00-" TRACE_ID "-" PARENT_ID "-0x" },
        { "no dash behind the version", "00." TRACE_ID "-" PARENT_ID "-01" },
        { "no dash behind the trace id", "00-" TRACE_ID "." PARENT_ID "-01" },
        { "no dash behind the parent id", "00-" TRACE_ID "-" PARENT_ID ".01" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vow_trace trace;

        if (vow_trace_parse(cases[i].text, strlen(cases[i].text), &trace))
            fail_msg("%s was read", cases[i].name);
    }
}

static void two_traceparents_are_none(void **state)
{
    static const char   text[] = "00-" TRACE_ID "-" PARENT_ID "-01";
    const vow_metadata *one =
        VOW_METADATA({ .name = "other", .value = "x" }, { .name = "traceparent", .value = text });
    const vow_metadata *two =
        VOW_METADATA({ .name = "traceparent", .value = text }, { .name = "traceparent", .value = text });
    vow_trace trace;

    (void)state;
    assert_true(vow_trace_find(one, &trace));
    assert_false(vow_trace_find(two, &trace));
    assert_false(vow_trace_find(VOW_METADATA({ .name = "other", .value = text }), &trace));
}

static void a_drawn_parent_id_is_sixteen_hex_digits_and_new_each_time(void **state)
{
    uint64_t  random = 1;
    vow_trace trace = { .trace_id = TRACE_ID };
    vow_trace read;
    char      first[VOW_TRACE_PARENT_SIZE];
    char      second[VOW_TRACE_PARENT_SIZE];

    (void)state;
    vow_trace_draw_parent(&trace, &random);
    vow_trace_print(&trace, first);
    assert_true(vow_trace_parse(first, strlen(first), &read));
    vow_trace_draw_parent(&trace, &random);
    vow_trace_print(&trace, second);
    assert_string_not_equal(first, second);
}

/* tracestate */

static bool state_is_valid(const char *text)
{
    return vow_trace_state_is_valid(VOW_METADATA({ .name = "tracestate", .value = text }));
}

static void a_tracestate_is_allowed(void **state)
{
    static const struct text_case cases[] = {
        { "nothing", "" },
        { "one member", "rojo=00f067aa0ba902b7" },
        { "two members", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
        { "blanks around its commas", "a=1 , b=2\t,\tc=3 " },
        { "empty members", ",a=1,,b=2," },
        { "a key of all its characters", "a0_-*/@z=1" },
        { "a key that begins with a digit", "0tenant@vendor=1" },
        { "a key of 256 bytes", KEY_255 "k=1" },
        { "a value of 256 bytes", "k=" KEY_255 "v" },
        { "a value of all sorts of characters", "k=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x" },
        { "32 members", MEMBERS_32 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!state_is_valid(cases[i].text))
            fail_msg("%s: '%s' was taken for malformed", cases[i].name, cases[i].text);
    }
}

static void a_tracestate_is_malformed(void **state)
{
    static const struct text_case cases[] = {
        { "no value", "foo" },
        { "an empty value", "foo=" },
        { "an empty key", "=1" },
        { "a key in upper case", "FOO=1" },
        { "a key that begins with a sign", "@foo=1" },
        { "a key with a blank", "foo =1" },
        { "a key of 257 bytes", KEY_255 "kk=1" },
        { "a value of 257 bytes", "k=" KEY_255 "vv" },
        { "a value with an equals sign", "foo=bar=baz" },
        { "a value that is not ASCII", "foo=\xc3\xa9" },
        { "33 members", MEMBERS_32 ",z=1" },
        { "a good member before a bad one", "a=1,b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (state_is_valid(cases[i].text))
            fail_msg("%s: '%s' was allowed", cases[i].name, cases[i].text);
    }
}

static void entries_of_tracestate_are_one_list(void **state)
{
    (void)state;
    assert_true(vow_trace_state_is_valid(VOW_METADATA({ .name = "tracestate", .value = EIGHT_MEMBERS },
                                                      { .name = "other", .value = "=" },
                                                      { .name = "tracestate", .value = EIGHT_MEMBERS })));
    assert_false(vow_trace_state_is_valid(VOW_METADATA({ .name = "tracestate", .value = MEMBERS_32 },
                                                       { .name = "tracestate", .value = "z=1" })));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_is_read),
        cmocka_unit_test(a_traceparent_is_written_as_it_was_read),
        cmocka_unit_test(flags_that_nobody_has_defined_are_not_passed_on),
        cmocka_unit_test(a_later_version_is_read_as_far_as_this_one_goes),
        cmocka_unit_test(a_malformed_traceparent_is_none),
        cmocka_unit_test(two_traceparents_are_none),
        cmocka_unit_test(a_drawn_parent_id_is_sixteen_hex_digits_and_new_each_time),
        cmocka_unit_test(a_tracestate_is_allowed),
        cmocka_unit_test(a_tracestate_is_malformed),
        cmocka_unit_test(entries_of_tracestate_are_one_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
