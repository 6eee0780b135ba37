/* block.c - pre-norm block: x1 = x + attn(norm x), x2 = x1 + ffn(norm x1). */
#include "model/lm.h"

Ten *block_forward(Tape *t, const Run *r, const Block *b, Ten *x)
{
	tape_push(t, "layers", b->index);
	LET(t, resid_pre, x);
	Ten *a = attn_forward(t, r, &b->attn, b->index, rmsnorm(t, resid_pre, b->g_attn, b->eps));
	LET(t, resid_mid, add(t, resid_pre, a));
	Ten *h = rmsnorm(t, resid_mid, b->g_mlp, b->eps);
	Ten *f = b->is_moe ? moe_forward(t, r, &b->moe, b->index, h) : mlp_forward(t, &b->mlp, h);
	tape_push(t, "mlp", -1);
	f = tape_name(t, "out", f);
	tape_pop(t);
	LET(t, resid_post, add(t, resid_mid, f));
	tape_pop(t);
	return resid_post;
}
