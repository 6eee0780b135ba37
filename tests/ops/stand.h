/* stand.h - what the tests of ops stand on: a pool with a tape, and leaves of reproducible numbers. */
#ifndef TESTS_OPS_STAND_H
#define TESTS_OPS_STAND_H
#include "tests/unit.h"
#include "base/rng.h"
#include "ops/ops.h"

#ifdef LATHE_DOUBLE
#define REF_TOL 1e-11
#else
#define REF_TOL 2e-5
#endif

typedef struct Stand { Pool *pool; Tape *t; Rng rng; } Stand;
Stand stand_new(int threads);
void stand_free(Stand *s);
/* [rows, cols] of normal numbers times spread, over memory of the step arena; needs a gradient when asked. */
Ten *stand_leaf(Stand *s, const char *name, int64_t rows, int64_t cols, double spread, bool grad);
/* The same numbers as stored in dtype d. */
Ten *stand_as(Stand *s, const Ten *x, Dtype d);
/* A double copy, in the step arena. */
double *stand_doubles(Stand *s, const Ten *x);
/* Fails the test with the tape's error. */
void stand_ok(const Stand *s);
/* Every element of x within tol (absolute, and relative to the largest) of ref. */
void stand_near(const Ten *x, const double *ref, double tol);
/* The tape's error text; the test fails when there is none. */
const char *stand_error(const Stand *s, int code);
#endif
