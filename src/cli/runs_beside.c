/* runs_beside.c - see runs_beside.h. */
#include "cli/runs_beside.h"
#include "base/json.h"
#include "probe/record.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4400, NAME_LEN = 40 };

/* "runs/a/train.rec" -> "a", "b.rec" -> "b"; what a topic cannot hold becomes '-'. */
static void run_name(const char *path, char *out, size_t n)
{
	const char *file = strrchr(path, '/'), *from;
	size_t len;
	if (file && file > path && strcmp(file, "/train.rec") == 0) {
		for (from = file; from > path && from[-1] != '/'; from--)
			continue;
		len = (size_t)(file - from);
	} else {
		from = file ? file + 1 : path;
		len = strcspn(from, ".");
	}
	snprintf(out, n, "%.*s", (int)(len < n ? len : n - 1), from);
	for (char *p = out; *p; p++)
		*p = *p <= 0x20 || *p >= 0x7f || strchr("\"\\.*{},", *p) ? '-' : *p;
}

/* Reads on. The recording's clock is its own: at time 0 of the one shown, they are all there. Samples taken, or -1 with e. */
static long run_take(RecordReader *r, const char *name, Store *s, Err *e)
{
	static const char *const take[] = { "train.main_loss", "train.held_out" };
	char topic[96];
	long n = 0;
	bool torn;
	int more;
	Frame f;
	while ((more = record_next(r, &f, &torn, e)) > 0)
		for (size_t i = 0; f.kind == FRAME_SAMPLE && i < sizeof take / sizeof *take; i++) {
			if (strcmp(f.sample.topic, take[i]) != 0)
				continue;
			snprintf(topic, sizeof topic, "runs.%s.%s", name, take[i]);
			f.sample.topic = topic;
			f.sample.time = 0;
			n += store_add(s, &f.sample);
			break;
		}
	return more == 0 ? n : -1;
}

bool runs_beside(Store *s, const char *path, Err *e)
{
	RecordReader *r = record_open(path, e);
	char name[NAME_LEN];
	if (!r)
		return false;
	run_name(path, name, sizeof name);
	bool ok = run_take(r, name, s, e) >= 0;
	record_done(r);
	return ok;
}

/* --- while a screen goes on --- */

typedef struct BesideRun { RecordReader *r; char name[NAME_LEN]; } BesideRun;
struct Beside { BesideRun run[BESIDE_RUNS]; int n; bool looked; };

Beside *beside_new(void)
{
	return calloc(1, sizeof(Beside));
}

void beside_free(Beside *b)
{
	for (int i = 0; b && i < b->n; i++)
		record_done(b->run[i].r);
	free(b);
}

bool beside_add(Beside *b, const char *path, Err *e)
{
	BesideRun x;
	if (b->n == BESIDE_RUNS)
		return err_set(e, E_2003, "%s: %d runs are shown beside already", path, BESIDE_RUNS);
	run_name(path, x.name, sizeof x.name);
	for (int i = 0; i < b->n; i++)
		if (strcmp(b->run[i].name, x.name) == 0)
			return err_set(e, E_2003, "%s: a run called %s is shown beside already", path, x.name);
	if (!(x.r = record_open(path, e)))
		return false;
	b->run[b->n++] = x;
	return true;
}

/* The folder of the run that this process trains: that of the train.rec which it holds open. The stream tells no paths. */
static bool run_folder(int pid, char *out, size_t n)
{
	char dir[64], link[PATH_LEN];
	snprintf(dir, sizeof dir, "/proc/%d/fd", pid);
	DIR *d = opendir(dir);
	bool found = false;
	for (struct dirent *f; d && !found && (f = readdir(d)) != NULL;) {
		ssize_t len = readlinkat(dirfd(d), f->d_name, link, sizeof link - 1);
		link[len > 0 ? len : 0] = 0;
		char *tail = len > 10 ? link + len - 10 : link;
		found = strcmp(tail, "/train.rec") == 0 && len - 10 < (ssize_t)n;
		if (found)
			snprintf(out, n, "%.*s", (int)(len - 10), link);
	}
	if (d)
		closedir(d);
	return found;
}

typedef struct Neighbour { char path[PATH_LEN]; time_t at; } Neighbour;

/* Keeps the newest, newest first. */
static void neighbour_put(Neighbour list[BESIDE_RUNS], int *n, const char *path, time_t at)
{
	int i = *n < BESIDE_RUNS ? (*n)++ : BESIDE_RUNS - 1;
	if (i == BESIDE_RUNS - 1 && *n == BESIDE_RUNS && list[i].at > at && list[i].path[0])
		return;
	for (; i > 0 && list[i - 1].at < at; i--)
		list[i] = list[i - 1];
	snprintf(list[i].path, sizeof list[i].path, "%s", path);
	list[i].at = at;
}

static void neighbours_add(Beside *b, const char *own)
{
	const char *last = strrchr(own, '/');
	char path[PATH_LEN + 300];
	int n = 0;
	struct stat st;
	Neighbour *list = calloc(BESIDE_RUNS, sizeof *list);
	snprintf(path, sizeof path, "%.*s", last ? (int)(last - own) : 0, own);
	DIR *d = list && last && last > own ? opendir(path) : NULL;
	for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "%.*s/%s/train.rec", (int)(last - own), own, f->d_name);
		if (f->d_name[0] != '.' && strcmp(f->d_name, last + 1) != 0 && strlen(path) < PATH_LEN && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			neighbour_put(list, &n, path, st.st_mtime);
	}
	for (int i = 0; i < n; i++)
		beside_add(b, list[i].path, &(Err){ 0 });
	if (d)
		closedir(d);
	free(list);
}

/* Once: when the engine that is attached to turns out to be a training run. */
static void neighbours_find(Beside *b, const Store *s)
{
	const Sample *x = store_last(s, "engine.status");
	char own[PATH_LEN];
	Err e = { 0 };
	if (b->looked || !x || x->kind != SAMPLE_TEXT || !store_last(s, "train.step"))
		return;
	b->looked = true;
	json_t *o = json_parse(x->data, x->bytes, "engine.status", E_3181, &e);
	json_int_t pid = json_integer_value(json_object_get(o, "pid"));
	if (pid > 0 && pid < 1 << 30 && run_folder((int)pid, own, sizeof own))
		neighbours_add(b, own);
	json_decref(o);
}

size_t beside_read(Beside *b, Store *s)
{
	size_t all = 0;
	neighbours_find(b, s);
	for (int i = 0; i < b->n; i++) {
		Err e = { 0 };
		long n = run_take(b->run[i].r, b->run[i].name, s, &e);
		all += n > 0 ? (size_t)n : 0;
		if (n >= 0)
			continue;
		record_done(b->run[i].r);
		b->run[i--] = b->run[--b->n];
	}
	return all;
}
