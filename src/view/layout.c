/* layout.c - who gets which rectangle. Panes are dropped, least important first, until the smallest sizes
 * of the rest fit; then room is handed out by weight within the limits. */
#include "view/scene.h"
#include <stdlib.h>
#include <string.h>

SceneDef *scene_new(const char *name)
{
	Arena *a = arena_new("scene", 4 << 20);
	SceneDef *d = a ? arena_zalloc(a, sizeof *d) : NULL;
	if (!d) {
		if (a)
			arena_free(a);
		return NULL;
	}
	d->arena = a;
	d->name = arena_strdup(a, name);
	d->title = d->name;
	return d;
}

void scene_free(SceneDef *d)
{
	if (d)
		arena_free(d->arena);
}

typedef struct Plan { const SceneDef *d; bool hidden[SCENE_PANES]; const int *want; Rect *rect; } Plan;

static bool node_shown(const Plan *p, const SceneNode *n)
{
	if (n->kind == NODE_PANE)
		return !p->hidden[n->index];
	for (int i = 0; i < n->n; i++)
		if (node_shown(p, n->kid[i]))
			return true;
	return false;
}

static int imax(int a, int b)
{
	return a > b ? a : b;
}

/* Smallest width (wide) or height of a node with what is hidden left out. */
static int node_min(const Plan *p, const SceneNode *n, bool wide)
{
	if (n->kind == NODE_PANE)
		return wide ? n->min_w : n->min_h;
	int sum = 0, top = 0;
	for (int i = 0; i < n->n; i++)
		if (node_shown(p, n->kid[i])) {
			int m = node_min(p, n->kid[i], wide);
			sum += m;
			top = imax(top, m);
		}
	bool along = (n->kind == NODE_COLS) == wide;
	return imax(along ? sum : top, wide ? n->min_w : n->min_h);
}

/* Largest useful size; 0: no limit. */
static int node_max(const Plan *p, const SceneNode *n, bool wide)
{
	int own = wide ? n->max_w : n->max_h;
	if (n->kind == NODE_PANE) {
		if (!wide && n->fit && p->want && p->want[n->index] > 0)
			own = own && own < p->want[n->index] ? own : imax(p->want[n->index], n->min_h);
		return own;
	}
	bool along = (n->kind == NODE_COLS) == wide;
	int sum = 0;
	for (int i = 0; i < n->n; i++) {
		if (!node_shown(p, n->kid[i]))
			continue;
		int m = node_max(p, n->kid[i], wide);
		if (m == 0)
			return own;
		sum = along ? sum + m : imax(sum, m);
	}
	return own && own < sum ? own : sum;
}

/* Hands `room` out over the shown kids: minimum first, the rest by weight, again while somebody is at the
 * limit. */
static void kids_share(const Plan *p, const SceneNode *n, bool wide, int room, int size[SCENE_KIDS])
{
	int left = room, limit[SCENE_KIDS];
	for (int i = 0; i < n->n; i++) {
		bool on = node_shown(p, n->kid[i]);
		size[i] = on ? node_min(p, n->kid[i], wide) : 0;
		limit[i] = on ? node_max(p, n->kid[i], wide) : -1;
		left -= size[i];
	}
	for (bool strict = true; left > 0;) {
		int weight = 0;
		for (int i = 0; i < n->n; i++)
			if (limit[i] >= 0 && (!strict || limit[i] == 0 || size[i] < limit[i]))
				weight += imax(n->kid[i]->weight, 1);
		if (weight == 0) {
			if (!strict)
				return;
			strict = false;  /* all are at their limits: the room is shared anyway, no hole is left */
			continue;
		}
		int round = left;
		for (int i = 0; i < n->n && left > 0; i++) {
			if (limit[i] < 0 || (strict && limit[i] > 0 && size[i] >= limit[i]))
				continue;
			int add = imax(round * imax(n->kid[i]->weight, 1) / weight, 1);
			add = add > left ? left : add;
			if (strict && limit[i] > 0 && size[i] + add > limit[i])
				add = limit[i] - size[i];
			size[i] += add;
			left -= add;
		}
	}
}

static void node_place(const Plan *p, const SceneNode *n, Rect r)
{
	if (n->kind == NODE_PANE) {
		p->rect[n->index] = r;
		return;
	}
	int size[SCENE_KIDS], at = 0;
	bool wide = n->kind == NODE_COLS;
	kids_share(p, n, wide, wide ? r.w : r.h, size);
	for (int i = 0; i < n->n; i++) {
		if (!node_shown(p, n->kid[i]))
			continue;
		Rect k = wide ? (Rect){ r.x + at, r.y, size[i], r.h } : (Rect){ r.x, r.y + at, r.w, size[i] };
		node_place(p, n->kid[i], k);
		at += size[i];
	}
}

/* The least important pane still shown; of equals the last. -1 when only one is left. */
static int plan_victim(const Plan *p)
{
	int worst = -1, shown = 0;
	for (int i = 0; i < p->d->n_panes; i++) {
		if (p->hidden[i])
			continue;
		shown++;
		if (worst < 0 || p->d->pane[i]->prio >= p->d->pane[worst]->prio)
			worst = i;
	}
	return shown > 1 ? worst : -1;
}

void scene_layout(const SceneDef *d, int w, int h, const int *want_h, int zoom, Rect rect[SCENE_PANES])
{
	Plan p = { .d = d, .want = want_h, .rect = rect };
	memset(rect, 0, SCENE_PANES * sizeof *rect);
	if (!d->root || w < 1 || h < 1)
		return;
	if (zoom >= 0 && zoom < d->n_panes) {
		rect[zoom] = (Rect){ 0, 0, w, h };
		return;
	}
	for (int i = 0; want_h && i < d->n_panes; i++)
		p.hidden[i] = want_h[i] < 0;
	while (node_min(&p, d->root, true) > w || node_min(&p, d->root, false) > h) {
		int v = plan_victim(&p);
		if (v < 0)
			break;
		p.hidden[v] = true;
	}
	node_place(&p, d->root, (Rect){ 0, 0, w, h });
	for (int i = 0; i < d->n_panes; i++) {
		Rect *r = &rect[i];
		r->w = r->x + r->w > w ? w - r->x : r->w;
		r->h = r->y + r->h > h ? h - r->y : r->h;
		if (p.hidden[i] || r->w < 1 || r->h < 1)
			*r = (Rect){ 0, 0, 0, 0 };
	}
}
