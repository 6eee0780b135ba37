/* model_view.c - a model over the weights of another: the headers of its blocks are copied, so that rules can differ; the tape is its own. */
#include "engine/change.h"
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

static Lm *lm_copy(const Lm *lm)
{
	Lm *to = malloc(sizeof *to);
	size_t blocks = sizeof *to->block * (size_t)lm->n_layers, mtps = sizeof *to->mtp * (size_t)lm->n_mtp;
	if (!to)
		return NULL;
	*to = *lm;
	to->rope = (RopeTable){ 0 };
	to->rope_memory = NULL;
	to->block = malloc(blocks ? blocks : 1);
	to->mtp = malloc(mtps ? mtps : 1);
	if (to->block && to->mtp) {
		memcpy(to->block, lm->block, blocks);
		if (mtps)
			memcpy(to->mtp, lm->mtp, mtps);
		return to;
	}
	free(to->block);
	free(to->mtp);
	free(to);
	return NULL;
}

LatheModel *model_view(LatheModel *base, Err *e)
{
	LatheModel *m = calloc(1, sizeof *m);
	if (m) {
		m->view = true;
		m->pool = base->pool;
		m->tok = base->tok;
		m->tok_error = base->tok_error;
		m->tok_broken = base->tok_broken;
		m->recipe = base->recipe;
		m->memory_limit = base->memory_limit;
		m->lm = lm_copy(base->lm);
		size_t weights = (size_t)base->lm->weight_bytes;
		m->tape = m->lm ? tape_new(m->pool, m->memory_limit ? m->memory_limit - weights : 0) : NULL;
		if (m->tape) {
			tape_set_recipe(m->tape, m->recipe);
			return m;
		}
		lathe_close(m);
	}
	err_set(e, E_5001, "out of memory for another view of the model");
	return NULL;
}

void model_view_done(LatheModel *view)
{
	if (view->lm) {
		free(view->lm->rope_memory);
		free(view->lm->block);
		free(view->lm->mtp);
		free(view->lm);
	}
	free(view);
}
