/* lab_process.c - a script in a process of its own. This one only waits: it passes signals on, watches the clock, and ends what does not end by
 * itself. A count hook stops nearly everything; a pattern that runs for hours inside C is stopped by SIGKILL alone. */
#include "cli/lab_process.h"
#include "base/clock.h"
#include "cli/workbench.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

/* Seconds between asking and killing; the status with which a child says that it stopped because it was asked to. */
enum { GRACE_LATE = 1, GRACE_USER = 2, STATUS_STOPPED = 120 };
enum { FILE_LARGEST_GB = 16 };

static volatile sig_atomic_t stop_asked;

/* --- the child --- */

static void on_stop(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static void stop_clear(void)
{
	stop_asked = 0;
}

/* Bytes of address space in use, 0: not known. */
static rlim_t space_used(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages > 0 ? (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) : 0;
}

static void limit_to(int what, rlim_t most)
{
	struct rlimit r;
	if (getrlimit(what, &r) != 0)
		return;
	if (r.rlim_max == RLIM_INFINITY || r.rlim_max > most)
		r.rlim_cur = r.rlim_max = most;
	setrlimit(what, &r);
}

/* Behind the counted limits, for what nobody counts: no core files, no endless file, and some space above the memory limit. */
static void child_limits(size_t memory)
{
	rlim_t used = space_used();
	limit_to(RLIMIT_CORE, 0);
	limit_to(RLIMIT_FSIZE, (rlim_t)FILE_LARGEST_GB << 30);
	if (memory && used && !UNDER_SANITIZER)
		limit_to(RLIMIT_AS, used + 2 * (rlim_t)memory + ((rlim_t)1 << 30));
}

/* Only the parent's word stops a script: the terminal's own signals reach both processes. */
static void child_signals(const sigset_t *old)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_stop }, ign = { .sa_handler = SIG_IGN };
	sigemptyset(&act.sa_mask);
	sigemptyset(&ign.sa_mask);
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		sigaction(ignored[i], &ign, NULL);
	sigaction(SIGUSR1, &act, NULL);
	sigprocmask(SIG_SETMASK, old, NULL);
}

static void child_run(const LabOptions *o, const sigset_t *old, pid_t parent, size_t memory)
{
	Err e = { 0 };
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(STATUS_STOPPED);
	child_signals(old);
	child_limits(memory);
	setvbuf(stdout, NULL, _IOLBF, 0); /* what was said is there when the process is ended by force */
	bool ok = o->script ? lab_run(o, &e) : lab_repl(o, &e);
	fflush(stdout);
	if (!ok && stop_asked)
		_exit(STATUS_STOPPED);
	if (!ok)
		err_print(&e);
	_exit(ok ? 0 : err_exit(&e));
}

/* --- the parent --- */

typedef struct Watch {
	pid_t child;
	const char *script;
	double seconds;          /* --time-limit, 0: none */
	double deadline, kill_at;
	double asked;            /* clock of the last Ctrl-C of somebody who types */
	int user;                /* the signal that the user sent */
	bool late, killed;
} Watch;

static void kill_child(Watch *w)
{
	w->killed = true;
	kill(w->child, SIGKILL);
}

/* Somebody who types stops what is running, and goes on; twice within the grace, leaves. */
static bool on_typist(Watch *w, int sig)
{
	double now = clock_now();
	if (w->script || sig != SIGINT || now - w->asked < GRACE_USER)
		return false;
	w->asked = now;
	kill(w->child, SIGUSR1);
	return true;
}

static void on_user(Watch *w, int sig)
{
	if (on_typist(w, sig))
		return;
	if (w->asked > 0 && sig == SIGINT && !w->user) {
		w->user = sig;
		kill_child(w);
		return;
	}
	if (w->user) {
		kill_child(w);
		return;
	}
	w->user = sig;
	w->kill_at = fmin(w->kill_at, clock_now() + GRACE_USER);
	kill(w->child, SIGUSR1);
}

static void on_clock(Watch *w)
{
	double now = clock_now();
	if (now >= w->kill_at && !w->killed)
		kill_child(w);
	if (now < w->deadline || w->late)
		return;
	w->late = true;
	w->kill_at = fmin(w->kill_at, now + GRACE_LATE);
	kill(w->child, SIGUSR1);
}

/* Waits for a signal until the next of the clock's deadlines; 0: the clock. */
static int wait_signal(const Watch *w, const sigset_t *set)
{
	double until = w->killed ? INFINITY : fmin(w->late ? INFINITY : w->deadline, w->kill_at);
	if (isinf(until))
		return sigwaitinfo(set, NULL);
	double left = fmax(0, until - clock_now());
	struct timespec ts = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - floor(left)) * 1e9) };
	int sig = sigtimedwait(set, NULL, &ts);
	return sig < 0 ? 0 : sig;
}

static int child_wait(Watch *w, const sigset_t *set)
{
	int status;
	for (;;) {
		pid_t got = waitpid(w->child, &status, WNOHANG);
		if (got == w->child)
			return status;
		if (got < 0 && errno != EINTR)
			return -1;
		int sig = wait_signal(w, set);
		if (sig > 0 && sig != SIGCHLD)
			on_user(w, sig);
		on_clock(w);
	}
}

/* What the end of the child means. */
static int child_end(const Watch *w, int status, Err *e)
{
	bool stopped = WIFEXITED(status) ? WEXITSTATUS(status) == STATUS_STOPPED : w->killed;
	if (status != -1 && WIFEXITED(status) && !stopped)
		return WEXITSTATUS(status);
	if (stopped && w->user) {
		fprintf(stderr, "lathe: %s\n", w->killed ? "stopped, by force" : "stopped");
		return 128 + w->user;
	}
	if (stopped && w->late) {
		err_set(e, E_5004, "%s: still running after %g s; --time-limit SECONDS gives it more", w->script ? w->script : "repl", w->seconds);
		return err_exit(e);
	}
	if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
		raise(SIGPIPE); /* who reads has gone: as for any other command */
	err_set(e, E_8004, "%s: its process was ended by signal %d%s", w->script ? w->script : "repl", status != -1 ? WTERMSIG(status) : 0,
		status != -1 && WTERMSIG(status) == SIGKILL ? ", most likely because memory ran out; give --memory-limit" : "");
	return err_exit(e);
}

int lab_process(const LabOptions *o, double seconds, size_t memory, Err *e)
{
	Watch w = { .script = o->script, .seconds = seconds, .deadline = seconds > 0 ? clock_now() + seconds : INFINITY, .kill_at = INFINITY };
	sigset_t set, old;
	pid_t parent = getpid();
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	fflush(NULL);
	w.child = fork();
	if (w.child == 0)
		child_run(o, &old, parent, memory);
	if (w.child < 0) {
		err_errno(e, "fork", "lathe");
		return err_exit(e);
	}
	int status = child_wait(&w, &set);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return child_end(&w, status, e);
}

/* Without --memory-limit a script that only grows ends before the machine does. */
static size_t memory_usual(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	return pages > 0 && size > 0 ? (size_t)pages / 4 * 3 * (size_t)size : 0;
}

bool lab_process_options(const Args *a, LabOptions *o, char *lua, size_t n, Err *e)
{
	double seconds = args_num(a, "time-limit", 0);
	size_t limit = cli_memory_limit(a);
	Caps caps = workbench_caps(a);
	if (!cli_data_dir("lua", lua, n))
		return err_set(e, E_4001, "lua: the folder of Lua modules is not there; install lathe, or run it from its build tree");
	if (seconds < 0 || (args_has(a, "time-limit") && seconds == 0))
		return err_set(e, E_2003, "--time-limit: give a number of seconds above 0");
	*o = (LabOptions){ .quick = args_has(a, "quick"), .threads = cli_threads(a), .seed = (uint64_t)args_int(a, "seed", 0),
		.memory_limit = limit ? limit : memory_usual(), .lua_dir = lua, .out_dir = args_str(a, "out", NULL), .ckpt_path = cli_ckpt_path,
		.stop = &stop_asked, .stop_clear = stop_clear, .colors = caps.depth, .ascii = !caps.utf8,
		.terminal = isatty(STDERR_FILENO) && !args_has(a, "quiet") };
	return true;
}
