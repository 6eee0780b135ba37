/* cmd_bench.c - one measurement, with the machine's limit measured in the same call. */
#include "cli/cmd.h"
#include "cli/bench_start.h"
#include "cli/model_args.h"
#include "engine/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Opt opts[] = {
	{ "geometry", 0, OPT_STR, "CONFIG",
	  "a config.json (or its folder) to make a model of random weights from" },
	{ "dtype", 0, OPT_STR, "f32|f16|bf16", "of the weights (default f32)" },
	{ "rows", 0, OPT_INT, "M", "gemm: rows of x (default 8)" },
	{ "outputs", 0, OPT_INT, "N", "gemm: rows of W (default 1024)" },
	{ "inputs", 0, OPT_INT, "K", "gemm: columns of W (default 1024)" },
	{ "depth", 0, OPT_INT, "N", "decode: positions already in the cache (default 0)" },
	{ "tokens", 0, OPT_INT, "N",
	  "decode: tokens a repeat (default 64); prefill: length of the prompt (default 512); train: of a "
		"row (default 128)" },
	{ "batch", 0, OPT_INT, "B", "sequences side by side (default 1; train: 8)" },
	{ "activations", 0, OPT_STR, "f32|bf16",
	  "bf16: inputs of products are rounded, and bf16 instructions used (gemm and prefill with bf16 "
	  "weights)" },
	{ "repeats", 0, OPT_INT, "N", "how many times to measure; the median counts, each being the best of a few turns" },
	{ 0 },
};

static bool bench_dtype(const Args *a, Dtype *d, Err *e)
{
	const char *s = args_str(a, "dtype", "f32");
	*d = strcmp(s, "bf16") == 0 ? DT_BF16 : strcmp(s, "f16") == 0 ? DT_F16 : REAL_DTYPE;
	return *d != REAL_DTYPE || strcmp(s, "f32") == 0 ||
		err_set(e, E_2003, "--dtype %s: known are f32, f16 and bf16", s);
}

static bool bench_range(const Args *a, const char *name, int64_t fallback, int64_t most, int64_t *out, Err *e)
{
	*out = args_int(a, name, fallback);
	return (*out >= 0 && *out <= most) ||
		err_set(e, E_2003, "--%s %lld: 0 to %lld", name, (long long)*out, (long long)most);
}

static bool bench_job(const Args *a, const char *what, BenchJob *j, Err *e)
{
	bool prefill = strcmp(what, "prefill") == 0, train = strcmp(what, "train") == 0;
	int64_t repeats;
	if (!bench_dtype(a, &j->dtype, e) || !bench_range(a, "rows", 8, 65536, &j->rows, e) ||
		!bench_range(a, "outputs", 1024, 65536, &j->n, e) ||
		!bench_range(a, "inputs", 1024, 65536, &j->k, e) ||
		!bench_range(a, "depth", 0, 1 << 20, &j->depth, e) ||
		!bench_range(a, "tokens", prefill ? 512 : train ? 128 : 64, 1 << 20, &j->tokens, e) ||
		!bench_range(a, "batch", train ? 8 : 1, 64, &j->batch, e) ||
		!bench_range(a, "repeats", 0, BENCH_REPEATS_MAX, &repeats, e))
		return false;
	if (j->rows < 1 || j->n < 1 || j->k < 1 || j->tokens < 1 || j->batch < 1)
		return err_set(e, E_2003, "sizes must be at least 1");
	j->repeats = (int)repeats;
	const char *x = args_str(a, "activations",
		j->dtype == DT_BF16 && strcmp(what, "decode") != 0 ? "bf16" : "f32");
	j->round_bf16 = strcmp(x, "bf16") == 0;
	return j->round_bf16 || strcmp(x, "f32") == 0 ||
		err_set(e, E_2003, "--activations %s: known are f32 and bf16", x);
}

static bool limit_check(const Args *a, double need, Err *e)
{
	double limit = (double)cli_memory_limit(a), mib = 1.0 / (1 << 20);
	return limit == 0 || need <= limit ||
		err_set(e, E_5002, "the measurement needs %.1f MiB, the limit is %.1f MiB; raise "
			"--memory-limit or measure something smaller",
			need * mib, limit * mib);
}

/* Weights, cache and the activations of one forward; for a model of random weights before it is made. */
static bool model_limit(const Args *a, const char *what, const BenchJob *j, Err *e)
{
	bool decode = strcmp(what, "decode") == 0;
	LmForecast f = lm_forecast(j->m, decode ? j->depth + j->tokens + 8 : j->tokens, (int)j->batch,
		REAL_DTYPE);
	double rows = (double)j->batch * (decode ? 1 : (double)j->tokens);
	return limit_check(a, (double)f.weights + (double)f.cache + (double)f.work * rows, e);
}

static bool gemm_limit(const Args *a, const BenchJob *j, Err *e)
{
	double weights = (double)j->n * (double)j->k * dtype_bits(j->dtype) / 8,
		rest = (double)j->rows * (double)(j->n + j->k);
	return limit_check(a, weights + rest * (double)sizeof(real), e);
}

static bool bench_model(const Args *a, BenchJob *j, Err *e)
{
	Config c;
	if (args_has(a, "geometry")) {
		if (config_read(args_str(a, "geometry", ""), &c, e) &&
			limit_check(a, (double)(config_params(&c).total + config_params(&c).mtp) * dtype_bits(j->dtype) / 8, e))
			j->m = lm_random(&c, j->dtype, 1, e);
		return j->m != NULL;
	}
	if (args_count(a) < 2)
		return err_set(e, E_2003, "a model is needed: --geometry CONFIG or a checkpoint");
	char *path = cli_ckpt_path(args_at(a, 1), e);
	LmOptions o = { .no_mtp = true, .memory_limit = cli_memory_limit(a) };
	j->m = path ? lm_open(path, &o, e) : NULL;
	free(path);
	return j->m != NULL;
}

/* Random weights of the geometry, or of the checkpoint's; grpo: the checkpoint's own. */
static bool train_measure(const Args *a, bool grpo, BenchJob *j, BenchResult *r, Err *e)
{
	Config c;
	bool named = args_has(a, "geometry");
	if (!named && args_count(a) < 2)
		return err_set(e, E_2003, "a model is needed: --geometry CONFIG or a checkpoint");
	if (j->dtype == DT_F16)
		return err_set(e, E_2003, "--dtype f16: training is in f32, or with products in bf16");
	char *path = named ? NULL : cli_ckpt_path(args_at(a, 1), e);
	bool ok = (named || path) && config_read(named ? args_str(a, "geometry", "") : path, &c, e);
	j->config = &c;
	j->from = grpo ? path : NULL;
	j->memory_limit = cli_memory_limit(a);
	ok = ok && (grpo ? bench_grpo(j, r, e) : bench_train(j, r, e));
	j->config = NULL;
	j->from = NULL;
	free(path);
	return ok;
}

static bool bench_measure(const Args *a, const char *what, BenchJob *j, BenchResult *r, Err *e)
{
	if (strcmp(what, "gemm") == 0)
		return gemm_limit(a, j, e) && bench_gemm(j, r, e);
	if (strcmp(what, "start") == 0)
		return bench_start(a, j->dtype, j->repeats, r, e);
	if (strcmp(what, "frame") == 0)
		return bench_frame(a, j->repeats, r, e);
	if (strcmp(what, "fp8") == 0)
		return limit_check(a, 4096.0 * 4096 * (2 * sizeof(real) + 1.125), e) && bench_fp8(j, r, e);
	if (strcmp(what, "train") == 0 || strcmp(what, "grpo") == 0)
		return train_measure(a, strcmp(what, "grpo") == 0, j, r, e);
	if (!bench_model(a, j, e) || !model_limit(a, what, j, e))
		return false;
	return strcmp(what, "decode") == 0 ? bench_decode(j, r, e) : bench_prefill(j, r, e);
}

static void bench_json(const char *what, const BenchJob *j, const BenchResult *r, Buf *b)
{
	Jout o;
	jout_init(&o, b);
	jout_obj(&o);
	jout_kstr(&o, "what", what);
	jout_kstr(&o, "dtype", j->dtype == DT_BF16 ? "bf16" : j->dtype == DT_F16 ? "f16" : "f32");
	jout_kint(&o, "threads", pool_threads(j->pool));
	jout_knum(&o, "value", r->value);
	jout_kstr(&o, "unit", r->unit);
	jout_knum(&o, "limit", r->limit);
	jout_knum(&o, "share", r->share);
	jout_kstr(&o, "limit_is", r->limit_is);
	jout_key(&o, "repeats");
	jout_arr(&o);
	for (int i = 0; i < r->n; i++)
		jout_num(&o, r->repeats[i]);
	jout_end_arr(&o);
	for (int i = 0; i < r->n_part; i++)
		jout_knum(&o, r->part[i].name, r->part[i].value);
	jout_end_obj(&o);
	buf_addc(b, '\n');
}

static void bench_text(const char *what, const BenchResult *r, Buf *b)
{
	buf_printf(b, "%s: %.4g %s, %.1f %% of %.4g (%s)\n", what, r->value, r->unit, 100 * r->share, r->limit, r->limit_is);
	for (int i = 0; i < r->n_part; i++)
		buf_printf(b, "  %-18s %.4g\n", r->part[i].name, r->part[i].value);
}

static const char *const whats[] = { "gemm", "decode", "prefill", "train", "grpo", "start", "frame", "fp8", NULL };
static const char *const later[] = { "stream", NULL };

static bool listed(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

static int run(const Args *a, Err *e)
{
	const char *what = args_at(a, 0);
	BenchJob j = { 0 };
	BenchResult r = { 0 };
	Buf b = BUF_INIT;
	bool ok = listed(whats, what);
	if (!ok && listed(later, what))
		err_set(e, E_2004,
			"bench %s is not in this version; there are gemm, decode, prefill, train, grpo, start, "
			"frame and fp8",
			what);
	else if (!ok)
		err_set(e, E_2003, "bench %s: there are gemm, decode, prefill, train, grpo, start, frame and fp8", what);
	ok = ok && bench_job(a, what, &j, e);
	if (ok && !(j.pool = pool_new(cli_threads(a))))
		ok = err_set(e, E_5001, "could not start the threads");
	ok = ok && bench_measure(a, what, &j, &r, e);
	if (ok && args_has(a, "json"))
		bench_json(what, &j, &r, &b);
	else if (ok)
		bench_text(what, &r, &b);
	ok = ok && cli_out(&b, e);
	buf_done(&b);
	lm_free(j.m);
	pool_free(j.pool);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = { "lathe bench gemm --rows 8 --repeats 3 --json",
	"lathe bench decode @tiny --tokens 16 --repeats 3", NULL };

const Cmd cmd_bench = {
	.name = "bench",
	.usage = "gemm|decode|prefill|train|grpo|start|frame|fp8 [CKPT | --geometry CONFIG] [--dtype D] [--depth N] "
		 "[--tokens N] [--batch B]",
	.summary = "one measurement beside the machine's own limit",
	.text = "Measures one thing several times, takes the median, measures what the machine could do at "
		"best in the same call, and prints both and their ratio. decode: one-token forwards against "
		"reading the weights and the cache once a token. prefill, gemm and train: against "
		"multiply-adds "
		"from registers; a step of train is gradients, clipping and AdamW; grpo is whole iterations of it (16 problems, 8 "
		"answers of --tokens tokens, one update), with seconds of each part and what one answer at a time would give. start: a whole process "
		"from exec to its first token, against one that only "
		"prints its version. frame: the workbench on a terminal of 200x60 until its first picture "
		"stands, against the same. fp8: bytes read and written while a matrix becomes e4m3 in tiles of 1x128, against copying it; "
		"with the seconds of a product of 512x512x4096 as Hopper's tensor cores form it.\n\n"
		"Ratios taken side by side are worth more than single figures: machines are noisy.",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
