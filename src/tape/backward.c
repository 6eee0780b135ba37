/* backward.c - the walk back over the recorded nodes.
 *
 * A node is visited once, after all its uses, so its results hold their whole gradient by then. For a second
 * value on the same tape the gradients of the first must not be sent back again: they are put aside, and
 * added when the walk is over. A thrifty tape keeps none of them. */
#include "tape/state.h"

typedef struct Aside { Ten *x, *grad; struct Aside *prev; } Aside;

static bool put_aside(Tape *t, Aside **list)
{
	for (Node *n = t->last; n; n = n->prev)
		for (int i = 0; i < n->n_out; i++) {
			Ten *x = n->out[i];
			if (!x || !x->grad)
				continue;
			Aside *a = tape_alloc(t, sizeof *a);
			if (!a)
				return false;
			*a = (Aside){ x, x->grad, *list };
			*list = a;
			x->grad = NULL;
		}
	return true;
}

static void add_aside(const Aside *a)
{
	for (; a; a = a->prev) {
		if (a->x->grad) {
			const real *now = ten_real(a->x->grad);
			real *old = ten_real(a->grad);
			for (int64_t i = 0, n = ten_count(a->x); i < n; i++)
				old[i] += now[i];
		}
		a->x->grad = a->grad;
	}
}

static void node_back(Tape *t, Node *n)
{
	bool due = false;
	for (int i = 0; i < n->n_out; i++)
		due |= n->out[i] && n->out[i]->needs_grad && n->out[i]->grad;
	if (!due)
		return;
	if (n->op->bwd_x)
		n->op->bwd_x(t, n);
	if (n->op->bwd_w && !tape_failed(t))
		n->op->bwd_w(t, n);
	for (int i = 0; t->thrift && i < n->n_out; i++)
		if (n->out[i] && n->out[i]->grad)
			grad_spare(t, n->out[i]);
}

bool tape_backward(Tape *t, Ten *y, const real *seed)
{
	if (tape_failed(t) || !y)
		return false;
	Aside *aside = NULL;
	if (!put_aside(t, &aside))
		return false;
	real *g = tape_grad(t, y);
	if (g)
		for (int64_t i = 0, n = ten_count(y); i < n; i++)
			g[i] += seed ? seed[i] : 1;
	const Scope *scope = t->scope;
	for (Node *n = t->last; n && !tape_failed(t); n = n->prev) {
		t->scope = n->scope;
		node_back(t, n);
	}
	t->scope = scope;
	add_aside(aside);
	return !tape_failed(t);
}
