/* source_rl.c - a run of reinforcement learning: its curves over the iterations, and one group of answers in full, with the figures of each
 * token of the selected one.
 *
 * The group is the text of rl.group, parsed once a frame. Nothing in it is believed: every field may be missing, shorter or of another type. */
#include "base/json.h"
#include "base/utf8.h"
#include "view/data.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 1024, GROUPS_READ = 128 /* of which words are counted */, ANSWERS_MAX = 1024, TOKENS_MAX = 1 << 16 };

/* --- curves over iterations --- */

typedef struct Curve { double *v; int *seen; int n; int64_t dx; } Curve;

static double curve_at(const Line *l, int i)
{
	const Curve *c = l->ud;
	return i >= 0 && i < c->n ? c->v[i] : NAN;
}

static int64_t iteration_last(const Look *l)
{
	static const char *const topic[] = { "rl.time", "rl.reward", "rl.eval" };
	int64_t last = -1;
	for (int i = 0; i < 3; i++) {
		const Sample *x = store_last(l->store, topic[i]);
		last = x && (int64_t)x->step > last ? (int64_t)x->step : last;
	}
	return last;
}

static void curve_take(void *ud, const Sample *x)
{
	Curve *c = ud;
	size_t at = (size_t)((int64_t)x->step / c->dx);
	double v = x->kind == SAMPLE_TENSOR ? sample_num(x, 0) : NAN;
	if (at >= (size_t)c->n || isnan(v))
		return;
	c->v[at] += (v - c->v[at]) / ++c->seen[at];
}

/* The samples of a topic by iteration, thinned to means when there are many. hold: a value that comes seldom stays until the next one.
 * NULL: there are none. */
static Curve *curve_make(const Look *l, const char *topic, bool hold)
{
	int64_t last = iteration_last(l);
	Curve *c = store_count(l->store, topic) && last >= 0 ? arena_zalloc(l->arena, sizeof *c) : NULL;
	if (!c)
		return NULL;
	c->dx = last / POINTS_MAX + 1;
	c->n = (int)(last / c->dx) + 1;
	c->v = arena_zalloc(l->arena, (size_t)c->n * sizeof *c->v);
	c->seen = arena_zalloc(l->arena, (size_t)c->n * sizeof *c->seen);
	if (!c->v || !c->seen)
		return NULL;
	store_each(l->store, topic, curve_take, c);
	for (int i = 0; i < c->n; i++)
		if (!c->seen[i])
			c->v[i] = hold && i > 0 ? c->v[i - 1] : NAN;
	return c;
}

static Series *series_begin(Data *d)
{
	d->kind = DATA_SERIES;
	d->series = (Series){ .sel = -1, .axis = AXIS_LOCAL, .x_name = "iteration", .whole = true };
	return &d->series;
}

static void series_add(Series *s, const char *name, const char *unit, Curve *c)
{
	if (!c || s->n == SERIES_MAX)
		return;
	s->dx = c->dx;
	s->line[s->n++] = (Line){ name, unit, c->n, curve_at, c };
}

typedef struct RlLine { const char *name, *topic, *unit; bool seldom; } RlLine;
typedef struct RlPane { const char *source; RlLine line[4]; } RlPane;

static const RlPane pane_table[] = {
	{ "accuracy", { { "held out", "rl.eval", NULL, true }, { "sampled", "rl.accuracy", NULL, false } } },
	{ "lengths", { { "sampled", "rl.length", NULL, false }, { "held out", "rl.eval_length", NULL, true } } },
	{ "reward", { { "mean", "rl.reward", NULL, false }, { "in form", "rl.answered", NULL, false }, { "value loss", "rl.value_loss", NULL, false } } },
	{ "policy", { { "entropy", "rl.entropy", NULL, false }, { "KL", "rl.kl", NULL, false }, { "clip", "rl.clip", NULL, false } } },
	{ "groups", { { "degenerate", "rl.degenerate", NULL, false }, { "used", "rl.used", NULL, false } } },
	{ "drift", { { "|ln r|", "rl.ln_r", NULL, false }, { "masked", "rl.masked", NULL, false } } },
};

static double first_number(const Look *l, const char *topic)
{
	const Sample *x = store_at(l->store, topic, 0);
	return x ? sample_num(x, 0) : NAN;
}

static const char *number_last(const Look *l, const char *topic, const char *format)
{
	const Sample *x = store_last(l->store, topic);
	double v = x && x->kind == SAMPLE_TENSOR ? sample_num(x, 0) : NAN;
	if (isnan(v))
		return "·";
	return format[0] == '0' ? arena_printf(l->arena, "%.0f", v) : format[0] == '3' ? arena_printf(l->arena, "%.3f", v)
		: arena_printf(l->arena, "%.2e", v);
}

static bool series_pane(const Look *l, Data *d, const RlPane *p)
{
	Series *s = series_begin(d);
	for (int i = 0; i < 4 && p->line[i].name; i++)
		series_add(s, p->line[i].name, p->line[i].unit, curve_make(l, p->line[i].topic, p->line[i].seldom));
	if (s->n == 0)
		d->empty = "nothing yet: it comes with the first iteration";
	const char *first = strcmp(p->source, "accuracy") == 0 ? "rl.eval" : strcmp(p->source, "lengths") == 0 ? "rl.eval_length" : NULL;
	double v = first ? first_number(l, first) : NAN;
	if (!isnan(v))
		d->facts = arena_printf(l->arena, *p->source == 'a' ? "start %.3f" : "start %.0f", v);
	d->summary = s->n ? arena_printf(l->arena, "%s %s", p->line[0].name, number_last(l, p->line[0].topic, "3")) : NULL;
	return true;
}

/* --- the group --- */

typedef struct Answer {
	const char *text;          /* safe, one line */
	double reward, advantage, surprise; /* means over its tokens; NaN: not known */
	bool right, ended;
	int n, length;             /* tokens that are here; that it has */
	const char **token;
	double *figure[4];         /* [n] advantage, entropy, probability, its ratio to the reference */
} Answer;

typedef struct Group { int64_t iter; const char *prompt; int n; Answer *a; double top, drift; /* largest |advantage|, |ln ratio| */ } Group;

static const char *text_of(const Look *l, const json_t *v, unsigned flags)
{
	Buf b = BUF_INIT;
	if (json_is_string(v))
		safe_text(&b, json_string_value(v), json_string_length(v), flags);
	const char *s = arena_strdup(l->arena, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

static double number_of(const json_t *v)
{
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static double *numbers_of(const Look *l, const json_t *v, int n, bool exponent)
{
	double *x = arena_zalloc(l->arena, (size_t)(n + 1) * sizeof *x);
	for (int i = 0; x && i < n; i++) {
		x[i] = number_of(json_array_get(v, (size_t)i));
		x[i] = exponent ? exp(x[i]) : x[i];
	}
	return x;
}

static double mean_of(const double *v, int n, double (*of)(double))
{
	double sum = 0;
	int seen = 0;
	for (int i = 0; v && i < n; i++)
		if (!isnan(v[i])) {
			sum += of ? of(v[i]) : v[i];
			seen++;
		}
	return seen ? sum / seen : NAN;
}

static double surprise_of(double p)
{
	return p > 0 ? -log(p) : 0;
}

/* A recording made before the texts of tokens were told has one piece: the whole answer, without figures. */
static void answer_tokens(const Look *l, const json_t *v, Answer *a)
{
	const json_t *token = json_object_get(v, "tokens");
	size_t n = json_array_size(token), had = json_array_size(json_object_get(v, "logp"));
	a->n = n == 0 || n > TOKENS_MAX ? 1 : (int)n;
	a->token = arena_zalloc(l->arena, (size_t)a->n * sizeof *a->token);
	for (int i = 0; a->token && i < a->n; i++)
		a->token[i] = text_of(l, n ? json_array_get(token, (size_t)i) : json_object_get(v, "text"), SAFE_LF);
	int figures = n && had < TOKENS_MAX ? a->n : 0;
	static const char *const key[] = { "advantage", "entropy", "logp" };
	for (int k = 0; k < 3; k++)
		a->figure[k] = figures ? numbers_of(l, json_object_get(v, key[k]), figures, k == 2) : NULL;
	a->figure[3] = figures ? numbers_of(l, json_object_get(v, "ref"), figures, true) : NULL;
	for (int i = 0; a->figure[3] && a->figure[2] && i < figures; i++)
		a->figure[3][i] = a->figure[2][i] / a->figure[3][i];
	int all = had < TOKENS_MAX ? (int)had : 0;
	double *logp = numbers_of(l, json_object_get(v, "logp"), all, true), *adv = numbers_of(l, json_object_get(v, "advantage"), all, false);
	a->surprise = mean_of(logp, all, surprise_of);
	a->advantage = mean_of(adv, all, NULL);
	json_int_t length = json_is_integer(json_object_get(v, "length")) ? json_integer_value(json_object_get(v, "length")) : all;
	a->length = length < 0 || length > 1000000000 ? all : (int)length;
	if (!a->token)
		a->n = 0;
}

static void group_read(const Look *l, Group *g, const Sample *x)
{
	Err e = { 0 };
	json_t *o = json_parse_nul(x->data, x->bytes, "rl.group", E_3181, &e);
	const json_t *list = json_object_get(o, "answers");
	size_t n = json_array_size(list);
	n = n > ANSWERS_MAX ? ANSWERS_MAX : n;
	g->iter = (int64_t)x->step;
	g->prompt = text_of(l, json_object_get(o, "prompt"), SAFE_LF);
	g->a = arena_zalloc(l->arena, (n + 1) * sizeof *g->a);
	for (size_t i = 0; g->a && i < n; i++) {
		const json_t *v = json_array_get(list, i);
		Answer *a = &g->a[g->n++];
		a->text = text_of(l, json_object_get(v, "text"), 0);
		a->reward = number_of(json_object_get(v, "reward"));
		a->right = json_is_true(json_object_get(v, "right"));
		a->ended = json_is_true(json_object_get(v, "ended"));
		answer_tokens(l, v, a);
		for (int k = 0; a->figure[0] && k < a->n; k++)
			g->top = fmax(g->top, fabs(a->figure[0][k]));
		for (int k = 0; a->figure[3] && k < a->n; k++)
			g->drift = fmax(g->drift, fabs(log(a->figure[3][k])));
	}
	json_decref(o);
}

/* The group of the newest iteration, as of where the recording stands; NULL: none is told. */
static const Group *group_get(const Look *l)
{
	bool made;
	const Sample *x = store_last(l->store, "rl.group");
	Group *g = x && x->kind == SAMPLE_TEXT ? look_memo(l, "rl.group", sizeof *g, &made) : NULL;
	if (g && made)
		group_read(l, g, x);
	return g && g->n > 0 ? g : NULL;
}

/* Is x more of it than y? Among the best the shortest, among the worst the longest. */
static bool answer_beats(const Answer *x, const Answer *y, char what)
{
	switch (what) {
	case 'b': return x->reward > y->reward || (x->reward == y->reward && x->length < y->length);
	case 'w': return x->reward < y->reward || (x->reward == y->reward && x->length > y->length);
	case 'l': return x->length > y->length;
	default: return x->surprise > y->surprise;
	}
}

static int group_pick(const Group *g, char what)
{
	int at = 0;
	for (int i = 1; i < g->n; i++)
		if (answer_beats(&g->a[i], &g->a[at], what))
			at = i;
	return at;
}

int source_answer_pick(const Look *l, const char *which)
{
	static const char *const word[] = { "best", "worst", "longest", "surprising" };
	const Group *g = group_get(l);
	char *end;
	long n = strtol(which, &end, 10);
	for (int i = 0; g && i < 4; i++)
		if (strcmp(which, word[i]) == 0)
			return group_pick(g, *word[i]);
	return g && end != which && !*end && n >= 1 && n <= g->n ? (int)n - 1 : -1;
}

/* --- the group as a table --- */

static const char *pick_marks(const Look *l, const Group *g, int i)
{
	char m[5] = "", *p = m;
	for (const char *w = "bwls"; *w; w++)
		if (group_pick(g, *w) == i)
			*p++ = *w;
	*p = 0;
	return arena_strdup(l->arena, m);
}

static double group_std(const Group *g, double mean)
{
	double sum = 0;
	for (int i = 0; i < g->n; i++)
		sum += (g->a[i].reward - mean) * (g->a[i].reward - mean);
	return sqrt(sum / g->n);
}

static void group_facts(const Look *l, const Group *g, Data *d)
{
	double mean = 0;
	int right = 0;
	for (int i = 0; i < g->n; i++) {
		mean += g->a[i].reward / g->n;
		right += g->a[i].right;
	}
	Buf b = BUF_INIT;
	for (const char *p = g->prompt; *p && b.len < 60; p++)
		buf_addc(&b, *p == '\n' ? ' ' : *p);
	while (b.len && b.s[b.len - 1] == ' ')
		b.s[--b.len] = 0;
	d->title = arena_printf(l->arena, "group: %s", strlen(g->prompt) <= 60 ? buf_str(&b) : "a long problem");
	d->facts = arena_printf(l->arena, "iteration %lld · %d of %d right", (long long)g->iter, right, g->n);
	d->summary = arena_printf(l->arena, "%s · reward %.2f, std %.2f", d->facts, mean, group_std(g, mean));
	buf_done(&b);
}

static void group_row(const Look *l, const Group *g, int i, TableCell *c, const char **readout)
{
	const Answer *a = &g->a[i];
	CellStyle st = a->right ? CELL_GOOD : CELL_TEXT;
	c[0] = (TableCell){ arena_printf(l->arena, "%d", i + 1), CELL_DIM };
	c[1] = (TableCell){ arena_printf(l->arena, "%.3g", a->reward), st };
	c[2] = (TableCell){ isnan(a->advantage) ? "·" : arena_printf(l->arena, "%+.2f", a->advantage), CELL_TEXT };
	c[3] = (TableCell){ arena_printf(l->arena, "%d", a->length), a->ended ? CELL_TEXT : CELL_WARN };
	c[4] = (TableCell){ isnan(a->surprise) ? "·" : arena_printf(l->arena, "%.2f", a->surprise), CELL_TEXT };
	c[5] = (TableCell){ pick_marks(l, g, i), CELL_ACCENT };
	c[6] = (TableCell){ a->text, st };
	*readout = arena_printf(l->arena, "answer %d of %d: %s, reward %.4g, advantage %s, %d tokens%s, surprise %s nat a token", i + 1, g->n,
		a->right ? "right" : "wrong", a->reward, c[2].s, a->length, a->ended ? "" : " (cut off)", c[4].s);
}

static bool table_answers(const Look *l, Data *d)
{
	const Group *g = group_get(l);
	if (!g) {
		d->empty = "no group yet: it comes with the first iteration";
		return true;
	}
	d->kind = DATA_TABLE;
	d->table = (Table){ .cols = 7, .axis = AXIS_LOCAL, .sel = (int)l->sel->answer, .head = { "#", "r", "A", "len", "nat", "is", "answer" },
		.left = { [5] = true, [6] = true }, .cell = arena_zalloc(l->arena, (size_t)g->n * 7 * sizeof(TableCell)),
		.readout = arena_zalloc(l->arena, (size_t)g->n * sizeof(char *)) };
	d->table.rows = d->table.cell && d->table.readout ? g->n : 0;
	for (int i = 0; i < d->table.rows; i++)
		group_row(l, g, i, &d->table.cell[i * 7], &d->table.readout[i]);
	group_facts(l, g, d);
	return true;
}

/* --- the selected answer, token by token --- */

static const char *figure_text(const Look *l, const double *v, int i, bool sign)
{
	return !v || isnan(v[i]) ? "·" : arena_printf(l->arena, sign ? "%+.4f" : "%.4f", v[i]);
}

/* Row 0 is the problem. */
static void answer_row(const Look *l, const Group *g, const Answer *a, int i, Table *t)
{
	TableCell *c = &t->cell[(i + 1) * 5];
	c[0] = (TableCell){ a->token[i], CELL_TEXT };
	for (int k = 0; k < 4; k++) {
		c[k + 1] = (TableCell){ figure_text(l, a->figure[k], i, k == 0), CELL_TEXT };
		double v = a->figure[k] ? a->figure[k][i] : NAN;
		t->tint[k][i + 1] = k == 0 ? (g->top > 0 ? v / g->top : 0) : k == 1 ? v / 3 : k == 2 ? v : g->drift > 0 ? log(v) / g->drift : 0;
	}
	FactToken as = { .text = (char *)(uintptr_t)a->token[i] };
	t->readout[i + 1] = arena_printf(l->arena, "token %d of %d %s: advantage %s, entropy %s nat, probability %s, ratio %s", i + 1, a->length,
		text_token(l->arena, &as, 16), c[1].s, c[2].s, c[3].s, c[4].s);
}

static bool answer_room(const Look *l, Table *t, int rows)
{
	t->cell = arena_zalloc(l->arena, (size_t)rows * 5 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)rows * sizeof *t->readout);
	bool ok = t->cell && t->readout;
	for (int k = 0; k < 4; k++) {
		t->tint[k] = arena_zalloc(l->arena, (size_t)rows * sizeof *t->tint[k]);
		ok = ok && t->tint[k];
	}
	return ok;
}

static bool table_answer(const Look *l, Data *d)
{
	const Group *g = group_get(l);
	if (!g) {
		d->empty = "no answer yet: it comes with the first iteration";
		return true;
	}
	int at = l->sel->answer < g->n ? (int)l->sel->answer : g->n - 1;
	const Answer *a = &g->a[at];
	d->kind = DATA_TABLE;
	d->table = (Table){ .cols = 5, .axis = AXIS_LOCAL, .head = { "token", "advantage", "entropy", "probability", "ratio" }, .left = { true } };
	if (!answer_room(l, &d->table, a->n + 1))
		return true;
	d->table.rows = a->n + 1;
	d->table.cell[0] = (TableCell){ g->prompt, CELL_DIM };
	d->table.readout[0] = "the problem";
	for (int k = 0; k < 4; k++)
		d->table.tint[k][0] = NAN;
	for (int i = 0; i < a->n; i++)
		answer_row(l, g, a, i, &d->table);
	d->title = arena_printf(l->arena, "answer %d", at + 1);
	d->facts = arena_printf(l->arena, "%s · reward %.3g · %d tokens%s", a->right ? "right" : "wrong", a->reward, a->length,
		a->ended ? "" : ", cut");
	d->summary = a->text;
	return true;
}

/* --- words of reflection --- */

static const char *const reflection[] = { "wait", "but", "however", "check", "verify", "again", "mistake", "wrong" };
enum { REFLECTION = sizeof reflection / sizeof *reflection };
typedef struct Words { double *n[REFLECTION]; int *answers, points; int64_t dx; bool any[REFLECTION]; } Words;

static bool word_here(const char *p, const char *end, const char *w)
{
	size_t n = strlen(w), i = 0;
	while (i < n && p + i < end && tolower((unsigned char)p[i]) == w[i])
		i++;
	return i == n && (p + n >= end || !isalpha((unsigned char)p[n]));
}

/* In the text of an answer as JSON writes it: what stands between `from` and `end`. */
static void words_count(Words *k, int at, const char *from, const char *end)
{
	for (const char *p = from; p < end; p++) {
		if (!isalpha((unsigned char)*p) || (p > from && isalpha((unsigned char)p[-1])))
			continue;
		for (int w = 0; w < REFLECTION; w++)
			if (word_here(p, end, reflection[w])) {
				k->n[w][at]++;
				k->any[w] = true;
			}
	}
}

/* The texts are found without parsing: a frame reads many groups. */
static void words_read(Words *k, const Sample *x)
{
	static const char key[] = "\"text\":\"";
	size_t at = (size_t)((int64_t)x->step / k->dx);
	const char *p = x->data, *end = p + x->bytes;
	if (x->kind != SAMPLE_TEXT || at >= (size_t)k->points)
		return;
	while ((p = memmem(p, (size_t)(end - p), key, sizeof key - 1))) {
		const char *from = p += sizeof key - 1;
		while (p < end && *p != '"')
			p += *p == '\\' && p + 1 < end ? 2 : 1;
		p = p > end ? end : p;
		words_count(k, (int)at, from, p);
		k->answers[at]++;
	}
}

static bool words_make(const Look *l, Words *k)
{
	int64_t last = iteration_last(l);
	size_t n = store_count(l->store, "rl.group"), by = n / GROUPS_READ + 1;
	k->dx = last / GROUPS_READ + 1;
	k->points = (int)(last / k->dx) + 1;
	k->answers = arena_zalloc(l->arena, (size_t)k->points * sizeof *k->answers);
	for (int w = 0; w < REFLECTION; w++)
		if (!(k->n[w] = arena_zalloc(l->arena, (size_t)k->points * sizeof **k->n)))
			return false;
	for (size_t i = 0; k->answers && i < n; i += by)
		words_read(k, store_at(l->store, "rl.group", i));
	return k->answers != NULL;
}

/* Answers without such a word are a finding: a line at zero. */
static Curve *none_yet(const Look *l, const Words *k)
{
	Curve *c = arena_zalloc(l->arena, sizeof *c);
	if (c)
		*c = (Curve){ k->n[0], NULL, k->points, k->dx };
	return c;
}

static bool series_reflection(const Look *l, Data *d)
{
	Words k = { 0 };
	Series *s = series_begin(d);
	if (iteration_last(l) < 0 || !words_make(l, &k)) {
		d->empty = "no answers yet";
		return true;
	}
	for (int i = 0; i < k.points; i++)
		for (int w = 0; w < REFLECTION; w++)
			k.n[w][i] = k.answers[i] ? k.n[w][i] / k.answers[i] : i > 0 ? k.n[w][i - 1] : NAN;
	for (int w = 0; w < REFLECTION; w++) {
		Curve *c = k.any[w] ? arena_zalloc(l->arena, sizeof *c) : NULL;
		if (c)
			*c = (Curve){ k.n[w], NULL, k.points, k.dx };
		series_add(s, reflection[w], NULL, c);
	}
	d->facts = s->n ? "an answer, groups shown" : "none so far";
	if (s->n == 0)
		series_add(s, "words", NULL, none_yet(l, &k));
	return true;
}

/* --- the run in figures --- */

static void card_row(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

/* Where the seconds of an iteration go. */
static const char *time_split(const Look *l)
{
	const Sample *x = store_last(l->store, "rl.time");
	double t[3] = { 0, 0, 0 }, sum = 0;
	for (int i = 0; x && x->kind == SAMPLE_TENSOR && i < 3; i++) {
		t[i] = sample_num(x, (size_t)i);
		sum += isnan(t[i]) ? 0 : t[i];
	}
	return sum > 0 ? arena_printf(l->arena, "%.0f + %.0f + %.0f %%", 100 * t[0] / sum, 100 * t[1] / sum, 100 * t[2] / sum) : "·";
}

static bool card_rl(const Look *l, Data *d)
{
	const Sample *step = store_last(l->store, "train.step"), *eta = store_last(l->store, "train.eta");
	const char *of = step ? arena_printf(l->arena, "%.0f of %.0f", sample_num(step, 0), sample_num(step, 1))
			      : arena_printf(l->arena, "%lld", (long long)iteration_last(l));
	d->kind = DATA_TABLE;
	d->table = (Table){ .cols = 2, .sel = -1, .left = { true, true }, .cell = arena_zalloc(l->arena, 10 * 2 * sizeof(TableCell)) };
	if (!d->table.cell)
		return true;
	card_row(&d->table, "iteration", of, CELL_STRONG);
	card_row(&d->table, "held out", number_last(l, "rl.eval", "3"), CELL_STRONG);
	card_row(&d->table, "reward", number_last(l, "rl.reward", "3"), CELL_TEXT);
	card_row(&d->table, "ended", number_last(l, "rl.ended", "3"), CELL_TEXT);
	card_row(&d->table, "learning rate", number_last(l, "train.lr", "e"), CELL_TEXT);
	card_row(&d->table, "tokens/s", number_last(l, "train.tok_per_s", "0"), CELL_TEXT);
	card_row(&d->table, "roll, score, learn", time_split(l), CELL_TEXT);
	double left = eta ? sample_num(eta, 0) : NAN;
	bool known = left >= 0 && left < 1e9;
	card_row(&d->table, "time left", known ? arena_printf(l->arena, "%d min %02d s", (int)left / 60, (int)left % 60) : "·", CELL_TEXT);
	d->summary = arena_printf(l->arena, "iteration %s · held out %s", of, number_last(l, "rl.eval", "3"));
	d->readout = arena_printf(l->arena, "iteration %s · held out %s · reward %s · degenerate %s", of, number_last(l, "rl.eval", "3"),
		number_last(l, "rl.reward", "3"), number_last(l, "rl.degenerate", "3"));
	return true;
}

bool source_rl(const Look *l, const char *name, Data *d)
{
	if (iteration_last(l) < 0) {
		d->empty = "no reinforcement learning here - start a run with `lathe rl grpo-mult2`, then `lathe attach`";
		return true;
	}
	for (size_t i = 0; i < sizeof pane_table / sizeof *pane_table; i++)
		if (strcmp(pane_table[i].source, name) == 0)
			return series_pane(l, d, &pane_table[i]);
	if (strcmp(name, "answers") == 0)
		return table_answers(l, d);
	if (strcmp(name, "answer") == 0)
		return table_answer(l, d);
	return strcmp(name, "reflection") == 0 ? series_reflection(l, d) : card_rl(l, d);
}
