/* cmd_fp8.c - one text under each precision recipe: what eight bits do to a model. */
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "engine/precision.h"
#include "tape/tape.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RECIPES_MAX = 64, WORST = 8 };
static const Opt opts[] = {
	OPT_PROMPT,
	{ "recipe", 0, OPT_STR, "NAME", "this precision only, beside f32 and bf16; may be given several times (default: all)" },
	OPT_LAYERS,
	{ 0 },
};

static void stats_json(Jout *j, const char *key, const FpStats *s)
{
	jout_key(j, key);
	jout_obj(j);
	jout_knum(j, "rel_l2", s->rel_l2);
	jout_knum(j, "max_abs", s->max_abs);
	jout_knum(j, "sqnr_db", s->sqnr_db);
	jout_knum(j, "underflow", s->underflow);
	jout_knum(j, "subnormal", s->subnormal);
	jout_knum(j, "above_max", s->above);
	jout_knum(j, "clamped", s->clamped);
	jout_end_obj(j);
}

static void layers_json(Jout *j, const PrecisionFormat *f)
{
	jout_key(j, "layers");
	jout_arr(j);
	for (int i = 0; i < f->n_layers; i++) {
		const PrecisionLayer *l = &f->layer[i];
		jout_obj(j);
		jout_kstr(j, "name", l->name);
		jout_knum(j, "rel_l2", l->rel_l2);
		jout_knum(j, "sqnr_db", l->sqnr_db);
		jout_knum(j, "underflow", l->underflow);
		jout_knum(j, "overflow", l->overflow);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void products_json(Jout *j, const PrecisionFormat *f)
{
	jout_key(j, "products");
	jout_arr(j);
	for (int i = 0; i < f->n_products; i++) {
		const PrecisionProduct *p = &f->product[i];
		jout_obj(j);
		jout_kstr(j, "name", p->name);
		jout_knum(j, "rel_l2", p->result.rel_l2);
		jout_knum(j, "sqnr_db", p->result.sqnr_db);
		stats_json(j, "input", &p->input);
		stats_json(j, "weight", &p->weight);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void report_json(const PrecisionReport *r, size_t tokens, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kint(&j, "tokens", (int64_t)tokens);
	jout_key(&j, "formats");
	jout_arr(&j);
	for (int i = 0; i < r->n; i++) {
		const PrecisionFormat *f = &r->format[i];
		jout_obj(&j);
		jout_kstr(&j, "name", f->name);
		jout_kstr(&j, "about", f->about);
		jout_knum(&j, "kl", f->kl);
		jout_knum(&j, "kl_bf16", f->kl_bf16);
		jout_knum(&j, "top1_agree", f->top1_agree);
		jout_knum(&j, "ppl", f->ppl);
		jout_kint(&j, "routes", f->routes);
		jout_kint(&j, "routes_flipped", f->routes_flipped);
		layers_json(&j, f);
		products_json(&j, f);
		jout_end_obj(&j);
	}
	jout_end_arr(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static int by_error(const void *a, const void *b)
{
	double x = ((const PrecisionProduct *)a)->result.rel_l2, y = ((const PrecisionProduct *)b)->result.rel_l2;
	return (x < y) - (x > y);
}

/* The products that a recipe hurts most; sorts them. */
static void worst_text(PrecisionFormat *f, Buf *b)
{
	qsort(f->product, (size_t)f->n_products, sizeof *f->product, by_error);
	buf_printf(b, "\n%s, the products with the largest error of their own:\n", f->name);
	buf_printf(b, "  %-40s %9s %9s %10s %10s %10s\n", "product", "rel L2", "SQNR dB", "to zero", "subnormal", "clamped");
	for (int i = 0; i < f->n_products && i < WORST; i++) {
		const PrecisionProduct *p = &f->product[i];
		buf_printf(b, "  %-40s %9.4f %9.1f %9.3f%% %9.3f%% %9.3f%%\n", p->name, p->result.rel_l2, p->result.sqnr_db,
			100 * fmax(p->input.underflow, p->weight.underflow), 100 * fmax(p->input.subnormal, p->weight.subnormal),
			100 * fmax(p->input.clamped, p->weight.clamped));
	}
}

static void report_text(PrecisionReport *r, size_t tokens, Buf *b)
{
	buf_printf(b, "%-15s %11s %11s %9s %11s %15s %9s\n", "precision", "KL to f32", "KL to bf16", "same best", "perplexity", "routes flipped",
		"rel L2");
	for (int i = 0; i < r->n; i++) {
		const PrecisionFormat *f = &r->format[i];
		double last = f->n_layers ? f->layer[f->n_layers - 1].rel_l2 : 0;
		buf_printf(b, "%-15s %11.3g %11.3g %8.1f%% ", f->name, f->kl, f->kl_bf16, 100 * f->top1_agree);
		if (isnan(f->ppl))
			buf_printf(b, "%11s", "-");
		else
			buf_printf(b, "%11.4f", f->ppl);
		buf_printf(b, " %6lld of %5lld %9.2g\n", (long long)f->routes_flipped, (long long)f->routes, last);
	}
	buf_printf(b, "%zu tokens; KL in nat a token; rel L2 of the logits\n", tokens);
	for (int i = 2; i < r->n && i < 3; i++)
		worst_text(&r->format[i], b);
}

static int fp8_model(const Args *a, LatheModel *m, Err *e)
{
	const char *names[RECIPES_MAX + 1] = { NULL };
	int32_t *ids = NULL;
	size_t n = 0;
	PrecisionReport r = { 0 };
	Buf b = BUF_INIT;
	for (int i = 0; i < RECIPES_MAX; i++)
		names[i] = args_nth(a, "recipe", i);
	bool ok = model_prompt(a, m, &ids, &n, e) && precision_run(m, ids, n, names[0] ? names : NULL, &r, e);
	if (ok && args_has(a, "json"))
		report_json(&r, n, &b);
	else if (ok)
		report_text(&r, n, &b);
	int status = ok && cli_out(&b, e) ? 0 : err_exit(e);
	precision_done(&r);
	buf_done(&b);
	free(ids);
	return status;
}

static int run(const Args *a, Err *e)
{
	LatheModel *m = NULL;
	const char *name;
	for (int i = 0; (name = args_nth(a, "recipe", i)); i++)
		if (i >= RECIPES_MAX || !recipe_find(name, e)) {
			err_set(e, E_2003, "--recipe may be given %d times", RECIPES_MAX);
			return err_exit(e);
		}
	m = model_open(a, args_at(a, 0), NULL, NULL, e);
	int status = m ? fp8_model(a, m, e) : err_exit(e);
	lathe_close(m);
	return status;
}

static void recipes_text(Buf *b)
{
	buf_adds(b, "Precisions, for --recipe here and for --precision of other commands:\n\n");
	for (int i = 0; recipe_at(i); i++)
		buf_printf(b, "  %-14s %s\n", recipe_at(i)->name, recipe_at(i)->about);
	buf_adds(b, "\nFormats that their groups are made of:\n\n");
	for (int i = 0; i < FP_COUNT; i++)
		buf_printf(b, "  %-9s largest %-12g %s\n", fp_format((FpId)i)->name, (double)fp_format((FpId)i)->max, fp_format((FpId)i)->about);
}

static const char *const examples[] = { "lathe fp8 @tiny -p \"Once upon a time\"", "lathe fp8 @tiny --ids 2,3,4,5,6 --recipe fp8-v3-hopper --json", NULL };

const Cmd cmd_fp8 = {
	.name = "fp8",
	.usage = "CKPT (-p TEXT | --ids ... ) [--recipe NAME]...",
	.summary = "what each precision does to a model's predictions, layers and products",
	.text = "Runs the same tokens in each precision and compares: the KL divergence of the next-token distributions from those of the model as it "
		"is stored (f32) and from those of bf16, how often the best token is the same, the perplexity of the text, and how many (token, "
		"layer) choices of experts differ.\n\n"
		"layers[] of --json has each layer's values against f32, where errors have gathered. products[] has each product of a weight by "
		"itself, with the input it has in that run: the error of its result and what quantising does to both operands - relative L2, "
		"SQNR, the shares of values that became zero, are below the format's normal numbers, were above its largest value, and were "
		"changed by clamping.\n\n"
		"In the fp8 recipes the projections of attention, MLPs and experts are quantised; embedding, head, gate, norms and attention "
		"itself are not. Weights that a checkpoint stores as FP8 blocks are taken as they are where the recipe asks for these.",
	.more = recipes_text,
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
