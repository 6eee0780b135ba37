/* config.c - config.json read with suspicion. One table gives each key its type, its range and Hugging
 * Face's default for the model type; a second step checks how the values go together. Keys that do not
 * change the computation are not looked at. */
#include "model/config.h"
#include "base/json.h"
#include "model/config_fields.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 16 << 20, WIDTH_MAX = 1 << 20 };
#define NONE NAN /* no default: the key must be there */

#define AT(f) offsetof(Config, f)
/* Defaults: configuration_deepseek_v2/v3/v32 of transformers; for null, what those classes make of None. */
static const Field fields[] = {
	{ "vocab_size", INT, NO_NULL, AT(vocab_size), 1, CONFIG_VOCAB_MAX, { 32000, 129280, 129280 } },
	{ "hidden_size", INT, NO_NULL, AT(hidden_size), 1, CONFIG_HIDDEN_MAX, { 4096, 7168, 7168 } },
	{ "num_hidden_layers", INT, NO_NULL, AT(num_hidden_layers), 1, CONFIG_LAYERS_MAX, { 32, 61, 61 } },
	{ "num_attention_heads", INT, NO_NULL, AT(num_attention_heads), 1, 4096, { 32, 128, 128 } },
	{ "num_key_value_heads", INT, 0, AT(num_key_value_heads), 1, 4096, { 0, 0, 0 } },
	{ "intermediate_size", INT, NO_NULL, AT(intermediate_size), 1, WIDTH_MAX, { 11008, 18432, 18432 } },
	{ "moe_intermediate_size", INT, 0, AT(moe_intermediate_size), 1, WIDTH_MAX, { 1407, 2048, 2048 } },
	{ "n_routed_experts", INT, 0, AT(n_routed_experts), 0, CONFIG_EXPERTS_MAX, { 64, 256, 256 } },
	{ "n_shared_experts", INT, 0, AT(n_shared_experts), 0, CONFIG_EXPERTS_MAX, { 2, 1, 1 } },
	{ "num_experts_per_tok", INT, 0, AT(num_experts_per_tok), 1, CONFIG_EXPERTS_MAX, { 0, 8, 8 } },
	{ "first_k_dense_replace", INT, 0, AT(first_k_dense_replace), 0, CONFIG_LAYERS_MAX, { 0, 3, 3 } },
	{ "moe_layer_freq", INT, NO_NULL, AT(moe_layer_freq), 1, CONFIG_LAYERS_MAX, { 1, 1, 1 } },
	{ "n_group", INT, 1, AT(n_group), 1, CONFIG_EXPERTS_MAX, { 1, 8, 8 } },
	{ "topk_group", INT, 1, AT(topk_group), 1, CONFIG_EXPERTS_MAX, { 1, 4, 4 } },
	{ "q_lora_rank", INT, 0, AT(q_lora_rank), 0, CONFIG_HIDDEN_MAX, { 1536, 1536, 1536 } },
	{ "kv_lora_rank", INT, NO_NULL, AT(kv_lora_rank), 1, CONFIG_HIDDEN_MAX, { 512, 512, 512 } },
	{ "qk_nope_head_dim", INT, NO_NULL, AT(qk_nope_head_dim), 1, 8192, { 128, 128, 128 } },
	{ "qk_rope_head_dim", INT, NO_NULL, AT(qk_rope_head_dim), 2, 8192, { 64, 64, 64 } },
	{ "v_head_dim", INT, NO_NULL, AT(v_head_dim), 1, 8192, { 128, 128, 128 } },
	{ "max_position_embeddings", INT, NO_NULL, AT(max_position_embeddings), 1, CONFIG_CONTEXT_MAX,
	  { 2048, 4096, 163840 } },
	{ "num_nextn_predict_layers", INT, 0, AT(num_nextn_predict_layers), 0, CONFIG_MTP_MAX, { 0, 0, 0 } },
	{ "index_n_heads", INT, NO_NULL, AT(index_n_heads), 1, 4096, { 0, 0, 64 } },
	{ "index_head_dim", INT, NO_NULL, AT(index_head_dim), 1, 8192, { 0, 0, 128 } },
	{ "index_topk", INT, NO_NULL, AT(index_topk), 1, CONFIG_CONTEXT_MAX, { 0, 0, 2048 } },
	{ "bos_token_id", INT, -1, AT(bos_token_id), 0, INT32_MAX, { 1, 0, 0 } },
	{ "routed_scaling_factor", NUM, NO_NULL, AT(routed_scaling_factor), 1e-6, 1e6, { 1, 2.5, 2.5 } },
	{ "rms_norm_eps", NUM, NO_NULL, AT(rms_norm_eps), 1e-30, 1, { 1e-6, 1e-6, 1e-6 } },
	{ "norm_topk_prob", FLAG, 0, AT(norm_topk_prob), 0, 1, { 0, 1, 1 } },
	{ "attention_bias", FLAG, 0, AT(attention_bias), 0, 1, { 0, 0, 0 } },
	{ "tie_word_embeddings", FLAG, NO_NULL, AT(tie_word_embeddings), 0, 1, { 0, 0, 0 } },
	{ "rope_interleave", FLAG, NO_NULL, AT(rope_interleave), 0, 1, { 1, 1, 1 } },
};

const Field *config_fields(size_t *n)
{
	*n = sizeof fields / sizeof fields[0];
	return fields;
}

/* index_* mean something in V3.2 only, and are 0 elsewhere. */
bool config_field_applies(const Field *f, Arch arch)
{
	return arch == ARCH_V32 || (f->at != AT(index_n_heads) && f->at != AT(index_head_dim) && f->at != AT(index_topk));
}

typedef struct Reader { const char *path; json_t *root; Config *c; Err *e; } Reader;

/* "FILE: KEY is VALUE; must be ...". in: the object around the key, or NULL at the root. */
static bool value_fail(const Reader *r, int code, const char *in, const char *key, const json_t *v,
	const char *allowed)
{
	char shown[80];
	size_t n = json_dumpb(v, shown, sizeof shown - 1,
		JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
	shown[n < sizeof shown ? n : sizeof shown - 1] = '\0';
	return err_set(r->e, code, "%s: %s%s%s is %s; must be %s", r->path, in ? in : "", in ? "." : "", key,
		shown, allowed);
}

static bool range_fail(const Reader *r, const char *in, const Field *f, const json_t *v)
{
	char allowed[80];
	snprintf(allowed, sizeof allowed,
		f->kind == INT ? "a whole number from %.0f to %.0f" : "a number from %g to %g", f->lo, f->hi);
	return value_fail(r, E_3074, in, f->key, v, allowed);
}

static void field_put(const Field *f, Config *c, double v)
{
	char *to = (char *)c + f->at;
	int64_t i = f->kind == INT ? (int64_t)v : 0;
	bool b = v != 0;
	if (f->kind == INT)
		memcpy(to, &i, sizeof i);
	else if (f->kind == NUM)
		memcpy(to, &v, sizeof v);
	else
		memcpy(to, &b, sizeof b);
}

/* The value of one key of the object j; every range fits a double exactly. */
static bool field_take(const Reader *r, const json_t *j, const char *in, const Field *f, double missing)
{
	const json_t *v = json_object_get(j, f->key);
	double d;
	if (!v && isnan(missing))
		return err_set(r->e, E_3071, "%s: no key %s%s%s", r->path, in ? in : "", in ? "." : "", f->key);
	if (!v || (json_is_null(v) && f->null != NO_NULL)) {
		field_put(f, r->c, v ? f->null : missing);
		return true;
	}
	if (f->kind == FLAG) {
		if (!json_is_boolean(v))
			return value_fail(r, E_3073, in, f->key, v, "true or false");
		field_put(f, r->c, json_is_true(v));
		return true;
	}
	if (f->kind == INT ? !json_is_integer(v) : !json_is_number(v))
		return value_fail(r, E_3073, in, f->key, v, f->kind == INT ? "a whole number" : "a number");
	d = json_number_value(v);
	if (!(d >= f->lo && d <= f->hi))
		return range_fail(r, in, f, v);
	field_put(f, r->c, d);
	return true;
}

static bool fields_take(const Reader *r)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const Field *f = &fields[i];
		if (!config_field_applies(f, r->c->arch))
			continue;
		if (!field_take(r, r->root, NULL, f, f->missing[r->c->arch]))
			return false;
	}
	return true;
}

/* One of the words, by number; missing and null give the default. */
static bool word_take(const Reader *r, const json_t *j, const char *in, const char *key,
	const char *const *words, int *choice)
{
	const json_t *v = json_object_get(j, key);
	char allowed[120] = "";
	if (!v || json_is_null(v))
		return true;
	for (int i = 0; words[i]; i++) {
		if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0) {
			*choice = i;
			return true;
		}
		size_t n = strlen(allowed);
		snprintf(allowed + n, sizeof allowed - n, "%s\"%s\"", i ? " or " : "", words[i]);
	}
	return value_fail(r, json_is_string(v) ? E_3074 : E_3073, in, key, v, allowed);
}

static bool arch_of(const Reader *r, const json_t *v)
{
	static const struct { const char *type, *class; Arch arch; } known[] = {
		{ "deepseek_v2", "DeepseekV2ForCausalLM", ARCH_V2 },
		{ "deepseek_v3", "DeepseekV3ForCausalLM", ARCH_V3 },
		{ "deepseek_v32", "DeepseekV32ForCausalLM", ARCH_V32 },
		{ "kimi_k2", "", ARCH_V3 },
	};
	const char *s = json_string_value(v);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(s, known[i].type) == 0 || strcmp(s, known[i].class) == 0) {
			r->c->arch = known[i].arch;
			snprintf(r->c->model_type, sizeof r->c->model_type, "%s", known[i].type);
			return true;
		}
	return value_fail(r, E_3072, NULL, "model_type", v, "deepseek_v2, deepseek_v3, deepseek_v32 or kimi_k2");
}

/* model_type, or, where it is missing, the first of the architectures. */
static bool type_take(const Reader *r)
{
	const json_t *v = json_object_get(r->root, "model_type");
	if (!v || json_is_null(v))
		v = json_array_get(json_object_get(r->root, "architectures"), 0);
	if (!v)
		return err_set(r->e, E_3071,
			"%s: no key model_type, which must be deepseek_v2, deepseek_v3, deepseek_v32 or "
			"kimi_k2",
			r->path);
	if (!json_is_string(v))
		return value_fail(r, E_3073, NULL, "model_type", v, "a string");
	return arch_of(r, v);
}

static bool gate_take(const Reader *r)
{
	static const char *const score[] = { "sigmoid", "softmax", NULL };
	static const char *const method[] = { "greedy", "group_limited_greedy", "noaux_tc", NULL };
	static const char *const act[] = { "silu", NULL };
	int s = r->c->arch == ARCH_V2, m = r->c->arch == ARCH_V2 ? TOPK_GREEDY : TOPK_NOAUX, a = 0;
	const json_t *bias = json_object_get(r->root, "mlp_bias");
	if (!word_take(r, r->root, NULL, "scoring_func", score, &s) ||
		!word_take(r, r->root, NULL, "topk_method", method, &m) ||
		!word_take(r, r->root, NULL, "hidden_act", act, &a))
		return false;
	if (bias && !json_is_false(bias) && !json_is_null(bias))
		return value_fail(r, json_is_true(bias) ? E_3074 : E_3073, NULL, "mlp_bias", bias, "false");
	r->c->softmax_gate = s;
	r->c->topk_method = (Topk)m;
	return true;
}

static bool eos_one(const Reader *r, const json_t *v)
{
	if (!json_is_integer(v))
		return value_fail(r, E_3073, NULL, "eos_token_id", v, "a whole number, a list of them, or null");
	if (json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
		return value_fail(r, E_3074, NULL, "eos_token_id", v, "a token id from 0 up");
	if (r->c->n_eos == CONFIG_EOS_MAX)
		return err_set(r->e, E_5003, "%s: eos_token_id has more than %d entries", r->path, CONFIG_EOS_MAX);
	r->c->eos_token_id[r->c->n_eos++] = json_integer_value(v);
	return true;
}

static bool eos_take(const Reader *r)
{
	const json_t *v = json_object_get(r->root, "eos_token_id");
	r->c->n_eos = 0;
	if (!v) {
		r->c->eos_token_id[r->c->n_eos++] = r->c->arch == ARCH_V2 ? 2 : 1;
		return true;
	}
	if (json_is_null(v))
		return true;
	if (!json_is_array(v))
		return eos_one(r, v);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!eos_one(r, json_array_get(v, i)))
			return false;
	return true;
}

/* An object, or NULL for a missing, null or empty one (which Hugging Face takes for missing). */
static bool object_get(const Reader *r, const char *key, json_t **out)
{
	json_t *v = json_object_get(r->root, key);
	*out = NULL;
	if (v && !json_is_null(v) && !json_is_object(v))
		return value_fail(r, E_3073, NULL, key, v, "an object or null");
	if (v && json_object_size(v) > 0)
		*out = v;
	return true;
}

static bool yarn_take(const Reader *r, const json_t *j, const char *in)
{
	const Field yarn[] = {
		{ "factor", NUM, NO_NULL, AT(yarn_factor), 1, 1e6, { NONE } },
		{ "original_max_position_embeddings", INT, NO_NULL, AT(yarn_original), 1, CONFIG_CONTEXT_MAX,
		  { (double)r->c->max_position_embeddings } },
		{ "beta_fast", NUM, 32, AT(yarn_beta_fast), 1e-6, 1e6, { 32 } },
		{ "beta_slow", NUM, 1, AT(yarn_beta_slow), 1e-6, 1e6, { 1 } },
		{ "mscale", NUM, 0, AT(yarn_mscale), 0, 100, { 0 } },
		{ "mscale_all_dim", NUM, 0, AT(yarn_mscale_all_dim), 0, 100, { 0 } },
		{ "attention_factor", NUM, 0, AT(yarn_attention_factor), 1e-6, 1e6, { 0 } },
		{ "truncate", FLAG, 1, AT(yarn_truncate), 0, 1, { 1 } },
	};
	for (size_t i = 0; i < sizeof yarn / sizeof yarn[0]; i++)
		if (!field_take(r, j, in, &yarn[i], yarn[i].missing[0]))
			return false;
	if (r->c->yarn_beta_fast < r->c->yarn_beta_slow)
		return err_set(r->e, E_3075,
			"%s: %s.beta_fast is %g and beta_slow %g; beta_fast must not be the smaller one",
			r->path, in, r->c->yarn_beta_fast, r->c->yarn_beta_slow);
	return true;
}

/* rope_scaling wins over rope_parameters, as in Hugging Face; rope_theta stands in either, or at the top
 * (older files). */
static bool rope_take(const Reader *r)
{
	static const char *const kinds[] = { "default", "yarn", NULL };
	static const Field theta = { "rope_theta", NUM, NO_NULL, AT(rope_theta), 1.001, 1e12, { 10000 } };
	json_t *scaling, *parameters;
	int kind = 0;
	if (!object_get(r, "rope_scaling", &scaling) || !object_get(r, "rope_parameters", &parameters))
		return false;
	json_t *j = scaling ? scaling : parameters;
	const char *in = scaling ? "rope_scaling" : "rope_parameters";
	bool inside = json_object_get(j, "rope_theta") != NULL,
	     top = json_object_get(r->root, "rope_theta") != NULL;
	bool beside = !inside && !top && json_object_get(parameters, "rope_theta");
	const json_t *holder = inside ? j : beside ? parameters : r->root;
	const char *where = inside ? in : beside ? "rope_parameters" : NULL;
	if (!field_take(r, holder, where, &theta, 10000))
		return false;
	if (!j)
		return true;
	if (!word_take(r, j, in, json_object_get(j, "rope_type") ? "rope_type" : "type", kinds, &kind))
		return false;
	return kind == 0 || yarn_take(r, j, in);
}

static bool quant_take(const Reader *r)
{
	static const char *const method[] = { "fp8", NULL }, *const fmt[] = { "e4m3", NULL };
	int none = 0;
	json_t *j;
	if (!object_get(r, "quantization_config", &j))
		return false;
	if (!j)
		return true;
	if (!json_object_get(j, "quant_method"))
		return err_set(r->e, E_3071,
			"%s: no key quantization_config.quant_method, which must be \"fp8\"", r->path);
	if (!word_take(r, j, "quantization_config", "quant_method", method, &none) ||
	    !word_take(r, j, "quantization_config", "fmt", fmt, &none))
		return false;
	const json_t *b = json_object_get(j, "weight_block_size");
	r->c->fp8 = true;
	r->c->fp8_block[0] = r->c->fp8_block[1] = 128;
	if (!b)
		return true;
	for (size_t i = 0; i < 2; i++) {
		const json_t *v = json_array_get(b, i);
		if (json_array_size(b) != 2 || !json_is_integer(v))
			return value_fail(r, E_3073, "quantization_config", "weight_block_size", b, "two whole numbers");
		r->c->fp8_block[i] = json_integer_value(v);
		if (r->c->fp8_block[i] < 1 || r->c->fp8_block[i] > CONFIG_HIDDEN_MAX)
			return value_fail(r, E_3074, "quantization_config", "weight_block_size", b,
				"two numbers from 1 to 65536");
	}
	return true;
}

static bool dtype_take(const Reader *r)
{
	static const char *const names[] = { "bfloat16", "float16", "float32", "float64", "float8_e4m3fn", NULL };
	static const Dtype is[] = { DT_BF16, DT_F16, DT_F32, DT_F64, DT_F8_E4M3 };
	int i = 0;
	const json_t *old = json_object_get(r->root, "torch_dtype");
	if (!word_take(r, r->root, NULL, old && !json_is_null(old) ? "torch_dtype" : "dtype", names, &i))
		return false;
	r->c->dtype = is[i];
	return true;
}

/* V3.2 may list its layers one by one. */
static bool layer_types_take(const Reader *r)
{
	const json_t *v = json_object_get(r->root, "mlp_layer_types");
	size_t n = (size_t)r->c->num_hidden_layers;
	if (r->c->arch != ARCH_V32 || !v || json_is_null(v))
		return true;
	if (!json_is_array(v) || json_array_size(v) != n)
		return value_fail(r, json_is_array(v) ? E_3075 : E_3073, NULL, "mlp_layer_types", v,
			"a list with one entry per layer");
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(v, i));
		if (!s || (strcmp(s, "dense") != 0 && strcmp(s, "sparse") != 0))
			return value_fail(r, E_3074, NULL, "an entry of mlp_layer_types",
				json_array_get(v, i), "\"dense\" or \"sparse\"");
		if (s[0] == 's')
			r->c->sparse[i / 64] |= (uint64_t)1 << i % 64;
	}
	r->c->has_layer_types = true;
	return true;
}

typedef struct Relation {
	bool broken;
	const char *key;
	int64_t value;
	const char *must;
	const char *other;
	int64_t than;
} Relation;

static bool experts_agree(const Reader *r)
{
	const Config *c = r->c;
	int64_t E = c->n_routed_experts, K = c->num_experts_per_tok, g = c->n_group;
	bool groups = c->topk_method != TOPK_GREEDY;
	const Relation rel[] = {
		{ K < 1, "num_experts_per_tok", K, "must be given and at least 1 with", "n_routed_experts",
			E },
		{ c->moe_intermediate_size < 1, "moe_intermediate_size", c->moe_intermediate_size,
			"must be at least 1 with", "n_routed_experts", E },
		{ K > E, "num_experts_per_tok", K, "must not pass", "n_routed_experts", E },
		{ E % g != 0, "n_group", g, "must divide", "n_routed_experts", E },
		{ c->topk_group > g, "topk_group", c->topk_group, "must not pass", "n_group", g },
		{ groups && K > E / g * c->topk_group, "num_experts_per_tok", K,
			"must not pass the experts of the groups kept,",
			"topk_group * n_routed_experts / n_group", E / g * c->topk_group },
		/* a group's score is the sum of its two best experts */
		{ c->topk_method == TOPK_NOAUX && g > 1 && E / g < 2, "n_group", g,
			"must leave two experts in each group of", "n_routed_experts", E },
	};
	for (size_t i = 0; E > 0 && i < sizeof rel / sizeof rel[0]; i++)
		if (rel[i].broken)
			return err_set(r->e, E_3075, "%s: %s is %lld; it %s %s, which is %lld", r->path,
				rel[i].key, (long long)rel[i].value, rel[i].must, rel[i].other,
				(long long)rel[i].than);
	return true;
}

/* "mla" is what is there without the key. */
static bool name_take(const Reader *r, const char *key, const char *usual, char *to)
{
	const json_t *v = json_object_get(r->root, key);
	const char *s = json_string_value(v);
	if (!v || json_is_null(v))
		return true;
	if (!s || !config_name_valid(s))
		return value_fail(r, s ? E_3074 : E_3073, NULL, key, v, "a word of letters, digits and _, at most 47 long");
	if (strcmp(s, usual) != 0)
		snprintf(to, CONFIG_NAME_MAX, "%s", s);
	return true;
}

/* The key heads that the kind of attention asks for; missing ones are filled in where the kind says how many. */
static bool heads_agree(const Reader *r)
{
	Config *c = r->c;
	int64_t H = c->num_attention_heads, *G = &c->num_key_value_heads;
	bool mqa = strcmp(c->attention, "mqa") == 0, gqa = strcmp(c->attention, "gqa") == 0;
	if (*G == 0 && !gqa)
		*G = mqa ? 1 : H;
	if (config_attention(c) != ATTN_GQA)
		return true;
	if (*G >= 1 && (gqa ? H % *G == 0 : *G == (mqa ? 1 : H)))
		return true;
	return err_set(r->e, E_3075, "%s: num_key_value_heads is %lld; with lathe_attention \"%s\" and %lld heads it must be %s", r->path,
		(long long)*G, c->attention, (long long)H, mqa ? "1" : gqa ? "given and divide them" : "the same");
}

static bool config_agrees(const Reader *r)
{
	Config *c = r->c;
	if (c->arch == ARCH_V32 && c->attention[0])
		return err_set(r->e, E_3075, "%s: lathe_attention is \"%s\"; %s has an indexer, which reads MLA's latent", r->path, c->attention,
			c->model_type);
	if (!heads_agree(r))
		return false;
	if (c->qk_rope_head_dim % 2 != 0)
		return err_set(r->e, E_3074,
			"%s: qk_rope_head_dim is %lld; must be even: positions turn pairs", r->path,
			(long long)c->qk_rope_head_dim);
	if (c->arch == ARCH_V32 && c->q_lora_rank == 0)
		return err_set(r->e, E_3075,
			"%s: q_lora_rank is none; the indexer of %s reads the query latent", r->path,
			c->model_type);
	if (c->arch == ARCH_V32 && c->index_head_dim < c->qk_rope_head_dim)
		return err_set(r->e, E_3075,
			"%s: index_head_dim is %lld; must not be below qk_rope_head_dim, which is %lld",
			r->path, (long long)c->index_head_dim, (long long)c->qk_rope_head_dim);
	return experts_agree(r);
}

bool config_parse(const char *text, size_t n, const char *where, Config *c, Err *e)
{
	Reader r = { .path = where, .c = c, .e = e };
	*c = (Config){ 0 };
	r.root = json_parse(text, n, where, E_3070, e);
	if (!r.root)
		return false;
	bool ok = json_is_object(r.root) || err_set(e, E_3070, "%s: must be a JSON object", where);
	ok = ok && type_take(&r) && fields_take(&r) && gate_take(&r) && eos_take(&r) && rope_take(&r) &&
		quant_take(&r) && dtype_take(&r) && layer_types_take(&r) &&
		name_take(&r, "lathe_attention", "mla", c->attention) && name_take(&r, "lathe_router", "", c->router) &&
		config_agrees(&r);
	json_decref(r.root);
	return ok;
}

bool config_read(const char *path, Config *c, Err *e)
{
	Buf name = BUF_INIT, text = BUF_INIT;
	struct stat st;
	buf_adds(&name, path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		buf_adds(&name, "/config.json");
	bool ok = name.failed ? err_set(e, E_5001, "%s: out of memory", path)
			      : buf_read_file(&text, name.s, FILE_MAX, e);
	ok = ok && config_parse(buf_str(&text), text.len, name.s, c, e);
	buf_done(&text);
	buf_done(&name);
	return ok;
}

bool config_name_valid(const char *s)
{
	size_t n = strlen(s), words = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	return n > 0 && n < CONFIG_NAME_MAX && n == words && !(s[0] >= '0' && s[0] <= '9') && s[0] != '_';
}

AttnKind config_attention(const Config *c)
{
	const char *s = c->attention;
	if (!s[0])
		return ATTN_MLA;
	return strcmp(s, "mha") == 0 || strcmp(s, "gqa") == 0 || strcmp(s, "mqa") == 0 ? ATTN_GQA : ATTN_OWN;
}

int64_t config_key_heads(const Config *c)
{
	return config_attention(c) == ATTN_GQA ? c->num_key_value_heads : 1;
}

bool config_set_attention(Config *c, const char *word, int64_t kv_heads, const char *where, Err *e)
{
	int64_t H = c->num_attention_heads, half = H / 2 > 0 ? H / 2 : 1;
	bool mla = strcmp(word, "mla") == 0, mqa = strcmp(word, "mqa") == 0, gqa = strcmp(word, "gqa") == 0;
	if (!mla && !mqa && !gqa && strcmp(word, "mha") != 0)
		return err_set(e, E_2102, "%s: attention = \"%.40s\"; must be mla, mha, gqa or mqa", where, word);
	int64_t G = mqa ? 1 : !gqa ? H : kv_heads ? kv_heads : half;
	if (G < 1 || H % G != 0)
		return err_set(e, E_2102, "%s: kv_heads = %lld does not divide the %lld heads", where, (long long)G, (long long)H);
	snprintf(c->attention, sizeof c->attention, "%s", mla ? "" : word);
	c->num_key_value_heads = G;
	return true;
}

bool config_is_moe(const Config *c, int64_t layer)
{
	if (c->n_routed_experts == 0)
		return false;
	if (layer >= c->num_hidden_layers)
		return true;
	if (c->has_layer_types)
		return c->sparse[layer / 64] >> layer % 64 & 1;
	return layer >= c->first_k_dense_replace && layer % c->moe_layer_freq == 0;
}
