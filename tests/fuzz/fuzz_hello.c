/* The hello: what is agreed upon is something that this side can keep to. */
#include "runtime/protocol/native/hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_hello hello;
    vow_error error = { VOW_OK, "" };
    vow_code  code = vow_hello_read(&hello, data, size, &error);

    if (code == VOW_OK) {
        if (hello.version != VOW_PROTOCOL_VERSION || hello.max_frame_size < VOW_FRAME_LEAST)
            abort();
    } else if (!error.message[0] || error.code != code) {
        abort();
    }
    return 0;
}
