#include "runtime/base/rule.h"
#include "runtime/base/status.h"
#include "tests/support/failing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

static int count_memory(void **state)
{
    (void)state;
    failing_install(SIZE_MAX, false);
    return 0;
}

static int no_memory_is_left(void **state)
{
    (void)state;
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return 0;
}

/* Status. */

static void a_status_names_its_code_and_says_its_message(void **state)
{
    vow_status status = vow_status_make(VOW_NOT_FOUND, "no city called %s", "Atlantis");
    vow_status ok = VOW_STATUS_OK;

    (void)state;
    assert_string_equal(vow_status_text(&status), "NOT_FOUND: no city called Atlantis");
    assert_string_equal(vow_status_message(&status), "no city called Atlantis");
    assert_string_equal(vow_status_text(&ok), "OK");
    assert_string_equal(vow_status_message(&ok), "");
    vow_status_done(&status);
    vow_status_done(&status);
    assert_int_equal(status.code, VOW_OK);
}

static void a_shared_status_lives_as_long_as_the_last_who_has_it(void **state)
{
    vow_status status = vow_status_make(VOW_ABORTED, "no");
    vow_status shared = vow_status_share(&status);
    vow_status constant = vow_status_cancelled();
    vow_status shared_constant = vow_status_share(&constant);

    (void)state;
    assert_int_equal(failing_outstanding(), 1);
    vow_status_done(&status);
    assert_string_equal(vow_status_text(&shared), "ABORTED: no");
    vow_status_done(&shared);
    vow_status_done(&constant);
    assert_string_equal(vow_status_text(&shared_constant), "CANCELLED: cancelled");
    vow_status_done(&shared_constant);
}

static void a_failure_has_a_code_of_a_failure(void **state)
{
    static const int codes[] = { VOW_OK, 17, -1, 1000000 };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        vow_status made = vow_status_make((vow_code)codes[i], "odd");
        vow_status copied = vow_status_copy_text((vow_code)codes[i], "odd", 3);

        assert_string_equal(vow_status_text(&made), "UNKNOWN: odd");
        assert_string_equal(vow_status_text(&copied), "UNKNOWN: odd");
        vow_status_done(&made);
        vow_status_done(&copied);
        assert_string_equal(vow_code_name((vow_code)codes[i]), codes[i] ? "UNKNOWN" : "OK");
    }
    assert_string_equal(vow_code_name(VOW_UNAUTHENTICATED), "UNAUTHENTICATED");
}

static void a_message_is_cut_at_its_bound(void **state)
{
    static char long_text[VOW_STATUS_MESSAGE_MAX + 2];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t size = VOW_STATUS_MESSAGE_MAX - 1; size <= VOW_STATUS_MESSAGE_MAX + 1; size++) {
        size_t     kept = size < VOW_STATUS_MESSAGE_MAX ? size : VOW_STATUS_MESSAGE_MAX;
        vow_status made = vow_status_make(VOW_INTERNAL, "%.*s", (int)size, long_text);
        vow_status copied = vow_status_copy_text(VOW_INTERNAL, long_text, size);

        assert_int_equal(strlen(vow_status_message(&made)), kept);
        assert_int_equal(strlen(vow_status_message(&copied)), kept);
        vow_status_done(&made);
        vow_status_done(&copied);
    }
}

static void a_message_is_cut_between_characters(void **state)
{
    static const char character[] = "\xf0\x9f\x98\x80";
    char              text[VOW_STATUS_MESSAGE_MAX + 8];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        size_t     kept = VOW_STATUS_MESSAGE_MAX - (4 - shift) % 4;
        vow_status made, copied;

        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, character, 5);
        made = vow_status_make(VOW_INTERNAL, "%s", text);
        copied = vow_status_copy_text(VOW_INTERNAL, text, strlen(text));
        assert_int_equal(strlen(vow_status_message(&made)), kept);
        assert_memory_equal(vow_status_message(&made), text, kept);
        assert_string_equal(vow_status_message(&copied), vow_status_message(&made));
        vow_status_done(&made);
        vow_status_done(&copied);
    }
}

static void what_is_not_utf8_becomes_question_marks(void **state)
{
    vow_status made = vow_status_make(VOW_INTERNAL, "caf\xe9 %s", "\xed\xa0\x80 \xc3\xa9 \xc3");
    vow_status copied = vow_status_copy_text(VOW_INTERNAL, "\xff\xfe.", 3);

    (void)state;
    assert_string_equal(vow_status_message(&made), "caf? ??? \xc3\xa9 ?");
    assert_string_equal(vow_status_message(&copied), "??.");
    vow_status_done(&made);
    vow_status_done(&copied);
}

static void text_from_elsewhere_cannot_write_lines_of_its_own_into_a_log(void **state)
{
    vow_status status = vow_status_copy_text(VOW_INTERNAL, "a\nb\0c\x7f\x1b[2J", 10);

    (void)state;
    assert_string_equal(vow_status_text(&status), "INTERNAL: a\\nb c\\x7f\\x1b[2J");
    vow_status_done(&status);
    status = vow_status_make(VOW_INTERNAL, "%s", "\t\r.");
    assert_string_equal(vow_status_text(&status), "INTERNAL: \\t\\r.");
    vow_status_done(&status);
}

static void a_message_is_passed_on_with_its_control_characters(void **state)
{
    const char *message = "\t\ntest with whitespace\r\nand Unicode \xe2\x98\xba \xf0\x9f\x98\x88\t\n";
    vow_status  made = vow_status_make(VOW_UNKNOWN, "%s", message);
    vow_status  copied = vow_status_copy_text(VOW_UNKNOWN, message, strlen(message));

    (void)state;
    assert_string_equal(vow_status_message(&made), message);
    assert_string_equal(vow_status_message(&copied), message);
    vow_status_done(&made);
    vow_status_done(&copied);
}

static void without_memory_for_escapes_control_characters_become_spaces(void **state)
{
    vow_status status;

    (void)state;
    failing_fail_at(1, false);
    status = vow_status_make(VOW_INTERNAL, "a\nb");
    assert_true(failing_has_failed());
    assert_string_equal(vow_status_text(&status), "INTERNAL: a b");
    assert_string_equal(vow_status_message(&status), "a b");
    vow_status_done(&status);
}

static void a_status_without_memory_keeps_its_code(void **state)
{
    (void)state;
    failing_all_from_now();
    for (int code = VOW_CANCELLED; code <= VOW_UNAUTHENTICATED; code++) {
        vow_status status = vow_status_make((vow_code)code, "lost");

        assert_int_equal(status.code, code);
        assert_string_equal(vow_status_message(&status), "no memory for the message of this failure");
        assert_memory_equal(vow_status_text(&status), vow_code_name((vow_code)code),
                            strlen(vow_code_name((vow_code)code)));
        vow_status_done(&status);
    }
}

static void an_error_that_nobody_wants_is_only_its_code(void **state)
{
    vow_error error;
    char      long_text[400];

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(vow_error_set(NULL, VOW_ABORTED, "no"), VOW_ABORTED);
    assert_int_equal(vow_error_set(&error, VOW_ABORTED, "%.*s", 400, long_text), VOW_ABORTED);
    assert_int_equal(error.code, VOW_ABORTED);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

/* Reports. */

static void keep_report(const char *text, void *arg)
{
    strncpy(arg, text, 99);
}

static void reports_go_where_the_program_wants_them(void **state)
{
    char said[100] = "";

    (void)state;
    vow_report_set(keep_report, said);
    vow_report("%d handlers", 3);
    assert_string_equal(said, "3 handlers");
    vow_report_set(NULL, NULL);
    vow_report("nobody listens");
    assert_string_equal(said, "3 handlers");
}

static void a_place_is_named_by_its_function_or_its_file(void **state)
{
    char text[256];

    (void)state;
    vow_place_name((const void *)(uintptr_t)strlen, text, sizeof text);
    assert_non_null(strchr(text, '/'));
    assert_non_null(strstr(text, "+0x"));
    vow_place_name(NULL, text, sizeof text);
    assert_true(strlen(text) > 0);
    vow_place_name((const void *)(uintptr_t)strlen, text, 5);
    assert_true(strlen(text) == 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_memory, no_memory_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_status_names_its_code_and_says_its_message),
        TEST(a_shared_status_lives_as_long_as_the_last_who_has_it),
        TEST(a_failure_has_a_code_of_a_failure),
        TEST(a_message_is_cut_at_its_bound),
        TEST(a_message_is_cut_between_characters),
        TEST(what_is_not_utf8_becomes_question_marks),
        TEST(text_from_elsewhere_cannot_write_lines_of_its_own_into_a_log),
        TEST(a_message_is_passed_on_with_its_control_characters),
        TEST(without_memory_for_escapes_control_characters_become_spaces),
        TEST(a_status_without_memory_keeps_its_code),
        TEST(an_error_that_nobody_wants_is_only_its_code),
        TEST(reports_go_where_the_program_wants_them),
        TEST(a_place_is_named_by_its_function_or_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
