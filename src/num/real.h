/* real.h - the number type of activations: float, or double under --enable-double (gradient checks, oracles). */
#ifndef NUM_REAL_H
#define NUM_REAL_H
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef LATHE_DOUBLE
typedef double real;
#define REAL_DTYPE DT_F64
#else
typedef float real;
#define REAL_DTYPE DT_F32
#endif
#endif
