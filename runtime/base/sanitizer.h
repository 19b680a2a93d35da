/*
 * What the sanitizers have to be told, and nothing in builds without them.
 *
 * The idea: memory that a pool or an arena holds back is as good as freed; without this,
 * AddressSanitizer could not see a use of it.
 */
#ifndef VOW_BASE_SANITIZER_H
#define VOW_BASE_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define VOW_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VOW_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef VOW_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define VOW_POISON(memory, size) __asan_poison_memory_region((memory), (size))
#define VOW_UNPOISON(memory, size) __asan_unpoison_memory_region((memory), (size))
#else
#define VOW_POISON(memory, size) ((void)0)
#define VOW_UNPOISON(memory, size) ((void)0)
#endif

#endif
