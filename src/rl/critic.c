/* critic.c - see critic.h. */
#include "rl/critic.h"
#include "train/update.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rl_critic_open(RlCritic *c, int64_t hidden, Err *e)
{
	int64_t n = hidden + 1;
	real *all = calloc((size_t)n * 4, sizeof *all);
	double *parts = calloc((size_t)n / NORM_BLOCK + 1, sizeof *parts);
	*c = (RlCritic){ .p = { .n = 2, .count = n, .w = all, .norm_parts = parts } };
	if (!all || !parts) {
		rl_critic_close(c);
		return err_set(e, E_5001, "out of memory for a value head of %lld numbers", (long long)n);
	}
	c->p.g = all + n;
	c->p.m = all + 2 * n;
	c->p.v = all + 3 * n;
	c->w = ten_wrap(REAL_DTYPE, c->p.w, 2, (int64_t[]){ 1, hidden }, "value_head.weight");
	c->b = ten_wrap(REAL_DTYPE, c->p.w + hidden, 1, (int64_t[]){ 1 }, "value_head.bias");
	c->gw = ten_wrap(REAL_DTYPE, c->p.g, 2, (int64_t[]){ 1, hidden }, "value_head.weight");
	c->gb = ten_wrap(REAL_DTYPE, c->p.g + hidden, 1, (int64_t[]){ 1 }, "value_head.bias");
	c->w.grad = &c->gw;
	c->b.grad = &c->gb;
	c->w.needs_grad = c->b.needs_grad = true;
	c->part[0] = (Param){ &c->w, 0, hidden, false };
	c->part[1] = (Param){ &c->b, hidden, 1, false };
	c->p.p = c->part;
	return true;
}

void rl_critic_close(RlCritic *c)
{
	free(c->p.w);
	free(c->p.norm_parts);
	*c = (RlCritic){ 0 };
}

real rl_critic_value(const RlCritic *c, const real *state)
{
	double sum = (double)c->p.w[c->p.count - 1];
	for (int64_t i = 0; i < c->p.count - 1; i++)
		sum += (double)c->p.w[i] * (double)state[i];
	return (real)sum;
}

Ten *rl_critic_forward(RlCritic *c, Tape *t, const Ten *state)
{
	return linear_bias(t, tape_leaf(t, ten_wrap(REAL_DTYPE, state->data, 2, state->shape, "state"), false), &c->w, &c->b);
}

bool rl_critic_update(RlCritic *c, Tape *t, const TrainSettings *s, double lr, Err *e)
{
	Pool *pool = tape_pool(t);
	TrainSettings own = *s;
	double norm = params_norm(pool, &c->p);
	own.ema = 0;
	own.moments_bf16 = 0;
	own.weight_decay = 0;
	if (!isfinite(norm))
		return err_set(e, E_6101, "the gradient of the value head is not finite; go on from the last checkpoint with a lower value_lr");
	adamw_update(pool, &c->p, &own, lr, adamw_clip(&own, norm), ++c->updates);
	return true;
}
