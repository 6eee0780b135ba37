/* limits.h - what this machine can do, measured: the denominators of every bench. One thread unless stated. */
#ifndef NUM_LIMITS_H
#define NUM_LIMITS_H
#include "num/dtype.h"
#include "num/par.h"
/* GFLOP/s of the best fused multiply-add the kernel set has for this dtype (bf16: VDPBF16PS where present, else the f32 rate). */
double limit_flops(Pool *p, Dtype d);
/* GB/s of reading `bytes` over and over (so a set that fits a cache measures that cache). Best of several runs. */
double limit_read(Pool *p, size_t bytes);
/* GB/s both ways (bytes read plus bytes written) of copying `bytes`. These give 0 when memory is gone. */
double limit_copy(Pool *p, size_t bytes);
#endif
