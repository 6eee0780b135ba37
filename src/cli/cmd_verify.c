/* cmd_verify.c - a checkpoint against stored probes. */
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "cli/verify_cases.h"
#include "engine/verify.h"
#include "engine/verify_fp8.h"
#include "engine/verify_rl.h"
#include "engine/verify_train.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Opt opts[] = {
	{ "golden", 0, OPT_STR, "FILE",
	  "stored probes (default: golden.safetensors in the checkpoint's folder)" },
	{ "attention", 0, OPT_STR, "FORM",
		"naive or absorbed (default: absorbed with --decode, else naive)" },
	{ "chunk", 0, OPT_INT, "N", "process N tokens at a time through the cache" },
	{ "decode", 0, OPT_FLAG, NULL, "process token by token through the cache" },
	{ "precision", 0, OPT_STR, "RECIPE", "a name of `lathe help fp8`: native, bf16, fp8-v3, ..." },
	OPT_LAYERS,
	{ "train", 0, OPT_STR, "DIR", "gradients, AdamW steps and bias updates stored in DIR, instead of "
		"probes" },
	{ "rl", 0, OPT_STR, "FILE|DIR", "losses of reinforcement learning stored in FILE, or sampled answers with a checkpoint in DIR" },
	{ "fp8", 0, OPT_STR, "FILE", "encodings, quantised matrices and accumulations stored in FILE" },
	{ 0 },
};

static void report_json(const VerifyReport *r, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kbool(&j, "ok", r->ok);
	jout_kstr(&j, "source", r->source);
	jout_knum(&j, "atol", r->atol);
	jout_knum(&j, "rtol", r->rtol);
	jout_kint(&j, "skipped", r->skipped);
	jout_key(&j, "first_off");
	if (r->first[0])
		jout_str(&j, r->first);
	else
		jout_null(&j);
	jout_key(&j, "probes");
	jout_arr(&j);
	for (int i = 0; i < r->n; i++) {
		const VerifyProbe *p = &r->probe[i];
		jout_obj(&j);
		jout_kstr(&j, "name", p->name);
		jout_kbool(&j, "ok", p->ok);
		jout_knum(&j, "max_abs", p->max_abs);
		jout_knum(&j, "max_rel", p->max_rel);
		jout_kstr(&j, "at", p->at);
		jout_end_obj(&j);
	}
	jout_end_arr(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static void report_text(const VerifyReport *r, Buf *b)
{
	int bad = 0;
	for (int i = 0; i < r->n; i++) {
		const VerifyProbe *p = &r->probe[i];
		Buf name = BUF_INIT;
		safe_text(&name, p->name, strlen(p->name), 0);
		buf_printf(b, "%-4s %-32s max abs %-9.3g max rel %-9.3g %s\n", p->ok ? "ok" : "OFF",
			buf_str(&name), p->max_abs, p->max_rel, p->at);
		buf_done(&name);
		bad += !p->ok;
	}
	Buf source = BUF_INIT;
	safe_text(&source, r->source, strlen(r->source), 0);
	buf_printf(b, "%d of %d probes match within %g + %g |b| of %s", r->n - bad, r->n, r->atol, r->rtol,
		   source.len ? buf_str(&source) : "the golden file");
	if (r->skipped)
		buf_printf(b, "; %d of layers not loaded left out", r->skipped);
	if (r->first[0])
		buf_printf(b, "; first off: %s", r->first);
	buf_addc(b, '\n');
	buf_done(&source);
}

static int verify_model(const Args *a, LatheModel *m, const char *dir, Err *e)
{
	char path[4200];
	snprintf(path, sizeof path, "%s", args_str(a, "golden", ""));
	if (!path[0])
		snprintf(path, sizeof path, "%s/golden.safetensors", dir);
	VerifyOptions o = { .chunk = args_has(a, "decode") ? 1 : (int)args_int(a, "chunk", 0) };
	VerifyReport r;
	Buf b = BUF_INIT;
	if (!model_attention(a, &o.attention, e) || !verify_run(m, path, &o, &r, e))
		return err_exit(e);
	if (args_has(a, "json"))
		report_json(&r, &b);
	else
		report_text(&r, &b);
	int status = cli_out(&b, e) ? !r.ok : err_exit(e);
	buf_done(&b);
	verify_done(&r);
	return status;
}

static int verify_stored(const Args *a, Err *e)
{
	Cases r = { 0 };
	bool ran = args_has(a, "train") ? verify_train(args_str(a, "train", ""), cli_threads(a), &r, e)
		: args_has(a, "rl") ? verify_rl(args_str(a, "rl", ""), cli_threads(a), &r, e)
		: verify_fp8(args_str(a, "fp8", ""), cli_threads(a), &r, e);
	return cli_verify_cases(a, &r, ran, e);
}

static int run(const Args *a, Err *e)
{
	if (args_has(a, "chunk") && args_int(a, "chunk", 0) < 1) {
		err_set(e, E_2003, "--chunk %lld: at least one token is needed",
			(long long)args_int(a, "chunk", 0));
		return err_exit(e);
	}
	if (args_has(a, "train") + args_has(a, "rl") + args_has(a, "fp8") + (args_count(a) > 0) != 1) {
		err_set(e, E_2003, "verify: a checkpoint, --train DIR, --rl FILE or --fp8 FILE");
		return err_exit(e);
	}
	if (args_count(a) == 0)
		return verify_stored(a, e);
	char *dir = NULL;
	LatheModel *m = model_open(a, args_at(a, 0), "precision", &dir, e);
	int status = m ? verify_model(a, m, dir, e) : err_exit(e);
	lathe_close(m);
	free(dir);
	return status;
}

static const char *const examples[] = { "lathe verify @tiny", "lathe verify @tiny --decode --json", NULL };

const Cmd cmd_verify = {
	.name = "verify",
	.usage = "[CKPT | --train DIR | --rl FILE | --fp8 FILE] [--golden FILE] [--attention naive|absorbed] [--chunk N | --decode]",
	.summary = "compare a checkpoint with stored probes, layer by layer",
	.text = "Runs the tokens of a golden file (format lathe-golden-1: probes computed by another "
		"implementation) through the checkpoint and compares every probe that the file holds: hidden "
		"states, routes, logits, MTP logits, greedy continuations. One line per probe tells the "
		"largest absolute and relative difference and where it is; the first layer that is off is "
		"named.\n\n"
		"A floating probe matches where |a - b| <= atol + rtol |b| at every element, with the "
		"tolerances of the file. Index probes must be equal as sets; where two scores differ by less "
		"than 1e-6 either choice is right.\n\n"
		"With --train DIR the folder holds a checkpoint, a batch, case.json and what another "
		"implementation computed: loss and its parts, the gradient of every tensor, AdamW "
		"trajectories, bias updates. The tolerances are those of case.json.\n\n"
		"With --rl FILE the file (format lathe-rl-1) holds rewards, log-probabilities and one loss of reinforcement learning "
		"with its gradient: advantages, clipped losses, KL estimates, GAE and value losses; with --rl DIR the folder holds a "
		"checkpoint and sampled answers with the gradient of every weight.\n\n"
		"With --fp8 FILE the file (format lathe-fp8-1) holds codes and values of number formats, quantised "
		"matrices with their scales and statistics, MX and NVFP4 groups, or dot products as Hopper's tensor cores form "
		"them. Everything must match in every bit, statistics within 1e-9. Sums are promoted with two roundings, "
		"fl(acc + fl(sum * scale)); where a file has them with one rounding (fma), too, both are computed.\n\n"
		"The exit status is 0 only when all match, 1 when one is off.",
	.opts = opts,
	.examples = examples,
	.min_args = 0,
	.max_args = 1,
	.run = run,
};
