/* model_args.c - see model_args.h. */
#include "cli/model_args.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PROMPT_MAX = 64 << 20 };

bool model_error(Err *e, const LatheError *from)
{
	return err_set(e, from->code, "%s", from->text);
}

/* The folder of a checkpoint argument: itself, or that of the .safetensors file. */
static char *folder_of(const char *path)
{
	struct stat st;
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	if (dir && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		if (slash)
			*slash = 0;
		else
			strcpy(dir, ".");
	}
	return dir;
}

LatheModel *model_open(const Args *a, const char *ckpt, const char *precision_option, char **dir, Err *e)
{
	char *path = cli_ckpt_path(ckpt, e);
	if (!path)
		return NULL;
	LatheOpenOptions o = { .threads = cli_threads(a), .layers = args_int(a, "layers", 0),
			       .memory_limit = cli_memory_limit(a),
			       .precision = precision_option ? args_str(a, precision_option, NULL) : NULL };
	LatheError le = { 0 };
	LatheModel *m = lathe_open(path, &o, &le);
	if (!m)
		model_error(e, &le);
	if (dir)
		*dir = folder_of(path);
	free(path);
	return m;
}

bool model_attention(const Args *a, LatheAttention *form, Err *e)
{
	const char *s = args_str(a, "attention", "auto");
	*form = strcmp(s, "naive") == 0      ? LATHE_ATTENTION_NAIVE
		: strcmp(s, "absorbed") == 0 ? LATHE_ATTENTION_ABSORBED
					     : LATHE_ATTENTION_AUTO;
	return *form != LATHE_ATTENTION_AUTO || strcmp(s, "auto") == 0 ||
	       err_set(e, E_2003, "--attention %s: known are naive, absorbed and auto", s);
}

bool model_read(const char *path, Buf *b, size_t max, Err *e)
{
	char block[65536];
	size_t n;
	if (strcmp(path, "-") != 0)
		return buf_read_file(b, path, max, e);
	while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
		buf_add(b, block, n);
		if (b->len > max)
			return err_set(e, E_5003, "standard input is over %zu MiB", max >> 20);
	}
	return !ferror(stdin) || err_errno(e, "read", "standard input");
}

static bool prompt_text(const Args *a, const LatheModel *m, int32_t **ids, size_t *n, Err *e)
{
	const char *p = args_str(a, "prompt", "");
	Buf b = BUF_INIT;
	LatheError le = { 0 };
	bool ok = true;
	if (strcmp(p, "-") == 0)
		ok = model_read(p, &b, PROMPT_MAX, e);
	else
		buf_adds(&b, p);
	if (ok && !lathe_encode(m, buf_str(&b), b.len, !args_has(a, "no-bos"), ids, n, &le))
		ok = model_error(e, &le);
	buf_done(&b);
	return ok && (*n > 0 || err_set(e, E_2003, "the prompt is empty; give at least one token"));
}

bool model_prompt(const Args *a, const LatheModel *m, int32_t **ids, size_t *n, Err *e)
{
	int given = args_has(a, "prompt") + args_has(a, "ids") + args_has(a, "ids-file");
	if (given != 1)
		return err_set(e, E_2003, given ? "give only one of -p, --ids and --ids-file"
						: "a prompt is needed: -p TEXT, --ids 1,2,3 or --ids-file FILE");
	if (args_has(a, "prompt"))
		return prompt_text(a, m, ids, n, e);
	Buf b = BUF_INIT;
	bool ok = true;
	if (args_has(a, "ids"))
		buf_adds(&b, args_str(a, "ids", ""));
	else
		ok = model_read(args_str(a, "ids-file", ""), &b, PROMPT_MAX, e);
	ok = ok && cli_ids(buf_str(&b), ids, n, e) && (*n > 0 || err_set(e, E_2003, "the list of ids is empty"));
	buf_done(&b);
	for (size_t i = 0; ok && i < *n; i++)
		if ((*ids)[i] < 0 || (*ids)[i] >= lathe_vocab(m))
			ok = err_set(e, E_2003, "token id %d is out of range: the vocabulary has %lld",
				(*ids)[i], (long long)lathe_vocab(m));
	return ok;
}

void model_json_ids(Jout *j, const char *key, const int32_t *id, size_t n)
{
	jout_key(j, key);
	jout_arr(j);
	for (size_t i = 0; i < n; i++)
		jout_int(j, id[i]);
	jout_end_arr(j);
}
