/* run_place.c - see run_place.h. A folder is a run's when it has the lock that runs make and nothing that they do not make. */
#include "script/run_place.h"
#include "base/folder.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum Kind { KIND_OTHER, KIND_LOCK, KIND_FILE, KIND_FOLDER } Kind;

static Kind kind_of(const char *name)
{
	if (strcmp(name, "lock") == 0)
		return KIND_LOCK;
	if (strcmp(name, "train.rec") == 0 || strcmp(name, "live") == 0)
		return KIND_FILE;
	if (strcmp(name, "model") == 0 || strcmp(name, "model-ema") == 0)
		return KIND_FOLDER;
	return strncmp(name, "step-", 5) == 0 && name[5] && strspn(name + 5, "0123456789") == strlen(name + 5) ? KIND_FOLDER : KIND_OTHER;
}

/* Leftovers of killed processes (step-000100.tmp-123) are train_claim's. */
static bool is_left(const char *name)
{
	return strstr(name, ".tmp-") || strstr(name, ".old-");
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool run_place_below(const char *root, const char *name, Buf *path, Err *e)
{
	struct stat st;
	size_t from = path->len;
	if (root)
		buf_printf(path, "%s/", root);
	for (const char *part = name; *part;) {
		size_t n = strcspn(part, "/");
		n += part[n] == '/';
		buf_add(path, part, n);
		part += n;
		if (!path->failed && lstat(buf_str(path) + from, &st) == 0 && S_ISLNK(st.st_mode))
			return err_set(e, E_8003, "%s: a link; runs write only below --out, where no link leads elsewhere", buf_str(path) + from);
	}
	return !path->failed || err_set(e, E_5001, "out of memory");
}

bool run_place_check(const char *out, Err *e)
{
	DIR *d = opendir(out);
	bool lock = false, other = false, any = false;
	if (!d)
		return errno == ENOENT || err_errno(e, "open", out);
	for (const struct dirent *x; (x = readdir(d)) != NULL;) {
		if (is_dot(x->d_name))
			continue;
		any = true;
		lock |= kind_of(x->d_name) == KIND_LOCK;
		other |= kind_of(x->d_name) == KIND_OTHER && !is_left(x->d_name);
	}
	closedir(d);
	return !any || (lock && !other) || err_set(e, E_8003, "%s: the folder holds files that no run made; name another", out);
}

static bool place_clear(const char *out, Err *e)
{
	DIR *d = opendir(out);
	if (!d)
		return err_errno(e, "open", out);
	for (const struct dirent *x; (x = readdir(d)) != NULL;) {
		Kind k = kind_of(x->d_name);
		char *path = k == KIND_FILE || k == KIND_FOLDER ? folder_join(out, x->d_name) : NULL;
		if (path && k == KIND_FILE)
			unlink(path);
		else if (path)
			folder_retire(path);
		free(path);
	}
	closedir(d);
	return true;
}

bool run_place_take(Train *t, const char *out, const char *tokenizer_dir, Err *e)
{
	bool used;
	return run_place_check(out, e) && train_claim(t, out, tokenizer_dir, &used, e) && place_clear(out, e);
}
