/*
 * vow-load's templates and what becomes of them: placeholders, mistakes with their place, messages by
 * protobuf's rules.
 */
#include "tools/vow-load/requests.h"
#include "tools/vow-load/schema.h"
#include "tools/vow-load/template.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Request `index` of a template. Lives until the next but one. */
static const char *expand(const char *text, uint64_t seed, uint64_t index)
{
    static char  texts[2][4096];
    static int   turn;
    load_buffer  json = { NULL, 0, 0 };
    load_problem problem;
    load_template *template = load_template_parse(text, &problem);

    if (!template)
        fail_msg("%s", problem.text);
    load_template_expand(template, seed, index, &json);
    turn = !turn;
    snprintf(texts[turn], sizeof texts[turn], "%s", json.data);
    load_buffer_free(&json);
    load_template_free(template);
    return texts[turn];
}

static const char *problem_of(const char *text)
{
    static load_problem problem;

    assert_null(load_template_parse(text, &problem));
    return problem.text;
}

/* Placeholders */

static void a_text_without_placeholders_stays_as_it_is(void **state)
{
    load_problem problem;
    load_template *template = load_template_parse("{\"a\": \"b\"}", &problem);

    (void)state;
    assert_true(load_template_is_constant(template));
    load_template_free(template);
    assert_string_equal(expand("{\"a\": \"b\"}", 1, 7), "{\"a\": \"b\"}");
}

static void a_counter_counts_from_where_it_is_told(void **state)
{
    (void)state;
    assert_string_equal(expand("[{{counter}}]", 1, 0), "[0]");
    assert_string_equal(expand("[{{counter}}]", 1, 41), "[41]");
    assert_string_equal(expand("[{{counter 1000}}, {{ counter  -5  10 }}]", 1, 2), "[1002, 15]");
    assert_string_equal(expand("{\"name\": \"user-{{counter}}\"}", 1, 3), "{\"name\": \"user-3\"}");
}

static void random_numbers_reach_both_ends_and_nothing_beyond(void **state)
{
    bool seen[3] = { false };

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        long number = strtol(expand("{{random -1 1}}", 1, i), NULL, 10);

        assert_in_range(number + 1, 0, 2);
        seen[number + 1] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_string_equal(expand("{{random 5 5}}", 1, 0), "5");
    expand("{{random -9223372036854775808 9223372036854775807}}", 1, 0);
}

static void the_same_seed_and_number_make_the_same_request(void **state)
{
    const char *text = "[{{random 0 1000000}}, \"{{random_text 20}} {{uuid}} {{random_bytes 5}}\"]";

    (void)state;
    assert_string_equal(expand(text, 1, 5), expand(text, 1, 5));
    assert_string_not_equal(expand(text, 1, 5), expand(text, 1, 6));
    assert_string_not_equal(expand(text, 1, 5), expand(text, 2, 5));
}

/* Those that were drawn are part of what a seed promises: changing them would change other people's runs. */
static void a_seed_makes_what_it_has_always_made(void **state)
{
    (void)state;
    assert_string_equal(expand("[{{random 1 100}}, \"{{random_text 8}}\"]", 1, 0), "[70, \"8AXw0Zrj\"]");
}

static void random_texts_have_their_length_and_form(void **state)
{
    const char *uuid;

    (void)state;
    assert_int_equal(strlen(expand("\"{{random_text 32}}\"", 1, 0)), 34);
    assert_string_equal(expand("\"{{random_text 0}}\"", 1, 0), "\"\"");
    assert_int_equal(strlen(expand("\"{{random_bytes 3}}\"", 1, 0)), 2 + 4);
    assert_string_equal(expand("\"{{random_bytes 1}}\"", 1, 0) + 3, "==\"");
    assert_string_equal(expand("\"{{random_bytes 2}}\"", 1, 0) + 4, "=\"");
    uuid = expand("\"{{uuid}}\"", 1, 0);
    assert_int_equal(strlen(uuid), 38);
    assert_int_equal(uuid[15], '4');
    assert_non_null(strchr("89ab", uuid[20]));
}

static void one_of_the_words_is_picked(void **state)
{
    size_t tea = 0, milk = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        const char *word = expand("\"{{pick tea milk}}\"", 1, i);

        tea += strcmp(word, "\"tea\"") == 0;
        milk += strcmp(word, "\"milk\"") == 0;
    }
    assert_int_equal(tea + milk, 1000);
    assert_in_range(tea, 400, 600);
}

static void quotes_are_told_from_escaped_ones(void **state)
{
    (void)state;
    assert_string_equal(expand("{\"a\\\"\": \"\\\\\", \"b\": \"{{pick x}}\"}", 1, 0),
                        "{\"a\\\"\": \"\\\\\", \"b\": \"x\"}");
}

/* Mistakes */

static void a_mistake_is_told_with_line_and_column(void **state)
{
    (void)state;
    assert_string_equal(problem_of("{\"a\": {{counter}"),
                        "the template, line 1, column 7: this {{ is not closed by }}");
    assert_string_equal(
        problem_of("{\n  \"ä\": \"{{nothing}}\"}"),
        "the template, line 2, column 9: {{nothing}} is none of counter, random, random_text, "
        "random_bytes, uuid and pick");
    assert_string_equal(problem_of("{\"a\": {{uuid}}}"),
                        "the template, line 1, column 7: {{uuid}} makes text, which stands in quotes");
    assert_string_equal(problem_of("{\"a\": {{random 1}}}"),
                        "the template, line 1, column 7: {{random}} is used as {{random LOW HIGH}}");
    assert_string_equal(problem_of("{\"a\": {{random 2 1}}}"),
                        "the template, line 1, column 7: {{random LOW HIGH}}: 2 is above 1");
    assert_string_equal(problem_of("{\"a\": {{random 1 x}}}"),
                        "the template, line 1, column 7: {{random LOW HIGH}} takes whole numbers");
    assert_string_equal(problem_of("{\"a\": \"{{random_text 1048577}}\"}"),
                        "the template, line 1, column 8: {{random_text COUNT}} takes a number up to 1048576");
    assert_string_equal(problem_of("{\"a\": {{ }}}"), "the template, line 1, column 7: {{}} is empty");
}

/* A placeholder has its own length in the error's place, whatever it will be filled with. */
static void broken_json_is_told_where_it_breaks(void **state)
{
    (void)state;
    assert_string_equal(problem_of("{\"a\": {{counter 100000}}\n \"b\" 5}"),
                        "the template, line 2, column 4: '}' expected near '\"b\"'");
    assert_string_equal(problem_of("{\"a\": 1, \"a\": 2}"),
                        "the template, line 1, column 12: duplicate object key near '\"a\"'");
}

static void as_many_placeholders_as_there_may_be_are_enough(void **state)
{
    char text[LOAD_PLACEHOLDERS_MAX * 20 + 100] = "[0";

    (void)state;
    for (int i = 0; i < LOAD_PLACEHOLDERS_MAX; i++)
        strcat(text, ",{{counter}}");
    strcat(text, "]");
    expand(text, 1, 0);
    text[strlen(text) - 1] = '\0';
    strcat(text, ",{{counter}}]");
    assert_non_null(strstr(problem_of(text), "there are more than 100 placeholders"));
}

/* Messages */

static load_schema *schema_of(const char *file, const char *text, char folder[32], load_problem *problem)
{
    char         path[100];
    load_schema *schema;
    FILE        *out;

    strcpy(folder, "/tmp/vow-load-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", folder, file);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    schema = load_schema_of_proto(path, (const char *const[]){ NULL }, problem);
    remove(path);
    remove(folder);
    return schema;
}

static const char shop[] =
    "syntax = \"proto3\";\n"
    "package shop;\n"
    "import \"google/protobuf/duration.proto\";\n"
    "message Item { string name = 1; int32 count = 2; bytes seal = 3; }\n"
    "message Order { repeated Item items = 1; int64 number = 2; Kind kind = 3;\n"
    "  google.protobuf.Duration wait = 4; map<string, Item> gifts = 5; }\n"
    "enum Kind { SMALL = 0; LARGE = 1; }\n"
    "service Till { rpc Pay(Order) returns (Item); rpc Watch(Order) returns (stream Item); }\n";

struct till {
    load_schema *schema;
    load_method  pay;
};

static int open_till(void **state)
{
    static struct till till;
    char               folder[32];
    load_problem       problem;

    till.schema = schema_of("shop.proto", shop, folder, &problem);
    if (!till.schema || !load_schema_find(till.schema, "shop.Till/Pay", &till.pay, &problem))
        fail_msg("%s", problem.text);
    *state = &till;
    return 0;
}

static int close_till(void **state)
{
    load_schema_free(((struct till *)*state)->schema);
    return 0;
}

static void assert_message(const struct till *till, const char *json, uint64_t index, const char *bytes,
                           size_t size)
{
    load_requests      requests;
    load_request       scratch = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    load_problem       problem;
    const load_buffer *message;

    if (!load_requests_of_json(&requests, json, &till->pay, 1, &problem))
        fail_msg("%s", problem.text);
    message = load_requests_get(&requests, index, &scratch, &problem);
    assert_non_null(message);
    assert_int_equal(message->size, size);
    assert_memory_equal(message->data, bytes, size);
    load_request_done(&scratch);
    load_requests_done(&requests);
}

static const char *fault_of(const struct till *till, const char *json)
{
    static load_problem problem;
    load_requests       requests;

    assert_false(load_requests_of_json(&requests, json, &till->pay, 1, &problem));
    return problem.text;
}

static void json_becomes_the_message_that_it_describes(void **state)
{
    assert_message(*state, "{\"number\": {{counter 5}}, \"kind\": \"LARGE\", \"wait\": \"1.5s\"}", 2,
                   "\x10\x07\x18\x01\x22\x08\x08\x01\x10\x80\xca\xb5\xee\x01", 14);
    assert_message(*state, "{\"items\": [{\"name\": \"a{{counter}}\", \"seal\": \"AAE=\"}]}", 7,
                   "\x0a\x08\x0a\x02"
                   "a7\x1a\x02\x00\x01",
                   10);
    assert_message(*state, "{}", 0, "", 0);
}

static void a_field_that_the_message_lacks_is_told_with_its_place(void **state)
{
    assert_string_equal(
        fault_of(*state, "{\n  \"number\": 1,\n  \"color\": {{counter}}}"),
        "the template, line 3, column 3: shop.Order has no field \"color\"; it has: items, number, kind, "
        "wait, gifts");
    assert_string_equal(
        fault_of(*state, "{\"items\": [{\"nme\": 1}]}"),
        "the template, line 1, column 13: shop.Item has no field \"nme\"; it has: name, count, seal");
    assert_string_equal(
        fault_of(*state, "{\"gifts\": {\"x\": {\"nme\": 1}}}"),
        "the template, line 1, column 18: shop.Item has no field \"nme\"; it has: name, count, seal");
}

static void a_value_that_does_not_fit_its_field_is_told(void **state)
{
    assert_non_null(
        strstr(fault_of(*state, "{\"items\": [{\"count\": 3000000000}]}"),
               "the template makes no shop.Order in request 0: (items[0].count): invalid value 3000000000"));
    assert_non_null(strstr(fault_of(*state, "{\"kind\": \"HUGE\"}"), "(kind): invalid value \"HUGE\""));
}

/* The first request is good, a later one is not: it is told when it comes. */
static void a_request_that_fails_later_fails_then(void **state)
{
    const struct till *till = *state;
    load_requests      requests;
    load_request       scratch = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    load_problem       problem;

    assert_true(load_requests_of_json(&requests, "{\"items\": [{\"count\": {{counter 2147483647}}}]}",
                                      &till->pay, 1, &problem));
    assert_non_null(load_requests_get(&requests, 0, &scratch, &problem));
    assert_null(load_requests_get(&requests, 1, &scratch, &problem));
    assert_non_null(strstr(problem.text, "in request 1: "));
    load_request_done(&scratch);
    load_requests_done(&requests);
}

static void a_method_that_is_not_there_is_told_with_those_that_are(void **state)
{
    const struct till *till = *state;
    load_method        method;
    load_problem       problem;

    assert_false(load_schema_find(till->schema, "shop.Till/Pray", &method, &problem));
    assert_string_equal(problem.text, "shop.Till has no method Pray; it has: Pay, Watch");
    assert_false(load_schema_find(till->schema, "shop.Tills/Pay", &method, &problem));
    assert_string_equal(problem.text, "there is no service shop.Tills; there is: shop.Till");
    assert_true(load_schema_find(till->schema, "shop.Till/Watch", &method, &problem));
    assert_true(method.server_streams && !method.client_streams);
}

static void a_schema_that_does_not_parse_is_told_with_its_place(void **state)
{
    char         folder[32];
    load_problem problem;

    (void)state;
    assert_null(
        schema_of("bad.proto", "syntax = \"proto3\";\nmessage A { sting x = 1; }\n", folder, &problem));
    if (!strstr(problem.text, "bad.proto:2:13: \"sting\" is not defined."))
        fail_msg("%s", problem.text);
    assert_null(schema_of("bad.proto", "import \"nowhere.proto\";\n", folder, &problem));
    assert_non_null(strstr(problem.text, "nowhere.proto"));
    assert_null(load_schema_of_proto("/nowhere/at.proto", (const char *const[]){ NULL }, &problem));
    assert_string_equal(problem.text, "cannot read /nowhere/at.proto: No such file or directory");
    assert_null(load_schema_of_set("/dev/null", &problem));
    assert_string_equal(problem.text,
                        "/dev/null is no FileDescriptorSet; protoc --descriptor_set_out makes one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_without_placeholders_stays_as_it_is),
        cmocka_unit_test(a_counter_counts_from_where_it_is_told),
        cmocka_unit_test(random_numbers_reach_both_ends_and_nothing_beyond),
        cmocka_unit_test(the_same_seed_and_number_make_the_same_request),
        cmocka_unit_test(a_seed_makes_what_it_has_always_made),
        cmocka_unit_test(random_texts_have_their_length_and_form),
        cmocka_unit_test(one_of_the_words_is_picked),
        cmocka_unit_test(quotes_are_told_from_escaped_ones),
        cmocka_unit_test(a_mistake_is_told_with_line_and_column),
        cmocka_unit_test(broken_json_is_told_where_it_breaks),
        cmocka_unit_test(as_many_placeholders_as_there_may_be_are_enough),
        cmocka_unit_test_setup_teardown(json_becomes_the_message_that_it_describes, open_till, close_till),
        cmocka_unit_test_setup_teardown(a_field_that_the_message_lacks_is_told_with_its_place, open_till,
                                        close_till),
        cmocka_unit_test_setup_teardown(a_value_that_does_not_fit_its_field_is_told, open_till, close_till),
        cmocka_unit_test_setup_teardown(a_request_that_fails_later_fails_then, open_till, close_till),
        cmocka_unit_test_setup_teardown(a_method_that_is_not_there_is_told_with_those_that_are, open_till,
                                        close_till),
        cmocka_unit_test(a_schema_that_does_not_parse_is_told_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
