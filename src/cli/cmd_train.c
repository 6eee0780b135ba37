/* cmd_train.c - a training run from the terminal: one line of progress there, a line of JSON a step elsewhere. */
#include "cli/run_loop.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLE_TOKENS = 64 };
static const Opt opts[] = { OPT_RUN,
	{ "fork", 0, OPT_STR, "CHECKPOINT", "begin a new run from a checkpoint (DIR/step-000100) of another" }, { 0 } };

typedef struct Loop {
	RunSetup run;
	bool terminal;
	bool ordered;              /* a viewer asked for the end */
	double seconds;            /* of a step, averaged */
	int64_t from;              /* step that this process began with */
	int64_t steps;             /* the setting as it was last seen: a change while running moves the end */
	struct timespec live;      /* of OUT/live when it was last read */
	TrainWatch *watch;         /* who tells others of it */
	Buf sample;                /* text of this step, empty: none */
} Loop;

/* --- what is told --- */

static void step_json(const StepReport *r, const Buf *sample, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kint(&j, "step", r->step);
	jout_knum(&j, "loss", r->loss);
	jout_knum(&j, "main_loss", r->main);
	jout_key(&j, "mtp_loss");
	if (r->n_mtp)
		jout_num(&j, r->mtp[0]);
	else
		jout_null(&j);
	jout_knum(&j, "aux_loss", r->aux);
	jout_knum(&j, "lr", r->lr);
	jout_knum(&j, "grad_norm", r->grad_norm);
	jout_knum(&j, "tok_per_s", r->tok_per_s);
	jout_knum(&j, "maxvio", r->maxvio);
	jout_kint(&j, "dead_experts", r->dead);
	jout_knum(&j, "bias_drift", r->bias_drift);
	jout_kint(&j, "tokens", r->tokens);
	jout_knum(&j, "held_out", r->held_out);
	if (sample->len) {
		jout_key(&j, "sample");
		jout_strn(&j, sample->s, sample->len);
	}
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

/* The first fields are the ones that a narrow terminal keeps. */
static void step_line(const Loop *l, const StepReport *r, Buf *b)
{
	buf_adds(b, "\r\033[K");
	size_t from = b->len;
	buf_printf(b, "step %lld/%lld  loss %.4f  ", (long long)r->step, (long long)l->run.stop, r->main);
	run_time_text(b, l->seconds * (double)(l->run.stop - r->step));
	buf_adds(b, " left");
	if (!isnan(r->held_out))
		run_field(b, from, "held out ", 4, r->held_out, "");
	if (r->n_mtp)
		run_field(b, from, "MTP ", 4, r->mtp[0], "");
	run_field(b, from, "", 1, r->tok_per_s / 1000, " Ktok/s");
	run_field(b, from, "MaxVio ", 2, r->maxvio, "");
	run_field(b, from, "norm ", 2, r->grad_norm, "");
	if (!isnan(r->held_out) || l->sample.len)
		buf_addc(b, '\n');
	if (l->sample.len) {
		safe_text(b, l->sample.s, l->sample.len, SAFE_LF);
		buf_addc(b, '\n');
	}
}

static bool tell(Loop *l, const StepReport *r, Err *e)
{
	Buf b = BUF_INIT;
	if (l->terminal)
		step_line(l, r, &b);
	else
		step_json(r, &l->sample, &b);
	bool ok = cli_out(&b, e) && (fflush(stdout) == 0 || err_errno(e, "write", "standard output"));
	buf_done(&b);
	if (!ok && l->terminal) { /* the terminal is gone: the run ends as by its signal, and is saved */
		run_stop_by(SIGHUP);
		err_clear(e);
		return true;
	}
	return ok;
}

static bool change(void *ud, const char *name, const char *value, Err *e)
{
	const Loop *l = ud;
	return settings_change(train_settings(l->run.start.train), name, value, e);
}

/* --- the loop --- */

/* Held-out loss and a sample of text, when they are due, and telling all of it. */
static bool loop_look(Loop *l, StepReport *r, bool over, Err *e)
{
	Train *t = l->run.start.train;
	const TrainSettings *s = train_settings(t);
	buf_clear(&l->sample);
	if ((run_is_due(s->eval_every, r->step) || (over && s->eval_every > 0)) && !train_eval(t, &r->held_out, e))
		return false;
	if (run_is_due(s->sample_every, r->step) && !train_sample(t, SAMPLE_TOKENS, &l->sample, e))
		return false;
	if (l->watch)
		train_watch_step(l->watch, r, l->seconds * (double)(l->run.stop - r->step));
	if (l->watch && l->sample.len)
		train_watch_sample(l->watch, &l->sample);
	return tell(l, r, e);
}

/* One step and what comes after it. *over: the run is to end. */
static bool loop_step(Loop *l, bool *over, Err *e)
{
	Train *t = l->run.start.train;
	const TrainSettings *s = train_settings(t);
	StepReport r;
	run_live(&l->run, &l->live, change, l);
	*over = l->ordered = run_orders(l->watch);
	if (s->steps != l->steps)
		l->run.stop = l->steps = s->steps;
	if (*over || run_was_stopped() || train_at(t) >= l->run.stop) {
		*over = true;
		return true;
	}
	if (!train_step(t, &r, e))
		return false;
	l->seconds = l->seconds > 0 ? 0.95 * l->seconds + 0.05 * r.seconds : r.seconds;
	*over = r.step >= l->run.stop || run_was_stopped();
	if (!loop_look(l, &r, *over, e))
		return false;
	*over |= run_was_stopped();
	if (s->patience > 0 && train_worse(t) >= s->patience) {
		fprintf(stderr, "lathe: step %lld: no better held-out loss in %lld evaluations; stopping\n", (long long)r.step,
			(long long)s->patience);
		*over = true;
	}
	return *over || !run_is_due(s->checkpoint_every, r.step) || train_save(t, l->run.out, e);
}

static int loop_run(Loop *l, const Args *a, Err *e)
{
	run_signals();
	if (!run_from(&l->run, a, &l->from, e))
		return err_exit(e);
	l->steps = train_settings(l->run.start.train)->steps;
	bool over = l->from >= l->run.stop, ok = true;
	if (!over)
		l->watch = run_watch(&l->run, NULL);
	while (ok && !over)
		ok = loop_step(l, &over, e);
	if (l->terminal && train_at(l->run.start.train) > l->from)
		putchar('\n');
	ok = ok && train_save(l->run.start.train, l->run.out, e);
	if (!ok)
		return err_exit(e);
	if (run_was_stopped() || (l->ordered && train_at(l->run.start.train) < l->run.stop)) {
		fprintf(stderr, "lathe: stopped after step %lld; `--resume` goes on\n", (long long)train_at(l->run.start.train));
		return 128 + (run_was_stopped() ? run_stopped_by() : SIGINT);
	}
	if (!train_finish(l->run.start.train, l->run.out, DT_BF16, l->run.start.tokenizer, e))
		return err_exit(e);
	if (l->terminal)
		printf("the model is in %s/model\n", l->run.out);
	return 0;
}

static int run(const Args *a, Err *e)
{
	Loop l = { .terminal = isatty(STDOUT_FILENO) && !args_has(a, "json") };
	int status = run_setup(&l.run, a, args_at(a, 0), e) ? loop_run(&l, a, e) : err_exit(e);
	train_watch_free(l.watch);
	buf_done(&l.sample);
	run_setup_done(&l.run);
	return status;
}

static void settings_text(Buf *b)
{
	run_settings_text(b, settings_table());
}

static const char *const examples[] = { "lathe train addition --steps 2 --out run-addition",
	"lathe train addition --steps +1 --resume --out run-addition --set lr=5e-4 --json", NULL };

const Cmd cmd_train = {
	.name = "train",
	.usage = "CONFIG.lua [--out DIR] [--steps N] [--resume] [--set NAME=VALUE]...",
	.summary = "train a model from nothing or from a checkpoint",
	.text = "CONFIG.lua returns a table: the model (fields of a config.json, or `from` = a checkpoint), the "
		"data (Lua functions), and settings. A name without a slash means the file lua/configs/train-NAME.lua "
		"in the box.\n\n"
		"On a terminal one line tells step, losses, gradient norm, MaxVio (how much the busiest expert "
		"is above the mean), speed and time left. Elsewhere, and with --json, each step is one line of "
		"JSON.\n\n"
		"Checkpoints (DIR/step-000100, a Hugging Face folder with the optimizer's state) are written whole "
		"or not at all; --resume goes on from the newest, to the same bits as an unbroken run. Ctrl-C "
		"finishes the step, saves, and stops. The finished model is DIR/model, in BF16.\n\n"
		"While a run is going on, `lathe attach` shows it, and takes `:set NAME VALUE`, `:pause`, `:resume` and "
		"`:stop` (saves, and ends); NAME=VALUE lines in the file DIR/live change settings, too. "
		"DIR/train.rec keeps what each step told: `lathe replay DIR/train.rec` shows it later, without the model.",
	.more = settings_text,
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
