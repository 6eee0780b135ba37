/* gate.c - where the router of the model in training sends a small held-out text, the same one from the first step to the last: so two
 * looks of one run differ by what was learned between them alone. Changes nothing of the run. */
#include "base/json.h"
#include "model/lm.h"
#include "text/tok.h"
#include "train/state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATE_TEXTS = 4, GATE_EACH = 12 /* tokens of each text */ };

struct TrainGate {
	Ids ids;
	int n_seq;
	Seq seq[GATE_TEXTS];
	int32_t pos[GATE_TEXTS * GATE_EACH];
	/* of the forward that is going on: what the router of each layer chose */
	Ten **topk, **weights;
	int n_layers;
	float *dense;              /* [T, E] of one layer */
};

/* The first tokens of one held-out text more. */
static bool gate_add(TrainGate *g, const Train *t, uint64_t row, Err *e)
{
	Buf text = BUF_INIT;
	Ids ids = { 0 };
	Document s;
	if (!t->source->get(t->source->ud, SPLIT_HELD_OUT, row, 0, &s, e))
		return false;
	buf_add(&text, s.prompt, s.n_prompt);
	buf_add(&text, s.answer, s.n_answer);
	bool ok = tok_encode(t->tok, buf_str(&text), text.len, &ids, e);
	int n = ids.n < GATE_EACH ? (int)ids.n : GATE_EACH;
	if (ok && n > 0)
		g->seq[g->n_seq++] = (Seq){ .row0 = (int)g->ids.n, .rows = n };
	for (int i = 0; ok && i < n; i++) {
		g->pos[g->ids.n] = i;
		ok = ids_push(&g->ids, ids.id[i]) || err_set(e, E_5001, "out of memory for a look at the router");
	}
	ids_done(&ids);
	buf_done(&text);
	return ok;
}

TrainGate *train_gate_new(Train *t, Err *e)
{
	TrainGate *g = calloc(1, sizeof *g);
	int most = 0;
	bool ok = g && t->tok && t->source && t->n_moe > 0;
	for (int i = 0; ok && i < GATE_TEXTS; i++)
		ok = gate_add(g, t, (uint64_t)i, e);
	for (int i = 0; i < t->n_moe; i++)
		most = t->load[i].E > most ? t->load[i].E : most;
	if (ok && g->ids.n > 0) {
		g->n_layers = t->lm->n_layers;
		g->topk = calloc((size_t)g->n_layers * 2, sizeof(Ten *));
		g->weights = g->topk ? g->topk + g->n_layers : NULL;
		g->dense = malloc(sizeof *g->dense * g->ids.n * (size_t)most);
		ok = g->topk && g->dense;
	}
	if (ok && g->ids.n > 0)
		return g;
	train_gate_free(g);
	return NULL;
}

void train_gate_free(TrainGate *g)
{
	if (!g)
		return;
	ids_done(&g->ids);
	free(g->topk);
	free(g->dense);
	free(g);
}

void train_gate_text(const Train *t, const TrainGate *g, Buf *out)
{
	Jout j;
	jout_init(&j, out);
	jout_obj(&j);
	jout_key(&j, "tokens");
	jout_arr(&j);
	for (size_t i = 0; i < g->ids.n; i++) {
		Buf b = BUF_INIT;
		Buf shown = BUF_INIT;
		tok_bytes_of(t->tok, g->ids.id[i], &b);
		tok_alone(buf_str(&b), b.len, &shown);
		jout_strn(&j, buf_str(&shown), shown.len);
		buf_done(&shown);
		buf_done(&b);
	}
	jout_end_arr(&j);
	jout_key(&j, "starts");
	jout_arr(&j);
	for (int i = 0; i < g->n_seq; i++)
		jout_int(&j, g->seq[i].row0);
	jout_end_arr(&j);
	jout_end_obj(&j);
}

static Ten *see_router(Tape *tape, Ten *x, const char *full, void *ud)
{
	TrainGate *g = ud;
	int layer = -1;
	(void)tape;
	if (sscanf(full, "layers.%d.", &layer) == 1 && layer >= 0 && layer < g->n_layers)
		(strcmp(full + strlen(full) - 4, "topk") == 0 ? g->topk : g->weights)[layer] = x;
	return x;
}

static void gate_layer(const TrainGate *g, int layer, int E, TrainGateFn fn, void *ud)
{
	const Ten *topk = g->topk[layer], *weights = g->weights[layer];
	int64_t T = (int64_t)g->ids.n, K = topk ? ten_cols(topk) : 0;
	if (!topk || !weights || topk->dtype != DT_I32 || ten_rows(topk) != T || ten_cols(weights) != K)
		return;
	memset(g->dense, 0, sizeof *g->dense * (size_t)(T * E));
	for (int64_t i = 0; i < T * K; i++) {
		int32_t id = ((const int32_t *)topk->data)[i];
		if (id >= 0 && id < E)
			g->dense[i / K * E + id] = (float)ten_real(weights)[i];
	}
	fn(ud, layer, (int)T, E, g->dense);
}

bool train_gate_look(Train *t, TrainGate *g, TrainGateFn fn, void *ud, Err *e)
{
	tape_reset(t->tape);
	train_recipe(t, t->tape);
	memset(g->topk, 0, sizeof(Ten *) * (size_t)g->n_layers * 2);
	int a = tape_hook(t->tape, "layers.*.moe.topk", see_router, g), b = tape_hook(t->tape, "layers.*.moe.weights", see_router, g);
	Batch batch = { (int)g->ids.n, g->ids.id, g->pos, g->n_seq, g->seq, NULL };
	Run r = { .m = t->lm, .b = &batch, .form = FORM_NAIVE };
	lm_hidden(t->tape, &r);
	bool ok = tape_ok(t->tape, e);
	for (int i = 0; ok && i < t->n_moe; i++)
		if (t->load[i].layer < g->n_layers)
			gate_layer(g, t->load[i].layer, t->load[i].E, fn, ud);
	tape_unhook(t->tape, a);
	tape_unhook(t->tape, b);
	return ok;
}
