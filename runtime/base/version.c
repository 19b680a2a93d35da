#include <vow/version.h>

const char *vow_version(void)
{
    return VOW_VERSION_STRING;
}
