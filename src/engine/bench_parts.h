/* bench_parts.h - what the benches share, for the files bench*.c only. */
#ifndef ENGINE_BENCH_PARTS_H
#define ENGINE_BENCH_PARTS_H
#include "engine/bench.h"

/* Time that counts: with one thread its own processor time, so that others on the machine count less. */
double bench_clock(const Pool *p);
/* Measures value and limit in pairs, after one turn that does not count: what slows the machine for a while slows both, and the share is
 * the median of the ratios of the pairs. once gives a negative number on failure. usual: pairs, unless j says how many. */
bool bench_pairs(const BenchJob *j, int usual, double (*once)(void *), double (*limit)(void *), void *ud, BenchResult *r);
/* Multiply-adds (as 2 FLOP) of a prompt of T tokens in naive form; the head runs for `logits` of them. */
double bench_prompt_flop(const Lm *m, double T, double logits);
#endif
