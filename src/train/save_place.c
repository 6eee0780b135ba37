/* save_place.c - OUT, the folder of a run: locked for one process, cleared of what killed ones left, and
 * kept to a number of checkpoints. The lock is flock's, so it ends with the process, however that ends; the
 * file says who holds it. */
#include "base/folder.h"
#include "train/save.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool memory_fail(const char *path, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory", path);
}

/* The step of "step-000012", or -1. */
static int64_t step_parse(const char *name)
{
	char again[40];
	if (strncmp(name, "step-", 5) != 0 || strlen(name) > 5 + 18 ||
		strspn(name + 5, "0123456789") != strlen(name + 5))
		return -1;
	long long step = strtoll(name + 5, NULL, 10);
	snprintf(again, sizeof again, "step-%06lld", step);
	return name[5] && strcmp(again, name) == 0 ? (int64_t)step : -1;
}

static bool is_place(const char *name)
{
	return strcmp(name, "model") == 0 || strcmp(name, "model-ema") == 0 || step_parse(name) >= 0;
}

char *save_path(const char *out, int64_t step)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s/step-%06lld", out, (long long)step);
	return buf_take(&b);
}

static int newest_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? 1 : *x > *y ? -1 : 0;
}

bool save_steps(const char *out, int64_t **steps, size_t *n, Err *e)
{
	size_t cap = 0;
	DIR *d = opendir(out);
	bool ok = d != NULL || err_errno(e, "open", out);
	*steps = NULL;
	*n = 0;
	for (const struct dirent *x; ok && (x = readdir(d)) != NULL;) {
		int64_t step = step_parse(x->d_name);
		if (step < 0)
			continue;
		if (*n == cap) {
			cap = cap ? cap * 2 : 64;
			int64_t *grown = realloc(*steps, cap * sizeof *grown);
			ok = grown != NULL || memory_fail(out, e);
			*steps = grown ? grown : *steps;
		}
		if (ok)
			(*steps)[(*n)++] = step;
	}
	if (d)
		closedir(d);
	if (*n)
		qsort(*steps, *n, sizeof **steps, newest_first);
	return ok;
}

/* Who holds the lock, as it wrote it down; 0: cannot be read. */
static long holder_read(const char *path)
{
	Buf b = BUF_INIT;
	long pid = buf_read_file(&b, path, 64, NULL) ? strtol(buf_str(&b), NULL, 10) : 0;
	buf_done(&b);
	return pid;
}

static bool lock_take(Save *s, const char *out, Err *e)
{
	char *path = folder_join(out, "lock"), text[32];
	if (!path)
		return memory_fail(out, e);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	bool ok = fd >= 0 || err_errno(e, "create", path);
	if (ok && flock(fd, LOCK_EX | LOCK_NB) != 0)
		ok = errno == EWOULDBLOCK
			? err_set(e, E_9101, "%s: process %ld is training into this folder; wait for it, or "
				"name another with --out", out, holder_read(path))
			: err_errno(e, "write", path);
	if (ok) {
		int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
		/* only a help for people: on a full disk it is short, and says nothing */
		if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
			text[0] = '\0';
		s->held = true;
		s->lock = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	free(path);
	return ok;
}

void save_release(Save *s)
{
	if (s->held)
		close(s->lock);
	free(s->out);
	free(s->tokenizer);
	*s = (Save){ 0 };
}

static bool out_used(const char *out, bool *used, Err *e)
{
	int64_t *steps;
	size_t n;
	bool ok = save_steps(out, &steps, &n, e);
	*used = n > 0;
	free(steps);
	return ok;
}

bool save_claim(Save *s, const char *out, bool *used, Err *e)
{
	bool there;
	if (s->held && strcmp(s->out, out) == 0)
		return !used || out_used(out, used, e);
	char *own = strdup(out);
	Save fresh = { .out = own, .tokenizer = s->tokenizer };
	if (!own)
		return memory_fail(out, e);
	if (!folder_make(out, e) || !lock_take(&fresh, out, e)) {
		free(own);
		return false;
	}
	s->tokenizer = NULL;
	save_release(s);
	*s = fresh;
	return folder_leftovers(out, is_place, e) && out_used(out, used ? used : &there, e);
}

void save_known(Save *s, int64_t step)
{
	int64_t *at = s->whole;
	for (int i = 0; i < s->n_whole; i++)
		if (at[i] == step)
			return;
	if (s->n_whole == SAVE_KNOWN) { /* forget the first: it is checked again when it matters */
		memmove(at, at + 1, sizeof *at * (SAVE_KNOWN - 1));
		s->n_whole--;
	}
	at[s->n_whole++] = step;
}

static bool is_whole(Save *s, int64_t step, const char *path)
{
	SavedState st;
	for (int i = 0; i < s->n_whole; i++)
		if (s->whole[i] == step)
			return access(path, F_OK) == 0;
	bool whole = state_read(&st, path, NULL);
	state_done(&st);
	if (whole)
		save_known(s, step);
	return whole;
}

void save_rotate(Save *s, int64_t step, int64_t keep)
{
	int64_t *steps, whole = 0;
	size_t n;
	if (!save_steps(s->out, &steps, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		char *path = steps[i] <= step ? save_path(s->out, steps[i]) : NULL;
		if (path && whole >= keep)
			folder_retire(path);
		else if (path)
			whole += is_whole(s, steps[i], path);
		free(path);
	}
	free(steps);
}
