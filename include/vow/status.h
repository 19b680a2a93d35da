/*
 * Status: the one vocabulary of errors, and the macros that all other headers need.
 *
 * The idea: every outcome is one of the seventeen canonical codes of gRPC, with a message for a
 * person. A function that fails on the spot returns the code and fills a vow_error; what fails
 * later is a future that carries both.
 */
#ifndef VOW_STATUS_H
#define VOW_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VOW_API __attribute__((visibility("default")))
#define VOW_MUST_USE __attribute__((warn_unused_result)) /* on all that gives a handle */
#define VOW_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define VOW_API
#define VOW_MUST_USE
#define VOW_PRINTF(at, first)
#endif

/* The address of an options struct that lives as long as the statement (C: as the block). */
#ifdef __cplusplus
#define VOW_OPTIONS(type, ...) (&static_cast<const type &>(type{ .size = sizeof(type), __VA_ARGS__ }))
extern "C" {
#else
#define VOW_OPTIONS(type, ...) (&(const type){ .size = sizeof(type), __VA_ARGS__ })
#endif

/**
 * How a call, a future or a function ended.
 *
 * Source  gRPC, "Status codes and their use in gRPC": names and numbers are its own.
 */
typedef enum vow_code {
    VOW_OK = 0,
    VOW_CANCELLED = 1,
    VOW_UNKNOWN = 2,
    VOW_INVALID_ARGUMENT = 3,
    VOW_DEADLINE_EXCEEDED = 4,
    VOW_NOT_FOUND = 5,
    VOW_ALREADY_EXISTS = 6,
    VOW_PERMISSION_DENIED = 7,
    VOW_RESOURCE_EXHAUSTED = 8,
    VOW_FAILED_PRECONDITION = 9,
    VOW_ABORTED = 10,
    VOW_OUT_OF_RANGE = 11,
    VOW_UNIMPLEMENTED = 12,
    VOW_INTERNAL = 13,
    VOW_UNAVAILABLE = 14,
    VOW_DATA_LOSS = 15,
    VOW_UNAUTHENTICATED = 16
} vow_code;

/** The code's name as gRPC spells it, "NOT_FOUND"; "UNKNOWN" for a number that is none of them. */
VOW_API const char *vow_code_name(vow_code code);

/** What a function that fails on the spot has to say. Every `vow_error *` parameter may be NULL. */
typedef struct vow_error {
    vow_code code;
    char     message[252]; /* ends with a NUL; what does not fit is cut */
} vow_error;

/**
 * Fills `error` and returns `code`, so that a function can end with it:
 * `return vow_error_set(error, VOW_NOT_FOUND, "no city called %s", name);`
 */
VOW_API vow_code vow_error_set(vow_error *error, vow_code code, const char *format, ...) VOW_PRINTF(3, 4);

/** Frees what a future or an attachment carried. Runs on the loop's thread. */
typedef void vow_release_fn(void *object);

/**
 * Where all memory of vow and protobuf-c comes from.
 *
 * The three functions behave as malloc, realloc and free do, may be called from any thread, and
 * get `context`. libuv and OpenSSL keep their own.
 */
typedef struct vow_allocator {
    void *(*alloc)(size_t size, void *context);
    void *(*resize)(void *memory, size_t size, void *context);
    void (*release)(void *memory, void *context);
    void *context;
} vow_allocator;

/**
 * Sets the allocator; NULL is the C library's again. Copies `allocator`.
 *
 * Thread  before the first loop is attached, while no other thread is inside vow.
 */
VOW_API void vow_allocator_set(const vow_allocator *allocator);

/** The allocator in force, for what a program keeps beside vow and wants counted with it. Lent until the next set. */
VOW_API const vow_allocator *vow_allocator_get(void);

/** What vow has to tell an operator: a handler that does not end, a rule that was broken. */
typedef void vow_report_fn(const char *text, void *arg);

/**
 * Sets where reports go; the library itself never prints.
 *
 * NULL: nowhere, in release builds the default; debug builds start with standard error. `report`
 * may be called from any thread that runs a loop.
 */
VOW_API void vow_report_set(vow_report_fn *report, void *arg);

#ifdef __cplusplus
}
#endif
#endif
