/* config_write.c - a Config as a config.json that our reader and Hugging Face transformers read: every key
 * is written out, so that no default of one or the other decides. Numbers that are fractions by nature keep
 * their point (newer transformers refuse 1 for 1.0). */
#include "base/json.h"
#include "model/config.h"
#include "model/config_fields.h"
#include <string.h>

/* One line for each key. */
typedef struct Lines { Buf *b; int depth; bool first; } Lines;

static void lines_key(Lines *l, const char *key)
{
	buf_adds(l->b, l->first ? "\n" : ",\n");
	l->first = false;
	for (int i = 0; i < l->depth; i++)
		buf_adds(l->b, "  ");
	buf_printf(l->b, "\"%s\": ", key);
}

static void lines_str(Lines *l, const char *key, const char *s)
{
	Jout j;
	lines_key(l, key);
	jout_init(&j, l->b);
	jout_str(&j, s);
}

static void lines_int(Lines *l, const char *key, int64_t v)
{
	lines_key(l, key);
	buf_printf(l->b, "%lld", (long long)v);
}

static void lines_num(Lines *l, const char *key, double v)
{
	Jout j;
	lines_key(l, key);
	size_t at = l->b->len;
	jout_init(&j, l->b);
	jout_num(&j, v);
	if (!l->b->failed && !strpbrk(l->b->s + at, ".eEn"))
		buf_adds(l->b, ".0");
}

static void lines_flag(Lines *l, const char *key, bool v)
{
	lines_key(l, key);
	buf_adds(l->b, v ? "true" : "false");
}

static void lines_null(Lines *l, const char *key)
{
	lines_key(l, key);
	buf_adds(l->b, "null");
}

static Lines lines_open(Lines *l, const char *key)
{
	if (key)
		lines_key(l, key);
	buf_addc(l->b, '{');
	return (Lines){ l->b, l->depth + 1, true };
}

static void lines_close(const Lines *inner)
{
	buf_addc(inner->b, '\n');
	for (int i = 1; i < inner->depth; i++)
		buf_adds(inner->b, "  ");
	buf_addc(inner->b, '}');
}

static void type_write(Lines *l, const Config *c)
{
	static const char *const class[] = { "DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM",
		"DeepseekV32ForCausalLM" };
	static const char *const type[] = { "deepseek_v2", "deepseek_v3", "deepseek_v32" };
	lines_key(l, "architectures");
	buf_printf(l->b, "[\"%s\"]", class[c->arch]);
	lines_str(l, "model_type", c->model_type[0] ? c->model_type : type[c->arch]);
}

/* What cannot be written as a number of the allowed range is null (no experts, no first token), and so is a
 * query latent of width 0, which transformers would take for a matrix without rows. */
static void field_write(Lines *l, const Field *f, const Config *c)
{
	const char *from = (const char *)c + f->at;
	int64_t i;
	double v;
	bool b;
	if (f->kind == FLAG) {
		memcpy(&b, from, sizeof b);
		lines_flag(l, f->key, b);
	} else if (f->kind == NUM) {
		memcpy(&v, from, sizeof v);
		lines_num(l, f->key, v);
	} else {
		memcpy(&i, from, sizeof i);
		bool none = f->null != NO_NULL && i == f->null &&
			((double)i < f->lo || strcmp(f->key, "q_lora_rank") == 0);
		if (none && i <= 0)
			lines_null(l, f->key);
		else
			lines_int(l, f->key, i);
	}
}

static void words_write(Lines *l, const Config *c)
{
	static const char *const method[] = { [TOPK_GREEDY] = "greedy",
		[TOPK_GROUP_GREEDY] = "group_limited_greedy",
		[TOPK_NOAUX] = "noaux_tc" };
	lines_str(l, "topk_method", method[c->topk_method]);
	lines_str(l, "scoring_func", c->softmax_gate ? "softmax" : "sigmoid");
	lines_str(l, "hidden_act", "silu");
	lines_num(l, "attention_dropout", 0);
	lines_flag(l, "use_cache", true);
}

/* One number, or a list of several. */
static void eos_write(Lines *l, const Config *c)
{
	lines_key(l, "eos_token_id");
	if (c->n_eos == 0)
		buf_adds(l->b, "null");
	for (int64_t i = 0; i < c->n_eos; i++)
		buf_printf(l->b, "%s%lld", i ? ", " : c->n_eos > 1 ? "[" : "", (long long)c->eos_token_id[i]);
	if (c->n_eos > 1)
		buf_addc(l->b, ']');
}

static void rope_write(Lines *l, const Config *c)
{
	lines_num(l, "rope_theta", c->rope_theta);
	if (c->yarn_factor == 0) {
		lines_null(l, "rope_scaling");
		return;
	}
	Lines y = lines_open(l, "rope_scaling");
	lines_str(&y, "type", "yarn");
	lines_str(&y, "rope_type", "yarn");
	lines_num(&y, "factor", c->yarn_factor);
	lines_int(&y, "original_max_position_embeddings", c->yarn_original);
	lines_num(&y, "beta_fast", c->yarn_beta_fast);
	lines_num(&y, "beta_slow", c->yarn_beta_slow);
	lines_num(&y, "mscale", c->yarn_mscale);
	lines_num(&y, "mscale_all_dim", c->yarn_mscale_all_dim);
	if (c->yarn_attention_factor != 0)
		lines_num(&y, "attention_factor", c->yarn_attention_factor);
	if (!c->yarn_truncate)
		lines_flag(&y, "truncate", false);
	lines_close(&y);
}

static void quant_write(Lines *l, const Config *c)
{
	Lines q = lines_open(l, "quantization_config");
	lines_str(&q, "activation_scheme", "dynamic");
	lines_str(&q, "fmt", "e4m3");
	lines_str(&q, "quant_method", "fp8");
	lines_key(&q, "weight_block_size");
	buf_printf(q.b, "[%lld, %lld]", (long long)c->fp8_block[0], (long long)c->fp8_block[1]);
	lines_close(&q);
}

static void layer_types_write(Lines *l, const Config *c)
{
	lines_key(l, "mlp_layer_types");
	for (int64_t i = 0; i < c->num_hidden_layers; i++)
		buf_printf(l->b, "%s\"%s\"", i ? ", " : "[",
			c->sparse[i / 64] >> i % 64 & 1 ? "sparse" : "dense");
	buf_addc(l->b, ']');
}

static const char *dtype_word(Dtype d)
{
	switch (d) {
	case DT_F64: return "float64";
	case DT_F32: return "float32";
	case DT_F16: return "float16";
	case DT_F8_E4M3: return "float8_e4m3fn";
	default: return "bfloat16";
	}
}

bool config_write(const Config *c, Buf *out)
{
	size_t n;
	const Field *f = config_fields(&n);
	Lines none = { out, 0, true }, l = lines_open(&none, NULL);
	type_write(&l, c);
	for (size_t i = 0; i < n; i++)
		if (config_field_applies(&f[i], c->arch))
			field_write(&l, &f[i], c);
	eos_write(&l, c);
	words_write(&l, c);
	rope_write(&l, c);
	if (c->fp8)
		quant_write(&l, c);
	if (c->has_layer_types)
		layer_types_write(&l, c);
	if (c->attention[0])
		lines_str(&l, "lathe_attention", c->attention);
	if (c->router[0])
		lines_str(&l, "lathe_router", c->router);
	lines_str(&l, "torch_dtype", dtype_word(c->dtype));
	lines_close(&l);
	buf_addc(out, '\n');
	return !out->failed;
}

/* The config as a JSON object; NULL without memory. */
static json_t *config_object(const Config *c)
{
	Buf b = BUF_INIT;
	json_t *j = config_write(c, &b) ? json_parse(b.s, b.len, "config", E_3070, NULL) : NULL;
	buf_done(&b);
	return j;
}

static void value_show(Buf *b, const json_t *v)
{
	char shown[80];
	size_t n = v ? json_dumpb(v, shown, sizeof shown,
		JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) : 0;
	if (!v)
		buf_adds(b, "absent");
	else
		buf_add(b, shown, n < sizeof shown ? n : sizeof shown);
}

/* Kinds of stored numbers do not make another model. */
static bool key_counts(const char *key)
{
	return strcmp(key, "torch_dtype") != 0 && strcmp(key, "quantization_config") != 0;
}

static void difference_say(Buf *what, const char *key, const json_t *a, const json_t *b)
{
	buf_printf(what, "%s is ", key);
	value_show(what, a);
	buf_adds(what, " and ");
	value_show(what, b);
}

static bool objects_differ(json_t *a, json_t *b, Buf *what)
{
	const char *key;
	json_t *x;
	json_object_foreach(a, key, x) {
		if (key_counts(key) && !json_equal(x, json_object_get(b, key))) {
			difference_say(what, key, x, json_object_get(b, key));
			return true;
		}
	}
	json_object_foreach(b, key, x) {
		if (key_counts(key) && !json_object_get(a, key)) {
			difference_say(what, key, NULL, x);
			return true;
		}
	}
	return false;
}

bool config_differs(const Config *a, const Config *b, Buf *what)
{
	json_t *x = config_object(a), *y = config_object(b);
	bool differs = true;
	if (!x || !y)
		buf_adds(what, "no memory to compare the configs");
	else
		differs = objects_differ(x, y, what);
	json_decref(x);
	json_decref(y);
	return differs;
}
