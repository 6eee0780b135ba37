/* cmd_rl.c - reinforcement learning from the terminal: one line of progress there, a line of JSON an iteration elsewhere. */
#include "cli/run_loop.h"
#include "engine/publish.h"
#include "engine/rl_watch.h"
#include "rl/rl.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const Opt opts[] = { OPT_RUN,
	{ "fork", 0, OPT_STR, "CHECKPOINT", "begin a new run from a checkpoint (DIR/step-000100) of another" }, { 0 } };

typedef struct Loop {
	RunSetup run;
	Rl *rl;
	bool terminal;
	bool ordered;              /* a viewer asked for the end */
	double seconds;            /* of an iteration, averaged */
	int64_t from;              /* iteration that this process began with */
	struct timespec live;      /* of OUT/live when it was last read */
	TrainWatch *watch;
} Loop;

/* --- what is told --- */

static void report_json(const RlReport *x, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kint(&j, "iter", x->iter);
	jout_knum(&j, "reward", x->reward);
	jout_knum(&j, "accuracy", x->accuracy);
	jout_knum(&j, "eval", x->eval);
	jout_kint(&j, "eval_n", x->eval_n);
	jout_knum(&j, "eval_length", x->eval_length);
	jout_knum(&j, "length", x->length);
	jout_knum(&j, "answered", x->answered);
	jout_knum(&j, "ended", x->ended);
	jout_knum(&j, "kl", x->kl);
	jout_knum(&j, "entropy", x->entropy);
	jout_knum(&j, "clip", x->clip);
	jout_knum(&j, "clip_low", x->clip_low);
	jout_knum(&j, "clip_high", x->clip_high);
	jout_knum(&j, "masked", x->masked);
	jout_knum(&j, "degenerate", x->degenerate);
	jout_knum(&j, "used", x->used);
	jout_knum(&j, "ln_r", x->ln_r);
	jout_knum(&j, "ln_r_first", x->ln_r_first);
	jout_knum(&j, "value_loss", x->value_loss);
	jout_knum(&j, "lr", x->lr);
	jout_knum(&j, "grad_norm", x->grad_norm);
	jout_kint(&j, "updates", x->updates);
	jout_kint(&j, "tokens", x->tokens);
	jout_knum(&j, "tok_per_s", x->tok_per_s);
	jout_knum(&j, "seconds", x->seconds);
	jout_knum(&j, "rollout_s", x->rollout_s);
	jout_knum(&j, "reward_s", x->reward_s);
	jout_knum(&j, "update_s", x->update_s);
	jout_knum(&j, "eval_s", x->eval_s);
	jout_kint(&j, "memory", publish_rss());
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

/* The first fields are the ones that a narrow terminal keeps. An evaluation stays on a line of its own. */
static void report_line(const Loop *l, const RlReport *x, Buf *b)
{
	buf_adds(b, "\r\033[K");
	size_t from = b->len;
	buf_printf(b, "iteration %lld/%lld", (long long)x->iter, (long long)l->run.stop);
	if (!isnan(x->eval))
		run_field(b, from, "held out ", 1, 100 * x->eval, " %");
	if (!isnan(x->accuracy)) {
		run_field(b, from, "right ", 1, 100 * x->accuracy, " %");
		run_field(b, from, "length ", 0, x->length, "");
		buf_adds(b, "  ");
		run_time_text(b, l->seconds * (double)(l->run.stop - x->iter));
		buf_adds(b, " left");
		run_field(b, from, "entropy ", 3, x->entropy, "");
		if (!isnan(x->degenerate))
			run_field(b, from, "equal groups ", 0, 100 * x->degenerate, " %");
		if (x->clip > 0)
			run_field(b, from, "cut ", 1, 100 * x->clip, " %");
		run_field(b, from, "", 1, x->tok_per_s / 1000, " Ktok/s");
	}
	if (!isnan(x->eval))
		buf_addc(b, '\n');
}

static bool tell(Loop *l, const RlReport *x, Err *e)
{
	Buf b = BUF_INIT;
	if (l->watch)
		rl_watch_tell(l->watch, l->rl, x, l->seconds * (double)(l->run.stop - x->iter));
	if (l->terminal)
		report_line(l, x, &b);
	else
		report_json(x, &b);
	bool ok = cli_out(&b, e) && (fflush(stdout) == 0 || err_errno(e, "write", "standard output"));
	buf_done(&b);
	if (!ok && l->terminal) { /* the terminal is gone: the run ends as by its signal, and is saved */
		run_stop_by(SIGHUP);
		err_clear(e);
		return true;
	}
	return ok;
}

/* --- the loop --- */

static bool change(void *ud, const char *name, const char *value, Err *e)
{
	Loop *l = ud;
	return rl_settings_change(rl_settings(l->rl), train_settings(l->run.start.train), name, value, e);
}

static bool look(Loop *l, RlReport *x, bool over, Err *e)
{
	const RlSettings *s = rl_settings(l->rl);
	int64_t every = train_settings(l->run.start.train)->eval_every;
	if (over && s->eval_n > 0)
		return rl_eval(l->rl, s->eval_n, x, e);
	return !run_is_due(every, x->iter) || rl_eval(l->rl, s->eval_some, x, e);
}

/* One iteration and what comes after it. *over: the run is to end. */
static bool loop_step(Loop *l, bool *over, Err *e)
{
	Train *t = l->run.start.train;
	RlReport x;
	run_live(&l->run, &l->live, change, l);
	*over = l->ordered = run_orders(l->watch);
	if (*over || run_was_stopped()) {
		*over = true;
		return true;
	}
	if (!rl_iterate(l->rl, &x, e))
		return false;
	l->seconds = l->seconds > 0 ? 0.9 * l->seconds + 0.1 * x.seconds : x.seconds;
	bool last = x.iter >= l->run.stop;
	if (!look(l, &x, last, e) || !tell(l, &x, e))
		return false;
	*over = last || run_was_stopped();
	return *over || !run_is_due(train_settings(t)->checkpoint_every, x.iter) || train_save(t, l->run.out, e);
}

/* How it stands before anything is learned. */
static bool loop_first(Loop *l, Err *e)
{
	RlReport x = rl_report_empty(l->rl);
	int64_t n = rl_settings(l->rl)->eval_n;
	return l->from > 0 || n == 0 || (rl_eval(l->rl, n, &x, e) && tell(l, &x, e));
}

static int loop_end(Loop *l, Err *e)
{
	Train *t = l->run.start.train;
	if (!train_save(t, l->run.out, e))
		return err_exit(e);
	if (run_was_stopped() || (l->ordered && train_at(t) < l->run.stop)) {
		fprintf(stderr, "lathe: stopped after iteration %lld; `--resume` goes on\n", (long long)train_at(t));
		return 128 + (run_was_stopped() ? run_stopped_by() : SIGINT);
	}
	if (!train_finish(t, l->run.out, DT_BF16, l->run.start.tokenizer, e))
		return err_exit(e);
	if (l->terminal)
		printf("the model is in %s/model\n", l->run.out);
	return 0;
}

static int loop_run(Loop *l, const Args *a, Err *e)
{
	run_signals();
	l->rl = rl_new(l->run.start.train, &l->run.file->rl, &l->run.file->task, e);
	if (!l->rl || !run_from(&l->run, a, &l->from, e))
		return err_exit(e);
	bool over = l->from >= l->run.stop, ok = true;
	if (!over) {
		l->watch = run_watch(&l->run, l->rl);
		ok = loop_first(l, e);
	}
	while (ok && !over)
		ok = loop_step(l, &over, e);
	if (l->terminal && train_at(l->run.start.train) > l->from)
		putchar('\n');
	return ok ? loop_end(l, e) : err_exit(e);
}

static int run(const Args *a, Err *e)
{
	Loop l = { .terminal = isatty(STDOUT_FILENO) && !args_has(a, "json") };
	l.run.rl = true;
	int status = run_setup(&l.run, a, args_at(a, 0), e) ? loop_run(&l, a, e) : err_exit(e);
	train_watch_free(l.watch);
	rl_free(l.rl);
	run_setup_done(&l.run);
	return status;
}

static void settings_text(Buf *b)
{
	run_settings_text(b, rl_settings_table());
}

static const char *const examples[] = { "lathe rl grpo-mult2 --steps 1 --set prompts=2 --set eval_n=0 --out run-rl",
	"lathe rl grpo-mult2 --steps +1 --set prompts=2 --set eval_n=0 --resume --out run-rl --json", NULL };

const Cmd cmd_rl = {
	.name = "rl",
	.usage = "CONFIG.lua [--out DIR] [--steps N] [--resume] [--set NAME=VALUE]...",
	.summary = "reinforcement learning from rewards: GRPO and its kin, PPO",
	.text = "CONFIG.lua returns a table as for `lathe train`, with `exam` (or `task`, the name of one) in place of `data`: problems with "
		"an answer that can be judged. A name without a slash means the file lua/configs/NAME.lua in the box.\n\n"
		"Each iteration draws a group of answers to each of some problems from the model as it is, rewards them, and makes answers "
		"that were better than was to be expected more likely, others less. The reward is 1 for a right answer and `format` for "
		"the right form, or what the file's function `reward` makes of { text, answer, truth, right, thinks, length, ended, "
		"problem }.\n\n"
		"The probabilities that sampling has noted are those that training computes, to the bit; this is checked at the first update "
		"of every iteration (E6102).\n\n"
		"On a terminal one line tells share of right answers, length, entropy and time left. Elsewhere, and with --json, each "
		"iteration is one line of JSON; `accuracy` is that of the samples, `eval` that of eval_n held-out problems at temperature "
		"1, at the start (iter 0), at the end, and every eval_every iterations of eval_some of them; null where there is none.\n\n"
		"Checkpoints, --resume, --fork, Ctrl-C, OUT/live and OUT/train.rec are those of `lathe train`; --steps counts iterations. "
		"Beside the settings below there are those of training (`lathe help train`), with these differences: `steps` follows "
		"`iterations`; warmup, eval_every and checkpoint_every count iterations; experts' correction biases and MTP modules stand "
		"still. What an algorithm chooses stays open to settings of one's own: --set std=auto --set mean=auto takes back what a "
		"configuration has chosen.",
	.more = settings_text,
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
