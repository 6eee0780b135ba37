/* limits.c - the machine's limits, with the instructions of the running kernel set: best of several short runs. */
#include "num/limits.h"
#include "num/kernels.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5 };
#define RUN_SECONDS 0.02

/* Processor time of this thread: others on the machine then count less. */
static double thread_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double limit_flops(Pool *p, Dtype d)
{
	const Kernels *k = pool_kernels(p);
	double (*probe)(int64_t) = d == DT_BF16 && k->probe_bf16 ? k->probe_bf16 : k->probe_fma, best = 0;
	int64_t rounds = 1 << 16;
	for (int i = 0; i < RUNS;) {
		double t0 = thread_seconds(), ops = probe(rounds), t = thread_seconds() - t0;
		if (t < RUN_SECONDS / 4 && rounds < (int64_t)1 << 40) {
			rounds *= 2;
			continue;
		}
		best = ops / t > best ? ops / t : best;
		i++;
	}
	return best * 1e-9;
}

/* Seconds that one pass over `bytes` takes, at best. d NULL: reading. */
static double pass_seconds(const Kernels *k, void *d, const void *s, size_t bytes)
{
	double best = 1e30;
	int64_t loops = 1;
	for (int i = 0; i < RUNS;) {
		double t0 = thread_seconds();
		for (int64_t l = 0; l < loops; l++)
			if (d)
				k->probe_copy(d, s, bytes);
			else
				k->probe_read(s, bytes);
		double t = thread_seconds() - t0;
		if (t < RUN_SECONDS / 4) {
			loops *= 2;
			continue;
		}
		best = t / (double)loops < best ? t / (double)loops : best;
		i++;
	}
	return best;
}

/* A buffer of at least 4 KiB, written once so that its pages are there; NULL: out of memory. */
static void *touched(size_t *bytes)
{
	*bytes = *bytes < 4096 ? 4096 : *bytes / 4096 * 4096;
	void *p = aligned_alloc(4096, *bytes);
	if (p)
		memset(p, 1, *bytes);
	return p;
}

double limit_read(Pool *p, size_t bytes)
{
	void *s = touched(&bytes);
	double rate = s ? (double)bytes / pass_seconds(pool_kernels(p), NULL, s, bytes) * 1e-9 : 0;
	free(s);
	return rate;
}

double limit_copy(Pool *p, size_t bytes)
{
	void *s = touched(&bytes), *d = touched(&bytes);
	double rate = s && d ? 2 * (double)bytes / pass_seconds(pool_kernels(p), d, s, bytes) * 1e-9 : 0;
	free(s);
	free(d);
	return rate;
}
