/* cmd_info.c - what a checkpoint holds, from its headers and its config alone: no tensor byte is read. */
#include "cli/cmd.h"
#include "cli/units.h"
#include "model/config.h"
#include "tensor/ckpt.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BF16_BYTES = 2 };

typedef struct Info {
	Ckpt *k;
	Config c;
	bool has_config;             /* else: tensor facts only */
	int64_t count[DT_COUNT];     /* tensors of each type */
	uint64_t elements;
	bool scales;                 /* some tensor has FP8 block scales */
} Info;

static const Opt opts[] = {
	{ "tensors", 0, OPT_FLAG, NULL, "list every tensor: name, type, shape, file, bytes" },
	{ 0 },
};

static uint64_t entry_elements(const StEntry *t)
{
	uint64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= (uint64_t)t->shape[i];
	return n;
}

static bool name_ends(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && strcmp(s + n - k, end) == 0;
}

static void info_count(Info *x)
{
	for (size_t i = 0; i < ckpt_count(x->k); i++) {
		const StEntry *t = ckpt_at(x->k, i, NULL);
		x->count[t->dtype]++;
		x->elements += entry_elements(t);
		x->scales = x->scales || name_ends(t->name, ".weight_scale_inv");
	}
}

/* A checkpoint without a config.json is still looked at. */
static bool info_config(Info *x, Err *e)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s/config.json", ckpt_dir(x->k));
	bool ok = !b.failed || err_set(e, E_5001, "out of memory");
	if (ok && (access(b.s, F_OK) == 0 || errno != ENOENT)) {
		ok = config_read(b.s, &x->c, e);
		x->has_config = ok;
	}
	buf_done(&b);
	return ok;
}

static void json_config_int(Jout *j, const Info *x, const char *key, int64_t v)
{
	jout_key(j, key);
	if (x->has_config)
		jout_int(j, v);
	else
		jout_null(j);
}

static void json_model(Jout *j, const Info *x)
{
	const Config *c = &x->c;
	ParamCount p = x->has_config ? config_params(c) : (ParamCount){ 0 };
	jout_key(j, "model_type");
	if (x->has_config)
		jout_str(j, c->model_type);
	else
		jout_null(j);
	json_config_int(j, x, "layers", c->num_hidden_layers);
	json_config_int(j, x, "hidden", c->hidden_size);
	json_config_int(j, x, "heads", c->num_attention_heads);
	jout_key(j, "attention");
	if (x->has_config)
		jout_str(j, c->attention[0] ? c->attention : "mla");
	else
		jout_null(j);
	json_config_int(j, x, "vocab", c->vocab_size);
	json_config_int(j, x, "experts", c->n_routed_experts);
	json_config_int(j, x, "experts_per_token", c->n_routed_experts ? c->num_experts_per_tok : 0);
	json_config_int(j, x, "params_total", p.total);
	json_config_int(j, x, "params_active", p.active);
	json_config_int(j, x, "params_mtp", p.mtp);
	json_config_int(j, x, "mtp_layers", c->num_nextn_predict_layers);
	json_config_int(j, x, "max_context", c->max_position_embeddings);
	jout_key(j, "indexer");
	if (x->has_config)
		jout_bool(j, c->arch == ARCH_V32);
	else
		jout_null(j);
}

static void json_cache(Jout *j, const Info *x)
{
	KvCount n = config_kv(&x->c);
	jout_key(j, "kv_bytes_per_token");
	if (!x->has_config) {
		jout_null(j);
		return;
	}
	jout_obj(j);
	jout_kint(j, "mla", n.mla * BF16_BYTES);
	jout_kint(j, "mha", n.mha * BF16_BYTES);
	jout_kint(j, "gqa8", n.gqa8 * BF16_BYTES);
	jout_kint(j, "mqa", n.mqa * BF16_BYTES);
	jout_kint(j, "own", n.own * BF16_BYTES);
	jout_end_obj(j);
}

static void json_tensor(Jout *j, const StEntry *t, const char *file)
{
	jout_obj(j);
	jout_kstr(j, "name", t->name);
	jout_kstr(j, "dtype", dtype_name(t->dtype));
	jout_key(j, "shape");
	jout_arr(j);
	for (int i = 0; i < t->rank; i++)
		jout_int(j, t->shape[i]);
	jout_end_arr(j);
	jout_kstr(j, "file", file);
	jout_kint(j, "bytes", (int64_t)(t->end - t->begin));
	jout_end_obj(j);
}

static void info_json(const Info *x, bool list, Buf *b)
{
	Jout j;
	const char *file;
	jout_init(&j, b);
	jout_obj(&j);
	json_model(&j, x);
	jout_kint(&j, "tensors", (int64_t)ckpt_count(x->k));
	jout_kint(&j, "elements", (int64_t)x->elements);
	jout_kint(&j, "bytes", (int64_t)ckpt_bytes(x->k));
	jout_key(&j, "dtypes");
	jout_obj(&j);
	for (int d = 0; d < DT_COUNT; d++)
		if (x->count[d])
			jout_kint(&j, dtype_name((Dtype)d), x->count[d]);
	jout_end_obj(&j);
	jout_kbool(&j, "quantized", x->scales || (x->has_config && x->c.fp8));
	json_cache(&j, x);
	jout_key(&j, "files");
	jout_arr(&j);
	for (size_t i = 0; i < ckpt_files(x->k); i++)
		jout_str(&j, ckpt_file(x->k, i));
	jout_end_arr(&j);
	if (list) {
		jout_key(&j, "tensor_list");
		jout_arr(&j);
		for (size_t i = 0; i < ckpt_count(x->k); i++) {
			const StEntry *t = ckpt_at(x->k, i, &file);
			json_tensor(&j, t, file);
		}
		jout_end_arr(&j);
	}
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static void label(Buf *b, const char *s)
{
	buf_printf(b, "  %-14s", s);
}

static void row_count(Buf *b, const char *s, int64_t n)
{
	label(b, s);
	units_count(b, n);
	buf_addc(b, '\n');
}

static void text_experts(Buf *b, const Config *c)
{
	if (!c->n_routed_experts) {
		label(b, "experts");
		buf_adds(b, "none\n");
		return;
	}
	label(b, "experts");
	units_count(b, c->n_routed_experts);
	buf_printf(b, " routed, %lld per token, %lld shared", (long long)c->num_experts_per_tok,
		(long long)c->n_shared_experts);
	if (c->n_group > 1 && c->topk_method != TOPK_GREEDY)
		buf_printf(b, "; %lld groups, %lld kept", (long long)c->n_group, (long long)c->topk_group);
	buf_printf(b, "\n  %-14s%s scores, %s\n", "gate", c->softmax_gate ? "softmax" : "sigmoid",
		   c->topk_method == TOPK_NOAUX ? "correction bias (noaux_tc)" :
		   c->topk_method == TOPK_GREEDY ? "greedy" : "group-limited greedy");
}

static void text_latent(Buf *b, const Config *c)
{
	label(b, "latent");
	buf_printf(b, "%lld + %lld rotary; queries ", (long long)c->kv_lora_rank,
		(long long)c->qk_rope_head_dim);
	if (c->q_lora_rank)
		buf_printf(b, "%lld\n", (long long)c->q_lora_rank);
	else
		buf_adds(b, "direct\n");
}

static void text_other(Buf *b, const Config *c)
{
	label(b, "attention");
	if (config_attention(c) == ATTN_GQA)
		buf_printf(b, "%s, %lld heads for keys and values\n", c->attention, (long long)config_key_heads(c));
	else
		buf_printf(b, "%s, of a script; its parameters are not counted here\n", c->attention);
}

static void text_attention(Buf *b, const Config *c)
{
	label(b, "heads");
	units_count(b, c->num_attention_heads);
	buf_printf(b, ", each %lld + %lld rotary, values %lld\n", (long long)c->qk_nope_head_dim,
		(long long)c->qk_rope_head_dim, (long long)c->v_head_dim);
	if (config_attention(c) == ATTN_MLA)
		text_latent(b, c);
	else
		text_other(b, c);
	if (c->arch == ARCH_V32) {
		label(b, "indexer");
		buf_printf(b, "%lld heads of %lld, top ", (long long)c->index_n_heads,
			(long long)c->index_head_dim);
		units_count(b, c->index_topk);
		buf_addc(b, '\n');
	}
	label(b, "context");
	units_count(b, c->max_position_embeddings);
	if (c->yarn_factor != 0)
		buf_printf(b, " (YaRN: %g times %lld)", c->yarn_factor, (long long)c->yarn_original);
	buf_addc(b, '\n');
}

static void text_cache(Buf *b, const Config *c)
{
	KvCount n = config_kv(c);
	label(b, "cache, token");
	units_bytes(b, (double)(n.own * BF16_BYTES));
	buf_adds(b, " in BF16; as MHA ");
	units_bytes(b, (double)(n.mha * BF16_BYTES));
	buf_adds(b, ", as MQA ");
	units_bytes(b, (double)(n.mqa * BF16_BYTES));
	buf_addc(b, '\n');
}

static void text_model(Buf *b, const Config *c)
{
	int64_t moe = 0;
	ParamCount p = config_params(c);
	for (int64_t i = 0; i < c->num_hidden_layers; i++)
		moe += config_is_moe(c, i);
	label(b, "model");
	buf_printf(b, "%s\n", c->model_type);
	label(b, "parameters");
	units_amount(b, p.total);
	buf_adds(b, ", ");
	units_amount(b, p.active);
	buf_adds(b, " work on a token");
	if (p.mtp) {
		buf_adds(b, "; MTP ");
		units_amount(b, p.mtp);
		buf_adds(b, " more");
	}
	buf_printf(b, "\n  %-14s%lld (%lld dense, %lld with experts)", "layers",
		(long long)c->num_hidden_layers,
		   (long long)(c->num_hidden_layers - moe), (long long)moe);
	if (c->num_nextn_predict_layers)
		buf_printf(b, " and %lld MTP", (long long)c->num_nextn_predict_layers);
	buf_addc(b, '\n');
	row_count(b, "hidden", c->hidden_size);
	text_attention(b, c);
	text_experts(b, c);
	label(b, "vocabulary");
	units_count(b, c->vocab_size);
	buf_adds(b, c->tie_word_embeddings ? ", head tied to the embedding\n" : "\n");
	text_cache(b, c);
}

static void text_stored(Buf *b, const Info *x)
{
	label(b, "tensors");
	units_count(b, (int64_t)ckpt_count(x->k));
	buf_adds(b, ", ");
	units_bytes(b, (double)ckpt_bytes(x->k));
	if (ckpt_files(x->k) != 1)
		buf_printf(b, ", in %zu files", ckpt_files(x->k));
	buf_addc(b, '\n');
	label(b, "types");
	const char *comma = "";
	for (int d = 0; d < DT_COUNT; d++)
		if (x->count[d]) {
			buf_printf(b, "%s%s ", comma, dtype_name((Dtype)d));
			units_count(b, x->count[d]);
			comma = ", ";
		}
	if (x->scales)
		buf_adds(b, "; FP8 with block scales");
	buf_adds(b, *comma || x->scales ? "\n" : "none\n");
}

static void shape_put(Buf *b, const StEntry *t)
{
	buf_addc(b, '[');
	for (int i = 0; i < t->rank; i++)
		buf_printf(b, "%s%lld", i ? "," : "", (long long)t->shape[i]);
	buf_addc(b, ']');
}

static void text_tensors(Buf *b, const Info *x)
{
	int wide = 0;
	const char *file;
	for (size_t i = 0; i < ckpt_count(x->k); i++) {
		int n = units_name_width(ckpt_at(x->k, i, NULL)->name);
		wide = n > wide ? n : wide;
	}
	wide = wide > 64 ? 64 : wide;
	buf_addc(b, '\n');
	for (size_t i = 0; i < ckpt_count(x->k); i++) {
		const StEntry *t = ckpt_at(x->k, i, &file);
		units_name(b, t->name, wide);
		buf_printf(b, "  %-7s  ", dtype_name(t->dtype));
		size_t at = b->len;
		shape_put(b, t);
		units_pad(b, at, 15);
		at = b->len;
		units_bytes(b, (double)(t->end - t->begin));
		units_pad_before(b, at, 10);
		if (ckpt_files(x->k) > 1) {
			buf_adds(b, "  ");
			units_name(b, file, 0);
		}
		buf_addc(b, '\n');
	}
}

static void info_text(const Info *x, const char *name, bool list, Buf *b)
{
	units_name(b, name, 0);
	buf_addc(b, '\n');
	if (x->has_config)
		text_model(b, &x->c);
	text_stored(b, x);
	if (!x->has_config)
		buf_adds(b, "  no config.json beside it: nothing is known of the model\n");
	if (list)
		text_tensors(b, x);
}

static int info_run(const Args *a, Err *e)
{
	Info x = { 0 };
	Buf b = BUF_INIT;
	char *path = cli_ckpt_path(args_at(a, 0), e);
	bool ok = path && (x.k = ckpt_open(path, e)) && info_config(&x, e);
	if (ok) {
		info_count(&x);
		if (args_has(a, "json"))
			info_json(&x, args_has(a, "tensors"), &b);
		else
			info_text(&x, args_at(a, 0), args_has(a, "tensors"), &b);
		ok = cli_out(&b, e);
	}
	buf_done(&b);
	ckpt_close(x.k);
	free(path);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = { "lathe info @tiny", "lathe info @tiny --tensors",
	"lathe info @tiny --json", NULL };

const Cmd cmd_info = {
	.name = "info",
	.usage = "CKPT [--tensors]",
	.summary = "show what a checkpoint holds, from its headers alone",
	.text = "Prints the model's kind and sizes, its parameters, its cache per token and how its tensors "
		"are stored. Only config.json, the shard index and the headers are read, so that it takes "
		"milliseconds for a checkpoint of any size; every rule of the safetensors format is checked "
		"on the way.\n\n"
		"Parameter counts follow from config.json, tensor counts and bytes from the files. \"Work on "
		"a token\" counts the embedding, the head, and of the routed experts those that one token "
		"uses. Cache sizes are for BF16; `lathe kv` has others.\n\n"
		"A .safetensors file without a config.json beside it shows its tensors only; with --json the "
		"fields of the model are then null. \"dtypes\" counts tensors of each type.",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = info_run,
};
