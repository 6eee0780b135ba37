/* bench_start.h - benches of whole processes. */
#ifndef CLI_BENCH_START_H
#define CLI_BENCH_START_H
#include "cli/cmd.h"
#include "engine/bench.h"
/* ms from exec to the end of `generate --ids 0 -n 1`. */
bool bench_start(const Args *a, Dtype dtype, int repeats, BenchResult *r, Err *e);
/* ms until the first picture of the workbench has settled on a pseudo terminal. */
bool bench_frame(const Args *a, int repeats, BenchResult *r, Err *e);
#endif
