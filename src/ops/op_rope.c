/* op_rope.c - rotary positions: pairs of columns turned by an angle that grows with the position. A rotation,
 * so the gradient is turned back by the same angle. */
#include "ops/op.h"
#include <math.h>
#include <string.h>

typedef struct Rope { int H, width, from; const int32_t *pos; RopeTable table; } Rope;
typedef struct Turn { const Rope *p; const real *x; real *y; int64_t ldx, ldy, n; int way; bool add; } Turn;

/* Turns one head's d columns; way +1 forward, -1 back. */
static void turn_head(const RopeTable *tb, int32_t pos, int way, const real *x, real *y, bool more)
{
	int half = tb->d / 2, step = tb->half ? 1 : 2, other = tb->half ? half : 1;
	const real *c = tb->cos + (int64_t)(pos - tb->start) * half,
			   *s = tb->sin + (int64_t)(pos - tb->start) * half;
	for (int i = 0; i < half; i++) {
		int a = i * step, b = a + other;
		real si = way > 0 ? s[i] : -s[i];
		real u = x[a] * c[i] - x[b] * si, v = x[a] * si + x[b] * c[i];
		y[a] = more ? y[a] + u : u;
		y[b] = more ? y[b] + v : v;
	}
}

static void copy_or_add(const real *x, int64_t n, real *y, bool add)
{
	if (!add)
		memcpy(y, x, (size_t)n * sizeof *y);
	else
		for (int64_t i = 0; i < n; i++)
			y[i] += x[i];
}

static void turn_rows(void *arg, int64_t from, int64_t to)
{
	const Turn *k = arg;
	const Rope *p = k->p;
	const int64_t heads = (int64_t)p->H * p->width, after = p->from + p->table.d;
	for (int64_t r = from; r < to; r++) {
		const real *x = k->x + r * k->ldx;
		real *y = k->y + r * k->ldy;
		for (int64_t at = 0; at < heads; at += p->width) {
			copy_or_add(x + at, p->from, y + at, k->add);
			turn_head(&p->table, p->pos[r], k->way, x + at + p->from, y + at + p->from, k->add);
			copy_or_add(x + at + after, p->width - after, y + at + after, k->add);
		}
		copy_or_add(x + heads, k->n - heads, y + heads, k->add);
	}
}

static void rope_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0], *y = n->out[0];
	Turn k = { n->par, ten_real(x), ten_real(y), x->stride, y->stride, ten_cols(x), 1, false };
	op_rows_for(t, ten_rows(x), 4 * k.n, turn_rows, &k);
}

static void rope_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	int64_t w = ten_cols(y);
	Turn k = { n->par, op_grad_in(y), NULL, w, w, w, -1, true };
	k.y = tape_grad_place(t, n->in[0], &k.add);
	if (k.y)
		op_rows_for(t, ten_rows(y), 4 * k.n, turn_rows, &k);
}

static Ten *rope_case(Tape *t, int i, OpCase *c)
{
	static const int32_t pos[] = { 5, 0, 3 };
	if (i >= 3)
		return NULL;
	c->what = i == 1 ? "pairs half apart" : "neighbouring pairs";
	int d = 4, n_pos = 6, half = d / 2;
	real *cs = tape_alloc(t, (size_t)(2 * n_pos * half) * sizeof *cs);
	if (!cs)
		return NULL;
	for (int k = 0; k < n_pos * half; k++) {
		double angle = k / half * pow(100, -(k % half) / 2.0);
		cs[k] = (real)cos(angle);
		cs[n_pos * half + k] = (real)sin(angle);
	}
	RopeTable table = { d, n_pos, 0, i == 1, cs, cs + n_pos * half };
	return rope(t, case_leaf(t, c, REAL_DTYPE, 3, i == 2 ? 5 : 14, 1), i == 2 ? 1 : 2, i == 2 ? 4 : 7,
		i == 2 ? 0 : 3, pos, &table);
}

const Op op_rope = {
	.name = "rope", .equation = "y = R(pos) x on columns [from, from+d) of each head",
	.doc = "Rotary positions, neighbouring pairs or pairs half apart; other columns are copied.",
	.source = "V3 report 2.1.1 eq. 3, 8; mla.md 4, 5",
	.fwd = rope_fwd, .bwd_x = rope_bwd_x, .cases = rope_case,
};

static bool rope_fits(Tape *t, const Ten *x, const Rope *p)
{
	const RopeTable *tb = &p->table;
	int64_t need = (int64_t)p->H * p->width;
	if (p->H < 1 || p->from < 0 || tb->d < 0 || tb->d % 2 || p->from > p->width - tb->d ||
		ten_cols(x) < need) {
		op_misfit(t, &op_rope, x, NULL, "columns %d to %d of each of %d heads of width %d cannot be turned",
			p->from, p->from + tb->d, p->H, p->width);
		return false;
	}
	for (int64_t r = 0; r < ten_rows(x); r++)
		if (p->pos[r] < tb->start || p->pos[r] - tb->start >= tb->n_pos) {
			op_misfit(t, &op_rope, x, NULL, "row %lld is at position %d, the table has %d to %d",
				(long long)r, p->pos[r], tb->start, tb->start + tb->n_pos - 1);
			return false;
		}
	return true;
}

Ten *rope(Tape *t, Ten *x, int H, int width, int from, const int32_t *pos, const RopeTable *table)
{
	if (!op_ready(t, &op_rope, 1, &x) || !op_is_real(t, &op_rope, x))
		return NULL;
	Rope p = { H, width, from, pos, *table };
	if (!rope_fits(t, x, &p))
		return NULL;
	Node *n = tape_node(t, &op_rope, 1, &x);
	if (!n)
		return NULL;
	Rope *own = n->par = tape_keep(t, &p, sizeof p);
	if (own && tape_recording(t))
		own->pos = tape_keep(t, (void *)(uintptr_t)pos, (size_t)ten_rows(x) * sizeof *pos);
	return own ? tape_run(t, n, tape_ten2(t, ten_rows(x), ten_cols(x))) : NULL;
}
