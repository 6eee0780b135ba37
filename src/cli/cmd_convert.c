/* cmd_convert.c - a checkpoint written anew as a Hugging Face folder: other types, FP8 blocks, fewer
 * layers, other shards. The folder grows under a temporary name beside its place and takes its name only
 * when it is whole. */
#include "cli/cmd.h"
#include "cli/convert.h"
#include "cli/units.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const Opt opts[] = {
	{ "dtype", 0, OPT_STR, "DTYPE", "f32, f16, bf16 or fp8; default: the types stay" },
	{ "shard-size", 0, OPT_SIZE, "SIZE", "largest size of one file; default 5G" },
	{ "layers", 0, OPT_INT, "N", "keep the first N layers, and no MTP module" },
	{ 0 },
};

typedef struct Job {
	Ckpt *k;
	Config c;
	Plan plan;
	ConvertTo to;
	int64_t layers;
	char *dst, *temp;           /* temp: NULL when there is nothing to remove */
	char **file;                /* names written */
	size_t n_files;
	uint64_t done;              /* bytes written */
	bool progress;
	int shown;                  /* percent last shown */
} Job;

static bool memory_fail(Err *e)
{
	return err_set(e, E_5001, "out of memory while converting");
}

static char *path_join(const char *dir, const char *name)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s/%s", dir, name);
	return buf_take(&b);
}

static bool to_parse(const char *s, ConvertTo *to, Err *e)
{
	static const char *const names[] = { [TO_F32] = "f32", [TO_F16] = "f16", [TO_BF16] = "bf16",
		[TO_FP8] = "fp8" };
	*to = TO_KEEP;
	for (int i = TO_F32; s && i <= TO_FP8; i++)
		if (strcmp(s, names[i]) == 0)
			*to = (ConvertTo)i;
	return !s || *to != TO_KEEP || err_set(e, E_2003, "--dtype %.40s: must be f32, f16, bf16 or fp8", s);
}

static bool folder_is_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = d != NULL;
	for (const struct dirent *x; d && (x = readdir(d)) != NULL;)
		empty = empty && (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0);
	if (d)
		closedir(d);
	return empty;
}

/* The place must be free, or an empty folder; the temporary one is made beside it. */
static bool place_take(Job *j, const char *dst, Err *e)
{
	struct stat st;
	Buf b = BUF_INIT;
	size_t n = strlen(dst);
	while (n > 1 && dst[n - 1] == '/')
		n--;
	j->dst = strndup(dst, n);
	if (!j->dst)
		return memory_fail(e);
	if (lstat(j->dst, &st) == 0 && !(S_ISDIR(st.st_mode) && folder_is_empty(j->dst)))
		return err_set(e, E_4002, "%s: is there already; name a new or an empty folder", j->dst);
	buf_printf(&b, "%s.tmp-%ld", j->dst, (long)getpid());
	char *temp = buf_take(&b);
	if (!temp)
		return memory_fail(e);
	if (mkdir(temp, 0777) != 0) {
		err_errno(e, "mkdir", temp);
		free(temp);
		return false;
	}
	j->temp = temp;
	return true;
}

static bool file_note(Job *j, const char *name, Err *e)
{
	char **grown = realloc(j->file, (j->n_files + 1) * sizeof *grown);
	if (!grown)
		return memory_fail(e);
	j->file = grown;
	j->file[j->n_files] = strdup(name);
	return j->file[j->n_files] ? (j->n_files++, true) : memory_fail(e);
}

static bool bytes_write(int fd, const char *p, size_t n, const char *path, Err *e)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, "write", path);
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd) == 0 || err_errno(e, "fsync", path);
}

static bool file_write(Job *j, const char *name, const Buf *b, Err *e)
{
	char *path = path_join(j->temp, name);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666) : -1;
	bool ok = fd >= 0;
	if (!path)
		memory_fail(e);
	else if (fd < 0)
		err_errno(e, "create", path);
	ok = ok && bytes_write(fd, buf_str(b), b->len, path, e) && file_note(j, name, e);
	if (fd >= 0)
		close(fd);
	free(path);
	return ok;
}

/* What stands beside the weights and goes with them; stored probes do not: they are of the old values. */
static bool beside_copy(Job *j, Err *e)
{
	static const char *const names[] = { "tokenizer.json", "tokenizer_config.json",
		"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
		"tiktoken.model", "chat_template.jinja", "chat_template.json", "generation_config.json",
		"LICENSE", "LICENSE-CODE", "LICENSE-MODEL", NULL };
	for (int i = 0; names[i]; i++) {
		Buf b = BUF_INIT;
		char *path = path_join(ckpt_dir(j->k), names[i]);
		bool there = path && access(path, F_OK) == 0;
		bool ok = path
			? !there || (buf_read_file(&b, path, 256 << 20, e) && file_write(j, names[i], &b, e))
			: memory_fail(e);
		buf_done(&b);
		free(path);
		if (!ok)
			return false;
	}
	return true;
}

static void tell(void *ud, uint64_t bytes)
{
	Job *j = ud;
	j->done += bytes;
	int percent = j->plan.bytes ? (int)((double)j->done / (double)j->plan.bytes * 100) : 100;
	if (!j->progress || percent == j->shown)
		return;
	j->shown = percent;
	Buf b = BUF_INIT;
	buf_printf(&b, "\r%3d %%  ", percent);
	units_bytes(&b, (double)j->done);
	buf_adds(&b, " of ");
	units_bytes(&b, (double)j->plan.bytes);
	buf_adds(&b, "\033[K");
	fputs(buf_str(&b), stderr);
	buf_done(&b);
}

static bool weights_write(Job *j, Err *e)
{
	bool ok = true;
	Buf name = BUF_INIT;
	for (size_t i = 0; ok && i < j->plan.shards; i++) {
		buf_clear(&name);
		plan_shard_name(&j->plan, i, &name);
		char *path = name.failed ? NULL : path_join(j->temp, name.s);
		ok = path ? convert_shard(&j->plan, i, j->k, path, tell, j, e) && file_note(j, name.s, e)
			  : memory_fail(e);
		free(path);
	}
	if (j->progress)
		fputs("\r\033[K", stderr);
	buf_done(&name);
	return ok;
}

static bool texts_write(Job *j, Err *e)
{
	Buf b = BUF_INIT;
	bool ok = convert_config(ckpt_dir(j->k), j->to, j->layers, &b, e) && file_write(j, "config.json", &b, e);
	buf_clear(&b);
	if (ok && j->plan.shards > 1)
		ok = (convert_index(&j->plan, &b) || memory_fail(e)) &&
			file_write(j, "model.safetensors.index.json", &b, e);
	buf_done(&b);
	return ok && beside_copy(j, e);
}

static bool folder_sync(const char *path, Err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
	if (!ok)
		err_errno(e, "fsync", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool parent_sync(const char *path, Err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	bool ok = dir ? folder_sync(dir, e) : memory_fail(e);
	free(dir);
	return ok;
}

static bool place_name(Job *j, Err *e)
{
	if (!folder_sync(j->temp, e))
		return false;
	if (rename(j->temp, j->dst) != 0)
		return err_errno(e, "rename", j->dst);
	free(j->temp);
	j->temp = NULL;
	return parent_sync(j->dst, e);
}

/* A failed conversion leaves nothing behind. */
static void temp_remove(Job *j)
{
	DIR *d = j->temp ? opendir(j->temp) : NULL;
	for (const struct dirent *x; d && (x = readdir(d)) != NULL;)
		unlinkat(dirfd(d), x->d_name, 0); /* "." and ".." are refused */
	if (d)
		closedir(d);
	if (j->temp)
		rmdir(j->temp);
}

static void job_done(Job *j)
{
	temp_remove(j);
	for (size_t i = 0; i < j->n_files; i++)
		free(j->file[i]);
	free(j->file);
	free(j->temp);
	free(j->dst);
	plan_done(&j->plan);
	ckpt_close(j->k);
}

static void result_json(const Job *j, Buf *b)
{
	Jout o;
	jout_init(&o, b);
	jout_obj(&o);
	jout_kint(&o, "tensors", (int64_t)j->plan.n);
	jout_kint(&o, "bytes", (int64_t)j->plan.bytes);
	jout_key(&o, "files");
	jout_arr(&o);
	for (size_t i = 0; i < j->n_files; i++)
		jout_str(&o, j->file[i]);
	jout_end_arr(&o);
	jout_end_obj(&o);
	buf_addc(b, '\n');
}

static void result_text(const Job *j, Buf *b)
{
	units_name(b, j->dst, 0);
	buf_adds(b, ": ");
	units_count(b, (int64_t)j->plan.n);
	buf_adds(b, " tensors, ");
	units_bytes(b, (double)j->plan.bytes);
	buf_printf(b, ", %zu files\n", j->n_files);
}

static bool job_run(Job *j, const Args *a, const char *src, Err *e)
{
	int64_t shard = args_int(a, "shard-size", (int64_t)5 << 30);
	j->layers = args_int(a, "layers", 0);
	j->progress = isatty(2) && !args_has(a, "quiet");
	j->shown = -1;
	if (!to_parse(args_str(a, "dtype", NULL), &j->to, e))
		return false;
	if (shard < 1 || (args_has(a, "layers") && j->layers < 1))
		return err_set(e, E_2003, "--shard-size and --layers must be at least 1");
	j->k = ckpt_open(src, e);
	return j->k && config_read(ckpt_dir(j->k), &j->c, e) &&
		plan_make(&j->plan, j->k, &j->c, j->to, j->layers, (uint64_t)shard, e) &&
		place_take(j, args_at(a, 1), e) && weights_write(j, e) && texts_write(j, e) &&
		place_name(j, e);
}

static int convert_run(const Args *a, Err *e)
{
	Job j = { 0 };
	Buf b = BUF_INIT;
	char *src = cli_ckpt_path(args_at(a, 0), e);
	bool ok = src && job_run(&j, a, src, e);
	if (ok) {
		if (args_has(a, "json"))
			result_json(&j, &b);
		else
			result_text(&j, &b);
		ok = cli_out(&b, e);
	}
	buf_done(&b);
	job_done(&j);
	free(src);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = { "lathe convert @tiny tiny-f32 --dtype f32",
	"lathe convert @tiny tiny-fp8 --dtype fp8", "lathe convert @tiny tiny-1 --layers 1 --json", NULL };

const Cmd cmd_convert = {
	.name = "convert", .usage = "SRC DST [--dtype D] [--shard-size S] [--layers N]",
	.summary = "write a checkpoint as a Hugging Face folder in another type, size or depth",
	.text = "Writes DST, a new folder that Hugging Face transformers loads: the weights, config.json "
		"with the changes the conversion brings, and the tokenizer files that stand beside SRC. "
		"Other keys of the config stay, but for auto_map, which names Python files. Stored probes "
		"(golden.safetensors) are not copied. Tensors are streamed, so that the size of the model "
		"does not matter; DST takes its name only when it is whole.\n\n"
		"With f32, f16 or bf16 every weight is converted, FP8 blocks are expanded, and the router's "
		"correction bias stays F32. With fp8 the matrices that DeepSeek's own FP8 files quantise "
		"(attention, MLP and expert projections, the indexer's wq_b and wk) become E4M3 with one F32 "
		"scale for each 128 x 128 block, amax / 448; all other tensors stay as they are. "
		"transformers without a GPU reads FP8 matrices only where whole blocks divide them.",
	.opts = opts, .examples = examples, .min_args = 2, .max_args = 2, .run = convert_run,
};
