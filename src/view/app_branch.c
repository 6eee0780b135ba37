/* app_branch.c - leaving the text at a token for another one, and going to and fro between the texts that came of it: each is a part of
 * what was recorded, so showing one is looking back to the time when it was made. */
#include "view/app_state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int app_pane_of(const App *a, const char *data)
{
	const SceneDef *d = a->scene[a->now].def;
	for (int i = 0; d && i < d->n_panes; i++)
		if (strcmp(d->pane[i]->data, data) == 0)
			return i;
	return -1;
}

/* Without a number: the alternative under the cursor; when that is the token that was taken, the most probable other one. */
static int alternative_of(const App *a, const FactToken *t, const char *arg)
{
	int pane = app_pane_of(a, "alternatives"), i = *arg ? atoi(arg) - 1 : pane >= 0 ? a->scene[a->now].pane[pane].local_y : 0;
	if (!*arg && i >= 0 && i < t->n_alt && t->alt[i].id == t->id)
		i = i == 0 ? 1 : 0;
	return i;
}

void app_branch(App *a, Store *s, const char *arg)
{
	int64_t at = facts_find(&a->facts, a->sel.token);
	const FactToken *t = at < 0 ? NULL : &a->facts.tok[at];
	if (!t || t->pos < 1) {
		app_say(a, true, t ? "nothing stands before the first token: choose a later one" : "no text yet - Enter writes a prompt");
		return;
	}
	int i = alternative_of(a, t, arg);
	if (t->n_alt < 1 || i < 0 || i >= t->n_alt) {
		app_say(a, true, t->n_alt < 1 ? "no alternatives were kept for this token" : "there are alternatives 1 to %d here", t->n_alt);
		return;
	}
	a->sel.follow = true;
	if (!a->replay && a->engine_alive) {
		a->scrub = INFINITY;
		store_seek(s, INFINITY);
	}
	app_send(a, "{\"cmd\":\"branch\",\"run\":%lld,\"pos\":%lld,\"token\":%lld,\"n\":%lld}", (long long)a->facts.run.number, (long long)t->pos,
		(long long)t->alt[i].id, (long long)(a->n_more > 64 ? a->n_more : 64));
}

void app_branch_sync(App *a)
{
	int pane = app_pane_of(a, "branches");
	a->sel.branch = pane >= 0 ? source_branch_at(&a->facts.trace.tree, a->scene[a->now].pane[pane].local_y) : 0;
}

/* The time at which the run ended: the last sample before the next run; INFINITY for the last one, -1: it is not kept. */
static double run_end_time(const Store *s, int64_t run)
{
	const Sample *x;
	double end = -1, last = 0;
	bool in = false;
	for (uint64_t at = 0; (at = store_next(s, at, &x)) != 0; last = x->time) {
		if (strcmp(x->topic, STORE_RUN) != 0 || x->kind != SAMPLE_TEXT)
			continue;
		const char *p = strstr(x->data, "\"run\":");
		if (in)
			end = last;
		in = p && strtoll(p + 6, NULL, 10) == run;
	}
	return in ? INFINITY : end;
}

void app_show_run(App *a, Store *s, const char *arg)
{
	int pane = app_pane_of(a, "branches"), i = pane >= 0 ? a->scene[a->now].pane[pane].local_y : 0;
	int64_t run = *arg ? strtoll(arg, NULL, 10) : source_branch_at(&a->facts.trace.tree, i);
	double end = run > 0 ? run_end_time(s, run) : -1;
	if (end < 0) {
		app_say(a, true, run > 0 ? "run %lld is not kept any more" : "no branches yet: b makes one", (long long)run);
		return;
	}
	a->scrub = end;
	store_seek(s, end);
	a->sel.follow = true;
	a->dirty = true;
	app_say(a, false, isinf(end) ? "run %lld, the newest" : "run %lld; End goes back to the newest", (long long)run);
}
