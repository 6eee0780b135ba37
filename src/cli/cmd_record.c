/* cmd_record.c - a prompt run without a screen, with everything that was watched written to a recording. */
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "engine/once.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Opt opts[] = {
	OPT_PROMPT,
	{ "output", 'o', OPT_STR, "FILE",
	  "the recording to write (needed; an existing file is not overwritten)" },
	{ "tokens", 'n', OPT_INT, "N", "how many tokens to generate at most (default 128)" },
	{ "watch", 0, OPT_STR, "NAMES",
	  "probes to record, separated by blanks, as \"layers.*.moe.topk logits\"; default: what the scenes "
	  "show, but for attention itself; with + in front: these besides" },
	{ "temperature", 't', OPT_NUM, "T", "0 is greedy (default 0.8)" },
	OPT_ATTENTION,
	{ "precision", 0, OPT_STR, "RECIPE", "a name of `lathe help fp8`: native, bf16, fp8-v3, ..." },
	OPT_LAYERS,
	{ 0 },
};

/* What the scenes look at. Not attention itself, which grows with the square of the text. */
static const char scene_probes[] = "layers.*.moe.scores layers.*.moe.bias layers.*.moe.group_sum "
				   "layers.*.moe.group_kept layers.*.moe.topk "
				   "layers.*.moe.weights layers.*.moe.entropy "
				   "layers.*.moe.topk_unbiased layers.*.moe.norms "
				   "layers.*.attn.c_KV layers.*.latent.* engine.forms lens.p lens.top diff.about fp8.about model.tensors";

enum { WATCH_MAX = 64 };

/* Splits list in place. */
/* "+ NAMES": those that the scenes look at, and these. */
static char *probes_named(const char *s)
{
	char *list = malloc(sizeof scene_probes + strlen(s) + 1);
	if (list)
		sprintf(list, "%s%s%s", *s == '+' ? scene_probes : "", *s == '+' ? " " : "", s + (*s == '+'));
	return list;
}

static bool watch_list(char *list, const char **watch, Err *e)
{
	int n = 0;
	for (char *s = strtok(list, " \t\n,"); s; s = strtok(NULL, " \t\n,")) {
		if (n == WATCH_MAX)
			return err_set(e, E_2003, "--watch: more than %d names", WATCH_MAX);
		watch[n++] = s;
	}
	watch[n] = NULL;
	return true;
}

static bool record_prompt(const Args *a, OnceOptions *o, int32_t **ids, Err *e)
{
	size_t n = 0;
	o->text = args_str(a, "prompt", NULL);
	if (o->text && args_has(a, "ids"))
		return err_set(e, E_2003, "give only one of -p and --ids");
	if (o->text)
		return true;
	if (!args_has(a, "ids"))
		return err_set(e, E_2003, "a prompt is needed: -p TEXT or --ids 1,2,3");
	bool ok = cli_ids(args_str(a, "ids", ""), ids, &n, e);
	o->ids = *ids;
	o->n_ids = n;
	return ok;
}

static int record_run(const Args *a, OnceOptions *o, Err *e)
{
	const char *watch[WATCH_MAX + 1];
	char *list = probes_named(args_str(a, "watch", scene_probes)), *path = cli_ckpt_path(args_at(a, 0), e);
	int32_t *ids = NULL;
	Once *x = NULL;
	o->watch = watch;
	if (path && list && watch_list(list, watch, e) && record_prompt(a, o, &ids, e))
		x = once_run(path, o, e);
	if (x && !args_has(a, "quiet"))
		fprintf(stderr, "%s: %zu topics, %zu tokens\n", o->record, store_topics(once_store(x)),
			store_count(once_store(x), "gen.token"));
	once_free(x);
	free(ids);
	free(list);
	free(path);
	return x ? 0 : err_exit(e);
}

static int run(const Args *a, Err *e)
{
	LatheAttention form;
	OnceOptions o = { .threads = cli_threads(a),
		.layers = args_int(a, "layers", 0),
		.memory_limit = cli_memory_limit(a),
		.precision = args_str(a, "precision", NULL),
		.n = args_int(a, "tokens", 128),
		.record = args_str(a, "output", NULL) };
	if (!o.record)
		err_set(e, E_2003, "-o FILE is needed: where the recording goes");
	else if (o.n < 0 || o.n > 1 << 24)
		err_set(e, E_2003, "-n %lld: 0 to %d tokens can be asked for", (long long)o.n, 1 << 24);
	if (e->code || !model_attention(a, &form, e))
		return err_exit(e);
	o.session = (LatheSessionOptions){ .temperature = args_num(a, "temperature", 0.8),
		.seed = (uint64_t)args_int(a, "seed", 0),
		.attention = form,
		.alternatives = 8 };
	return record_run(a, &o, e);
}

static const char *const examples[] = { "lathe record @tiny -p \"Once upon a time\" -n 20 -o story.rec",
	"lathe record @tiny -p \"1 + 2 =\" -n 4 --watch \"layers.*.resid_post logits\" -o sum.rec",
	"lathe record @tiny -p \"1 + 2 =\" -n 8 --watch \"+ layers.*.attn.probs\" -o heads.rec", NULL };

const Cmd cmd_record = {
	.name = "record",
	.usage = "CKPT (-p TEXT | --ids 1,2,3) -o FILE [-n N] [--watch NAMES]",
	.summary = "run a prompt without a screen and write a recording",
	.text = "Does what the workbench does with a prompt, without a screen, and writes the stream of "
		"samples to a file: tokens with their alternatives, speeds, and the probes named by --watch "
		"(lathe-probes(7)). `lathe replay`, `lathe open` and `lathe scene --replay` read it, with no "
		"model and no engine. The format is lathe-stream(5).",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
