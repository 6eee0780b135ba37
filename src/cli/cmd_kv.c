/* cmd_kv.c - what the KV cache of a config costs, beside what other kinds of attention with the same heads
 * would keep, and beside published models. */
#include "base/arena.h"
#include "cli/cmd.h"
#include "cli/units.h"
#include "model/config.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 4, BAR = 24 };
static const char *const kind_key[KINDS] = { "mla", "mha", "gqa8", "mqa" };
static const char *const kind_name[KINDS] = { "MLA", "MHA", "GQA-8", "MQA" };

typedef struct Sizes { int64_t token[KINDS], total[KINDS]; } Sizes; /* bytes */
typedef struct Ask { int64_t context, batch; int bytes; const char *dtype; } Ask;

static const Opt opts[] = {
	{ "context", 0, OPT_INT, "N", "tokens kept per sequence; default: the model's "
		"max_position_embeddings" },
	{ "batch", 0, OPT_INT, "B", "sequences kept at once; default 1" },
	{ "cache-dtype", 0, OPT_STR, "DTYPE", "f32, bf16, f16 or fp8; default bf16" },
	{ 0 },
};

static bool ask_dtype(const Args *a, Ask *q, Err *e)
{
	static const struct {
		const char *name;
		int bytes;
	} known[] = { { "f32", 4 }, { "bf16", 2 }, { "f16", 2 }, { "fp8", 1 } };
	const char *want = args_str(a, "cache-dtype", "bf16");
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(want, known[i].name) == 0) {
			q->dtype = known[i].name;
			q->bytes = known[i].bytes;
			return true;
		}
	return err_set(e, E_2003, "--cache-dtype %.40s: must be f32, bf16, f16 or fp8", want);
}

static bool ask_take(const Args *a, const Config *c, Ask *q, Err *e)
{
	q->context = args_int(a, "context", c->max_position_embeddings);
	q->batch = args_int(a, "batch", 1);
	if (q->context < 1 || q->batch < 1)
		return err_set(e, E_2003, "--context and --batch must be at least 1");
	return ask_dtype(a, q, e);
}

static bool sizes_take(const Config *c, const Ask *q, Sizes *s, Err *e)
{
	KvCount n = config_kv(c);
	const int64_t count[KINDS] = { n.mla, n.mha, n.gqa8, n.mqa };
	for (int i = 0; i < KINDS; i++) {
		size_t v;
		s->token[i] = count[i] * q->bytes;
		if (!size_mul((size_t)s->token[i], (size_t)q->context, &v) ||
			!size_mul(v, (size_t)q->batch, &v) || v > INT64_MAX)
			return err_set(e, E_5003,
				"a context of %lld with a batch of %lld passes 2^63 bytes; ask for less",
				(long long)q->context, (long long)q->batch);
		s->total[i] = (int64_t)v;
	}
	return true;
}

static void json_kinds(Jout *j, const char *key, const int64_t v[KINDS])
{
	jout_key(j, key);
	jout_obj(j);
	for (int i = 0; i < KINDS; i++) {
		jout_key(j, kind_key[i]);
		if (v[i])
			jout_int(j, v[i]);
		else
			jout_null(j); /* a model without a latent */
	}
	jout_end_obj(j);
}

static void json_sizes(Jout *j, const Config *c, const Ask *q, const Sizes *s, int64_t cached)
{
	jout_kint(j, "context", q->context);
	jout_kint(j, "batch", q->batch);
	jout_kstr(j, "dtype", q->dtype);
	json_kinds(j, "bytes", s->total);
	json_kinds(j, "per_token", s->token);
	jout_key(j, "ratio_mha_mla");
	if (s->token[0])
		jout_num(j, (double)s->token[1] / (double)s->token[0]);
	else
		jout_null(j);
	jout_kint(j, "cached_per_token", cached * q->bytes);
	jout_kint(j, "index_keys_per_token", c->num_hidden_layers * c->index_head_dim * q->bytes);
}

static bool kv_json(const Config *c, const Ask *q, Buf *b, Err *e)
{
	Jout j;
	Sizes s;
	if (!sizes_take(c, q, &s, e))
		return false;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kstr(&j, "model_type", c->model_type);
	json_sizes(&j, c, q, &s, config_kv(c).own);
	jout_key(&j, "known");
	jout_arr(&j);
	for (size_t i = 0; config_known(i); i++) {
		const KnownModel *k = config_known(i);
		if (!sizes_take(&k->config, q, &s, e))
			return false;
		jout_obj(&j);
		jout_kstr(&j, "name", k->name);
		jout_kstr(&j, "note", k->note);
		json_sizes(&j, &k->config, q, &s,
			k->kv_elements ? k->kv_elements : config_kv(&k->config).own);
		jout_end_obj(&j);
	}
	jout_end_arr(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
	return true;
}

static void cell_bytes(Buf *b, double v, int width)
{
	size_t at = b->len;
	units_bytes(b, v);
	units_pad_before(b, at, width);
}

static void text_kinds(Buf *b, const Config *c, const Sizes *s)
{
	double low = INFINITY, high = 0;
	for (int i = 0; i < KINDS; i++) {
		low = fmin(low, (double)s->token[i]);
		high = fmax(high, (double)s->token[i]);
	}
	buf_adds(b, "         per token       in all    to MLA  (bars: log scale)\n");
	for (int i = 0; i < KINDS; i++) {
		double v = (double)s->token[i];
		if (i == 2 && c->num_attention_heads <= 8)
			continue;          /* GQA-8 is MHA itself */
		buf_printf(b, "  %-5s", kind_name[i]);
		cell_bytes(b, v, 11);
		cell_bytes(b, (double)s->total[i], 13);
		buf_printf(b, "%8.2f x  ", v / (double)s->token[0]);
		/* the smallest gets a quarter of the room, so that every bar can be seen */
		units_bar(b, high > low ? 0.25 + 0.75 * log(v / low) / log(high / low) : 0.25, BAR);
		buf_addc(b, '\n');
	}
}

static bool text_known(Buf *b, const Ask *q, Err *e)
{
	Sizes s;
	buf_adds(b,
		"\nPublished models, the same context\n                     per token       in all     as "
		"MHA   keeps\n");
	for (size_t i = 0; config_known(i); i++) {
		const KnownModel *k = config_known(i);
		if (!sizes_take(&k->config, q, &s, e))
			return false;
		int64_t token = (k->kv_elements ? k->kv_elements : config_kv(&k->config).own) * q->bytes;
		buf_printf(b, "  %-18s", k->name);
		cell_bytes(b, (double)token, 10);
		cell_bytes(b, (double)token * (double)q->context * (double)q->batch, 13);
		buf_printf(b, "%9.2f x   %s\n", (double)s.token[1] / (double)token, k->note);
	}
	return true;
}

static bool kv_text(const Config *c, const Ask *q, const char *name, Buf *b, Err *e)
{
	Sizes s;
	if (!sizes_take(c, q, &s, e))
		return false;
	units_name(b, name, 0);
	buf_printf(b, ": %s, %lld layers, ", c->model_type, (long long)c->num_hidden_layers);
	units_count(b, q->context);
	buf_adds(b, " tokens");
	if (q->batch > 1) {
		buf_adds(b, " of ");
		units_count(b, q->batch);
		buf_adds(b, " sequences");
	}
	buf_printf(b, ", cache in %s\n\n", q->dtype);
	text_kinds(b, c, &s);
	if (config_attention(c) != ATTN_MLA) {
		buf_printf(b, "  This model's attention is %s: it keeps ", c->attention);
		units_bytes(b, (double)(config_kv(c).own * q->bytes));
		buf_adds(b, " per token.\n");
	}
	if (c->arch == ARCH_V32) {
		buf_adds(b, "  The indexer keeps ");
		units_bytes(b, (double)(c->num_hidden_layers * c->index_head_dim * q->bytes));
		buf_adds(b, " of keys per token beside the latent.\n");
	}
	if (q->context > c->max_position_embeddings) {
		buf_adds(b, "  The model is made for contexts up to ");
		units_count(b, c->max_position_embeddings);
		buf_adds(b, ".\n");
	}
	return text_known(b, q, e);
}

/* The config beside a .safetensors file, in a folder, or the file itself. */
static bool config_of(const char *path, Config *c, Err *e)
{
	static const char end[] = ".safetensors";
	size_t n = strlen(path), k = sizeof end - 1;
	if (n < k || strcmp(path + n - k, end) != 0)
		return config_read(path, c, e);
	const char *slash = strrchr(path, '/');
	Buf b = BUF_INIT;
	buf_printf(&b, "%.*s/config.json", slash ? (int)(slash - path) : 1, slash ? path : ".");
	bool ok = b.failed ? err_set(e, E_5001, "out of memory") : config_read(b.s, c, e);
	buf_done(&b);
	return ok;
}

static int kv_run(const Args *a, Err *e)
{
	Config c;
	Ask q;
	Buf b = BUF_INIT;
	char *path = cli_ckpt_path(args_at(a, 0), e);
	bool ok = path && config_of(path, &c, e) && ask_take(a, &c, &q, e);
	if (ok)
		ok = args_has(a, "json") ? kv_json(&c, &q, &b, e) : kv_text(&c, &q, args_at(a, 0), &b, e);
	ok = ok && cli_out(&b, e);
	buf_done(&b);
	free(path);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = { "lathe kv @tiny", "lathe kv @tiny --context 4096 --batch 8",
	"lathe kv @tiny --cache-dtype fp8 --json", NULL };

const Cmd cmd_kv = {
	.name = "kv", .usage = "CKPT|CONFIG [--context N] [--batch B] [--cache-dtype D]",
	.summary = "show what the KV cache costs, against MHA, GQA and MQA",
	.text = "Computes cache sizes from config.json alone; no weights are needed. With l layers, H heads "
		"and head widths d_n + d_r for keys and d_v for values, one token keeps\n\n"
		"  MLA    l (r + d_r)             the latent and the shared rotary key, as the model does\n"
		"  MHA    l H (d_n + d_r + d_v)   the keys and values of every head\n"
		"  GQA-8  the same for 8 heads; not shown of models with no more than 8\n"
		"  MQA    the same for one head\n\n"
		"elements of the cache's type (V2 paper, table 1). fp8 counts one byte per element, without "
		"scales. MTP modules are not counted. In the JSON, \"per_token\" and \"bytes\" are bytes; "
		"\"known\" holds the same for published models at the same context, with null where a model "
		"has no latent, and in \"cached_per_token\" what the model really keeps.",
	.opts = opts, .examples = examples, .min_args = 1, .max_args = 1, .run = kv_run,
};
