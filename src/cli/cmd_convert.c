/* cmd_convert.c - a checkpoint written anew as a Hugging Face folder: other types, FP8 blocks, fewer
 * layers, other shards. The folder grows under a temporary name beside its place and takes its name only
 * when it is whole. */
#include "cli/cmd.h"
#include "cli/convert.h"
#include "cli/units.h"
#include "base/folder.h"
#include "text/tok.h"
#include <signal.h>
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

/* The signal that asks for an end, or 0. A handler can only reach a static. */
static volatile sig_atomic_t stop_signal;

static void on_stop(int signal)
{
	stop_signal = signal;
}

/* What would end the program otherwise ends the work, so that nothing half written stays. Signals that are
 * ignored (nohup) stay so. */
static void stop_watch(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old, stop = { .sa_handler = on_stop };
	sigemptyset(&stop.sa_mask);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(ends[i], &stop, NULL);
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

/* The place must be free, or an empty folder; the temporary one is made beside it. */
static bool place_take(Job *j, const char *dst, Err *e)
{
	struct stat st;
	size_t n = strlen(dst);
	while (n > 1 && dst[n - 1] == '/')
		n--;
	j->dst = strndup(dst, n);
	if (!j->dst)
		return memory_fail(e);
	if (lstat(j->dst, &st) == 0 && !(S_ISDIR(st.st_mode) && folder_is_empty(j->dst)))
		return err_set(e, E_4002, "%s: is there already; name a new or an empty folder", j->dst);
	j->temp = folder_temp(j->dst, e);
	return j->temp != NULL;
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

static bool file_write(Job *j, const char *name, const Buf *b, Err *e)
{
	return folder_file(j->temp, name, buf_str(b), b->len, e) && file_note(j, name, e);
}

static bool files_copy(Job *j, const char *const *names, Err *e)
{
	for (int i = 0; names[i]; i++) {
		bool there;
		if (!folder_copy(ckpt_dir(j->k), j->temp, names[i], &there, e) ||
			(there && !file_note(j, names[i], e)))
			return false;
	}
	return true;
}

/* What stands beside the weights and goes with them; stored probes do not: they are of the old values. */
static bool beside_copy(Job *j, Err *e)
{
	static const char *const names[] = { "generation_config.json", "LICENSE", "LICENSE-CODE",
		"LICENSE-MODEL", NULL };
	return files_copy(j, tok_files(), e) && files_copy(j, names, e);
}

/* False: stop here. */
static bool tell(void *ud, uint64_t bytes)
{
	Job *j = ud;
	j->done += bytes;
	int percent = j->plan.bytes ? (int)((double)j->done / (double)j->plan.bytes * 100) : 100;
	if (!j->progress || percent == j->shown || stop_signal)
		return !stop_signal;
	j->shown = percent;
	Buf b = BUF_INIT;
	buf_printf(&b, "\r%3d %%  ", percent);
	units_bytes(&b, (double)j->done);
	buf_adds(&b, " of ");
	units_bytes(&b, (double)j->plan.bytes);
	buf_adds(&b, "\033[K");
	fputs(buf_str(&b), stderr);
	buf_done(&b);
	return true;
}

static bool weights_write(Job *j, Err *e)
{
	bool ok = true;
	Buf name = BUF_INIT;
	for (size_t i = 0; ok && i < j->plan.shards; i++) {
		buf_clear(&name);
		plan_shard_name(&j->plan, i, &name);
		char *path = name.failed ? NULL : folder_join(j->temp, name.s);
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
	bool ok = convert_config(ckpt_dir(j->k), j->to, j->layers, &b, e) &&
		file_write(j, "config.json", &b, e);
	buf_clear(&b);
	if (ok && j->plan.shards > 1)
		ok = (convert_index(&j->plan, &b) || memory_fail(e)) &&
			file_write(j, "model.safetensors.index.json", &b, e);
	buf_done(&b);
	return ok && beside_copy(j, e);
}

static bool place_name(Job *j, Err *e)
{
	if (stop_signal || !folder_place(j->temp, j->dst, false, e))
		return false;
	free(j->temp);
	j->temp = NULL;
	return true;
}

static void job_done(Job *j)
{
	if (j->temp) /* a failed conversion leaves nothing behind */
		folder_remove(j->temp);
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
	stop_watch();
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
	if (!ok && stop_signal) {
		err_clear(e); /* whatever it interrupted */
		return 128 + (int)stop_signal;
	}
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
		"does not matter; DST takes its name only when it is whole, and nothing stays of a "
		"conversion that fails or is stopped.\n\n"
		"With f32, f16 or bf16 every weight is converted, FP8 blocks are expanded, and the router's "
		"correction bias stays F32. With fp8 the matrices that DeepSeek's own FP8 files quantise "
		"(attention, MLP and expert projections, the indexer's wq_b and wk) become E4M3 with one F32 "
		"scale for each 128 x 128 block, amax / 448; all other tensors stay as they are. "
		"transformers without a GPU reads FP8 matrices only where whole blocks divide them.",
	.opts = opts, .examples = examples, .min_args = 2, .max_args = 2, .run = convert_run,
};
