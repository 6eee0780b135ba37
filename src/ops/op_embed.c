/* op_embed.c - rows of the embedding matrix, from whatever type it is stored in. */
#include "ops/op.h"
#include <string.h>

static void embed_fwd(Tape *t, Node *n)
{
	(void)t;
	const Ten *W = n->in[0], *y = n->out[0];
	const int32_t *id = n->par;
	for (int64_t i = 0; i < ten_rows(y); i++)
		ten_read(W, id[i], 1, ten_real(y) + i * y->stride);
}

/* A token seen twice adds twice, in the order of the text. */
static void embed_bwd_w(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	const int32_t *id = n->par;
	int64_t h = ten_cols(y);
	real *d = tape_grad(t, n->in[0]);
	for (int64_t i = 0; d && i < ten_rows(y); i++)
		for (int64_t k = 0; k < h; k++)
			d[id[i] * h + k] += op_grad_in(y)[i * h + k];
}

static Ten *embed_case(Tape *t, int i, OpCase *c)
{
	static const int32_t id[][5] = { { 0, 3, 3, 1, 6 }, { 2, 2, 2, 2, 2 } };
	if (i >= 2)
		return NULL;
	c->what = "ids, some twice";
	return embed(t, case_leaf(t, c, REAL_DTYPE, 7, 3 + 2 * i, 1), id[i], 5);
}

static Ten *embed_call(Tape *t, const OpArg *a)
{
	return embed(t, a[0].t, a[1].list, a[1].i);
}

const Op op_embed = {
	.name = "embed",
	.equation = "y_i = W[id_i]",
	.doc = "Token ids to vectors; no gradient to the ids.",
	.source = "V3 report 2.1",
	.fwd = embed_fwd, .bwd_w = embed_bwd_w, .cases = embed_case,
	.args = "W:t id:l", .call = embed_call,
};

Ten *embed(Tape *t, Ten *W, const int32_t *id, int64_t n)
{
	if (!op_ready(t, &op_embed, 1, &W))
		return NULL;
	if (!dtype_is_float(W->dtype))
		return op_misfit(t, &op_embed, W, NULL, "%s cannot be a weight", dtype_name(W->dtype));
	for (int64_t i = 0; i < n; i++)
		if (id[i] < 0 || id[i] >= ten_rows(W))
			return tape_fail(t, E_2003, "token id %d is out of range: the vocabulary has %lld", id[i],
				(long long)ten_rows(W));
	Node *node = tape_node(t, &op_embed, 1, &W);
	int32_t *own = node ? tape_alloc(t, (size_t)n * sizeof *own) : NULL;
	if (!own)
		return NULL;
	memcpy(own, id, (size_t)n * sizeof *own);
	node->par = own;
	return tape_run(t, node, tape_ten2(t, n, ten_cols(W)));
}
