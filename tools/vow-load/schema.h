/*
 * What a method's messages look like, and how JSON becomes such a message.
 *
 * The idea: libprotobuf, which knows the rules of protobuf's JSON, stands behind this header of plain C. A
 * schema is made of .proto files, of a FileDescriptorSet (protoc --descriptor_set_out), or of the files that
 * a server's reflection gives, added one by one in any order.
 *
 * Once it is complete, several threads may encode with it.
 */
#ifndef VOW_LOAD_SCHEMA_H
#define VOW_LOAD_SCHEMA_H

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/problem.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct load_schema load_schema;

/* One method, which lives as long as its schema. */
typedef struct load_method {
    const load_schema *schema;
    const char        *request; /* the type's full name */
    const char        *reply;
    bool               client_streams;
    bool               server_streams;
} load_method;

/* An empty one, to be filled with load_schema_add. */
load_schema *load_schema_new(void);
void         load_schema_free(load_schema *schema);

/* Gives the schema (load_schema_free); NULL: `problem` says what is wrong and where. `folders` ends with a
 * NULL. */
load_schema *load_schema_of_proto(const char *file, const char *const *folders, load_problem *problem);
load_schema *load_schema_of_set(const char *file, load_problem *problem);

/* Adds a packed google.protobuf.FileDescriptorProto; one whose name is known already changes nothing. */
bool load_schema_add(load_schema *schema, const void *data, size_t size, load_problem *problem);

/* The name of a file that one which was added imports and that is not there yet; NULL: none is missing. Lent
 * until the next call. */
const char *load_schema_missing(load_schema *schema);

/* Finds "package.Service/Method". False: `problem` says what there is instead. */
bool load_schema_find(load_schema *schema, const char *method, load_method *found, load_problem *problem);

/*
 * Puts the message that `json` describes in place of what is in `message`. False: `problem` says which field
 * is wrong, and `field` (of `field_size` bytes) has its name where it is one that the message lacks, else "".
 */
bool load_method_encode(const load_method *method, const char *json, load_buffer *message, char *field,
                        size_t field_size, load_problem *problem);

#ifdef __cplusplus
}
#endif
#endif
