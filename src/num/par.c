/* par.c - the pool: workers spin for work, then sleep. One 64-bit word holds (job number, tasks left); taking a task is one
 * compare-and-swap on it, so a worker that wakes late can never touch a later job, and nobody waits for sleepers. */
#include "num/par.h"
#include "base/clock.h"
#include "base/err.h"
#include "num/kernels.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SPIN_SECONDS 50e-6
enum { SLOT_TASK, SLOT_KERNEL, SLOTS, LINE = 64, SCRATCH_START = 3 << 20 };

typedef struct Slot {
	void *p;
	size_t cap;
} Slot;

typedef struct Worker {
	_Alignas(LINE) Slot slot[SLOTS];
	Pool *pool;
	pthread_t thread;
} Worker;

struct Pool {
	_Alignas(LINE) _Atomic uint64_t word; /* job number << 32 | tasks nobody has taken */
	_Alignas(LINE) _Atomic int done;      /* tasks finished of this job */
	_Alignas(LINE) _Atomic int sleepers;
	_Atomic bool quit;
	_Alignas(LINE) void (*fn)(void *, int, int); /* these three: written between jobs, read with a task in hand */
	void *arg;
	int n;
	bool active;
	pthread_t driver;
	int threads, started;
	const Kernels *kernels;
	Worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Takes one task of job `job`; its index, or -1 when none is left or the job is over. */
static int task_take(Pool *p, uint32_t job)
{
	uint64_t w = atomic_load_explicit(&p->word, memory_order_acquire);
	while ((uint32_t)(w >> 32) == job && (uint32_t)w > 0)
		if (atomic_compare_exchange_weak_explicit(&p->word, &w, w - 1, memory_order_acq_rel, memory_order_acquire))
			return p->n - (int)(uint32_t)w;
	return -1;
}

static void tasks_run(Pool *p, uint32_t job, int worker)
{
	for (int i; (i = task_take(p, job)) >= 0;) {
		p->fn(p->arg, i, worker);
		atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
	}
}

static void wait_asleep(Pool *p, uint32_t seen)
{
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->sleepers, 1);
	while ((uint32_t)(atomic_load(&p->word) >> 32) == seen && !atomic_load(&p->quit))
		pthread_cond_wait(&p->wake, &p->lock);
	atomic_fetch_sub(&p->sleepers, 1);
	pthread_mutex_unlock(&p->lock);
}

/* Waits for a job other than `seen` (or for the end), spinning first. */
static uint32_t job_wait(Pool *p, uint32_t seen)
{
	double until = clock_now() + SPIN_SECONDS;
	for (unsigned i = 1;; i++) {
		uint32_t job = (uint32_t)(atomic_load_explicit(&p->word, memory_order_acquire) >> 32);
		if (job != seen || atomic_load_explicit(&p->quit, memory_order_relaxed))
			return job;
		cpu_relax();
		if (i % 64 == 0 && clock_now() > until)
			wait_asleep(p, seen);
	}
}

static void *worker_main(void *arg)
{
	Worker *w = arg;
	Pool *p = w->pool;
	int self = (int)(w - p->worker);
	uint32_t job = 0;
	while (!atomic_load_explicit(&p->quit, memory_order_acquire)) {
		job = job_wait(p, job);
		tasks_run(p, job, self);
	}
	return NULL;
}

static bool slot_reserve(Slot *s, size_t bytes)
{
	if (bytes <= s->cap)
		return true;
	if (bytes > SIZE_MAX / 2)
		return false;
	size_t cap = (bytes + bytes / 4 + LINE - 1) / LINE * LINE;
	void *q = aligned_alloc(LINE, cap);
	if (!q)
		return false;
	free(s->p);
	*s = (Slot){ q, cap };
	return true;
}

/* Workers take no signals: those belong to the thread that runs the screen or the command. But a fault is their own: a blocked
 * SIGBUS would kill without the word that main.c has for a file cut short. */
static bool workers_start(Pool *p)
{
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool ok = true;
	for (int i = 1; i < p->threads && ok; i++) {
		ok = pthread_create(&p->worker[i].thread, NULL, worker_main, &p->worker[i]) == 0;
		p->started += ok;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

Pool *pool_new_with(int threads, const Kernels *k)
{
	if (threads < 1 || threads > 4096)
		return NULL;
	Pool *p = aligned_alloc(LINE, sizeof *p);
	Worker *w = aligned_alloc(LINE, sizeof *w * (size_t)threads);
	if (!p || !w) {
		free(p);
		free(w);
		return NULL;
	}
	*p = (Pool){ .threads = threads, .kernels = k, .worker = w };
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	bool ok = true;
	for (int i = 0; i < threads; i++)
		w[i] = (Worker){ .pool = p };
	for (int i = 0; i < threads && ok; i++)
		ok = slot_reserve(&w[i].slot[SLOT_KERNEL], SCRATCH_START);
	if (!ok || !workers_start(p)) {
		pool_free(p);
		return NULL;
	}
	return p;
}

Pool *pool_new(int threads)
{
	return pool_new_with(threads, kernels_pick(getenv("LATHE_KERNELS")));
}

void pool_free(Pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->quit, true);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (int i = 1; i <= p->started; i++)
		pthread_join(p->worker[i].thread, NULL);
	for (int i = 0; i < p->threads; i++)
		for (int s = 0; s < SLOTS; s++)
			free(p->worker[i].slot[s].p);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p->worker);
	free(p);
}

int pool_threads(const Pool *p)
{
	return p->threads;
}

const Kernels *pool_kernels(const Pool *p)
{
	return p->kernels;
}

/* `active` and `driver` are written by the driver between jobs only, so a worker inside a task may read them. */
int pool_self(const Pool *p)
{
	if (!p->active || pthread_equal(p->driver, pthread_self()))
		return 0;
	for (int i = 1; i <= p->started; i++)
		if (pthread_equal(p->worker[i].thread, pthread_self()))
			return i;
	return 0;
}

static void run_inline(int n, void (*fn)(void *, int, int), void *arg, int worker)
{
	for (int i = 0; i < n; i++)
		fn(arg, i, worker);
}

/* Others finish what they took: short waits spin, long ones give the processor away. */
static void job_finish(Pool *p)
{
	double until = 0;
	for (unsigned i = 1; atomic_load_explicit(&p->done, memory_order_acquire) < p->n; i++) {
		cpu_relax();
		if (i % 64)
			continue;
		if (until == 0)
			until = clock_now() + SPIN_SECONDS;
		else if (clock_now() > until)
			sched_yield();
	}
}

void par_for(Pool *p, int n, void (*fn)(void *arg, int i, int worker), void *arg)
{
	if (n <= 0)
		return;
	if (p->threads == 1 || n == 1 || p->active) {
		run_inline(n, fn, arg, p->threads == 1 ? 0 : pool_self(p));
		return;
	}
	p->fn = fn;
	p->arg = arg;
	p->n = n;
	p->driver = pthread_self();
	p->active = true;
	atomic_store_explicit(&p->done, 0, memory_order_relaxed);
	uint32_t job = (uint32_t)(atomic_load_explicit(&p->word, memory_order_relaxed) >> 32) + 1;
	atomic_store(&p->word, (uint64_t)job << 32 | (uint32_t)n);
	if (atomic_load(&p->sleepers) > 0) {
		pthread_mutex_lock(&p->lock);
		pthread_cond_broadcast(&p->wake);
		pthread_mutex_unlock(&p->lock);
	}
	tasks_run(p, job, 0);
	job_finish(p);
	p->active = false;
}

void *pool_scratch(Pool *p, int worker, size_t bytes)
{
	Slot *s = &p->worker[worker].slot[SLOT_TASK];
	return slot_reserve(s, bytes ? bytes : 1) ? s->p : NULL;
}

void *pool_kernel_scratch(Pool *p, int worker, size_t bytes)
{
	Slot *s = &p->worker[worker].slot[SLOT_KERNEL];
	if (!slot_reserve(s, bytes))
		err_bug(__FILE__, __LINE__, "out of memory for kernel scratch");
	return s->p;
}
