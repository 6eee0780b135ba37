/* verify_fp8.h - number formats, quantisers and Hopper's accumulation against stored values (format lathe-fp8-1). */
#ifndef ENGINE_VERIFY_FP8_H
#define ENGINE_VERIFY_FP8_H
#include "engine/cases.h"
/* threads 0: one. False: the file cannot be read, or is not of the format. */
bool verify_fp8(const char *path, int threads, Cases *out, Err *e);
#endif
