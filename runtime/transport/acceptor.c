#include "runtime/transport/acceptor.h"

#include "runtime/base/memory.h"
#include "runtime/transport/socket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PLACES_MAX 64

/* An address that is listened on. */
typedef struct place {
    vow_link      link;
    vow_acceptor *acceptor;
    vow_bound     bound;
    vow_list      members; /* the open ones; the first is the next to get a connection */
    size_t        known;   /* members that are not freed */
    bool          is_left; /* no member is open: the thread shall close it */
    bool          is_closed;
    char          asked[192]; /* as the members wrote it */
} place;

struct vow_member {
    vow_link  link;
    place    *place;
    vow_loop *loop;
    void (*take)(void *owner, int descriptor);
    void  *owner;
    size_t letters; /* on their way to the loop */
    bool   is_open;
};

/* A connection on its way to a member's loop. */
typedef struct letter {
    vow_member *member;
    int         descriptor;
} letter;

struct vow_acceptor {
    pthread_t       thread;
    pthread_mutex_t lock; /* over all that follows, and over places and members */
    pthread_cond_t  closed;
    vow_list        places;
    size_t          place_count;
    int             wake; /* an eventfd */
    bool            is_stopping;
};

/* Handing connections on */

static void letter_arrived(void *arg);

/* Under the lock. The members have their turns: the first goes to the end. */
static void place_hand_on(place *place, letter *letter)
{
    vow_link *link = vow_list_shift(&place->members);

    if (link) {
        letter->member = VOW_OWNER(link, vow_member, link);
        vow_list_append(&place->members, link);
        letter->member->letters++;
        if (vow_loop_post(letter->member->loop, letter_arrived, letter) == VOW_OK)
            return;
        letter->member->letters--;
    }
    close(letter->descriptor);
    vow_free(letter);
}

static void place_take(place *place, int descriptor)
{
    letter *letter = vow_alloc(sizeof *letter);

    if (!letter) {
        close(descriptor);
        return;
    }
    letter->descriptor = descriptor;
    place_hand_on(place, letter);
}

/* Under the lock. */
static void member_may_free(vow_member *member)
{
    place *place = member->place;

    if (member->is_open || member->letters > 0)
        return;
    vow_free(member);
    if (--place->known == 0 && place->is_closed)
        vow_free(place);
}

static void letter_arrived(void *arg)
{
    letter       *letter = arg;
    vow_member   *member = letter->member;
    vow_acceptor *acceptor = member->place->acceptor;
    int           descriptor = letter->descriptor;
    bool          is_open;

    pthread_mutex_lock(&acceptor->lock);
    member->letters--;
    is_open = member->is_open;
    if (!is_open) {
        place_hand_on(member->place, letter);
        member_may_free(member);
    }
    pthread_mutex_unlock(&acceptor->lock);
    if (!is_open)
        return;
    vow_free(letter);
    member->take(member->owner, descriptor);
}

/* The thread */

static void acceptor_close_left(vow_acceptor *acceptor)
{
    vow_link *link = acceptor->places.head.next;

    while (link != &acceptor->places.head) {
        place *place = VOW_OWNER(link, struct place, link);

        link = link->next;
        if (!place->is_left)
            continue;
        vow_link_remove(&place->link);
        acceptor->place_count--;
        vow_unbind(&place->bound);
        place->is_closed = true;
        if (place->known == 0)
            vow_free(place);
    }
    pthread_cond_broadcast(&acceptor->closed);
}

/* False: descriptors or memory have run out. */
static bool place_accept(place *place)
{
    for (int i = 0; i < VOW_ACCEPTS_MAX; i++) {
        int descriptor = accept4(place->bound.descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (descriptor >= 0)
            place_take(place, descriptor);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return true;
        else if (vow_accept_ran_out(errno))
            return false;
    }
    return true;
}

static bool acceptor_accept(vow_acceptor *acceptor)
{
    bool has_run_out = false;

    for (vow_link *link = acceptor->places.head.next; link != &acceptor->places.head; link = link->next)
        has_run_out |= !place_accept(VOW_OWNER(link, place, link));
    if (has_run_out)
        vow_report("out of file descriptors or memory: accepting pauses for %d ms (see ulimit -n)",
                   VOW_ACCEPT_PAUSE_MS);
    return !has_run_out;
}

static nfds_t acceptor_list(const vow_acceptor *acceptor, struct pollfd *watched)
{
    nfds_t count = 0;

    watched[count++] = (struct pollfd){ .fd = acceptor->wake, .events = POLLIN };
    for (const vow_link *link = acceptor->places.head.next; link != &acceptor->places.head; link = link->next)
        watched[count++] =
            (struct pollfd){ .fd = VOW_OWNER(link, place, link)->bound.descriptor, .events = POLLIN };
    return count;
}

static void acceptor_clear_wake(const vow_acceptor *acceptor)
{
    uint64_t count;

    if (read(acceptor->wake, &count, sizeof count) < 0)
        assert(errno == EAGAIN);
}

static void *acceptor_run(void *arg)
{
    vow_acceptor *acceptor = arg;
    struct pollfd watched[PLACES_MAX + 1];
    bool          go_on = true;

    pthread_mutex_lock(&acceptor->lock);
    while (!acceptor->is_stopping) {
        nfds_t count = acceptor_list(acceptor, watched);

        pthread_mutex_unlock(&acceptor->lock);
        poll(watched, go_on ? count : 1, go_on ? -1 : VOW_ACCEPT_PAUSE_MS);
        acceptor_clear_wake(acceptor);
        pthread_mutex_lock(&acceptor->lock);
        acceptor_close_left(acceptor);
        go_on = acceptor_accept(acceptor);
    }
    pthread_mutex_unlock(&acceptor->lock);
    return NULL;
}

static void acceptor_wake(vow_acceptor *acceptor)
{
    const uint64_t one = 1;

    if (write(acceptor->wake, &one, sizeof one) < 0)
        assert(errno == EAGAIN); /* it is awake */
}

/* Life */

vow_acceptor *vow_acceptor_start(void)
{
    vow_acceptor *acceptor = vow_alloc_zeroed(sizeof *acceptor);

    if (!acceptor)
        return NULL;
    vow_list_init(&acceptor->places);
    pthread_mutex_init(&acceptor->lock, NULL);
    pthread_cond_init(&acceptor->closed, NULL);
    acceptor->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (acceptor->wake >= 0 && pthread_create(&acceptor->thread, NULL, acceptor_run, acceptor) == 0)
        return acceptor;
    if (acceptor->wake >= 0)
        close(acceptor->wake);
    vow_free(acceptor);
    return NULL;
}

void vow_acceptor_stop(vow_acceptor *acceptor)
{
    pthread_mutex_lock(&acceptor->lock);
    assert(vow_list_empty(&acceptor->places));
    acceptor->is_stopping = true;
    acceptor_wake(acceptor);
    pthread_mutex_unlock(&acceptor->lock);
    pthread_join(acceptor->thread, NULL);
    close(acceptor->wake);
    pthread_cond_destroy(&acceptor->closed);
    pthread_mutex_destroy(&acceptor->lock);
    vow_free(acceptor);
}

/* Members */

static bool place_has_loop(const place *place, const vow_loop *loop)
{
    for (const vow_link *link = place->members.head.next; link != &place->members.head; link = link->next) {
        if (VOW_OWNER(link, vow_member, link)->loop == loop)
            return true;
    }
    return false;
}

/* A loop that listens on one address twice wants two: "port 0" is a new one each time. */
static place *acceptor_find(const vow_acceptor *acceptor, const vow_loop *loop, const char *address)
{
    for (const vow_link *link = acceptor->places.head.next; link != &acceptor->places.head; link = link->next) {
        place *place = VOW_OWNER(link, struct place, link);

        if (!place->is_left && strcmp(place->asked, address) == 0 && !place_has_loop(place, loop))
            return place;
    }
    return NULL;
}

static vow_code acceptor_open_place(vow_acceptor *acceptor, const char *address, unsigned unix_mode, place **opened,
                                    vow_error *error)
{
    place   *place;
    vow_code code;

    if (strlen(address) >= sizeof place->asked)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "cannot listen on %.150s…: it is too long", address);
    if (acceptor->place_count == PLACES_MAX)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                             "cannot listen on %.150s: threads share %d addresses at most",
                             address, PLACES_MAX);
    place = vow_alloc_zeroed(sizeof *place);
    if (!place)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %.150s: no memory", address);
    code = vow_bind(address, unix_mode, &place->bound, error);
    if (code != VOW_OK) {
        vow_free(place);
        return code;
    }
    place->acceptor = acceptor;
    vow_list_init(&place->members);
    strcpy(place->asked, address);
    vow_list_append(&acceptor->places, &place->link);
    acceptor->place_count++;
    *opened = place;
    return VOW_OK;
}

vow_code vow_acceptor_join(vow_acceptor *acceptor, vow_loop *loop, const char *address, unsigned unix_mode,
                           void (*take)(void *owner, int descriptor), void *owner, vow_member **joined,
                           vow_error *error)
{
    vow_member *member = vow_alloc_zeroed(sizeof *member);
    place      *place;
    vow_code    code = VOW_OK;

    if (!member)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %.150s: no memory", address);
    pthread_mutex_lock(&acceptor->lock);
    place = acceptor_find(acceptor, loop, address);
    if (!place)
        code = acceptor_open_place(acceptor, address, unix_mode, &place, error);
    if (code == VOW_OK) {
        *member = (vow_member){ .place = place, .loop = loop, .take = take, .owner = owner, .is_open = true };
        vow_list_append(&place->members, &member->link);
        place->known++;
        acceptor_wake(acceptor);
    }
    pthread_mutex_unlock(&acceptor->lock);
    if (code == VOW_OK)
        *joined = member;
    else
        vow_free(member);
    return code;
}

void vow_acceptor_leave(vow_member *member)
{
    place        *place = member->place;
    vow_acceptor *acceptor = place->acceptor;

    pthread_mutex_lock(&acceptor->lock);
    vow_link_remove(&member->link);
    member->is_open = false;
    if (vow_list_empty(&place->members)) {
        place->is_left = true;
        acceptor_wake(acceptor);
        while (!place->is_closed)
            pthread_cond_wait(&acceptor->closed, &acceptor->lock);
    }
    member_may_free(member);
    pthread_mutex_unlock(&acceptor->lock);
}

int vow_member_port(const vow_member *member)
{
    return member->place->bound.port;
}

const char *vow_member_address(const vow_member *member)
{
    return member->place->bound.address;
}
