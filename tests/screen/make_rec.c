/* make_rec.c - writes the small recordings that the golden screens are drawn from, out of nothing but
 * arithmetic: no model, no clock, the same bytes on every machine. make_rec NAME FILE with NAME v3, v2,
 * wide or empty. */
#include "base/json.h"
#include "base/rng.h"
#include "probe/record.h"
#include <stdio.h>
#include <string.h>

enum { E = 16, K = 2, G = 4, KEEP = 2, LAYERS = 4, LATENT = 32, TOKENS_MAX = 64, HEADS = 8 };
typedef struct Make { Record *r; Err e; double t; bool v2; bool ok; } Make;

static void put(Make *m, Sample s)
{
	s.time = m->t;
	m->ok = m->ok && record_put(m->r, &s, &m->e);
}

static void put_json(Make *m, const char *topic, uint64_t step, Buf *b)
{
	put(m,
		(Sample){ .topic = topic,
			.kind = SAMPLE_TEXT,
			.step = step,
			.data = buf_str(b),
			.bytes = b->len });
	buf_done(b);
}

static void put_row(Make *m, const char *topic, uint64_t step, Dtype d, uint32_t n, const void *p)
{
	put(m,
		(Sample){ .topic = topic,
			.kind = SAMPLE_TENSOR,
			.step = step,
			.dtype = d,
			.rank = 2,
			.shape = { 1, n },
			.data = p,
			.bytes = n * 4u });
}

static void put_status(Make *m, const char *state, const char *message)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "state", state);
	jout_kstr(&j, "message", message);
	jout_end_obj(&j);
	put_json(m, "engine.status", 0, &b);
}

static void put_known(Jout *j)
{
	static const struct { const char *name; int64_t kv; } known[] = {
		{ "DeepSeek-V2-Lite", 15552 }, { "DeepSeek-V2", 34560 }, { "DeepSeek-V3", 35136 },
		{ "Kimi-K2", 35136 }, { "a dense 67B, MHA", 1556480 },
	};
	jout_key(j, "known");
	jout_arr(j);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		jout_obj(j);
		jout_kstr(j, "name", known[i].name);
		jout_kint(j, "kv_elements", known[i].kv);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void put_card(Make *m)
{
	const struct { const char *k; int64_t v; } f[] = {
		{ "layers", LAYERS }, { "hidden", 128 }, { "heads", HEADS }, { "vocab", 259 }, { "experts", E },
		{ "experts_per_token", K }, { "n_group", m->v2 ? 1 : G }, { "topk_group", m->v2 ? 1 : KEEP },
		{ "shared", 1 }, { "first_dense", 1 }, { "q_lora_rank", 0 }, { "kv_lora_rank", LATENT },
		{ "nope", 16 }, { "rope", 8 }, { "v", 16 }, { "params_total", 2100000 },
		{ "params_active", 700000 },
		{ "bytes", 4200000 }, { "mtp_layers", m->v2 ? 0 : 1 }, { "max_context", 4096 }, { "machine_memory",
		  (int64_t)8 << 30 },
	};
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "name", m->v2 ? "@lite" : "@reason");
	jout_kstr(&j, "model_type", m->v2 ? "deepseek_v2" : "deepseek_v3");
	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		jout_kint(&j, f[i].k, f[i].v);
	jout_key(&j, "dtypes");
	jout_obj(&j);
	jout_kint(&j, "BF16", 120);
	jout_kint(&j, "F32", 3);
	jout_end_obj(&j);
	jout_key(&j, "kv_elements");
	jout_obj(&j);
	jout_kint(&j, "mla", LAYERS * (LATENT + 8));
	jout_kint(&j, "mha", LAYERS * 8 * (24 + 16));
	jout_kint(&j, "gqa8", LAYERS * 4 * (24 + 16));
	jout_kint(&j, "mqa", LAYERS * (24 + 16));
	jout_end_obj(&j);
	put_known(&j);
	jout_end_obj(&j);
	put_json(m, "model.card", 0, &b);
}

static double grain(Rng *r)
{
	return (double)rng_below(r, 1024) / 1024.0;
}

static void put_alternatives(Jout *j, const char *text, double p, Rng *r)
{
	static const char *const other[] = { "5", " the", "<", "\n", "\xe4\xba\x94", "=", "40" };
	double rest = 1 - p;
	jout_key(j, "alternatives");
	jout_arr(j);
	for (int i = 0; i < 8; i++) {
		double q = i == 0 ? p : rest * (0.5 + grain(r) / 8);
		rest -= i == 0 ? 0 : q;
		jout_obj(j);
		jout_kint(j, "id", i == 0 ? 42 : 50 + i);
		jout_kstr(j, "text", i == 0 ? text : other[i - 1]);
		jout_knum(j, "p", q);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void put_token(Make *m, int pos, const char *text, bool given, Rng *r)
{
	static const char *const draft[] = { "none", "accepted", "accepted", "rejected" };
	double p = 0.25 + 0.75 * grain(r);
	int kind = given || m->v2 ? 0 : pos % 4;
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "pos", pos);
	jout_kint(&j, "id", 42);
	jout_kstr(&j, "text", text);
	jout_kbool(&j, "given", given);
	if (pos > 0) {
		jout_knum(&j, "logprob", (p - 1) * (2 - p));
		jout_knum(&j, "entropy", 2.5 * (1 - p));
		put_alternatives(&j, text, p, r);
	}
	jout_kstr(&j, "draft", draft[kind]);
	if (kind == 3)
		jout_kstr(&j, "drafted_text", "99");
	jout_end_obj(&j);
	put_json(m, "gen.token", (uint64_t)pos, &b);
}

static void put_stats(Make *m, int given, int made)
{
	double kv[2] = { (given + made) * 640.0, 64 * 640.0 };
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "prompt_tokens", given);
	jout_kint(&j, "generated", made);
	jout_knum(&j, "prefill_tok_per_s", 6410);
	jout_knum(&j, "decode_tok_per_s", 800 + 40 * ((made * 7) % 5) - 60 * (made % 3));
	jout_kint(&j, "drafted", m->v2 ? 0 : made / 4 * 3);
	jout_kint(&j, "accepted", m->v2 ? 0 : made / 4 * 2);
	jout_kint(&j, "forwards", m->v2 ? made : made - made / 4 * 2);
	if (!m->v2) {
		jout_key(&j, "accepted_by_position");
		jout_arr(&j);
		jout_int(&j, made / 4 * 2);
		jout_end_arr(&j);
	}
	jout_kint(&j, "kv_bytes", (int64_t)kv[0]);
	jout_kint(&j, "kv_allocated", (int64_t)kv[1]);
	jout_kint(&j, "rss_bytes", 41 << 20);
	jout_end_obj(&j);
	put_json(m, "gen.stats", (uint64_t)(given + made), &b);
	put(m,
		(Sample){ .topic = "kv.bytes",
			.kind = SAMPLE_TENSOR,
			.step = (uint64_t)(given + made),
			.dtype = DT_F64,
			.rank = 1,
			.shape = { 2 },
			.data = kv,
			.bytes = sizeof kv });
}

static int best(const float *key, int n, const bool *skip)
{
	int b = -1;
	for (int i = 0; i < n; i++)
		if (!skip[i] && (b < 0 || key[i] > key[b]))
			b = i;
	return b;
}

/* The V3 gate, in the plainest way. */
static void gate(const float *s, const float *bias, float *sum, int32_t *kept, int32_t *topk, float *w)
{
	float key[E], total = 0;
	bool skip[E] = { false }, used[G] = { false };
	for (int i = 0; i < E; i++)
		key[i] = s[i] + bias[i];
	for (int g = 0; g < G; g++) {
		float a = -9, b = -9;
		for (int i = g * E / G; i < (g + 1) * E / G; i++) {
			if (key[i] > a)
				b = a, a = key[i];
			else if (key[i] > b)
				b = key[i];
		}
		sum[g] = a + b;
		kept[g] = 0;
	}
	for (int k = 0; k < KEEP; k++) {
		int g = best(sum, G, used);
		used[g] = true;
		kept[g] = 1;
	}
	for (int i = 0; i < E; i++)
		skip[i] = !kept[i / (E / G)];
	for (int k = 0; k < K; k++) {
		topk[k] = best(key, E, skip);
		skip[topk[k]] = true;
	}
	for (int k = 0; k < K; k++)
		total += s[topk[k]];
	for (int k = 0; k < K; k++)
		w[k] = 2.5f * s[topk[k]] / total;
}

static void put_tensor(Make *m, int layer, const char *what, int pos, uint32_t rows, uint32_t cols, const float *v)
{
	char t[64];
	snprintf(t, sizeof t, "layers.%d.%s", layer, what);
	Sample s = { .topic = t, .kind = SAMPLE_TENSOR, .step = (uint64_t)pos, .dtype = DT_F32, .rank = rows ? 2 : 1, .data = v,
		.bytes = (rows ? rows : 1) * cols * 4u };
	s.shape[0] = rows ? rows : cols;
	s.shape[1] = rows ? cols : 0;
	put(m, s);
}

/* Half of the heads look near by, each a little farther; half of them at the beginning, too. */
static void put_attention(Make *m, int layer, int pos)
{
	static float p[HEADS * TOKENS_MAX];
	for (int h = 0; h < HEADS; h++) {
		float sum = 0, *row = p + h * (pos + 1);
		for (int s = 0; s <= pos; s++) {
			row[s] = 1.0f / (float)(1 + (pos - s) * (pos - s) * (1 + (h + layer) % 4)) + (s == 0 && h >= HEADS / 2 ? 0.75f : 0);
			sum += row[s];
		}
		for (int s = 0; s <= pos; s++)
			row[s] /= sum;
	}
	put_tensor(m, layer, "attn.probs", pos, HEADS, (uint32_t)pos + 1, p);
}

/* What the gate would choose without its bias, how undecided it is, and what the experts add. */
static void put_gate(Make *m, int layer, int pos, const float *s)
{
	float none[E] = { 0 }, sum[G], w[K], doubt = 2.25f + 0.0625f * (float)((pos * 7 + layer) % 8),
	      norm[3] = { 0.5f + 0.25f * (float)((pos + layer) % 5), 0.25f + 0.125f * (float)(pos % 3), 0 };
	int32_t kept[G], topk[K];
	char t[64];
	norm[2] = 0.875f * (norm[0] + norm[1]);
	put_tensor(m, layer, "moe.entropy", pos, 1, 1, &doubt);
	put_tensor(m, layer, "moe.norms", pos, 1, 3, norm);
	if (m->v2)
		return;
	gate(s, none, sum, kept, topk, w);
	snprintf(t, sizeof t, "layers.%d.moe.topk_unbiased", layer);
	put_row(m, t, (uint64_t)pos, DT_I32, K, topk);
}

/* Spectra that fall like powers, and heads that read them. */
static void put_latent(Make *m, int layer, int tokens)
{
	float energy[LATENT], down[LATENT], up[LATENT], heads[HEADS * LATENT];
	for (int i = 0; i < LATENT; i++) {
		energy[i] = 8.0f / (float)((i + 1) * (i + 1));
		down[i] = 2.0f / (1.0f + 0.125f * (float)i);
		up[i] = 1.5f / (1.0f + 0.0625f * (float)(i + layer));
	}
	for (int h = 0; h < HEADS; h++) {
		float sum = 0;
		for (int i = 0; i < LATENT; i++)
			sum += heads[h * LATENT + i] = energy[i] * (float)(1 + (i * (h + 1) + layer) % 5);
		for (int i = 0; i < LATENT; i++)
			heads[h * LATENT + i] /= sum;
	}
	put_tensor(m, layer, "latent.energy", tokens, 0, LATENT, energy);
	put_tensor(m, layer, "latent.heads", tokens, HEADS, LATENT, heads);
	put_tensor(m, layer, "latent.W_DKV", tokens, 0, LATENT, down);
	put_tensor(m, layer, "latent.W_UKV", tokens, 0, LATENT, up);
}

static void put_forms(Make *m, int tokens)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "tokens", tokens);
	jout_knum(&j, "logits_max_abs", 7.5e-6);
	jout_knum(&j, "rel_l2", 4e-7);
	jout_kstr(&j, "worst", "layers.3.attn.out");
	jout_knum(&j, "kl", 1.25e-13);
	jout_kint(&j, "routes_flipped", 0);
	jout_key(&j, "layers");
	jout_arr(&j);
	for (int i = 0; i < LAYERS; i++)
		jout_num(&j, 1e-7 * (i + 1));
	jout_end_arr(&j);
	jout_end_obj(&j);
	put_json(m, "engine.forms", 0, &b);
}

static void put_layer(Make *m, int layer, int pos, Rng *r)
{
	float s[E], bias[E], none[E] = { 0 }, sum[G], w[K], c[LATENT];
	int32_t kept[G], topk[K];
	char t[64];
	for (int i = 0; i < E; i++) {
		bias[i] = (float)((i * 5 + layer * 3) % 7 - 3) * 0.03f;
		s[i] = (float)(0.1 + 0.5 * grain(r) + 0.35 * ((i + layer + pos / 4) % 5 == 0));
	}
	for (int i = 0; i < LATENT; i++)
		c[i] = (float)((grain(r) - 0.5) * (4.0 / (1 + i / 4)));
	gate(s, m->v2 ? none : bias, sum, kept, topk, w);
	const struct { const char *what; Dtype d; uint32_t n; const void *p; bool v3; } row[] = {
		{ "moe.scores", DT_F32, E, s, false }, { "moe.topk", DT_I32, K, topk, false },
		{ "moe.weights", DT_F32, K, w, false }, { "moe.group_sum", DT_F32, G, sum, true },
		{ "moe.group_kept", DT_I32, G, kept, true }, { "attn.c_KV", DT_F32, LATENT, c, false },
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (row[i].v3 && m->v2)
			continue;
		snprintf(t, sizeof t, "layers.%d.%s", layer, row[i].what);
		put_row(m, t, (uint64_t)pos, row[i].d, row[i].n, row[i].p);
	}
	put_attention(m, layer, pos);
	put_gate(m, layer, pos, s);
	if (m->v2 || pos > 0)
		return;
	snprintf(t, sizeof t, "layers.%d.moe.bias", layer);
	put(m,
		(Sample){ .topic = t,
			.kind = SAMPLE_TENSOR,
			.dtype = DT_F32,
			.rank = 1,
			.shape = { E },
			.data = bias,
			.bytes = sizeof bias });
}

static void put_text(Make *m, const char *const *text, int given)
{
	Rng r = rng_make(7, m->v2);
	int n = 0;
	put(m, (Sample){ .topic = "gen.run", .kind = SAMPLE_TEXT, .data = "{}", .bytes = 2 });
	put_status(m, "decode", "");
	for (int i = 0; text[i]; i++, n++) {
		m->t = 1 + i / 64.0;
		put_token(m, i, text[i], i < given, &r);
		for (int l = 1; l < LAYERS; l++)
			put_layer(m, l, i, &r);
		if (i >= given)
			put_stats(m, given, i - given + 1);
	}
	for (int l = 1; l < LAYERS; l++)
		put_latent(m, l, n);
	put_forms(m, n);
	put_status(m, "idle", "");
}

static const char *const sum_text[] = { "17", " +", " 26", " *", " 3", " mod", " 50", " =", "\n", "<think>",
	"26", "*", "3", "=", "78", ";", "78", "+", "17", "=", "95", ";", "95", "-", "50", "=", "45",
	"</think>", "<answer>", "45", "</answer>", NULL };
static const char *const lite_text[] = { "Once", " upon", " a", " time", " there", " was", " a", " fox", ".",
	" It", " liked", " to", " count", ":", " one", ",", " two", ",", " three", ".", NULL };
static const char *const wide_text[] = { "\xe5\x93\x88\xe5\xb0\x94\xe6\xbb\xa8", "\xe4\xbb\x8a\xe5\xa4\xa9",
	"\xe4\xb8\x8b\xe9\x9b\xaa", "\xe3\x80\x82", " caf\xc3\xa9", " e\xcc\x81", "\xf0\x9f\x98\x80",
	" \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\t", "\x1b[31m",
	"\xe2\x80\xae"
	"abc",
	"\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85", "\xed\x95\x9c\xea\xb5\xad", "\xef\xbf\xbd", "\r\n", "end", NULL };

int main(int argc, char **argv)
{
	Make m = { .ok = true };
	const char *name = argc == 3 ? argv[1] : "";
	if (!(m.r = argc == 3 ? record_create(argv[2], &m.e) : NULL)) {
		fprintf(stderr, "make_rec: %s\n", argc == 3 ? m.e.text : "usage: make_rec v3|v2|wide|empty FILE");
		return 1;
	}
	m.v2 = strcmp(name, "v2") == 0;
	put_status(&m, strcmp(name, "empty") == 0 ? "idle" : "loading", "");
	if (strcmp(name, "empty") != 0)
		put_card(&m);
	if (strcmp(name, "v3") == 0)
		put_text(&m, sum_text, 9);
	else if (m.v2)
		put_text(&m, lite_text, 4);
	else if (strcmp(name, "wide") == 0)
		put_text(&m, wide_text, 5);
	m.ok = record_close(m.r, &m.e) && m.ok;
	if (!m.ok)
		fprintf(stderr, "make_rec: %s\n", m.e.text);
	return !m.ok;
}
