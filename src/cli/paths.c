/* paths.c - where things lie: models in the box, installed data, and what a stream of ours is connected to.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/utf8.h"
#include "cli/cmd.h"
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PKGDATADIR
#define PKGDATADIR "/usr/local/share/lathe"
#endif

enum { PATH_LEN = 4096 };

/* The folder of the running program; "" when the system does not tell. */
static void program_dir(char out[PATH_LEN])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_LEN - 1);
	out[n > 0 ? n : 0] = 0;
	char *slash = strrchr(out, '/');
	if (slash)
		*slash = 0;
	slash = strrchr(out, '/');
	if (slash && !strcmp(slash, "/.libs"))
		*slash = 0;
}

/* A build tree has a file .lathe-tree, written by configure, that names its source tree. */
static bool source_tree(char out[PATH_LEN])
{
	char dir[PATH_LEN], file[PATH_LEN + 16];
	program_dir(dir);
	snprintf(file, sizeof file, "%s/.lathe-tree", dir);
	FILE *f = dir[0] ? fopen(file, "re") : NULL;
	if (!f)
		return false;
	bool ok = fgets(out, PATH_LEN, f) && out[0] == '/';
	fclose(f);
	out[strcspn(out, "\n")] = 0;
	return ok;
}

static bool dir_below(const char *root, const char *what, char *out, size_t n)
{
	struct stat st;
	int k = snprintf(out, n, "%s/%s", root, what);
	return k > 0 && (size_t)k < n && !stat(out, &st) && S_ISDIR(st.st_mode);
}

bool cli_share_dir(const char *what, char *out, size_t n)
{
	char root[PATH_LEN + 16];
	program_dir(root);
	size_t len = strlen(root);
	if (len <= 4 || strcmp(root + len - 4, "/bin"))
		return false;
	snprintf(root + len - 4, sizeof root - len + 4, "/share");
	return dir_below(root, what, out, n);
}

bool cli_data_dir(const char *what, char *out, size_t n)
{
	char root[PATH_LEN], beside[256];
	if (source_tree(root))
		return dir_below(root, what, out, n);
	snprintf(beside, sizeof beside, "lathe/%s", what);
	return cli_share_dir(beside, out, n) || dir_below(PKGDATADIR, what, out, n);
}

static bool box_name_ok(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= 64 &&
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n &&
			s[0] != '.';
}

char *cli_ckpt_path(const char *arg, Err *e)
{
	char dir[PATH_LEN], path[PATH_LEN + 80];
	if (arg[0] != '@') {
		char *copy = strdup(arg);
		if (!copy)
			err_set(e, E_5001, "out of memory for a path");
		return copy;
	}
	if (!box_name_ok(arg + 1)) {
		err_set(e, E_2003, "%.80s: not a name of a model in the box; letters, digits, '-', '_' and "
			"'.' only",
			arg);
		return NULL;
	}
	if (!cli_data_dir("data", dir, sizeof dir)) {
		err_set(e, E_4001,
			"%s: the folder of the models in the box, %s, is not there; install lathe or run it "
			"from its build tree",
			arg, dir);
		return NULL;
	}
	snprintf(path, sizeof path, "%s/%s", dir, arg + 1);
	if (access(path, R_OK) != 0) {
		err_set(e, E_4001, "%s: no such model in the box; `lathe doctor` lists those there are", arg);
		return NULL;
	}
	char *copy = strdup(path);
	if (!copy)
		err_set(e, E_5001, "out of memory for a path");
	return copy;
}

int cli_threads(const Args *a)
{
	cpu_set_t set;
	int64_t n = args_int(a, "threads", 0);
	if (n > 0)
		return (int)n;
	if (!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 0 ? (int)cores : 1;
}

size_t cli_memory_limit(const Args *a)
{
	return (size_t)args_int(a, "memory-limit", 0);
}

bool cli_ids(const char *s, int32_t **ids, size_t *n, Err *e)
{
	size_t cap = strlen(s) / 2 + 1;
	*n = 0;
	*ids = malloc(cap * sizeof **ids);
	if (!*ids)
		return err_set(e, E_5001, "out of memory for %zu token ids", cap);
	for (const char *p = s; *p;) {
		char *end;
		errno = 0;
		while (isspace((unsigned char)*p))
			p++;
		long v = isdigit((unsigned char)*p) ? strtol(p, &end, 10) : -1;
		if (v < 0 || v > INT32_MAX || errno) {
			free(*ids);
			*ids = NULL;
			return err_set(
				e, E_2003, "token ids: number %zu is not one, at `%.20s`; give them as "
					"1,2,3", *n + 1, p);
		}
		(*ids)[(*n)++] = (int32_t)v;
		p = end;
		while (isspace((unsigned char)*p))
			p++;
		if (*p == ',')
			p++;
		while (isspace((unsigned char)*p))
			p++;
	}
	return true;
}

bool cli_out(const Buf *b, Err *e)
{
	if (b->failed)
		return err_set(e, E_5001, "out of memory for the result");
	fflush(stdout);
	for (size_t done = 0; done < b->len;) {
		ssize_t k = write(1, b->s + done, b->len - done);
		if (k < 0 && errno != EINTR)
			return err_set(e, E_4002, "standard output: %s; the result is not complete",
				strerror(errno));
		done += k > 0 ? (size_t)k : 0;
	}
	return true;
}
