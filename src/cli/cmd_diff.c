/* cmd_diff.c - two checkpoints, or one in two precisions or attention forms, layer by layer. */
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "engine/compare.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Opt opts[] = {
	OPT_PROMPT,
	{ "precision-a", 0, OPT_STR, "RECIPE", "precision of A, a name of `lathe help fp8`: native, bf16, fp8-v3, ..." },
	{ "precision-b", 0, OPT_STR, "RECIPE", "precision of B" },
	{ "attention-a", 0, OPT_STR, "FORM", "attention of A: naive (default) or absorbed" },
	{ "attention-b", 0, OPT_STR, "FORM", "attention of B" },
	OPT_LAYERS,
	{ 0 },
};

static void diff_json(const CompareReport *r, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_key(&j, "layers");
	jout_arr(&j);
	for (int i = 0; i < r->n; i++) {
		jout_obj(&j);
		jout_kstr(&j, "name", r->layer[i].name);
		jout_knum(&j, "max_abs", r->layer[i].max_abs);
		jout_knum(&j, "rel_l2", r->layer[i].rel_l2);
		jout_end_obj(&j);
	}
	jout_end_arr(&j);
	jout_key(&j, "first_difference");
	if (r->first)
		jout_str(&j, r->first);
	else
		jout_null(&j);
	jout_knum(&j, "kl", r->kl);
	jout_knum(&j, "top1_agree", r->top1_agree);
	jout_kint(&j, "routes", r->routes);
	jout_kint(&j, "routes_flipped", r->routes_flipped);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static void diff_text(const CompareReport *r, Buf *b)
{
	for (int i = 0; i < r->n; i++) {
		const CompareLayer *l = &r->layer[i];
		if (l->same_shape)
			buf_printf(b, "%-28s max abs %-10.3g rel L2 %-10.3g\n", l->name, l->max_abs,
				l->rel_l2);
		else
			buf_printf(b, "%-28s shapes differ\n", l->name);
	}
	buf_printf(b, "first difference: %s\n", r->first ? r->first : "none, every value is the same");
	buf_printf(b, "KL(A||B) %.4g nat a token, same best token %.1f %%, routes flipped %lld of %lld\n",
		r->kl, 100 * r->top1_agree, (long long)r->routes_flipped, (long long)r->routes);
}

static bool diff_form(const Args *a, const char *option, LatheAttention *out, Err *e)
{
	const char *s = args_str(a, option, "naive");
	*out = strcmp(s, "absorbed") == 0 ? LATHE_ATTENTION_ABSORBED : LATHE_ATTENTION_NAIVE;
	return *out == LATHE_ATTENTION_ABSORBED || strcmp(s, "naive") == 0 ||
	       err_set(e, E_2003, "--%s %s: known are naive and absorbed", option, s);
}

static int diff_models(const Args *a, LatheModel *ma, LatheModel *mb, Err *e)
{
	LatheAttention fa, fb;
	int32_t *ids = NULL;
	size_t n = 0;
	CompareReport r = { 0 };
	Buf b = BUF_INIT;
	bool ok = diff_form(a, "attention-a", &fa, e) && diff_form(a, "attention-b", &fb, e) &&
		model_prompt(a, ma, &ids, &n, e);
	if (ok && lathe_vocab(ma) != lathe_vocab(mb))
		ok = err_set(e, E_2003,
			"A has a vocabulary of %lld, B of %lld: the same ids mean other things",
			(long long)lathe_vocab(ma), (long long)lathe_vocab(mb));
	ok = ok && compare_run(ma, mb, ids, n, fa, fb, &r, e);
	if (ok && args_has(a, "json"))
		diff_json(&r, &b);
	else if (ok)
		diff_text(&r, &b);
	ok = ok && cli_out(&b, e);
	int status = ok ? r.first != NULL && !args_has(a, "json") : err_exit(e);
	compare_done(&r);
	buf_done(&b);
	free(ids);
	return status;
}

static int run(const Args *a, Err *e)
{
	LatheModel *ma = model_open(a, args_at(a, 0), "precision-a", NULL, e);
	LatheModel *mb = ma ? model_open(a, args_at(a, args_count(a) > 1 ? 1 : 0), "precision-b", NULL, e)
		: NULL;
	int status = mb ? diff_models(a, ma, mb, e) : err_exit(e);
	lathe_close(ma);
	lathe_close(mb);
	return status;
}

static const char *const examples[] = {
	"lathe diff @tiny @tiny -p \"Once upon a time\" --precision-b bf16 --json",
	"lathe diff @tiny --ids 2,3,4,5 --attention-b absorbed --json",
	NULL,
};

const Cmd cmd_diff = {
	.name = "diff",
	.usage = "A [B] (-p TEXT | --ids ... ) [--precision-a R] [--precision-b R] [--attention-a F] "
		 "[--attention-b F]",
	.summary = "compare two checkpoints, or one in two precisions, layer by layer",
	.text = "Runs the same tokens through A and B (B is A when left out) and compares what every layer "
		"makes: the largest absolute difference and the relative L2 distance |A - B| / |A| of "
		"attention output, feed-forward output and residual stream, then the KL divergence of the "
		"next-token distributions, how often the best token is the same, and how many (token, layer) "
		"choices of experts differ.\n\n"
		"The exit status of the text form is 0 when every value is the same and 1 when a difference "
		"is found; with --json it is 0 in both cases.",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
