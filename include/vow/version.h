/*
 * The library's version: as built against, and as running.
 */
#ifndef VOW_VERSION_H
#define VOW_VERSION_H

#include <vow/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VOW_VERSION_MAJOR 0
#define VOW_VERSION_MINOR 1
#define VOW_VERSION_PATCH 0
#define VOW_VERSION_STRING "0.1.0"

/** The version of the library that is running, "0.1.0". */
VOW_API const char *vow_version(void);

#ifdef __cplusplus
}
#endif
#endif
