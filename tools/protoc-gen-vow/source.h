/* The .vow.c of a file: its methods, the files behind them, and what brings a request to its handler. */
#ifndef VOW_GENERATOR_SOURCE_H
#define VOW_GENERATOR_SOURCE_H

#include "model.h"
#include "text.h"

void vow_source_write(vow_text *text, const vow_model *model);

#endif
