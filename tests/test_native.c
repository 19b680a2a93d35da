/* What a channel says to a server: which method it means, and how much metadata. */
#include "runtime/protocol/metadata.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A proxy's methods live in memory that is used again. */
static void a_method_whose_memory_is_used_again_is_called_by_its_new_name(void **state)
{
    world      *world = *state;
    char        name[32];
    vow_method  method = calls_calls_echo_method;
    Calls__Text request = CALLS__TEXT__INIT;

    method.name = name;
    request.text = (char *)"text";
    for (int i = 0; i < 3; i++) {
        strcpy(name, "calls.Calls/Echo");
        assert_int_equal(world_settle(world, vow_call_unary(world->channel, &method, &request.base, NULL)), VOW_OK);
        strcpy(name, "calls.Calls/Fail");
        assert_string_equal(world_error(world, vow_call_unary(world->channel, &method, &request.base, NULL)),
                            "INVALID_ARGUMENT: text");
    }
}

static void methods_beyond_the_last_number_are_called_by_name(void **state)
{
    world      *world = *state;
    char        name[32];
    vow_method  method = calls_calls_echo_method;
    Calls__Text request = CALLS__TEXT__INIT;

    method.name = name;
    for (int i = 0; i < 4200; i++) {
        snprintf(name, sizeof name, "calls.Calls/No%d", i);
        assert_int_equal(world_settle(world, vow_call_unary(world->channel, &method, &request.base, NULL)),
                         VOW_UNIMPLEMENTED);
    }
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
}

static void metadata_of_a_hundred_entries_is_sent_and_of_one_more_is_not(void **state)
{
    world       *world = *state;
    vow_metadata metadata[VOW_MAX_METADATA_COUNT + 2] = { { NULL, NULL, 0 } };

    for (size_t i = 0; i < VOW_MAX_METADATA_COUNT; i++)
        metadata[i] = (vow_metadata){ "name", "value", 0 };
    assert_int_equal(world_settle(world, world_echo(world, "", VOW_CALL(.metadata = metadata))), VOW_OK);
    metadata[VOW_MAX_METADATA_COUNT] = metadata[0];
    assert_string_equal(world_error(world, world_echo(world, "", VOW_CALL(.metadata = metadata))),
                        "RESOURCE_EXHAUSTED: metadata has 101 entries; 100 are allowed");
}

static void metadata_of_16_kib_is_sent_and_of_a_byte_more_is_not(void **state)
{
    static char value[VOW_MAX_METADATA_SIZE];
    world      *world = *state;
    size_t      most = VOW_MAX_METADATA_SIZE - VOW_METADATA_ENTRY_CHARGE - 4;
    vow_metadata metadata[] = { { "name", value, most }, { NULL, NULL, 0 } };

    memset(value, 'v', sizeof value);
    assert_int_equal(world_settle(world, world_echo(world, "", VOW_CALL(.metadata = metadata))), VOW_OK);
    metadata[0].value_size++;
    assert_string_equal(world_error(world, world_echo(world, "", VOW_CALL(.metadata = metadata))),
                        "RESOURCE_EXHAUSTED: metadata counts 16385 bytes, 32 for each entry included; 16384 are "
                        "allowed");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open_simulated, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_method_whose_memory_is_used_again_is_called_by_its_new_name),
        IN_WORLD(methods_beyond_the_last_number_are_called_by_name),
        IN_WORLD(metadata_of_a_hundred_entries_is_sent_and_of_one_more_is_not),
        IN_WORLD(metadata_of_16_kib_is_sent_and_of_a_byte_more_is_not),
    };

    return cmocka_run_group_tests_name("native", tests, NULL, NULL);
}
