/*
 * What a simulated loop asks of the layer above it: the network that it carries.
 *
 * The idea: the loop makes and ends the network, and knows nothing else of it; so everything that is left
 * to chance still follows from the one seed that the loop was given.
 */
#ifndef VOW_LOOP_SIM_LOOP_H
#define VOW_LOOP_SIM_LOOP_H

#include "runtime/loop/loop.h"

/* Defined in runtime/transport/sim_network.c. Gives a network without faults, or NULL: no memory. */
vow_network *vow_network_new(vow_loop *loop, uint64_t seed);

/* Ends all connections without a word to their owners. */
void vow_network_free(vow_network *network);

#endif
