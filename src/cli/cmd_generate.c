/* cmd_generate.c - continue a text. */
#include "cli/cmd.h"
#include "cli/generate_batch.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const Opt opts[] = {
	OPT_PROMPT,
	{ "tokens", 'n', OPT_INT, "N", "how many tokens to generate at most (default 128)" },
	{ "temperature", 't', OPT_NUM, "T", "0 is greedy, ties to the lowest id (default 0.8)" },
	{ "top-p", 0, OPT_NUM, "P", "keep the most probable tokens up to this share" },
	{ "top-k", 0, OPT_INT, "K", "keep the K most probable tokens" },
	{ "min-p", 0, OPT_NUM, "P", "drop tokens below this share of the most probable one" },
	{ "mtp", 0, OPT_STR, "auto|on|off",
		"draft with the MTP modules; never changes the text (default auto)" },
	OPT_ATTENTION,
	{ "logprobs", 0, OPT_INT, "K",
	  "report each token's log-probability and the K best alternatives (0 to 32)" },
	{ "chunk", 0, OPT_INT, "N", "prompt tokens a forward (default 512)" },
	{ "cache-dtype", 0, OPT_STR, "f32|bf16|fp8", "how the KV cache is kept (default f32); fp8, with MLA: e4m3 in tiles of 128, the rotated key bf16" },
	{ "precision", 0, OPT_STR, "RECIPE", "a name of `lathe help fp8`: native, bf16, fp8-v3, ..." },
	{ "batch", 0, OPT_STR, "FILE",
	  "many prompts side by side: a JSON object a line, {\"text\"} or {\"ids\"}, with \"n\" optionally" },
	{ "ignore-eos", 0, OPT_FLAG, NULL, "go on after the end-of-sentence token" },
	OPT_LAYERS,
	{ 0 },
};

typedef struct Gen {
	const Args *a;
	LatheModel *m;
	LatheSession *s;
	int32_t *prompt;
	size_t n_prompt;
	LatheToken *token;
	int64_t n, max;
	const char *finish;
	Buf tail;           /* bytes held back until a character is complete */
} Gen;

static bool gen_options(const Args *a, LatheSessionOptions *o, Err *e)
{
	const char *mtp = args_str(a, "mtp", "auto");
	*o = (LatheSessionOptions){
		.temperature = args_num(a, "temperature", 0.8),
		.top_p = args_num(a, "top-p", 0),
		.min_p = args_num(a, "min-p", 0),
		.top_k = (int)args_int(a, "top-k", 0),
		.seed = (uint64_t)args_int(a, "seed", 0),
		.alternatives = (int)args_int(a, "logprobs", 0),
		.chunk = (int)args_int(a, "chunk", 0),
		.cache_dtype = args_str(a, "cache-dtype", NULL),
		.ignore_eos = args_has(a, "ignore-eos"),
	};
	static const char *const count[] = { "top-k", "logprobs", "chunk" };
	for (int i = 0; i < 3; i++)
		if (args_int(a, count[i], 0) < 0 || args_int(a, count[i], 0) > 1 << 30)
			return err_set(e, E_2003, "--%s %lld: 0 to %d", count[i],
				(long long)args_int(a, count[i], 0), 1 << 30);
	if (strcmp(mtp, "on") == 0)
		o->mtp = LATHE_MTP_ON;
	else if (strcmp(mtp, "off") == 0)
		o->mtp = LATHE_MTP_OFF;
	else if (strcmp(mtp, "auto") != 0)
		return err_set(e, E_2003, "--mtp %s: known are auto, on and off", mtp);
	return model_attention(a, &o->attention, e);
}

/* Text streams as soon as its characters are complete; controls stay as they are only when stdout is not a
 * terminal. */
static bool gen_stream(Gen *g, int32_t id, bool last, Err *e)
{
	if (args_has(g->a, "json"))
		return true;
	size_t len = 0;
	char *piece = last ? NULL : lathe_token_bytes(g->m, id, &len);
	if (piece)
		buf_add(&g->tail, piece, len);
	else if (!last)
		buf_printf(&g->tail, g->n > 1 ? ",%d" : "%d", id); /* no tokenizer: the ids themselves */
	free(piece);
	size_t hold = last ? 0 : utf8_tail(buf_str(&g->tail), g->tail.len), n = g->tail.len - hold;
	Buf out = BUF_INIT;
	if (isatty(STDOUT_FILENO))
		safe_text(&out, buf_str(&g->tail), n, SAFE_LF | SAFE_TAB);
	else
		buf_add(&out, buf_str(&g->tail), n);
	if (last)
		buf_addc(&out, '\n');
	bool ok = cli_out(&out, e);
	buf_done(&out);
	if (g->tail.s)
		memmove(g->tail.s, g->tail.s + n, hold + 1);
	g->tail.len = hold;
	return ok;
}

static bool gen_run(Gen *g, Err *e)
{
	LatheError le = { 0 };
	g->finish = "length";
	if (!lathe_session_feed(g->s, g->prompt, g->n_prompt, &le))
		return model_error(e, &le);
	while (g->n < g->max) {
		int got = lathe_session_next(g->s, &g->token[g->n], &le);
		if (got < 0)
			return model_error(e, &le);
		if (got == 0) {
			g->finish = lathe_session_at_eos(g->s) ? "eos" : "context";
			break;
		}
		g->n++;
		if (lathe_session_at_eos(g->s)) {
			g->finish = "eos";
			break;
		}
		if (!gen_stream(g, g->token[g->n - 1].id, false, e))
			return false;
	}
	return gen_stream(g, 0, true, e);
}

static void json_logprobs(const Gen *g, Jout *j)
{
	jout_key(j, "logprobs");
	if (!args_has(g->a, "logprobs")) {
		jout_null(j);
		return;
	}
	jout_arr(j);
	for (int64_t i = 0; i < g->n; i++) {
		const LatheToken *t = &g->token[i];
		jout_obj(j);
		jout_kint(j, "id", t->id);
		jout_knum(j, "logprob", t->logprob);
		jout_knum(j, "entropy", t->entropy);
		jout_key(j, "top");
		jout_arr(j);
		for (int k = 0; k < t->n_alternatives; k++) {
			jout_obj(j);
			jout_kint(j, "id", t->alternative[k]);
			jout_key(j, "logprob");
			jout_f32(j, t->alternative_logprob[k]);
			jout_end_obj(j);
		}
		jout_end_arr(j);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void json_stats(const Gen *g, Jout *j)
{
	LatheStats s;
	lathe_session_stats(g->s, &s);
	jout_key(j, "stats");
	jout_obj(j);
	jout_kint(j, "prompt_tokens", s.prompt_tokens);
	jout_kint(j, "generated", s.generated);
	jout_knum(j, "prefill_tok_per_s",
		s.prefill_seconds > 0 ? (double)s.prompt_tokens / s.prefill_seconds : 0);
	jout_knum(j, "decode_tok_per_s", s.decode_seconds > 0 ? (double)s.generated / s.decode_seconds : 0);
	jout_kint(j, "drafted", s.drafted);
	jout_kint(j, "accepted", s.accepted);
	jout_kint(j, "forwards", s.forwards);
	jout_kint(j, "kv_bytes", s.kv_bytes);
	jout_kint(j, "kv_allocated", s.kv_allocated);
	jout_knum(j, "seconds", s.prefill_seconds + s.decode_seconds);
	jout_end_obj(j);
}

static bool gen_report(const Gen *g, Err *e)
{
	Buf b = BUF_INIT;
	Jout j;
	int32_t *id = malloc(sizeof *id * (size_t)(g->n + 1));
	if (!id)
		return err_set(e, E_5001, "out of memory");
	for (int64_t i = 0; i < g->n; i++)
		id[i] = g->token[i].id;
	/* the end marker is no text */
	char *text = lathe_decode(g->m, id, (size_t)(g->n - (strcmp(g->finish, "eos") == 0)));
	jout_init(&j, &b);
	jout_obj(&j);
	model_json_ids(&j, "prompt_ids", g->prompt, g->n_prompt);
	model_json_ids(&j, "ids", id, (size_t)g->n);
	jout_kstr(&j, "text", text ? text : "");
	jout_kstr(&j, "finish", g->finish);
	json_logprobs(g, &j);
	json_stats(g, &j);
	jout_end_obj(&j);
	buf_addc(&b, '\n');
	bool ok = cli_out(&b, e);
	free(text);
	free(id);
	buf_done(&b);
	return ok;
}

/* The closing line of the text form, on stderr. */
static void gen_summary(const Gen *g)
{
	LatheStats s;
	lathe_session_stats(g->s, &s);
	if (args_has(g->a, "quiet") || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "%lld tokens in, %.0f/s; %lld out, %.1f/s", (long long)s.prompt_tokens,
		s.prefill_seconds > 0 ? (double)s.prompt_tokens / s.prefill_seconds : 0,
			(long long)s.generated,
		s.decode_seconds > 0 ? (double)s.generated / s.decode_seconds : 0);
	if (s.drafted)
		fprintf(stderr, "; %lld of %lld drafts accepted", (long long)s.accepted,
			(long long)s.drafted);
	fprintf(stderr, "; cache %.1f KiB; ended by %s\n", (double)s.kv_bytes / 1024, g->finish);
}

/* Ids do without a tokenizer, but who looks at the text must be told why there is none. */
static void gen_warn(const LatheModel *m)
{
	LatheError why = { 0 };
	if (!lathe_text_broken(m, &why))
		return;
	Buf b = BUF_INIT;
	safe_text(&b, why.text, strlen(why.text), 0);
	fprintf(stderr, "lathe: tokens cannot be shown as text: %s\n", buf_str(&b));
	buf_done(&b);
}

static bool gen_open(Gen *g, LatheSessionOptions *o, Err *e)
{
	g->max = args_int(g->a, "tokens", 128);
	if (g->max < 0 || g->max > 1 << 24)
		return err_set(e, E_2003, "-n %lld: 0 to %d tokens can be asked for", (long long)g->max,
			1 << 24);
	return gen_options(g->a, o, e) &&
		(g->m = model_open(g->a, args_at(g->a, 0), "precision", NULL, e)) != NULL;
}

static bool gen_prompt(Gen *g, const LatheSessionOptions *o, Err *e)
{
	LatheError le = { 0 };
	if (!model_prompt(g->a, g->m, &g->prompt, &g->n_prompt, e))
		return false;
	g->token = malloc(sizeof *g->token * (size_t)(g->max + 1));
	if (!g->token)
		return err_set(e, E_5001, "out of memory for %lld tokens", (long long)g->max);
	g->s = lathe_session_new(g->m, o, &le);
	return g->s || model_error(e, &le);
}

static bool gen_one(Gen *g, const LatheSessionOptions *o, Err *e)
{
	if (!gen_prompt(g, o, e) || !gen_run(g, e))
		return false;
	if (args_has(g->a, "json"))
		return gen_report(g, e);
	gen_summary(g);
	return true;
}

static int run(const Args *a, Err *e)
{
	Gen g = { .a = a };
	LatheSessionOptions o;
	const char *batch = args_str(a, "batch", NULL);
	bool ok = gen_open(&g, &o, e);
	if (ok && !args_has(a, "prompt"))
		gen_warn(g.m);
	ok = ok && (batch ? generate_batch(a, g.m, &o, batch, g.max, e) : gen_one(&g, &o, e));
	lathe_session_free(g.s);
	lathe_close(g.m);
	buf_done(&g.tail);
	free(g.prompt);
	free(g.token);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = {
	"lathe generate @tiny -p \"Once upon a time\" -n 40",
	"lathe generate @tiny --ids 2,3,4 -n 12 --temperature 0 --json",
	"lathe generate @tiny -p \"Once\" -n 20 --logprobs 3 --seed 7 --json",
	NULL,
};

const Cmd cmd_generate = {
	.name = "generate",
	.usage = "CKPT (-p TEXT | --ids 1,2,3 | --ids-file F | --batch F) [-n N] [--temperature T] [--mtp "
		 "auto|on|off] [--logprobs K]",
	.summary = "continue a text",
	.text = "The text streams to standard output as its characters are complete; progress and figures go "
		"to standard error.\n\n"
		"The same checkpoint, prompt, seed and options give the same tokens for any number of "
		"threads, and with or without MTP drafts: the noise of sampling belongs to the position in "
		"the text, and a draft is accepted exactly when it is the token that would have been chosen "
		"without it.\n\n"
		"With --batch the prompts of a file run side by side, one forward a step for all of them, "
		"and a JSON object a line is printed for each in its order: index, prompt_ids, ids, text, "
		"finish. Prompt i uses the seed --seed + i and gets the tokens that it would have got alone.",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
