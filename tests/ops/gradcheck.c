/* gradcheck.c - see gradcheck.h. */
#include "tests/ops/gradcheck.h"
#include "base/rng.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One case with its own random numbers; L = sum seed * y. */
typedef struct Run { Tape *t; const Op *op; int i; const real *seed; } Run;

static Ten *case_run(const Run *r, OpCase *c, bool record)
{
	Rng rng = rng_make(77, (uint64_t)r->i);
	tape_reset(r->t);
	tape_record(r->t, record);
	c->rng = &rng;
	c->n = 0;
	Ten *y = r->op->cases(r->t, r->i, c);
	c->rng = NULL;
	return y;
}

static double loss(const Run *r, int leaf, int64_t at, double nudge)
{
	OpCase c = { .nudge_leaf = leaf, .nudge_at = at, .nudge = nudge };
	const Ten *y = case_run(r, &c, false);
	double sum = 0;
	for (int64_t i = 0; y && i < ten_count(y); i++)
		sum += (double)r->seed[i] * (double)ten_real(y)[i];
	return y ? sum : (double)NAN;
}

static bool refuse(GradReport *g, const Run *r, const OpCase *c, const char *why)
{
	Err e = { 0 };
	tape_ok(r->t, &e);
	snprintf(g->text, sizeof g->text, "%s, case %d (%s): %s %s", r->op->name, r->i, c->what ? c->what : "-",
		why, e.text);
	return false;
}

/* Compares one leaf's gradient, a copy, with differences. */
static bool leaf_check(const Run *r, const OpCase *c, int leaf, const real *grad, int64_t n, GradReport *g)
{
	double top = 0;
	for (int64_t i = 0; i < n; i++)
		top = fabs((double)grad[i]) > top ? fabs((double)grad[i]) : top;
	if (!(top > 0))
		return refuse(g, r, c, "the gradient is all zero: the case proves nothing");
	for (int64_t i = 0; i < n; i++) {
		double d = (loss(r, leaf, i, GRAD_STEP) - loss(r, leaf, i, -GRAD_STEP)) / (2 * GRAD_STEP);
		double off = fabs(d - (double)grad[i]) / (top > 1e-3 ? top : 1e-3);
		if (off > g->worst)
			g->worst = off;
		if (off > GRAD_TOL || isnan(d)) {
			char why[160];
			snprintf(why, sizeof why, "leaf %d element %lld: %.10g by differences, %.10g by the op", leaf,
				(long long)i, d, (double)grad[i]);
			return refuse(g, r, c, why);
		}
	}
	return true;
}

static bool case_check(Run *r, GradReport *g, bool *last)
{
	OpCase c = { .nudge_leaf = -1 };
	Ten *y = case_run(r, &c, true);
	*last = !y && !tape_failed(r->t);
	if (*last)
		return true;
	if (!y || c.n == 0)
		return refuse(g, r, &c, "the case could not be built:");
	int64_t ny = ten_count(y), n[8];
	real *seed = malloc((size_t)ny * sizeof *seed), *grad[8];
	Rng rng = rng_make(5, 5);
	for (int64_t i = 0; i < ny; i++)
		seed[i] = (real)rng_normal(&rng);
	bool ok = tape_backward(r->t, y, seed);
	for (int k = 0; k < c.n; k++) {
		n[k] = ten_count(c.leaf[k]);
		grad[k] = calloc((size_t)n[k], sizeof(real));
		if (c.leaf[k]->grad)
			memcpy(grad[k], ten_real(c.leaf[k]->grad), (size_t)n[k] * sizeof(real));
	}
	r->seed = seed;
	if (!ok)
		refuse(g, r, &c, "backward failed:");
	for (int k = 0; k < c.n; k++) {
		ok = ok && leaf_check(r, &c, k, grad[k], n[k], g);
		free(grad[k]);
	}
	free(seed);
	return ok;
}

bool gradcheck_op(Tape *t, const Op *op, GradReport *g)
{
	memset(g, 0, sizeof *g);
	if (!op->cases) {
		if (!op->bwd_x && !op->bwd_w)
			return true;
		snprintf(g->text, sizeof g->text, "%s has a gradient and no cases", op->name);
		return false;
	}
	for (bool last = false;; g->cases++) {
		Run r = { t, op, g->cases, NULL };
		if (!case_check(&r, g, &last))
			return false;
		if (last)
			break;
	}
	if (g->cases < 2) {
		snprintf(g->text, sizeof g->text, "%s has %d cases; two shapes are asked for", op->name, g->cases);
		return false;
	}
	return true;
}
