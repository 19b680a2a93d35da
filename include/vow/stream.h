/*
 * Streams: calls in which one side, or both, send any number of messages.
 *
 * The idea: a stream is a vow_call, and the same functions serve both of its sides. Sending packs the
 * message at once and says whether there is room for more; reading takes one message at a time, and what has
 * not been read holds the sender back: a reader that stops costs either end no more than a window and one message.
 *
 * The rule: the futures given here are waits. Dropping one stops the wait, not the call: vow_call_drop ends a
 * call of vow_call_start, and a handler answers with vow_call_end, vow_call_fail or vow_call_answer.
 */
#ifndef VOW_STREAM_H
#define VOW_STREAM_H

#include <vow/call.h>
#include <vow/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begins a call of any kind; messages may be sent at once, before there is a connection.
 *
 * Without a timeout of its own a call whose method streams has none, and no more than its parent's.
 *
 * Owns    gives the call (vow_call_drop). Never NULL.
 * Fails   never by itself: what keeps the call from beginning ends it, and is what vow_call_next,
 *         vow_call_read and vow_call_when_closed fail with; they are those of vow_call_unary.
 */
VOW_API vow_call *vow_call_start(vow_channel *channel, const vow_method *method, const vow_call_options *options)
    VOW_MUST_USE;

/** Lets go of a call of vow_call_start, and cancels it where it has not ended. Owns: takes `call`. */
VOW_API void vow_call_drop(vow_call *call);

/**
 * Sends a message: packs it before this returns, and queues it.
 *
 * Gives whether there is room for more. Who goes on all the same is stopped at the limit of what one call may
 * queue, 16 MiB: the call ends with VOW_RESOURCE_EXHAUSTED.
 *
 * On a call that has ended, or after vow_call_end, the message is dropped: false.
 *
 * A handler need not look at what it gives. Of a message that is too large for the caller, or one too many, nothing is
 * sent, nor of what follows; the call stays the handler's, and when it ends it, the call ends with what went wrong.
 */
VOW_API bool vow_call_send(vow_call *call, const ProtobufCMessage *message);

/** Says that no more messages come from this side. A handler whose replies stream answers VOW_OK with it. */
VOW_API void vow_call_end(vow_call *call);

/**
 * A future that succeeds, without a value, once there is room for another message.
 *
 * Fails   as the call ended.
 */
VOW_API vow_future *vow_call_when_room(vow_call *call) VOW_MUST_USE;

/**
 * A future of the other side's metadata (vow_call_metadata): it has come, with the first message, before it
 * (vow_call_flush_metadata), or with the end. A handler has its caller's from the beginning.
 *
 * Owns    the value is the call's, and lives as long.
 * Fails   as the call ended, where that was before any came.
 */
VOW_API vow_future *vow_call_when_metadata(vow_call *call) VOW_MUST_USE;

/**
 * There is room: send while vow_call_send says so. Gives NULL to be asked again when there is room, or what has
 * to settle first (nothing to send just now). After the last message: vow_call_end, and NULL.
 */
typedef vow_future *vow_room_fn(vow_call *call, void *arg);

/**
 * Asks `on_room` for messages whenever there is room, until it calls vow_call_end. One at a time for a call.
 *
 * Owns    borrows `call`; gives the future, which succeeds, without a value, after vow_call_end.
 * Fails   as the call ended; as a future that `on_room` gave; VOW_FAILED_PRECONDITION: the call is written
 *         already, or has been ended, or `on_room` gave NULL and had sent nothing.
 */
VOW_API vow_future *vow_call_write(vow_call *call, vow_room_fn *on_room, void *arg) VOW_MUST_USE;

/**
 * The next message of the other side, of the method's request or reply type; it lives as long as a handle to the
 * future. No value: the other side has sent its last, and on the caller's side the call has succeeded.
 *
 * Fails   as the call ended; VOW_FAILED_PRECONDITION: somebody reads already.
 */
VOW_API vow_future *vow_call_next(vow_call *call) VOW_MUST_USE;

/**
 * A message has come. It is lent until the future that is given settles (NULL: until the function returns), and
 * the next one comes no sooner. A failure ends the reading.
 */
typedef vow_future *vow_message_fn(vow_call *call, const ProtobufCMessage *message, void *arg);

/**
 * Hands over each message of the other side in turn.
 *
 * Owns    borrows `call`; gives the future, which succeeds, without a value, after the last message.
 * Fails   as vow_call_next; as a future that `on_message` gave.
 */
VOW_API vow_future *vow_call_read(vow_call *call, vow_message_fn *on_message, void *arg) VOW_MUST_USE;

/* For generated code, whose functions take messages as what they are */

/** A function of any type. */
typedef void vow_any_fn(void);

/** Calls `on_message` as what it is. */
typedef vow_future *vow_deliver_fn(vow_call *call, const ProtobufCMessage *message, vow_any_fn *on_message,
                                   void *arg);

/** vow_call_read, with `deliver` between a message and `on_message`. */
VOW_API vow_future *vow_call_read_as(vow_call *call, vow_deliver_fn *deliver, vow_any_fn *on_message,
                                     void *arg) VOW_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
