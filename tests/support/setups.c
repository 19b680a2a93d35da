#include "tests/support/setups.h"

#define SETUPS_DEFINE(name, kind)                                                                            \
    int world_open_##name(void **state)                                                                      \
    {                                                                                                        \
        *state = world_new(kind);                                                                            \
        return 0;                                                                                            \
    }                                                                                                        \
    int streams_open_##name(void **state)                                                                    \
    {                                                                                                        \
        *state = streams_world(kind);                                                                        \
        return 0;                                                                                            \
    }
SETUPS_EACH(SETUPS_DEFINE)

int world_close(void **state)
{
    world_free(*state);
    return 0;
}
