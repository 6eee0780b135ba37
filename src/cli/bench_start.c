/* bench_start.c - times whole processes: exec to first token, exec to first picture. The floor is `lathe
 * --version` in the same call. */
#include "cli/bench_start.h"
#include "base/clock.h"
#include "base/rng.h"
#include "tensor/st.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- a checkpoint of random weights on the disk, for --geometry --- */

typedef struct Maker { StWriter *w; Dtype dtype; Err *e; } Maker;

static bool maker_add(const char *name, int rank, const int64_t *shape, bool optional, void *ud)
{
	Maker *m = ud;
	return optional || st_writer_add(m->w, name, rank > 1 ? m->dtype : DT_F32, rank, shape, m->e);
}

static bool maker_put(Maker *m)
{
	enum { N = 1 << 16 };
	static real x[N];
	static unsigned char bytes[N * 8];
	Rng g = rng_make(1, 1);
	for (int i = 0; i < N; i++)
		x[i] = (real)(rng_normal(&g) * 0.02);
	for (size_t i = 0; i < st_writer_count(m->w); i++) {
		const StEntry *t = st_writer_at(m->w, i);
		size_t left = t->end - t->begin, unit = dtype_bits(t->dtype) / 8 * N;
		dtype_from_real(t->dtype, x, N, bytes);
		for (; left > 0; left -= left < unit ? left : unit)
			if (!st_writer_put(m->w, bytes, left < unit ? left : unit, m->e))
				return false;
	}
	return true;
}

static bool copy_config(const char *from, const char *dir, Err *e)
{
	char path[4200];
	struct stat st;
	Buf b = BUF_INIT;
	snprintf(path, sizeof path, "%s%s", from,
		stat(from, &st) == 0 && S_ISDIR(st.st_mode) ? "/config.json" : "");
	bool ok = buf_read_file(&b, path, 1 << 20, e);
	snprintf(path, sizeof path, "%s/config.json", dir);
	FILE *f = ok ? fopen(path, "w") : NULL;
	ok = ok && f && fwrite(buf_str(&b), 1, b.len, f) == b.len;
	if (f && fclose(f) != 0)
		ok = false;
	buf_done(&b);
	return ok || err_errno(e, "write", path);
}

static bool make_checkpoint(const char *geometry, Dtype dtype, const char *dir, Err *e)
{
	char path[4200];
	Config c;
	if (!config_read(geometry, &c, e) || !copy_config(geometry, dir, e))
		return false;
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	Maker m = { .w = st_writer_new(path, e), .dtype = dtype, .e = e };
	if (!m.w || !st_writer_meta(m.w, "format", "pt", e) || !config_tensors(&c, maker_add, &m) ||
		!st_writer_begin(m.w, e) || !maker_put(&m)) {
		st_writer_abort(m.w);
		return false;
	}
	return st_writer_commit(m.w, e);
}

/* --- processes --- */

static double spawn_wait(char *const argv[], int *status)
{
	posix_spawn_file_actions_t fa;
	pid_t pid;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	double t = clock_now();
	int failed = posix_spawn(&pid, "/proc/self/exe", &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	*status = -1;
	if (failed)
		return 0;
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return (clock_now() - t) * 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double middle(const double *v, int n)
{
	double s[BENCH_REPEATS_MAX];
	memcpy(s, v, sizeof *v * (size_t)n);
	qsort(s, (size_t)n, sizeof *s, by_size);
	return s[n / 2];
}

static double floor_ms(void)
{
	double v[5];
	int status;
	char *argv[] = { "lathe", "--version", NULL };
	for (int i = 0; i < 5; i++)
		v[i] = spawn_wait(argv, &status);
	return middle(v, 5);
}

/* Times are better the smaller: share = floor / value. */
static void close_ms(BenchResult *r, const char *what)
{
	r->unit = "ms";
	r->value = middle(r->repeats, r->n);
	r->limit = floor_ms();
	r->share = r->value > 0 ? r->limit / r->value : 0;
	snprintf(r->limit_is, sizeof r->limit_is, "%s; a process that prints its version", what);
}

static bool start_runs(const Args *a, const char *ckpt, int repeats, BenchResult *r, Err *e)
{
	char threads[16], path[4200];
	snprintf(threads, sizeof threads, "%d", cli_threads(a));
	snprintf(path, sizeof path, "%s", ckpt);
	char *argv[] = { "lathe", "generate", path, "--ids", "2", "-n", "1", "--temperature", "0", "--quiet",
		"--threads", threads, NULL };
	for (int i = -1; i < repeats; i++) {
		int status;
		double ms = spawn_wait(argv, &status);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			return err_set(e, E_2003,
				"%s: generate did not work there; try `lathe generate %s --ids 2 -n 1`", ckpt,
				ckpt);
		if (i >= 0)
			r->repeats[r->n++] = ms;
	}
	close_ms(r, "exec to the first token and exit");
	return true;
}

bool bench_start(const Args *a, Dtype dtype, int repeats, BenchResult *r, Err *e)
{
	char dir[] = "/tmp/lathe-bench-XXXXXX", path[128];
	char *ckpt = NULL;
	bool made = args_has(a, "geometry"), ok;
	if (repeats < 1)
		repeats = 9;
	if (!made) {
		ckpt = cli_ckpt_path(args_count(a) > 1 ? args_at(a, 1) : "@tiny", e);
		ok = ckpt && start_runs(a, ckpt, repeats, r, e);
		free(ckpt);
		return ok;
	}
	if (!mkdtemp(dir))
		return err_errno(e, "mkdtemp", dir);
	ok = make_checkpoint(args_str(a, "geometry", ""), dtype, dir, e) && start_runs(a, dir, repeats, r, e);
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/config.json", dir);
	unlink(path);
	rmdir(dir);
	return ok;
}

/* --- the first picture --- */

/* Reads until nothing has come for `quiet` ms; returns the time of the last byte. */
static double settle(int fd, double start, int quiet)
{
	static char block[1 << 16];
	double last = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (poll(&p, 1, last > 0 ? quiet : 3000) > 0) {
		if (read(fd, block, sizeof block) <= 0)
			break;
		if (last == 0 || clock_now() - start < 0.5)
			last = clock_now();
		else
			break;
	}
	return last > 0 ? (last - start) * 1e3 : 0;
}

static double frame_once(const char *ckpt)
{
	struct winsize ws = { .ws_row = 60, .ws_col = 200 };
	int fd, status;
	double t = clock_now();
	pid_t pid = forkpty(&fd, NULL, NULL, &ws);
	if (pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		execl("/proc/self/exe", "lathe", ckpt ? "open" : NULL, ckpt, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		return 0;
	double ms = settle(fd, t, 12);
	for (int i = 0; i < 40; i++) { /* q, and y in case it asks */
		if (write(fd, i == 1 ? "y" : "q", i < 2 ? 1 : 0) < 0 || waitpid(pid, &status, WNOHANG) == pid) {
			pid = 0;
			break;
		}
		settle(fd, clock_now(), 25);
	}
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	close(fd);
	return ms;
}

bool bench_frame(const Args *a, int repeats, BenchResult *r, Err *e)
{
	if (repeats < 1)
		repeats = 9;
	for (int i = -1; i < repeats; i++) {
		double ms = frame_once(args_at(a, 1));
		if (ms <= 0)
			return err_set(e, E_4001, "frame: no pseudo terminal, or the workbench drew nothing");
		if (i >= 0)
			r->repeats[r->n++] = ms;
	}
	close_ms(r, "exec to the first settled picture at 200x60");
	return true;
}
