/*
 * What reflection finds in .proto files with all that they may declare. How it answers at all is in test_health.c.
 */
#include "tests/support/world.h"

#include <vow/grpc/file.pb-c.h>
#include <vow/grpc/reflection.vow.h>
#include <vow/reflection.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

typedef Vow__Grpc__ServerReflectionRequest  question;
typedef Vow__Grpc__ServerReflectionResponse answer;

/* Two files, packed as a generated method has them:
 *
 *     a.proto  package shop; message Cart { message Item { enum Kind; oneof price { int32 cents; } extend Cart; } }
 *              enum Color; service Till { rpc Ring } extend Cart
 *     b.proto  message Plain
 */
typedef struct files {
    uint8_t      bytes[1000];
    vow_file_set set;
} files;

static Vow__Grpc__Named named(const char *name)
{
    Vow__Grpc__Named made = VOW__GRPC__NAMED__INIT;

    made.name = (char *)(uintptr_t)name;
    return made;
}

static Vow__Grpc__Extension extension(const char *name, const char *extendee, int32_t number)
{
    Vow__Grpc__Extension made = VOW__GRPC__EXTENSION__INIT;

    made.name = (char *)(uintptr_t)name;
    made.extendee = (char *)(uintptr_t)extendee;
    made.has_number = 1;
    made.number = number;
    return made;
}

static ProtobufCBinaryData pack(const Vow__Grpc__File *file, uint8_t *bytes)
{
    return (ProtobufCBinaryData){ vow__grpc__file__pack(file, bytes), bytes };
}

static void files_make(files *files)
{
    uint8_t              first[500];
    uint8_t              second[100];
    Vow__Grpc__Named     kind = named("Kind"), price = named("price"), cents = named("cents");
    Vow__Grpc__Named     color = named("Color"), ring = named("Ring");
    Vow__Grpc__Extension outer = extension("gift", ".shop.Cart", 100);
    Vow__Grpc__Extension inner = extension("note", ".shop.Cart", 101);
    Vow__Grpc__Type      item = VOW__GRPC__TYPE__INIT, cart = VOW__GRPC__TYPE__INIT, plain = VOW__GRPC__TYPE__INIT;
    Vow__Grpc__Service   till = VOW__GRPC__SERVICE__INIT;
    Vow__Grpc__File      a = VOW__GRPC__FILE__INIT, b = VOW__GRPC__FILE__INIT;
    Vow__Grpc__FileSet   set = VOW__GRPC__FILE_SET__INIT;
    ProtobufCBinaryData  packed[2];

    item.name = (char *)"Item";
    item.n_enum_type = item.n_oneof_decl = item.n_field = item.n_extension = 1;
    item.enum_type = (Vow__Grpc__Named *[]){ &kind };
    item.oneof_decl = (Vow__Grpc__Named *[]){ &price };
    item.field = (Vow__Grpc__Named *[]){ &cents };
    item.extension = (Vow__Grpc__Extension *[]){ &inner };
    cart.name = (char *)"Cart";
    cart.n_nested_type = 1;
    cart.nested_type = (Vow__Grpc__Type *[]){ &item };
    till.name = (char *)"Till";
    till.n_method = 1;
    till.method = (Vow__Grpc__Named *[]){ &ring };
    a.name = (char *)"a.proto";
    a.package = (char *)"shop";
    a.n_message_type = a.n_enum_type = a.n_service = a.n_extension = 1;
    a.message_type = (Vow__Grpc__Type *[]){ &cart };
    a.enum_type = (Vow__Grpc__Named *[]){ &color };
    a.service = (Vow__Grpc__Service *[]){ &till };
    a.extension = (Vow__Grpc__Extension *[]){ &outer };
    plain.name = (char *)"Plain";
    b.name = (char *)"b.proto";
    b.n_message_type = 1;
    b.message_type = (Vow__Grpc__Type *[]){ &plain };
    packed[0] = pack(&a, first);
    packed[1] = pack(&b, second);
    set.n_file = 2;
    set.file = packed;
    assert_true(vow__grpc__file_set__get_packed_size(&set) <= sizeof files->bytes);
    files->set = (vow_file_set){ .data = files->bytes, .data_size = vow__grpc__file_set__pack(&set, files->bytes) };
}

/* A server with these files, and others */

typedef struct scene {
    world     *world;
    files      files;
    vow_method ring;
    vow_call  *call;
} scene;

static void serve_nothing(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_fail(call, VOW_UNIMPLEMENTED, "nobody calls it");
}

static int open_scene(void **state)
{
    static scene scene;
    vow_handler  handler = { .size = sizeof handler, .method = &scene.ring, .serve = serve_nothing };

    scene.world = world_new(WORLD_SIMULATED);
    files_make(&scene.files);
    scene.ring = calls_calls_echo_method;
    scene.ring.name = "shop.Till/Ring";
    scene.ring.files = &scene.files.set;
    vow_server_handle(scene.world->server, &handler);
    vow_reflection_serve(scene.world->server);
    scene.call = vow_call_start(scene.world->channel, &vow__grpc_server_reflection_server_reflection_info_method, NULL);
    *state = &scene;
    return 0;
}

static int close_scene(void **state)
{
    scene *scene = *state;

    vow_call_drop(scene->call);
    world_free(scene->world);
    return 0;
}

/* Gives the answer in words: what was found, or the failure. */
static const char *ask(scene *scene, const question *question)
{
    static char   text[200];
    vow_future   *message;
    const answer *answer;
    size_t        end = 0;

    vow_call_send(scene->call, &question->base);
    message = vow_call_next(scene->call);
    assert_int_equal(vow_wait(message), VOW_OK);
    answer = vow_future_value(message);
    assert_string_equal(answer->valid_host, question->host);
    if (answer->message_response_case == VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE) {
        snprintf(text, sizeof text, "%s: %s", vow_code_name((vow_code)answer->error_response->error_code),
                 answer->error_response->error_message);
    } else if (answer->message_response_case ==
               VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE) {
        const ProtobufCBinaryData *data = answer->file_descriptor_response->file_descriptor_proto;
        Vow__Grpc__File           *file = vow__grpc__file__unpack(NULL, data->len, data->data);

        snprintf(text, sizeof text, "%s", file->name);
        vow__grpc__file__free_unpacked(file, NULL);
    } else {
        const Vow__Grpc__ExtensionNumberResponse *numbers = answer->all_extension_numbers_response;

        end = (size_t)snprintf(text, sizeof text, "%s:", numbers->base_type_name);
        for (size_t i = 0; i < numbers->n_extension_number; i++)
            end += (size_t)snprintf(text + end, sizeof text - end, " %d", numbers->extension_number[i]);
    }
    vow_drop(message);
    return text;
}

static const char *file_of_symbol(scene *scene, const char *symbol)
{
    question question = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;

    question.host = (char *)"shop.example";
    question.message_request_case =
        VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    question.file_containing_symbol = (char *)(uintptr_t)symbol;
    return ask(scene, &question);
}

static const char *file_of_extension(scene *scene, const char *type, int32_t number)
{
    question                     question = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;
    Vow__Grpc__ExtensionRequest  extension = VOW__GRPC__EXTENSION_REQUEST__INIT;

    extension.containing_type = (char *)(uintptr_t)type;
    extension.extension_number = number;
    question.message_request_case =
        VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION;
    question.file_containing_extension = &extension;
    return ask(scene, &question);
}

static const char *numbers_of(scene *scene, const char *type)
{
    question question = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;

    question.message_request_case =
        VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE;
    question.all_extension_numbers_of_type = (char *)(uintptr_t)type;
    return ask(scene, &question);
}

#define NOT_FOUND "NOT_FOUND: no .proto file of this server has that"

static void every_kind_of_symbol_leads_to_its_file(void **state)
{
    static const char *const here[] = { "shop.Cart",           "shop.Cart.Item",       "shop.Cart.Item.Kind",
                                        "shop.Cart.Item.price", "shop.Cart.Item.cents", "shop.Cart.Item.note",
                                        "shop.Color",           "shop.Till",            "shop.Till.Ring",
                                        "shop.gift" };
    static const char *const nowhere[] = { "",          "shop",           "Cart",          "shop.Cart.",   "shop.Car",
                                           "shop.Item", "shop.Till.Rin", "shop.Cart.Kind", "other.Cart", "b.Plain" };

    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
        assert_string_equal(file_of_symbol(*state, here[i]), "a.proto");
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
        assert_string_equal(file_of_symbol(*state, nowhere[i]), NOT_FOUND);
    assert_string_equal(file_of_symbol(*state, "Plain"), "b.proto"); /* of a file without a package */
    assert_string_equal(file_of_symbol(*state, "calls.Text"), "calls.proto"); /* of another service */
}

static void an_extension_is_found_by_type_and_number_also_inside_a_type(void **state)
{
    assert_string_equal(file_of_extension(*state, "shop.Cart", 100), "a.proto");
    assert_string_equal(file_of_extension(*state, "shop.Cart", 101), "a.proto");
    assert_string_equal(file_of_extension(*state, "shop.Cart", 102), NOT_FOUND);
    assert_string_equal(file_of_extension(*state, "shop.Color", 100), NOT_FOUND);
}

static void a_types_extensions_are_listed(void **state)
{
    assert_string_equal(numbers_of(*state, "shop.Cart"), "shop.Cart: 100 101");
    assert_string_equal(numbers_of(*state, "Plain"), "Plain:");
    assert_string_equal(numbers_of(*state, "shop.Nobody"),
                        "NOT_FOUND: no .proto file of this server declares that type");
}

static void files_that_methods_share_are_listed_once(void **state)
{
    scene      *scene = *state;
    vow_method  again = scene->ring;
    vow_handler handler = { .size = sizeof handler, .method = &again, .serve = serve_nothing };

    again.name = "zoo.Gate/Open";
    vow_server_handle(scene->world->server, &handler);
    assert_string_equal(numbers_of(scene, "shop.Cart"), "shop.Cart: 100 101");
}

static void a_file_is_found_by_its_whole_name(void **state)
{
    question question = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;

    question.message_request_case = VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
    question.file_by_filename = (char *)"b.proto";
    assert_string_equal(ask(*state, &question), "b.proto");
    question.file_by_filename = (char *)"b.prot";
    assert_string_equal(ask(*state, &question), NOT_FOUND);
}

static void a_question_of_no_known_kind_is_answered_so(void **state)
{
    question question = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;

    assert_string_equal(ask(*state, &question), "INVALID_ARGUMENT: the request asks nothing that is known here");
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(every_kind_of_symbol_leads_to_its_file),
        IN_SCENE(an_extension_is_found_by_type_and_number_also_inside_a_type),
        IN_SCENE(a_types_extensions_are_listed),
        IN_SCENE(files_that_methods_share_are_listed_once),
        IN_SCENE(a_file_is_found_by_its_whole_name),
        IN_SCENE(a_question_of_no_known_kind_is_answered_so),
    };

    return cmocka_run_group_tests_name("reflection", tests, NULL, NULL);
}
