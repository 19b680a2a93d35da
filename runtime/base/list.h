/*
 * Intrusive doubly linked lists.
 *
 * The idea: the link lies inside its owner, so inserting and removing allocate nothing and cannot
 * fail. A list is a ring through its head.
 *
 * A link that is in no list points at itself: removing it again does nothing.
 */
#ifndef VOW_BASE_LIST_H
#define VOW_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vow_link {
    struct vow_link *next;
    struct vow_link *previous;
} vow_link;

typedef struct vow_list {
    vow_link head;
} vow_list;

/* The object of `type` whose field `member` is at `pointer`. */
#define VOW_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void vow_link_init(vow_link *link)
{
    link->next = link;
    link->previous = link;
}

static inline bool vow_link_listed(const vow_link *link)
{
    return link->next != link;
}

static inline void vow_link_remove(vow_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    vow_link_init(link);
}

static inline void vow_list_init(vow_list *list)
{
    vow_link_init(&list->head);
}

static inline bool vow_list_empty(const vow_list *list)
{
    return list->head.next == &list->head;
}

static inline void vow_list_append(vow_list *list, vow_link *link)
{
    link->next = &list->head;
    link->previous = list->head.previous;
    list->head.previous->next = link;
    list->head.previous = link;
}

static inline void vow_list_prepend(vow_list *list, vow_link *link)
{
    link->next = list->head.next;
    link->previous = &list->head;
    list->head.next->previous = link;
    list->head.next = link;
}

/* The first link, or NULL. */
static inline vow_link *vow_list_first(const vow_list *list)
{
    return vow_list_empty(list) ? NULL : list->head.next;
}

/* Takes the first link out, or gives NULL. */
static inline vow_link *vow_list_shift(vow_list *list)
{
    vow_link *first = vow_list_first(list);

    if (first)
        vow_link_remove(first);
    return first;
}

/* Moves all of `from` behind the last of `list`; `from` is empty then. */
static inline void vow_list_splice(vow_list *list, vow_list *from)
{
    if (vow_list_empty(from))
        return;
    from->head.next->previous = list->head.previous;
    list->head.previous->next = from->head.next;
    from->head.previous->next = &list->head;
    list->head.previous = from->head.previous;
    vow_list_init(from);
}

#endif
