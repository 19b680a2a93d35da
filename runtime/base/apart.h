/*
 * What is kept out of the functions that every message passes through.
 *
 * The idea: a compiler inlines what has one caller. Where that is called seldom, its caller then saves the registers
 * that it would need, and makes room for its structs, for each message.
 */
#ifndef VOW_BASE_APART_H
#define VOW_BASE_APART_H

#if defined(__GNUC__)
#define VOW_APART __attribute__((noinline))        /* a way that not all take */
#define VOW_SELDOM __attribute__((noinline, cold)) /* and one that is taken when something is rare, or wrong */
#else
#define VOW_APART
#define VOW_SELDOM
#endif

#endif
