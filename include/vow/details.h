/*
 * Details of a failure: typed messages beside its code and text, for programs to read.
 *
 * The idea: a handler gives them along with the failure, and they travel as a packed google.rpc.Status. Who
 * holds the failed future asks for those of a type. They stay with the failure along chains of futures, and
 * through a handler that answers with another service's failure (vow_call_answer).
 *
 *     vow_call_fail_with(call, VOW_RESOURCE_EXHAUSTED, VOW_DETAILS(&error.base, &retry.base), "all tables are
 * taken");
 *     ...
 *     const Vow__ErrorInfo *error = vow_future_error_info(reply);
 *
 * The types of google.rpc are in <vow/error_details.pb-c.h>. Any other message will do as well.
 *
 * The rule: details are a courtesy, and code and message stand without them. All together have at most 8 KiB,
 * packed, the message included. More than that is left out, and reported (vow_report_set).
 */
#ifndef VOW_DETAILS_H
#define VOW_DETAILS_H

#include <vow/call.h>
#include <vow/error_details.pb-c.h>
#include <vow/status.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For C; in C++ give an array that ends with a null pointer. */
#ifndef __cplusplus
#define VOW_DETAILS(...) ((const ProtobufCMessage *const[]){ __VA_ARGS__, NULL })
#endif

/* Giving them */

/**
 * As vow_call_fail, with details: messages of any type, packed before this returns; the array ends with NULL,
 * and NULL is none.
 *
 * A vow_raw among them is a google.rpc.Status that is packed already, as vow_future_details gives it: its
 * details are passed on.
 */
VOW_API void vow_call_fail_with(vow_call *call, vow_code code, const ProtobufCMessage *const details[],
                                const char *format, ...) VOW_PRINTF(4, 5);

/** As vow_failure, with details. */
VOW_API vow_future *vow_failure_with(vow_loop *loop, vow_code code, const ProtobufCMessage *const details[],
                                     const char *format, ...) VOW_MUST_USE VOW_PRINTF(4, 5);

/** As vow_reject, with details. Owns: takes `promise`. */
VOW_API void vow_reject_with(vow_promise *promise, vow_code code, const ProtobufCMessage *const details[],
                             const char *format, ...) VOW_PRINTF(4, 5);

/* Reading them; what these return lives as long as the handle */

/**
 * The detail at `index` among those of the type `type`.
 *
 * Fails   NULL: there is none, it is malformed, or it would take more than 256 KiB of memory, nested 16 deep.
 */
VOW_API const ProtobufCMessage *vow_future_detail(const vow_future                 *failed,
                                                  const ProtobufCMessageDescriptor *type, size_t index);

/** All of them, as a packed google.rpc.Status; for proxies. NULL and 0: none. */
VOW_API const void *vow_future_details(const vow_future *failed, size_t *size);

/** How long the other side wants to be left alone before the next attempt, in milliseconds; -1: it does not
 * say. */
VOW_API int64_t vow_future_retry_delay_ms(const vow_future *failed);

/* The first of each type of google.rpc, or NULL. */

static inline const Vow__ErrorInfo *vow_future_error_info(const vow_future *failed)
{
    return (const Vow__ErrorInfo *)vow_future_detail(failed, &vow__error_info__descriptor, 0);
}

static inline const Vow__RetryInfo *vow_future_retry_info(const vow_future *failed)
{
    return (const Vow__RetryInfo *)vow_future_detail(failed, &vow__retry_info__descriptor, 0);
}

static inline const Vow__DebugInfo *vow_future_debug_info(const vow_future *failed)
{
    return (const Vow__DebugInfo *)vow_future_detail(failed, &vow__debug_info__descriptor, 0);
}

static inline const Vow__QuotaFailure *vow_future_quota_failure(const vow_future *failed)
{
    return (const Vow__QuotaFailure *)vow_future_detail(failed, &vow__quota_failure__descriptor, 0);
}

static inline const Vow__PreconditionFailure *vow_future_precondition_failure(const vow_future *failed)
{
    return (const Vow__PreconditionFailure *)vow_future_detail(failed, &vow__precondition_failure__descriptor,
                                                               0);
}

static inline const Vow__BadRequest *vow_future_bad_request(const vow_future *failed)
{
    return (const Vow__BadRequest *)vow_future_detail(failed, &vow__bad_request__descriptor, 0);
}

static inline const Vow__RequestInfo *vow_future_request_info(const vow_future *failed)
{
    return (const Vow__RequestInfo *)vow_future_detail(failed, &vow__request_info__descriptor, 0);
}

static inline const Vow__ResourceInfo *vow_future_resource_info(const vow_future *failed)
{
    return (const Vow__ResourceInfo *)vow_future_detail(failed, &vow__resource_info__descriptor, 0);
}

static inline const Vow__Help *vow_future_help(const vow_future *failed)
{
    return (const Vow__Help *)vow_future_detail(failed, &vow__help__descriptor, 0);
}

static inline const Vow__LocalizedMessage *vow_future_localized_message(const vow_future *failed)
{
    return (const Vow__LocalizedMessage *)vow_future_detail(failed, &vow__localized_message__descriptor, 0);
}

#ifdef __cplusplus
}
#endif
#endif
