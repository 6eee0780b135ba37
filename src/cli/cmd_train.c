/* cmd_train.c - a training run from the terminal: one line of progress there, a line of JSON a step elsewhere. */
#include "cli/cmd.h"
#include "cli/run_setup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/train_watch.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t stopped_by;

static void on_signal(int sig)
{
	stopped_by = sig;
}

enum { SAMPLE_TOKENS = 64 };
static const Opt opts[] = { OPT_RUN,
	{ "fork", 0, OPT_STR, "CHECKPOINT", "begin a new run from a checkpoint (DIR/step-000100) of another" }, { 0 } };

typedef struct Loop {
	RunSetup run;
	bool terminal;
	bool ordered;              /* a viewer asked for the end */
	double seconds;            /* of a step, averaged */
	int64_t from;              /* step that this process began with */
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

static void time_text(Buf *b, double s)
{
	if (s < 60)
		buf_printf(b, "%.0f s", s);
	else if (s < 3600)
		buf_printf(b, "%d:%02d", (int)s / 60, (int)s % 60);
	else
		buf_printf(b, "%d h %02d min", (int)(s / 3600), (int)s / 60 % 60);
}

static int terminal_width(void)
{
	struct winsize ws = { 0 };
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

/* Appends a field unless the line would be wider than the terminal then. */
static void line_field(Buf *b, size_t from, const char *name, int digits, double v, const char *unit)
{
	char text[64];
	snprintf(text, sizeof text, "  %s%.*f%s", name, digits, v, unit);
	if (b->len - from + strlen(text) < (size_t)terminal_width())
		buf_adds(b, text);
}

/* The first fields are the ones that a narrow terminal keeps. */
static void step_line(const Loop *l, const StepReport *r, Buf *b)
{
	buf_adds(b, "\r\033[K");
	size_t from = b->len;
	buf_printf(b, "step %lld/%lld  loss %.4f  ", (long long)r->step, (long long)l->run.stop, r->main);
	time_text(b, l->seconds * (double)(l->run.stop - r->step));
	buf_adds(b, " left");
	if (!isnan(r->held_out))
		line_field(b, from, "held out ", 4, r->held_out, "");
	if (r->n_mtp)
		line_field(b, from, "MTP ", 4, r->mtp[0], "");
	line_field(b, from, "", 1, r->tok_per_s / 1000, " Ktok/s");
	line_field(b, from, "MaxVio ", 2, r->maxvio, "");
	line_field(b, from, "norm ", 2, r->grad_norm, "");
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
		stopped_by = SIGHUP;
		err_clear(e);
		return true;
	}
	return ok;
}

static void note(const char *text)
{
	if (text[0])
		fprintf(stderr, "lathe: %s\n", text);
}

/* --- changes while running: NAME=VALUE lines in OUT/live, read again when the file has changed --- */

static void live_line(Loop *l, char *line)
{
	char *eq = strchr(line, '=');
	Err e = { 0 };
	if (!eq)
		return;
	*eq = 0;
	if (!settings_change(train_settings(l->run.train), line, eq + 1, &e))
		note(e.text);
	else
		fprintf(stderr, "lathe: step %lld: %s = %s\n", (long long)train_at(l->run.train), line, eq + 1);
}

static void live_read(Loop *l)
{
	char path[4200], line[256];
	struct stat st;
	snprintf(path, sizeof path, "%s/live", l->run.out);
	if (stat(path, &st) != 0 || (st.st_mtim.tv_sec == l->live.tv_sec && st.st_mtim.tv_nsec == l->live.tv_nsec))
		return;
	l->live = st.st_mtim;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = 0;
		live_line(l, line);
	}
	if (f)
		fclose(f);
}

/* --- the loop --- */

static bool is_due(int64_t every, int64_t step)
{
	return every > 0 && step % every == 0;
}

static bool was_stopped(void)
{
	return stopped_by != 0;
}

/* Each line of text as a note, and no more of it. */
static void notes(Buf *b)
{
	for (char *line = b->s, *end; b->len && line && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		note(line);
	}
	buf_clear(b);
}

static bool take_orders(Loop *l)
{
	Buf b = BUF_INIT;
	bool end = l->watch && train_watch_orders(l->watch, was_stopped, &b);
	notes(&b);
	buf_done(&b);
	return end;
}

static void watch_begin(Loop *l)
{
	Buf b = BUF_INIT;
	TrainWatchOptions o = { .out = l->run.out, .stop = l->run.stop };
	l->watch = train_watch_new(l->run.train, &o, &b);
	notes(&b);
	buf_done(&b);
}

/* Held-out loss and a sample of text, when they are due, and telling all of it. */
static bool loop_look(Loop *l, StepReport *r, bool over, Err *e)
{
	Train *t = l->run.train;
	const TrainSettings *s = train_settings(t);
	buf_clear(&l->sample);
	if ((is_due(s->eval_every, r->step) || (over && s->eval_every > 0)) && !train_eval(t, &r->held_out, e))
		return false;
	if (is_due(s->sample_every, r->step) && !train_sample(t, SAMPLE_TOKENS, &l->sample, e))
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
	Train *t = l->run.train;
	const TrainSettings *s = train_settings(t);
	StepReport r;
	live_read(l);
	*over = l->ordered = take_orders(l);
	if (*over || stopped_by) {
		*over = true;
		return true;
	}
	if (!train_step(t, &r, e))
		return false;
	l->seconds = l->seconds > 0 ? 0.95 * l->seconds + 0.05 * r.seconds : r.seconds;
	*over = r.step >= l->run.stop || stopped_by;
	if (!loop_look(l, &r, *over, e))
		return false;
	*over |= stopped_by != 0;
	if (s->patience > 0 && train_worse(t) >= s->patience) {
		fprintf(stderr, "lathe: step %lld: no better held-out loss in %lld evaluations; stopping\n", (long long)r.step,
			(long long)s->patience);
		*over = true;
	}
	return *over || !is_due(s->checkpoint_every, r.step) || train_save(t, l->run.out, e);
}

/* Where the run begins: nothing, the newest checkpoint of its own folder, or one of another run. */
static bool loop_place(Loop *l, const Args *a, Buf *text, Err *e)
{
	bool used = false, found = false;
	if (!train_claim(l->run.train, l->run.out, l->run.tokenizer, &used, e))
		return false;
	if (args_has(a, "resume")) {
		if (!train_resume(l->run.train, l->run.out, &found, text, e))
			return false;
		if (!found)
			fprintf(stderr, "lathe: %s: no checkpoint yet; beginning\n", l->run.out);
		return true;
	}
	if (used)
		return err_set(e, E_2003, "%s: holds checkpoints of a run; --resume goes on from them, --out DIR begins elsewhere", l->run.out);
	return !args_has(a, "fork") || train_load(l->run.train, args_str(a, "fork", ""), text, e);
}

static bool loop_begin(Loop *l, const Args *a, Err *e)
{
	Buf text = BUF_INIT;
	bool ok = loop_place(l, a, &text, e);
	note(buf_str(&text));
	buf_done(&text);
	l->from = train_at(l->run.train);
	if (l->run.plus >= 0)
		l->run.stop = l->from + l->run.plus;
	return ok;
}

static int loop_run(Loop *l, const Args *a, Err *e)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (!loop_begin(l, a, e))
		return err_exit(e);
	bool over = l->from >= l->run.stop, ok = true;
	if (!over)
		watch_begin(l);
	while (ok && !over)
		ok = loop_step(l, &over, e);
	if (l->terminal && train_at(l->run.train) > l->from)
		putchar('\n');
	ok = ok && train_save(l->run.train, l->run.out, e);
	if (!ok)
		return err_exit(e);
	if (stopped_by || (l->ordered && train_at(l->run.train) < l->run.stop)) {
		fprintf(stderr, "lathe: stopped after step %lld; `--resume` goes on\n", (long long)train_at(l->run.train));
		return 128 + (stopped_by ? stopped_by : SIGINT);
	}
	if (!train_finish(l->run.train, l->run.out, DT_BF16, l->run.tokenizer, e))
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

/* The table of settings: name, what it is when not given, what it does. */
static void settings_text(Buf *b)
{
	buf_adds(b, "Settings, with the value that each has when it is not given ('*': may be changed while running):\n\n");
	for (const Setting *s = settings_table(); s->name; s++) {
		Buf usual = BUF_INIT;
		if (s->kind == SETTING_WORD) {
			const char *w = s->words;
			for (int i = (int)s->usual; i > 0; i--)
				w += strcspn(w, " ") + 1;
			buf_printf(&usual, "%.*s", (int)strcspn(w, " "), w);
		} else if (s->kind == SETTING_FLAG) {
			buf_adds(&usual, s->usual != 0 ? "true" : "false");
		} else {
			buf_printf(&usual, "%g", s->usual);
		}
		buf_printf(b, "  %c %-16s %-9s %s", s->live ? '*' : ' ', s->name, buf_str(&usual), s->help);
		if (s->words)
			buf_printf(b, " (%s)", s->words);
		buf_addc(b, '\n');
		buf_done(&usual);
	}
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
