/* par.h - a persistent pool with spinning hand-over (sleeps after about 50 us without work).
 *
 * Work is cut into tasks by shape alone, never by thread count, and each result element is computed whole by one task:
 * the same bits come out for any number of threads. */
#ifndef NUM_PAR_H
#define NUM_PAR_H
#include "num/real.h"
#include <stddef.h>
typedef struct Pool Pool;
struct Kernels;
/* threads >= 1, counting the caller. NULL: out of memory or threads. */
Pool *pool_new(int threads);
void pool_free(Pool *p);
int pool_threads(const Pool *p);
/* The kernel set for this processor, chosen once: see kernels.h. LATHE_KERNELS=generic|sse2|avx2|avx512|avx512bf16 overrides downward. */
const struct Kernels *pool_kernels(const Pool *p);
/* Calls fn(arg, i, worker) for i in [0, n). worker in [0, threads). Nested calls run inline. */
void par_for(Pool *p, int n, void (*fn)(void *arg, int i, int worker), void *arg);
/* Per-worker scratch, 64-byte aligned, kept between calls; NULL: out of memory. Only valid inside the task. */
void *pool_scratch(Pool *p, int worker, size_t bytes);
#endif
