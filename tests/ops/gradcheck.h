/* gradcheck.h - every case of an op against central differences. A case whose gradient is all zero for any of
 * its leaves is refused: it would pass without proving anything. */
#ifndef TESTS_OPS_GRADCHECK_H
#define TESTS_OPS_GRADCHECK_H
#include "ops/ops.h"

/* The largest difference allowed, relative to the leaf's largest gradient. */
#ifdef LATHE_DOUBLE
#define GRAD_STEP 1e-5
#define GRAD_TOL 1e-6
#else
#define GRAD_STEP 1e-2
#define GRAD_TOL 3e-2
#endif

typedef struct GradReport { int cases; double worst; char text[1024]; } GradReport;
/* All cases of op; false with a text that names op, case, leaf and element. */
bool gradcheck_op(Tape *t, const Op *op, GradReport *r);
#endif
