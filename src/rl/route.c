/* route.c - see route.h. */
#include "rl/route.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t rl_routes_size(const RlRoutes *r)
{
	return (int64_t)r->n_moe * r->K;
}

int32_t *rl_route_at(const RlRoutes *r, const RlSample *s, int moe, int at)
{
	return s->route + ((int64_t)moe * (s->n_given + s->room) + at) * r->K;
}

static Ten *see_choice(Tape *t, Ten *x, const char *full, void *ud)
{
	const RlRoutes *r = ud;
	int layer = -1;
	if (r->what == ROUTES_FREE || sscanf(full, "layers.%d.", &layer) != 1 || layer < 0 || layer >= r->lm->n_layers || r->place[layer] < 0)
		return x;
	int64_t n = ten_rows(x);
	size_t bytes = (size_t)r->K * sizeof(int32_t);
	Ten *y = r->what == ROUTES_FORCE ? tape_ints(t, n, r->K) : x;
	for (int64_t i = 0; y && i < n; i++) {
		if (!r->row[i].s->route)
			return x;
		int32_t *own = rl_route_at(r, r->row[i].s, r->place[layer], r->row[i].at), *there = (int32_t *)y->data + i * y->stride;
		memcpy(y == x ? own : there, y == x ? there : own, bytes);
	}
	return y;
}

bool rl_routes_open(RlRoutes *r, Tape *t, const Lm *lm, Err *e)
{
	*r = (RlRoutes){ .lm = lm, .place = malloc(sizeof *r->place * (size_t)(lm->n_layers + 1)) };
	for (int i = 0; r->place && i < lm->n_layers; i++) {
		r->place[i] = lm->block[i].is_moe ? r->n_moe++ : -1;
		r->K = lm->block[i].is_moe ? lm->block[i].moe.rule.K : r->K;
	}
	r->hook = r->place ? tape_hook(t, "layers.*.moe.topk", see_choice, r) : 0;
	return r->hook || err_set(e, E_5001, "out of memory for the routes of tokens");
}

void rl_routes_close(RlRoutes *r, Tape *t)
{
	if (r->hook)
		tape_unhook(t, r->hook);
	free(r->place);
	*r = (RlRoutes){ 0 };
}
