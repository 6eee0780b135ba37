/* report.c - the page that `lathe` prints without a terminal: what the model is, what its cache costs, how
 * its experts share the work, and a few tokens of what it says. Plain ASCII but for the model's own text. */
#include "cli/report.h"
#include "base/utf8.h"
#include "cli/model_args.h"
#include "model/config.h"
#include "tensor/ckpt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 24, LAYERS_MAX = 12, EXPERTS_MAX = 256, BAR = 40 };
typedef struct Load { int64_t layer[LAYERS_MAX], count[LAYERS_MAX][EXPERTS_MAX]; int n, experts; } Load;

static void put_count(Buf *b, int64_t n)
{
	static const char *const unit[] = { "", " K", " M", " G", " T" };
	double v = (double)n;
	int u = 0;
	for (; v >= 1000 && u < 4; u++)
		v /= 1000;
	buf_printf(b, u ? "%.3g%s" : "%.0f%s", v, unit[u]);
}

static void put_bytes(Buf *b, double v)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	int u = 0;
	for (; v >= 1024 && u < 4; u++)
		v /= 1024;
	buf_printf(b, "%.4g %s", v, unit[u]);
}

static void put_model(Buf *b, const Config *c, const Ckpt *k)
{
	ParamCount n = config_params(c);
	buf_printf(b, "  type        %s, %lld layers, hidden %lld, %lld heads, vocabulary %lld\n",
		c->model_type,
		(long long)c->num_hidden_layers, (long long)c->hidden_size, (long long)c->num_attention_heads,
		(long long)c->vocab_size);
	buf_adds(b, "  parameters  ");
	put_count(b, n.total);
	buf_adds(b, ", of which ");
	put_count(b, n.active);
	buf_adds(b, " work on a token\n");
	if (c->n_routed_experts)
		buf_printf(b, "  experts     %lld, %lld of them per token (%s gate), %lld shared\n",
			(long long)c->n_routed_experts, (long long)c->num_experts_per_tok,
			c->softmax_gate ? "softmax" : "sigmoid", (long long)c->n_shared_experts);
	if (config_attention(c) == ATTN_MLA)
		buf_printf(b, "  attention   MLA, latent %lld + rotary %lld\n", (long long)c->kv_lora_rank,
			(long long)c->qk_rope_head_dim);
	else
		buf_printf(b, "  attention   %s, %lld heads for keys, %lld B a token kept in BF16\n", c->attention,
			(long long)config_key_heads(c), (long long)config_kv(c).own * 2);
	buf_printf(b, "  drafts      %lld MTP module%s\n", (long long)c->num_nextn_predict_layers,
		c->num_nextn_predict_layers == 1 ? "" : "s");
	buf_printf(b, "  weights     %zu tensors, ", ckpt_count(k));
	put_bytes(b, (double)ckpt_bytes(k));
	buf_printf(b, ", context up to %lld\n", (long long)c->max_position_embeddings);
}

static void put_bar(Buf *b, double share)
{
	int n = (int)lrint(share * BAR);
	for (int i = 0; i < n && i < BAR; i++)
		buf_addc(b, '#');
	buf_addc(b, '\n');
}

static void put_cache(Buf *b, const Config *c)
{
	KvCount n = config_kv(c);
	const struct {
		const char *name;
		int64_t n;
	} row[] = { { "MLA", n.mla }, { "MQA", n.mqa }, { "GQA-8", n.gqa8 }, { "MHA", n.mha } };
	int64_t most = n.mha > n.mla ? n.mha : n.mla;
	buf_adds(
		b, "\nKV cache, bytes per token in BF16, of this model and of other attention with the same "
			"heads\n");
	for (int i = 0; i < 4; i++) {
		if (i == 2 && c->num_attention_heads <= 8)
			continue;          /* of 8 groups and no more heads: MHA itself */
		buf_printf(b, "  %-6s %9lld  %5.1f x  ", row[i].name, (long long)row[i].n * 2,
			n.mla ? (double)row[i].n / (double)n.mla : 0);
		put_bar(b, most ? (double)row[i].n / (double)most : 0);
	}
}

/* Counts choices of experts, layer by layer. */
static void on_topk(const LatheProbe *p, void *ud)
{
	Load *l = ud;
	int64_t layer = strtoll(p->name + strlen("layers."), NULL, 10), n = 1;
	int at = 0;
	while (at < l->n && l->layer[at] != layer)
		at++;
	if (!p->ints || at == LAYERS_MAX)
		return;
	if (at == l->n)
		l->layer[l->n++] = layer;
	for (int i = 0; i < p->rank; i++)
		n *= p->shape[i];
	for (int64_t i = 0; i < n; i++)
		if (p->ints[i] >= 0 && p->ints[i] < EXPERTS_MAX)
			l->count[at][p->ints[i]]++;
}

static void put_load(Buf *b, const Load *l)
{
	static const char shade[] = " .:-=+*#%@";
	int shown = l->experts < 64 ? l->experts : 64;
	if (!l->n || !l->experts)
		return;
	buf_printf(b,
		"\nExperts chosen, by layer, over these tokens (' ' never, '@' most often; experts 0 to "
		"%d)\n",
		shown - 1);
	for (int i = 0; i < l->n; i++) {
		int64_t most = 1;
		for (int x = 0; x < l->experts; x++)
			most = l->count[i][x] > most ? l->count[i][x] : most;
		buf_printf(b, "  layer %3lld [", (long long)l->layer[i]);
		for (int x = 0; x < shown; x++)
			buf_addc(b, shade[(l->count[i][x] * 9 + most - 1) / most]);
		buf_adds(b, "]\n");
	}
}

/* The model's text on lines of its own, safe for any reader. */
static void put_said(Buf *b, const char *label, const char *s, size_t n)
{
	buf_printf(b, "  %s", label);
	safe_text(b, s, n, 0);
	buf_addc(b, '\n');
}

/* Without a tokenizer the ids have to do. */
static void put_text(const LatheModel *m, const int32_t *id, int n, Buf *b)
{
	char *text = lathe_decode(m, id, (size_t)n);
	if (text && *text) {
		put_said(b, "says        ", text, strlen(text));
	} else {
		buf_adds(b, "  says       ");
		for (int i = 0; i < n; i++)
			buf_printf(b, " %d", (int)id[i]);
		buf_addc(b, '\n');
	}
	free(text);
}

static bool say_tokens(LatheModel *m, LatheSession *s, Buf *b, LatheError *le)
{
	int32_t id[TOKENS];
	LatheToken t;
	double nats = 0;
	int n = 0, r = 0;
	while (n < TOKENS && (r = lathe_session_next(s, &t, le)) > 0) {
		id[n++] = t.id;
		nats += t.entropy;
	}
	if (r < 0)
		return false;
	put_text(m, id, n, b);
	LatheStats st;
	lathe_session_stats(s, &st);
	buf_printf(b,
		"  figures     %d tokens greedy, mean entropy %.3f nat, %lld drafted, %lld accepted, "
		"cache ", n,
		n ? nats / n : 0.0, (long long)st.drafted, (long long)st.accepted);
	put_bytes(b, (double)st.kv_bytes);
	buf_addc(b, '\n');
	return true;
}

static bool run_model(LatheModel *m, const Config *c, Buf *b, LatheError *le)
{
	static const char prompt[] = "7 * 8 = ";
	int32_t *ids = NULL, bos = c->bos_token_id >= 0 ? (int32_t)c->bos_token_id : 0;
	size_t n = 0;
	Load load = { .n = 0,
		.experts = (int)(c->n_routed_experts < EXPERTS_MAX ? c->n_routed_experts : EXPERTS_MAX) };
	LatheSessionOptions o = { .temperature = 0 };
	LatheError none = { 0 };
	buf_adds(b, "\nA first run\n");
	if (!lathe_encode(m, prompt, sizeof prompt - 1, true, &ids, &n, &none) || !n)
		put_said(b, "given       ", "token 0 (no tokenizer beside the weights)", 41);
	else
		put_said(b, "given       ", prompt, sizeof prompt - 1);
	lathe_watch(m, "layers.*.moe.topk", on_topk, &load);
	LatheSession *s = lathe_session_new(m, &o, le);
	bool ok = s && lathe_session_feed(s, n ? ids : &bos, n ? n : 1, le) && say_tokens(m, s, b, le);
	lathe_session_free(s);
	free(ids);
	if (ok)
		put_load(b, &load);
	return ok;
}

static void put_next(Buf *b, const char *label)
{
	buf_adds(b, "\nNext\n  lathe                             in a terminal: the workbench\n");
	buf_printf(b, "  lathe generate %s -p TEXT\n", label);
	buf_printf(b, "  lathe scene router %s -p TEXT\n", label);
	buf_printf(b, "  lathe info %s\n  lathe help\n", label);
}

bool report_model(const Args *a, const char *label, const char *path, Buf *out, Err *e)
{
	Config c;
	LatheError le = { 0 };
	LatheOpenOptions o = { .threads = cli_threads(a), .memory_limit = cli_memory_limit(a) };
	Ckpt *k = config_read(path, &c, e) ? ckpt_open(path, e) : NULL;
	if (!k)
		return false;
	buf_printf(out, "lathe - a terminal workbench for small DeepSeek-style language models\n\nModel ");
	Buf name = BUF_INIT;
	safe_text(&name, label, strlen(label), 0);
	buf_printf(out, "%s\n", buf_str(&name));
	put_model(out, &c, k);
	put_cache(out, &c);
	ckpt_close(k);
	LatheModel *m = lathe_open(path, &o, &le);
	bool ok = m && run_model(m, &c, out, &le);
	lathe_close(m);
	put_next(out, buf_str(&name));
	buf_done(&name);
	return ok || model_error(e, &le);
}

void report_nothing(Buf *out, const char *why)
{
	buf_adds(
		out, "lathe - a terminal workbench for small DeepSeek-style language models\n\nNo model to "
			"show: ");
	safe_text(out, why, strlen(why), 0);
	buf_adds(out, "\n\n  lathe open CKPT       the workbench on a Hugging Face folder or .safetensors "
		"file\n"
	              "  lathe info CKPT       what a checkpoint holds, from its headers\n"
	              "  lathe kv CONFIG       what its cache costs\n"
	              "  lathe generate CKPT   continue a text\n"
	              "  lathe verify CKPT     compare it with stored values\n"
	              "  lathe scene --help    pictures of screens\n"
	              "  lathe doctor          what this machine and terminal can do\n"
	              "  lathe help            all commands\n");
}
