/* forms.c - naive and absorbed attention on the same text: the same model up to rounding, and this says
 * how far up to. */
#include "engine/compare.h"
#include "engine/engine.h"
#include "engine/jobs.h"
#include <math.h>
#include <string.h>

/* of the text's beginning: two forwards of so many are over before one notices */
enum { FORMS_TOKENS = 256 };

/* The layer value, of those compared, that is relatively farthest away. */
static const CompareLayer *forms_worst(const CompareReport *r)
{
	const CompareLayer *worst = NULL;
	for (int i = 0; i < r->n; i++)
		if (!worst || r->layer[i].rel_l2 > worst->rel_l2)
			worst = &r->layer[i];
	return worst;
}

static void forms_json(const CompareReport *r, size_t n, Buf *b)
{
	Jout j;
	const CompareLayer *worst = forms_worst(r), *logits = r->n ? &r->layer[r->n - 1] : NULL;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kint(&j, "tokens", (int64_t)n);
	jout_knum(&j, "logits_max_abs", logits ? logits->max_abs : NAN);
	jout_knum(&j, "rel_l2", worst ? worst->rel_l2 : NAN);
	jout_kstr(&j, "worst", worst ? worst->name : "");
	jout_knum(&j, "kl", r->kl);
	jout_kint(&j, "routes_flipped", r->routes_flipped);
	/* Relative distance of each layer's output of attention. */
	jout_key(&j, "layers");
	jout_arr(&j);
	for (int i = 0; i < r->n; i++)
		if (strstr(r->layer[i].name, ".attn.out"))
			jout_num(&j, r->layer[i].rel_l2);
	jout_end_arr(&j);
	jout_end_obj(&j);
}

bool forms_tell(Jobs *j, Err *e)
{
	const int32_t *ids = NULL;
	size_t n = j->run.session ? lathe_session_text(j->run.session, &ids) : 0;
	CompareReport r = { 0 };
	Buf b = BUF_INIT;
	if (n == 0 || config_attention(&j->model->lm->c) != ATTN_MLA)
		return true;
	if (n > FORMS_TOKENS)
		n = FORMS_TOKENS;
	hooks_model(j->hooks, NULL); /* the viewers' probes see the text, not this comparison */
	bool ok = compare_run(j->model, j->model, ids, n, LATHE_ATTENTION_NAIVE, LATHE_ATTENTION_ABSORBED, &r, e);
	hooks_model(j->hooks, j->model);
	if (ok) {
		forms_json(&r, n, &b);
		publish_text(&j->publish, "engine.forms", 0, &b);
	}
	compare_done(&r);
	buf_done(&b);
	return ok;
}
