/* Failures that a program can act on: a server gives details, and a client reads them. */
#include "inn.vow.h"

#include <stdio.h>
#include <uv.h>

/* Which field is wrong, and why. */
static void refuse_guests(vow_call *call, int guests)
{
    Vow__BadRequest                  bad = VOW__BAD_REQUEST__INIT;
    Vow__BadRequest__FieldViolation  violation = VOW__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Vow__BadRequest__FieldViolation *violations[] = { &violation };

    violation.field = "guests";
    violation.description = "a table has 1 to 8";
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    vow_call_fail_with(call, VOW_INVALID_ARGUMENT, VOW_DETAILS(&bad.base), "no table for %d guests", guests);
}

/* What a program can branch on, and when to ask again. */
static void refuse_for_now(vow_call *call)
{
    Vow__ErrorInfo error = VOW__ERROR_INFO__INIT;
    Vow__RetryInfo retry = VOW__RETRY_INFO__INIT;
    Vow__Duration  delay = VOW__DURATION__INIT;

    error.reason = "TABLES_TAKEN";
    error.domain = "inn.example.com";
    delay.seconds = 1;
    retry.retry_delay = &delay;
    vow_call_fail_with(call, VOW_UNAVAILABLE, VOW_DETAILS(&error.base, &retry.base), "all tables are taken");
}

static void book(vow_call *call, const Inn__Table *table, void *arg)
{
    int         *asked = arg;
    Inn__Booking booking = INN__BOOKING__INIT;

    if (table->guests < 1 || table->guests > 8) {
        refuse_guests(call, table->guests);
    } else if ((*asked)++ == 0) {
        refuse_for_now(call);
    } else {
        booking.number = *asked;
        inn_inn_book_reply(call, &booking);
    }
}

/* The client */

typedef struct visit {
    vow_loop    *loop;
    vow_channel *channel;
} visit;

static void print_failure(const vow_future *failed)
{
    const Vow__BadRequest *bad = vow_future_bad_request(failed);
    const Vow__ErrorInfo  *error = vow_future_error_info(failed);

    printf("%s\n", vow_future_error(failed));
    for (size_t i = 0; bad && i < bad->n_field_violations; i++)
        printf("  %s: %s\n", bad->field_violations[i]->field, bad->field_violations[i]->description);
    if (error)
        printf("  reason %s of %s, again in %d ms\n", error->reason, error->domain,
               (int)vow_future_retry_delay_ms(failed));
}

static vow_future *ask_for(visit *visit, int guests)
{
    Inn__Table table = INN__TABLE__INIT;

    table.guests = guests;
    return inn_inn_book(visit->channel, &table, NULL);
}

static vow_future *show_failure(vow_future *failed, void *arg)
{
    (void)arg;
    print_failure(failed);
    return vow_future_ref(failed);
}

/* vow_retry waits for as long as the failure asks. */
static vow_future *ask_for_four(size_t attempt, void *arg)
{
    (void)attempt;
    return vow_recover(ask_for(arg, 4), show_failure, NULL);
}

static void booked(vow_future *reply, void *arg)
{
    visit              *visit = arg;
    const Inn__Booking *booking = inn_inn_book_result(reply);

    if (booking)
        printf("booking %d\n", (int)booking->number);
    vow_loop_close(visit->loop);
}

static vow_future *try_four(vow_future *failed, void *arg)
{
    visit *visit = arg;

    print_failure(failed);
    return vow_retry(visit->loop, 3, 10, ask_for_four, visit);
}

int main(void)
{
    static const inn_inn_service service = { .book = book };
    int                          asked = 0;
    visit                        visit;
    vow_server                  *server;

    visit.loop = vow_loop_attach(uv_default_loop());
    server = vow_server_open(visit.loop, NULL);
    inn_inn_serve(server, &service, &asked);
    if (vow_server_listen(server, "memory://inn", NULL) != VOW_OK)
        return 1;
    visit.channel = vow_channel_open(visit.loop, "memory://inn", NULL);
    vow_done(vow_recover(ask_for(&visit, 20), try_four, &visit), booked, &visit);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
