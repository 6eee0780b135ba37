/* hooks.c - patterns, who watches them, and their hooks in the model. */
#include "engine/hooks.h"
#include "base/glob.h"
#include <stdlib.h>
#include <string.h>

enum { PATTERN_MAX = 255 };

typedef struct Hook {
	Hooks *all;
	char pattern[PATTERN_MAX + 1];
	int id;                    /* of lathe_watch, 0: no model, or no such hook */
	int *viewer;
	size_t n, cap;
} Hook;

struct Hooks {
	Publish *publish;
	LatheModel *m;
	Hook *hook[HOOKS_MAX];     /* pointers: the model keeps them */
	size_t n;
};

Hooks *hooks_new(Publish *p)
{
	Hooks *h = calloc(1, sizeof *h);
	if (h)
		h->publish = p;
	return h;
}

/* Topics that the engine itself publishes: a screen may ask for them like for any other. */
static bool is_engine_topic(const char *name)
{
	static const char *const own[] = { "engine.", "model.", "gen.", "kv." };
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strncmp(name, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

/* A value that several patterns match is sent once, for the first of them. */
static void hook_fire(const LatheProbe *p, void *ud)
{
	const Hook *hook = ud;
	const Hooks *h = hook->all;
	if (is_engine_topic(p->name))
		return;
	for (size_t i = 0; i < h->n && h->hook[i] != hook; i++)
		if (glob_match(h->hook[i]->pattern, p->name))
			return;
	publish_probe(h->publish, p);
}

static void hook_place(Hooks *h, Hook *k)
{
	k->id = h->m && !is_engine_topic(k->pattern) ? lathe_watch(h->m, k->pattern, hook_fire, k) : 0;
}

static void hook_lift(Hooks *h, Hook *k)
{
	if (h->m && k->id)
		lathe_unwatch(h->m, k->id);
	k->id = 0;
}

void hooks_model(Hooks *h, LatheModel *m)
{
	for (size_t i = 0; i < h->n; i++)
		hook_lift(h, h->hook[i]);
	h->m = m;
	for (size_t i = 0; i < h->n; i++)
		hook_place(h, h->hook[i]);
}

static void hook_remove(Hooks *h, size_t at)
{
	Hook *k = h->hook[at];
	hook_lift(h, k);
	memmove(h->hook + at, h->hook + at + 1, (h->n - at - 1) * sizeof *h->hook);
	h->n--;
	free(k->viewer);
	free(k);
}

void hooks_free(Hooks *h)
{
	if (!h)
		return;
	while (h->n > 0)
		hook_remove(h, h->n - 1);
	free(h);
}

static bool hook_add_viewer(Hook *k, int viewer)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->viewer[i] == viewer)
			return true;
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 4;
		int *more = realloc(k->viewer, cap * sizeof *more);
		if (!more)
			return false;
		k->viewer = more;
		k->cap = cap;
	}
	k->viewer[k->n++] = viewer;
	return true;
}

static Hook *hook_find(Hooks *h, const char *pattern)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->hook[i]->pattern, pattern) == 0)
			return h->hook[i];
	return NULL;
}

bool hooks_watch(Hooks *h, int viewer, const char *pattern, Err *e)
{
	if (strlen(pattern) > PATTERN_MAX || !glob_valid(pattern))
		return err_set(e, E_2003,
			"watch: \"%s\" is not a pattern such as layers.*.moe.topk; see lathe-probes(7)",
			pattern);
	Hook *k = hook_find(h, pattern);
	if (k)
		return hook_add_viewer(k, viewer) || err_set(e, E_5001, "watch: out of memory");
	if (h->n == HOOKS_MAX)
		return err_set(e, E_5003, "watch: %d patterns are watched already; unwatch some", HOOKS_MAX);
	k = calloc(1, sizeof *k);
	if (!k || !hook_add_viewer(k, viewer)) {
		free(k);
		return err_set(e, E_5001, "watch: out of memory");
	}
	k->all = h;
	strcpy(k->pattern, pattern);
	h->hook[h->n++] = k;
	hook_place(h, k);
	return true;
}

void hooks_unwatch(Hooks *h, int viewer, const char *pattern)
{
	for (size_t i = h->n; i-- > 0;) {
		Hook *k = h->hook[i];
		if (pattern && strcmp(pattern, k->pattern) != 0)
			continue;
		size_t n = 0;
		for (size_t v = 0; v < k->n; v++)
			if (k->viewer[v] != viewer)
				k->viewer[n++] = k->viewer[v];
		k->n = n;
		if (n == 0)
			hook_remove(h, i);
	}
}

bool hooks_want(const Hooks *h, const char *topic)
{
	for (size_t i = 0; i < h->n; i++)
		if (glob_match(h->hook[i]->pattern, topic))
			return true;
	return false;
}

size_t hooks_count(const Hooks *h)
{
	return h->n;
}
