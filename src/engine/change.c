/* change.c - lists of changes: read, checked, put into a model and taken out. Bans and forced experts are a correction bias of minus and
 * plus infinity: the choice changes, the scores and weights of the others do not. */
#include "engine/change_hook.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The router of a layer as it was, and the bias that is there meanwhile. */
typedef struct RuleKept { Moe *moe; RouteRule rule; Ten *bias; Ten own; real *data; } RuleKept;

struct Changes {
	LatheModel *m;
	int n_rules, n_hooks, cap_hooks;
	RuleKept *rule;
	ChangeHook **hook;       /* pointers: the tape keeps them */
};

static int layers_of(const LatheModel *m)
{
	return m->lm->n_layers + m->lm->n_mtp;
}

static Block *block_of(LatheModel *m, int layer)
{
	Lm *lm = m->lm;
	return layer < lm->n_layers ? &lm->block[layer] : &lm->mtp[layer - lm->n_layers].block;
}

bool model_probe_check(const LatheModel *m, const char *pattern, Err *e)
{
	char *end;
	if (strncmp(pattern, "layers.", 7) != 0 || pattern[7] < '0' || pattern[7] > '9')
		return true;
	long layer = strtol(pattern + 7, &end, 10);
	if ((*end == '.' || *end == 0) && layer >= layers_of(m))
		return err_set(e, E_2003, m->lm->n_mtp ? "%s: the model has layers 0-%d, its MTP modules are %d-%d" : "%s: the model has layers 0-%d",
			pattern, m->lm->n_layers - 1, m->lm->n_layers, layers_of(m) - 1);
	return true;
}

/* --- words --- */

typedef struct Word { const char *name; ChangeKind kind; int n; const char *form; } Word;
static const Word words[] = {
	{ "ban", CHANGE_BAN, 2, "ban LAYER EXPERT" }, { "force", CHANGE_FORCE, 2, "force LAYER EXPERT" },
	{ "scale", CHANGE_SCALE_EXPERT, 3, "scale LAYER EXPERT FACTOR" }, { "ablate", CHANGE_ABLATE, 2, "ablate LAYER HEAD" },
	{ "k", CHANGE_K, 1, "k EXPERTS" }, { "groups", CHANGE_GROUPS, 1, "groups KEPT" }, { "bias", CHANGE_BIAS, 1, "bias off" },
	{ "route_scale", CHANGE_ROUTE_SCALE, 1, "route_scale FACTOR" },
};

static const Word *word_find(const char *name)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static bool whole(const char *s, int *v)
{
	char *end;
	long n = strtol(s, &end, 10);
	*v = (int)n;
	return end != s && !*end && n >= 0 && n <= 1 << 24;
}

static bool number(const char *s, double *v)
{
	char *end;
	*v = strtod(s, &end);
	return end != s && !*end && isfinite(*v);
}

bool change_parse(const char *text, Change *out, Err *e)
{
	char a[4][24] = { "", "", "", "" }, more[2];
	int n = sscanf(text, "%23s %23s %23s %23s %1s", a[0], a[1], a[2], a[3], more);
	const Word *w = n > 0 ? word_find(a[0]) : NULL;
	if (!w)
		return err_set(e, E_2003, "\"%s\": known changes are ban, force, scale, ablate, k, groups, bias off, route_scale", text);
	*out = (Change){ .kind = w->kind, .layer = CHANGE_EVERY };
	bool ok = n == w->n + 1;
	if (w->kind == CHANGE_BIAS)
		ok = ok && strcmp(a[1], "off") == 0;
	else if (w->n == 1)
		ok = ok && number(a[1], &out->value);
	else
		ok = ok && (strcmp(a[1], "*") == 0 || whole(a[1], &out->layer)) && whole(a[2], &out->which) &&
			(w->n == 2 || number(a[3], &out->value));
	return ok || err_set(e, E_2003, "\"%s\": the form is: %s", text, w->form);
}

/* --- checks --- */

static bool is_rule(ChangeKind k)
{
	return k != CHANGE_SCALE_EXPERT && k != CHANGE_ABLATE && k != CHANGE_PATCH && k != CHANGE_STEER;
}

static bool check_expert(const Moe *m, const Change *c, int layer, Err *e)
{
	bool one = c->kind == CHANGE_BAN || c->kind == CHANGE_FORCE || c->kind == CHANGE_SCALE_EXPERT;
	if (one && (c->which < 0 || c->which >= m->rule.E))
		return err_set(e, E_2003, "layer %d has no expert %d: they are 0-%d", layer, c->which, m->rule.E - 1);
	if (m->part && is_rule(c->kind))
		return err_set(e, E_2003, "the router of this model is %s, of a script: its rule cannot be changed from outside", m->part->name);
	return true;
}

/* Whether c can be done in a layer; *here false: it has nothing to do there. */
static bool check_layer(LatheModel *m, const Change *c, int layer, bool *here, Err *e)
{
	const Block *b = block_of(m, layer);
	*here = true;
	if (c->kind == CHANGE_ABLATE) {
		if (b->attn.part)
			return err_set(e, E_2003, "the attention of this model is %s, of a script: it has no heads to ablate", b->attn.part->name);
		return (c->which >= 0 && c->which < b->attn.H) ||
			err_set(e, E_2003, "layer %d has no head %d: they are 0-%d", layer, c->which, b->attn.H - 1);
	}
	if (!b->is_moe) {
		*here = false;
		return c->layer == CHANGE_EVERY || err_set(e, E_2003, "layer %d has no experts", layer);
	}
	return check_expert(&b->moe, c, layer, e);
}

static bool check_rule(const RuleKept *k, int layer, Err *e)
{
	const RouteRule *r = &k->moe->rule;
	int most = r->E / r->n_group * r->topk_group, banned = 0, forced = 0;
	for (int i = 0; k->data && i < r->E; i++) {
		banned += isinf(k->data[i]) && k->data[i] < 0;
		forced += isinf(k->data[i]) && k->data[i] > 0;
	}
	if (r->K < 1 || r->K > most)
		return err_set(e, E_2003, "layer %d: %d experts per token cannot be chosen, 1 to %d can", layer, r->K, most);
	if (r->topk_group < 1 || r->topk_group > r->n_group)
		return err_set(e, E_2003, "layer %d: %d groups cannot be kept, 1 to %d can", layer, r->topk_group, r->n_group);
	if (r->E - banned < r->K)
		return err_set(e, E_2003, "layer %d: with %d experts banned %d are left, and a token needs %d", layer, banned, r->E - banned, r->K);
	if (forced > r->K)
		return err_set(e, E_2003, "layer %d: %d experts are forced, a token has %d", layer, forced, r->K);
	return true;
}

/* --- rules --- */

/* The kept rule of a layer; made with its first change. */
static RuleKept *rule_keep(Changes *s, Moe *moe)
{
	for (int i = 0; i < s->n_rules; i++)
		if (s->rule[i].moe == moe)
			return &s->rule[i];
	RuleKept *k = &s->rule[s->n_rules++];
	*k = (RuleKept){ .moe = moe, .rule = moe->rule, .bias = moe->bias };
	return k;
}

/* A bias of our own in the place of the model's. */
static bool bias_own(RuleKept *k, Err *e)
{
	int64_t E = k->moe->rule.E;
	if (k->data)
		return true;
	k->data = calloc((size_t)E, sizeof *k->data);
	if (!k->data)
		return err_set(e, E_5001, "out of memory");
	if (k->bias)
		ten_read(k->bias, 0, ten_rows(k->bias), k->data);
	k->own = ten_wrap(REAL_DTYPE, k->data, 2, (int64_t[]){ 1, E }, k->bias ? k->bias->name : "bias");
	k->moe->bias = &k->own;
	return true;
}

static bool rule_change(Changes *s, const Change *c, Moe *moe, Err *e)
{
	RuleKept *k = rule_keep(s, moe);
	switch (c->kind) {
	case CHANGE_BAN:
	case CHANGE_FORCE:
		if (!bias_own(k, e))
			return false;
		k->data[c->which] = c->kind == CHANGE_BAN ? -(real)INFINITY : (real)INFINITY;
		return true;
	case CHANGE_BIAS:
		if (!k->bias)
			return true;
		if (!bias_own(k, e))
			return false;
		for (int i = 0; i < moe->rule.E; i++)
			if (!isinf(k->data[i]))
				k->data[i] = 0;
		return true;
	case CHANGE_K:
		moe->rule.K = (int)c->value;
		return true;
	case CHANGE_GROUPS:
		moe->rule.topk_group = (int)c->value;
		return true;
	default:
		moe->rule.scale = c->value;
		return true;
	}
}

/* --- a list --- */

static bool hook_add(Changes *s, const Change *c, int layer, Err *e)
{
	if (s->n_hooks == s->cap_hooks) {
		int cap = s->cap_hooks ? 2 * s->cap_hooks : 8;
		ChangeHook **more = realloc(s->hook, sizeof *more * (size_t)cap);
		if (!more)
			return err_set(e, E_5001, "out of memory");
		s->hook = more;
		s->cap_hooks = cap;
	}
	ChangeHook *h = calloc(1, sizeof *h);
	if (!h)
		return err_set(e, E_5001, "out of memory");
	s->hook[s->n_hooks++] = h;
	return change_hook_place(h, s->m, c, layer, e);
}

static bool change_in_layer(Changes *s, const Change *c, int layer, Err *e)
{
	bool here;
	if (!check_layer(s->m, c, layer, &here, e))
		return false;
	if (!here)
		return true;
	return is_rule(c->kind) ? rule_change(s, c, &block_of(s->m, layer)->moe, e) : hook_add(s, c, layer, e);
}

static bool change_add(Changes *s, const Change *c, Err *e)
{
	int n = layers_of(s->m);
	if (c->kind == CHANGE_PATCH || c->kind == CHANGE_STEER)
		return model_probe_check(s->m, c->name, e) && hook_add(s, c, CHANGE_EVERY, e);
	if ((c->kind == CHANGE_K || c->kind == CHANGE_GROUPS) && (c->value != floor(c->value) || fabs(c->value) > 1 << 24))
		return err_set(e, E_2003, "%g is not a count", c->value);
	if (c->layer != CHANGE_EVERY && (c->layer < 0 || c->layer >= n))
		return err_set(e, E_2003, s->m->lm->n_mtp ? "there is no layer %d: the model has layers 0-%d, its MTP modules are %d-%d" :
			"there is no layer %d: the model has layers 0-%d", c->layer, s->m->lm->n_layers - 1, s->m->lm->n_layers, n - 1);
	for (int i = c->layer == CHANGE_EVERY ? 0 : c->layer; i < (c->layer == CHANGE_EVERY ? n : c->layer + 1); i++)
		if (!change_in_layer(s, c, i, e))
			return false;
	return true;
}

static bool rules_fit(Changes *s, Err *e)
{
	for (int l = 0; l < layers_of(s->m); l++)
		for (int i = 0; i < s->n_rules; i++)
			if (s->rule[i].moe == &block_of(s->m, l)->moe && !check_rule(&s->rule[i], l, e))
				return false;
	return true;
}

Changes *changes_apply(LatheModel *m, const Change *c, int n, Err *e)
{
	Changes *s = calloc(1, sizeof *s);
	if (s)
		s->rule = calloc((size_t)layers_of(m) + 1, sizeof *s->rule);
	if (!s || !s->rule) {
		free(s);
		err_set(e, E_5001, "out of memory");
		return NULL;
	}
	s->m = m;
	bool ok = n <= CHANGES_MAX || err_set(e, E_5003, "%d changes at once: at most %d", n, CHANGES_MAX);
	for (int i = 0; ok && i < n; i++)
		ok = change_add(s, &c[i], e);
	if (ok && rules_fit(s, e))
		return s;
	changes_undo(s);
	return NULL;
}

void changes_undo(Changes *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n_hooks; i++) {
		change_hook_lift(s->hook[i]);
		free(s->hook[i]);
	}
	for (int i = 0; i < s->n_rules; i++) {
		s->rule[i].moe->rule = s->rule[i].rule;
		s->rule[i].moe->bias = s->rule[i].bias;
		free(s->rule[i].data);
	}
	free(s->hook);
	free(s->rule);
	free(s);
}
