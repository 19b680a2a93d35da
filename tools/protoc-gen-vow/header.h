/* The .vow.h of a file: casts, stubs, and the struct of handlers of each service. */
#ifndef VOW_GENERATOR_HEADER_H
#define VOW_GENERATOR_HEADER_H

#include "model.h"
#include "text.h"

void vow_header_write(vow_text *text, const vow_model *model);

#endif
