/* tape.c - life of a tape, its values and its nodes, and the error that sticks.
 *
 * Everything of a step lies in one arena. Without recording an op's node is a slot in the tape itself, so
 * that a call costs one arena allocation (the value's header with its data behind it) and no other
 * bookkeeping. */
#include "tape/state.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

Tape *tape_new(struct Pool *p, size_t step_limit)
{
	Tape *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->pool = p;
	t->limit = step_limit;
	t->hook_age = t->recipe_age = 1;
	t->age = (uint64_t)(clock_now() * 1e9);
	t->next_id = 1;
	t->step = arena_new("step", step_limit);
	t->names.mem = arena_new("names", 0);
	if (!t->step || !t->names.mem) {
		tape_free(t);
		return NULL;
	}
	return t;
}

static void grads_drop(Tape *t)
{
	for (GradKept *k = t->kept; k; k = k->prev)
		k->leaf->grad = NULL;
	t->kept = NULL;
}

void tape_free(Tape *t)
{
	if (!t)
		return;
	grads_drop(t);
	for (int i = 0; i < t->n_hooks; i++)
		free(t->hook[i].pattern);
	free(t->hook);
	names_drop(&t->names);
	if (t->names.mem)
		arena_free(t->names.mem);
	if (t->step)
		arena_free(t->step);
	free(t);
}

void tape_reset(Tape *t)
{
	grads_drop(t);
	arena_reset(t->step);
	names_reset(&t->names);
	err_clear(&t->err);
	t->last = NULL;
	t->scope = NULL;
	t->spare = NULL;
	t->age++;
}

uint64_t tape_age(const Tape *t)
{
	return t->age;
}

void tape_forgive(Tape *t)
{
	err_clear(&t->err);
}

void tape_clear_grads(Tape *t)
{
	grads_drop(t);
	for (Node *n = t->last; n; n = n->prev)
		for (int i = 0; i < n->n_out; i++)
			if (n->out[i] && n->out[i]->grad)
				grad_spare(t, n->out[i]);
}

Pool *tape_pool(const Tape *t)
{
	return t->pool;
}

Arena *tape_arena(const Tape *t)
{
	return t->step;
}

void tape_record(Tape *t, bool on)
{
	t->record = on;
}

bool tape_recording(const Tape *t)
{
	return t->record;
}

bool tape_failed(const Tape *t)
{
	return t->err.code != E_NONE;
}

bool tape_ok(const Tape *t, Err *e)
{
	if (t->err.code == E_NONE)
		return true;
	return err_set(e, t->err.code, "%s", t->err.text);
}

static void fail(Tape *t, const char *op, int code, const char *fmt, va_list ap) PRINTF(4, 0);

static void fail(Tape *t, const char *op, int code, const char *fmt, va_list ap)
{
	if (tape_failed(t))
		return;
	err_vset(&t->err, code, fmt, ap);
	Buf where = BUF_INIT;
	scope_describe(t->scope, &where);
	if (op && where.len)
		buf_addc(&where, '.');
	if (op)
		buf_adds(&where, op);
	if (where.len)
		err_wrap(&t->err, "%s", buf_str(&where));
	buf_done(&where);
}

Ten *tape_fail(Tape *t, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(t, NULL, code, fmt, ap);
	va_end(ap);
	return NULL;
}

Ten *tape_fail_op(Tape *t, const Op *op, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(t, op->name, code, fmt, ap);
	va_end(ap);
	return NULL;
}

static void *full(Tape *t, size_t n)
{
	if (t->limit && (n > t->limit || arena_used(t->step) > t->limit - n))
		tape_fail(t, E_5002,
			"step memory is full at %zu MiB (%zu bytes more are needed): shorten the batch or the context, "
			"or raise --memory-limit",
			t->limit >> 20, n);
	else
		tape_fail(t, E_5001, "no memory for %zu bytes of step memory: shorten the batch or the context", n);
	return NULL;
}

void *tape_alloc(Tape *t, size_t n)
{
	if (tape_failed(t))
		return NULL;
	void *p = arena_alloc(t->step, n);
	return p ? p : full(t, n);
}

enum { TEN_HEAD = (sizeof(Ten) + 63) / 64 * 64 };

/* Header and data in one piece; the data begin at the next 64-byte line. */
static Ten *value_new(Tape *t, Dtype d, size_t size, int rank, const int64_t *shape)
{
	size_t n = size;
	bool fits = rank >= 0 && rank <= TEN_MAXRANK;
	for (int i = 0; fits && i < rank; i++)
		fits = shape[i] >= 0 && size_mul(n, (size_t)shape[i], &n);
	if (!fits || !size_add(n, TEN_HEAD, &n))
		return tape_fail(t, E_5001, "a value of this shape has more elements than memory has addresses");
	Ten *x = tape_alloc(t, n);
	if (!x)
		return NULL;
	*x = (Ten){ .dtype = d, .rank = rank, .data = (char *)x + TEN_HEAD };
	for (int i = 0; i < rank; i++)
		x->shape[i] = shape[i];
	x->stride = rank ? shape[rank - 1] : 1;
	return x;
}

Ten *tape_ten(Tape *t, int rank, const int64_t *shape)
{
	return value_new(t, REAL_DTYPE, sizeof(real), rank, shape);
}

Ten *tape_ten2(Tape *t, int64_t rows, int64_t cols)
{
	return value_new(t, REAL_DTYPE, sizeof(real), 2, (int64_t[]){ rows, cols });
}

Ten *tape_ints(Tape *t, int64_t rows, int64_t cols)
{
	return value_new(t, DT_I32, sizeof(int32_t), 2, (int64_t[]){ rows, cols });
}

Ten *tape_leaf(Tape *t, Ten value, bool needs_grad)
{
	Ten *x = tape_alloc(t, sizeof *x);
	if (!x)
		return NULL;
	*x = value;
	x->node = NULL;
	x->grad = NULL;
	x->needs_grad = needs_grad;
	return x;
}

Node *tape_node(Tape *t, const Op *op, int n_in, Ten *const *in)
{
	if (tape_failed(t))
		return NULL;
	Node *n = t->record ? tape_alloc(t, sizeof *n) : &t->slot;
	if (!n)
		return NULL;
	n->op = op;
	n->n_in = n_in;
	n->n_out = 0;
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	n->scope = t->scope;
	n->par = n->saved = NULL;
	return n;
}

void *tape_keep(Tape *t, void *par, size_t n)
{
	if (!t->record)
		return par;
	void *p = tape_alloc(t, n);
	if (p)
		memcpy(p, par, n);
	return p;
}

bool tape_saves(const Tape *t, const Node *n)
{
	return t->record && n->out[0]->needs_grad;
}

/* Decides before fwd runs which results need a gradient, and hangs the node into the list. */
static void node_record(Tape *t, Node *n)
{
	bool need = false;
	for (int i = 0; i < n->n_in; i++)
		need |= n->in[i] && n->in[i]->needs_grad;
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			n->out[i]->needs_grad = n->out[i]->dtype != DT_I32 && (need || n->out[i]->needs_grad);
			n->out[i]->node = n;
		}
	n->prev = t->last;
	t->last = n;
}

Ten *tape_run(Tape *t, Node *n, Ten *out)
{
	if (tape_failed(t) || !out)
		return NULL;
	if (n->n_out == 0)
		n->out[n->n_out++] = out;
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !n->out[i]->name)
			n->out[i]->name = n->op->name;
	if (t->record)
		node_record(t, n);
	n->op->fwd(t, n);
	return tape_failed(t) ? NULL : out;
}

void tape_thrift(Tape *t, bool on)
{
	t->thrift = on;
}

void grad_spare(Tape *t, Ten *x)
{
	Spare *s = tape_alloc(t, sizeof *s);
	if (!s)
		return;
	*s = (Spare){ x->grad, ten_count(x), t->spare };
	t->spare = s;
	x->grad = NULL;
}

/* A dense tensor of x's shape for its gradient; that of a result from the spare ones when one fits closely. */
static Ten *grad_new(Tape *t, const Ten *x)
{
	int64_t n = ten_count(x);
	for (Spare **p = &t->spare; x->node && *p; p = &(*p)->next)
		if ((*p)->n >= n && (*p)->n / 2 <= n) {
			Ten *g = (*p)->ten;
			void *data = g->data;
			*p = (*p)->next;
			*g = ten_wrap(REAL_DTYPE, data, x->rank, x->shape, x->name);
			return g;
		}
	return tape_ten(t, x->rank, x->shape);
}

real *tape_grad_place(Tape *t, Ten *x, bool *add)
{
	*add = true;
	if (!x || !x->needs_grad)
		return NULL;
	if (x->grad)
		return ten_real(x->grad);
	Ten *g = grad_new(t, x);
	GradKept *k = g && !x->node ? tape_alloc(t, sizeof *k) : NULL;
	if (!g || (!x->node && !k))
		return NULL;
	*add = false;
	g->name = x->name;
	g->scope = x->scope;
	x->grad = g;
	if (k) {
		*k = (GradKept){ x, t->kept };
		t->kept = k;
	}
	return ten_real(g);
}

real *tape_grad(Tape *t, Ten *x)
{
	bool add;
	real *g = tape_grad_place(t, x, &add);
	if (g && !add)
		memset(g, 0, (size_t)ten_count(x) * sizeof *g);
	return g;
}
