/* change_hook.c - interventions as hooks: each returns a value built from tape ops. */
#include "engine/change_hook.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Attn *attn_of(const LatheModel *m, int layer)
{
	const Lm *lm = m->lm;
	return layer < lm->n_layers ? &lm->block[layer].attn : &lm->mtp[layer - lm->n_layers].block.attn;
}

static Ten *ones(Tape *t, int64_t rows_n, int64_t cols_n)
{
	Ten *y = tape_ten2(t, rows_n, cols_n);
	for (int64_t i = 0; y && i < rows_n * cols_n; i++)
		ten_real(y)[i] = 1;
	return y;
}

static Ten *hook_ablate(Tape *t, Ten *x, const char *full, void *ud)
{
	const ChangeHook *h = ud;
	const Attn *a = attn_of(h->m, h->c.layer);
	(void)full;
	Ten *mask = ones(t, 1, ten_cols(x));
	for (int i = 0; mask && i < a->d_v; i++)
		ten_real(mask)[h->c.which * a->d_v + i] = 0;
	return mul_row(t, x, mask);
}

static Ten *hook_see_topk(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)t;
	(void)full;
	((ChangeHook *)ud)->topk = x;
	return x;
}

static Ten *hook_scale_expert(Tape *t, Ten *x, const char *full, void *ud)
{
	const ChangeHook *h = ud;
	const Ten *k = h->topk;
	int64_t K = ten_cols(x);
	if (!k || ten_count(k) != ten_count(x))
		return tape_fail(t, E_6003, "scale of expert %d: %s has no choice beside it", h->c.which, full);
	Ten *mask = ones(t, ten_rows(x), K);
	for (int64_t r = 0; mask && r < ten_rows(x); r++)
		for (int64_t i = 0; i < K; i++)
			if (((const int32_t *)k->data)[r * k->stride + i] == h->c.which)
				ten_real(mask)[r * K + i] = (real)h->c.value;
	return mul(t, x, mask);
}

static Ten *wrong_width(Tape *t, const Ten *x, const char *full, const Change *c)
{
	return tape_fail(t, E_6003, "%s has %lld columns, what is to be put there has %lld", full, (long long)ten_cols(x), (long long)c->cols);
}

static Ten *patch_ints(Tape *t, const Ten *x, const Change *c, int64_t at)
{
	Ten *y = tape_ints(t, ten_rows(x), ten_cols(x));
	for (int64_t r = 0; y && r < ten_rows(x); r++)
		for (int64_t i = 0; i < c->cols; i++)
			((int32_t *)y->data)[r * c->cols + i] = at + r < c->rows ? (int32_t)c->data[(at + r) * c->cols + i]
				: ((const int32_t *)x->data)[r * x->stride + i];
	return y;
}

/* Rows at positions that the patch has are its own; the others are the model's, with their gradient. */
static Ten *hook_patch(Tape *t, Ten *x, const char *full, void *ud)
{
	const ChangeHook *h = ud;
	const Change *c = &h->c;
	int64_t at = h->m->probe_position, n = c->rows - at, T = ten_rows(x);
	if (ten_cols(x) != c->cols)
		return wrong_width(t, x, full, c);
	if (n <= 0)
		return x;
	n = n < T ? n : T;
	if (x->dtype == DT_I32)
		return patch_ints(t, x, c, at);
	Ten *y = tape_ten2(t, T, c->cols);
	if (!y)
		return NULL;
	memcpy(y->data, c->data + at * c->cols, sizeof *c->data * (size_t)(n * c->cols));
	memset(ten_real(y) + n * c->cols, 0, sizeof(real) * (size_t)((T - n) * c->cols));
	if (n == T)
		return y;
	Ten *mask = ones(t, T, c->cols);
	if (mask)
		memset(mask->data, 0, sizeof(real) * (size_t)(n * c->cols));
	return add(t, mul(t, x, mask), y);
}

static Ten *hook_steer(Tape *t, Ten *x, const char *full, void *ud)
{
	const Change *c = &((const ChangeHook *)ud)->c;
	if (x->dtype == DT_I32)
		return tape_fail(t, E_6003, "%s holds ids: there is nothing to add to them", full);
	if (ten_cols(x) != c->cols)
		return wrong_width(t, x, full, c);
	Ten *row = tape_ten2(t, 1, c->cols);
	for (int64_t i = 0; row && i < c->cols; i++)
		ten_real(row)[i] = (real)c->value * c->data[i];
	return add_row(t, x, row);
}

static bool keep_data(ChangeHook *h, Err *e)
{
	size_t n = (size_t)(h->c.rows * h->c.cols) * sizeof *h->data;
	h->name = strdup(h->c.name);
	h->data = malloc(n ? n : 1);
	if (!h->name || !h->data)
		return err_set(e, E_5001, "out of memory for a change of %s", h->c.name);
	memcpy(h->data, h->c.data, n);
	h->c.name = h->name;
	h->c.data = h->data;
	return true;
}

static bool placed(const ChangeHook *h, int i, const char *pattern, Err *e)
{
	return h->hook[i] > 0 || err_set(e, E_2003, "\"%s\" is not the name of a value such as layers.2.resid_post; see lathe-probes(7)", pattern);
}

bool change_hook_place(ChangeHook *h, LatheModel *m, const Change *c, int layer, Err *e)
{
	char name[64];
	*h = (ChangeHook){ .m = m, .c = *c };
	if (c->kind == CHANGE_PATCH || c->kind == CHANGE_STEER) {
		if (!keep_data(h, e))
			return false;
		h->hook[0] = tape_hook(m->tape, h->name, c->kind == CHANGE_PATCH ? hook_patch : hook_steer, h);
		return placed(h, 0, h->name, e);
	}
	h->c.layer = layer;
	if (c->kind == CHANGE_ABLATE) {
		snprintf(name, sizeof name, "layers.%d.attn.heads", layer);
		h->hook[0] = tape_hook(m->tape, name, hook_ablate, h);
		return placed(h, 0, name, e);
	}
	snprintf(name, sizeof name, "layers.%d.moe.topk", layer);
	h->hook[0] = tape_hook(m->tape, name, hook_see_topk, h);
	snprintf(name, sizeof name, "layers.%d.moe.weights", layer);
	h->hook[1] = tape_hook(m->tape, name, hook_scale_expert, h);
	return placed(h, 0, name, e) && placed(h, 1, name, e);
}

void change_hook_lift(ChangeHook *h)
{
	for (int i = 0; i < 2; i++)
		if (h->hook[i])
			tape_unhook(h->m->tape, h->hook[i]);
	free(h->name);
	free(h->data);
	*h = (ChangeHook){ 0 };
}
