/* token.c - what sessions and batches share: options checked, and facts about a token under given logits. */
#include "engine/engine.h"
#include "num/topk.h"
#include <math.h>
#include <string.h>

Dtype session_cache_dtype(const LatheSessionOptions *o)
{
	const char *d = o->cache_dtype ? o->cache_dtype : "";
	return strcmp(d, "bf16") == 0 ? DT_BF16 : strcmp(d, "fp8") == 0 ? DT_F8_E4M3 : REAL_DTYPE;
}

Sampling session_sampling(const LatheModel *m, const LatheSessionOptions *o)
{
	return (Sampling){ o->temperature, o->top_p, o->min_p, o->top_k, o->seed,
		m->tok ? tok_count(m->tok) : 0 };
}

bool session_options_check(const LatheModel *m, const LatheSessionOptions *o, Err *e)
{
	if (!(o->temperature >= 0) || !isfinite(o->temperature))
		return err_set(e, E_2003, "temperature %g: a number from 0 up is needed", o->temperature);
	if (!(o->top_p >= 0 && o->top_p <= 1) || !(o->min_p >= 0 && o->min_p <= 1) || o->top_k < 0)
		return err_set(e, E_2003,
			"top-p %g, min-p %g, top-k %d: shares lie in 0..1, top-k is 0 or more", o->top_p,
			o->min_p, o->top_k);
	if (o->attention == LATHE_ATTENTION_ABSORBED && config_attention(&m->lm->c) != ATTN_MLA)
		return err_set(e, E_2003, "attention absorbed: this model's attention is %s, only MLA has a latent to work on; leave it at auto",
			m->lm->c.attention);
	bool fp8 = o->cache_dtype && strcmp(o->cache_dtype, "fp8") == 0;
	if (fp8 && config_attention(&m->lm->c) != ATTN_MLA)
		return err_set(e, E_2003, "cache dtype fp8: records of FlashMLA hold MLA's latent; this model's attention is %s", m->lm->c.attention);
	if (o->cache_dtype && !fp8 && strcmp(o->cache_dtype, "bf16") != 0 && strcmp(o->cache_dtype, "f32") != 0)
		return err_set(e, E_2003, "cache dtype %s: known are f32, bf16 and fp8", o->cache_dtype);
	if (o->mtp == LATHE_MTP_ON && m->lm->n_mtp == 0)
		return err_set(e, E_2003, "MTP asked for, but this model has no MTP module; use --mtp auto or off");
	if (o->alternatives < 0 || o->alternatives > LATHE_ALTERNATIVES_MAX)
		return err_set(e, E_2003, "%d alternatives: 0 to %d can be kept", o->alternatives,
			LATHE_ALTERNATIVES_MAX);
	return true;
}

void token_facts(const LatheModel *m, const LatheSessionOptions *o, const real *logits, int32_t id,
	int64_t position, LatheToken *t)
{
	int V = (int)m->lm->c.vocab_size;
	double lse;
	TokenFacts f = sample_facts(logits, V, id, &lse);
	*t = (LatheToken){ .id = id,
		.position = position,
		.logprob = f.logprob,
		.entropy = f.entropy,
		.drafted_id = -1 };
	t->n_alternatives = o->alternatives < V ? o->alternatives : V;
	if (t->n_alternatives)
		topk_sorted(logits, V, t->n_alternatives, t->alternative);
	for (int i = 0; i < t->n_alternatives; i++)
		t->alternative_logprob[i] = (float)((double)logits[t->alternative[i]] - lse);
}

bool token_finite(const LatheModel *m, const real *logits, int64_t position, Err *e)
{
	for (int i = 0; i < m->lm->c.vocab_size; i++)
		if (!isfinite(logits[i]))
			return err_set(e, E_6001,
				"logits[%d] at position %lld is %s; look at the weights with `lathe info "
				"--tensors`",
				i, (long long)position, isnan(logits[i]) ? "NaN" : "infinite");
	return true;
}

bool token_is_eos(const LatheModel *m, const LatheSessionOptions *o, int32_t id)
{
	const Config *c = &m->lm->c;
	for (int i = 0; i < (int)c->n_eos; i++)
		if (c->eos_token_id[i] == id)
			return !o->ignore_eos;
	return false;
}
