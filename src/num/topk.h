/* topk.h - selection with ties to the lower index. */
#ifndef NUM_TOPK_H
#define NUM_TOPK_H
#include "num/real.h"
#include <stdint.h>
/* The k largest of x[n] (NaN counts as -inf); idx ascending by index. k <= n. Returns how many are > -inf. */
int topk_select(const real *x, int n, int k, int32_t *idx);
/* The k largest in descending order of value. */
int topk_sorted(const real *x, int n, int k, int32_t *idx);
int argmax_first(const real *x, int n);
#endif
