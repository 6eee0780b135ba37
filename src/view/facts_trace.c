/* facts_trace.c - see facts_trace.h. As in facts.c: every field may be missing or of another type, every text goes through safe_text. */
#include "view/facts_trace.h"
#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void fact_trace_init(FactTrace *f)
{
	memset(f, 0, sizeof *f);
	f->tensors.time = f->tree.time = f->diff.time = -1;
}

static void tensors_clear(FactTensors *f)
{
	free(f->t);
	free(f->text);
	*f = (FactTensors){ .time = -1 };
}

static void tree_clear(FactTree *f)
{
	for (int i = 0; i < f->n; i++)
		free(f->b[i].text);
	free(f->b);
	*f = (FactTree){ .time = -1 };
}

static void names_free(char **name, int n)
{
	for (int i = 0; i < n; i++)
		free(name[i]);
	free(name);
}

static void diff_clear(FactDiff *f)
{
	names_free(f->value, f->n_values);
	names_free(f->router, f->n_routers);
	*f = (FactDiff){ .time = -1 };
}

void fact_trace_done(FactTrace *f)
{
	tensors_clear(&f->tensors);
	tree_clear(&f->tree);
	diff_clear(&f->diff);
}

/* --- the list of tensors --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Runs of digits by their value; they have no zeros in front. A checkpoint may have a hundred thousand names, which differ late. */
static int natural_order(const char *a, const char *b)
{
	size_t i = 0, from;
	while (a[i] && a[i] == b[i])
		i++;
	for (from = i; from > 0 && is_digit(a[from - 1]); from--)
		continue;
	size_t x = strspn(a + from, "0123456789"), y = strspn(b + from, "0123456789");
	if (x && y && x != y)
		return x < y ? -1 : 1;
	return ((unsigned char)a[i] > (unsigned char)b[i]) - ((unsigned char)a[i] < (unsigned char)b[i]);
}

static int tensor_order(const void *a, const void *b)
{
	const FactTensor *x = a, *y = b;
	return natural_order(x->name, y->name);
}

/* The next field of a line, ended by `end`, which becomes a NUL. NULL: there is none. */
static char *field_take(char **at, char end)
{
	char *from = *at, *to = from ? strchr(from, end) : NULL;
	if (!to)
		return NULL;
	*to = 0;
	*at = to + 1;
	for (char *p = from; *p; p++)
		*p = *p < 0x21 || *p > 0x7e ? '?' : *p;
	return from;
}

static void tensors_read(FactTensors *f, const Sample *x)
{
	size_t lines = 0;
	tensors_clear(f);
	f->time = x->time;
	f->all = (size_t)x->step;
	f->text = malloc(x->bytes + 1);
	for (size_t i = 0; i < x->bytes; i++)
		lines += ((const char *)x->data)[i] == '\n';
	f->t = calloc(lines + 1, sizeof *f->t);
	if (!f->text || !f->t)
		return;
	memcpy(f->text, x->data, x->bytes);
	f->text[x->bytes] = 0;
	for (char *at = f->text; f->n < lines;) {
		FactTensor t = { .row = (int)f->n };
		char *bytes = NULL;
		t.name = field_take(&at, '\t');
		t.dtype = field_take(&at, '\t');
		bytes = field_take(&at, '\t');
		t.shape = field_take(&at, '\n');
		if (!t.name || !t.dtype || !bytes || !t.shape)
			break;
		t.bytes = strtod(bytes, NULL);
		f->t[f->n++] = t;
	}
	qsort(f->t, f->n, sizeof *f->t, tensor_order);
	double sum = 0;
	for (size_t i = 0; i < f->n; i++) {
		f->t[i].before = sum;
		sum += f->t[i].bytes;
	}
}

/* --- JSON --- */

static int64_t get_int(const json_t *o, const char *k)
{
	return json_integer_value(json_object_get(o, k));
}

static double get_num(const json_t *o, const char *k)
{
	const json_t *v = json_object_get(o, k);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static char *safe_dup(const json_t *v, unsigned flags)
{
	Buf b = BUF_INIT;
	if (json_is_string(v))
		safe_text(&b, json_string_value(v), json_string_length(v), flags);
	else
		buf_adds(&b, "");
	char *s = buf_take(&b);
	return s ? s : calloc(1, 1);
}

static void get_text(const json_t *o, const char *k, char *out, size_t n)
{
	char *s = safe_dup(json_object_get(o, k), SAFE_LF);
	size_t len = s ? strlen(s) : 0;
	if (len >= n)
		len = n - 1 - utf8_tail(s, n - 1);
	memcpy(out, s ? s : "", len);
	out[len] = 0;
	free(s);
}

static char **get_names(const json_t *list, int *n)
{
	size_t all = json_array_size(list) > FACT_VALUES ? FACT_VALUES : json_array_size(list);
	char **name = calloc(all + 1, sizeof *name);
	for (*n = 0; name && *n < (int)all; (*n)++)
		name[*n] = safe_dup(json_array_get(list, (size_t)*n), 0);
	return name;
}

static void tree_read(FactTree *f, const json_t *o)
{
	const json_t *list = json_object_get(o, "branches");
	size_t n = json_array_size(list) > 256 ? 256 : json_array_size(list);
	tree_clear(f);
	f->now = get_int(o, "now");
	f->b = calloc(n + 1, sizeof *f->b);
	for (size_t i = 0; f->b && i < n; i++) {
		const json_t *x = json_array_get(list, i);
		FactBranch *b = &f->b[f->n++];
		*b = (FactBranch){ .run = get_int(x, "run"), .parent = get_int(x, "parent"), .from = get_int(x, "from"), .tokens = get_int(x, "tokens"),
			.chosen = get_int(x, "chosen"), .logprob = get_num(x, "logprob"), .text = safe_dup(json_object_get(x, "text"), SAFE_LF) };
		get_text(x, "finish", b->finish, sizeof b->finish);
	}
}

static void diff_read(FactDiff *f, const json_t *o)
{
	const json_t *list = json_object_get(o, "worst");
	diff_clear(f);
	f->have = true;
	get_text(o, "a", f->a, sizeof f->a);
	get_text(o, "b", f->b, sizeof f->b);
	get_text(o, "first", f->first, sizeof f->first);
	f->tokens = get_int(o, "tokens");
	f->of = get_int(o, "of");
	f->first_at = get_int(o, "first_at");
	f->routes = get_int(o, "routes");
	f->flipped = get_int(o, "routes_flipped");
	f->kl = get_num(o, "kl");
	f->top1 = get_num(o, "top1_agree");
	f->value = get_names(json_object_get(o, "values"), &f->n_values);
	f->router = get_names(json_object_get(o, "routers"), &f->n_routers);
	for (size_t i = 0; i < json_array_size(list) && f->n_worst < FACT_WORST; i++) {
		const json_t *x = json_array_get(list, i);
		FactWorst *w = &f->worst[f->n_worst++];
		w->pos = get_int(x, "pos");
		w->kl = get_num(x, "kl");
		get_text(x, "a", w->a, sizeof w->a);
		get_text(x, "b", w->b, sizeof w->b);
	}
}

/* The newest text of a topic when it is another than at *seen; *gone: there is none. */
static json_t *newest(const Store *s, const char *topic, double seen, double *time, bool *gone)
{
	const Sample *x = store_last(s, topic);
	Err e = { 0 };
	*gone = !x;
	if (!x || x->kind != SAMPLE_TEXT || x->time == seen)
		return NULL;
	*time = x->time;
	return json_parse(x->data, x->bytes, topic, E_3181, &e);
}

void fact_trace_update(FactTrace *f, const Store *s)
{
	const Sample *list = store_last(s, "model.tensors"), *card = store_last(s, "model.card");
	double time = -1;
	bool gone;
	if (list && list->kind == SAMPLE_TEXT && list->time != f->tensors.time)
		tensors_read(&f->tensors, list);
	if (f->tensors.n && (!list || (card && list->time < card->time)))
		f->tensors.n = 0;
	json_t *o = newest(s, "engine.tree", f->tree.time, &time, &gone);
	/* Looking back at an earlier branch, the later ones stay in sight. */
	if (json_is_object(o) && time > f->tree.time) {
		tree_read(&f->tree, o);
		f->tree.time = time;
	} else if (gone) {
		tree_clear(&f->tree);
	}
	json_decref(o);
	o = newest(s, "diff.about", f->diff.time, &time, &gone);
	if (json_is_object(o)) {
		diff_read(&f->diff, o);
		f->diff.time = time;
	} else if (gone) {
		diff_clear(&f->diff);
	}
	json_decref(o);
}

const FactBranch *fact_branch(const FactTree *t, int64_t run)
{
	for (int i = 0; i < t->n; i++)
		if (t->b[i].run == run)
			return &t->b[i];
	return NULL;
}
