/* rl_watch.c - see rl_watch.h. */
#include "engine/rl_watch.h"
#include "engine/publish.h"
#include <math.h>

static void put_values(TrainWatch *w, const char *topic, int64_t step, Dtype d, const void *v, uint32_t n)
{
	Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = d, .step = (uint64_t)step, .rank = n > 1, .shape = { n }, .data = v,
		.bytes = (size_t)n * dtype_bits(d) / 8 };
	publish_sample(train_watch_publish(w), &s);
}

static void put_number(TrainWatch *w, const char *topic, int64_t step, double v)
{
	float f = (float)v;
	if (isfinite(f))
		put_values(w, topic, step, DT_F32, &f, 1);
}

static void put_report(TrainWatch *w, const RlReport *x, double eta)
{
	const struct { const char *topic; double v; } row[] = {
		{ "rl.reward", x->reward }, { "rl.accuracy", x->accuracy }, { "rl.eval", x->eval }, { "rl.eval_length", x->eval_length },
		{ "rl.length", x->length }, { "rl.answered", x->answered }, { "rl.ended", x->ended }, { "rl.entropy", x->entropy }, { "rl.kl", x->kl },
		{ "rl.clip", x->clip }, { "rl.masked", x->masked }, { "rl.degenerate", x->degenerate }, { "rl.used", x->used }, { "rl.ln_r", x->ln_r },
		{ "rl.value_loss", x->value_loss }, { "train.lr", x->lr }, { "train.grad_norm", x->grad_norm }, { "train.tok_per_s", x->tok_per_s },
		{ "train.eta", eta }, { "train.memory", (double)publish_rss() },
	};
	const float time[] = { (float)x->rollout_s, (float)x->reward_s, (float)x->update_s, (float)x->eval_s };
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		put_number(w, row[i].topic, x->iter, row[i].v);
	put_values(w, "rl.time", x->iter, DT_F32, time, 4);
}

/* --- a group in full --- */

/* The first one whose answers differ in reward; the first of all when none does. */
static int group_shown(const RlSample *s, int n, int group)
{
	for (int i = 0; i + group <= n; i += group)
		for (int k = 1; k < group; k++)
			if (s[i + k].reward != s[i].reward)
				return i;
	return 0;
}

static void text_put(Jout *j, const char *key, const Tok *tok, const int32_t *id, int n)
{
	Buf b = BUF_INIT;
	tok_decode(tok, id, (size_t)n, &b);
	jout_key(j, key);
	jout_strn(j, buf_str(&b), b.len);
	buf_done(&b);
}

static void reals_put(Jout *j, const char *key, const real *v, int n)
{
	jout_key(j, key);
	jout_arr(j);
	for (int i = 0; v && i < n; i++)
		jout_f32(j, (float)v[i]);
	jout_end_arr(j);
}

/* What each token says, so that a viewer needs no tokenizer. */
static void tokens_put(Jout *j, const Tok *tok, const int32_t *id, int n)
{
	Buf b = BUF_INIT;
	jout_key(j, "tokens");
	jout_arr(j);
	for (int i = 0; i < n; i++) {
		buf_clear(&b);
		tok_bytes_of(tok, id[i], &b);
		jout_strn(j, buf_str(&b), b.len);
	}
	jout_end_arr(j);
	buf_done(&b);
}

static void answer_put(Jout *j, const Tok *tok, const RlSample *s)
{
	jout_obj(j);
	text_put(j, "text", tok, s->id + s->n_given, s->n);
	jout_knum(j, "reward", s->reward);
	jout_kbool(j, "right", s->right);
	jout_kbool(j, "ended", s->ended);
	jout_kint(j, "length", s->n);
	jout_key(j, "ids");
	jout_arr(j);
	for (int i = 0; i < s->n; i++)
		jout_int(j, s->id[s->n_given + i]);
	jout_end_arr(j);
	tokens_put(j, tok, s->id + s->n_given, s->n);
	reals_put(j, "advantage", s->advantage, s->n);
	reals_put(j, "logp", s->logp, s->n);
	if (s->ref)
		reals_put(j, "ref", s->ref, s->n);
	reals_put(j, "entropy", s->entropy, s->n);
	jout_end_obj(j);
}

static void put_group(TrainWatch *w, Rl *r, int64_t iter)
{
	int n, group = (int)rl_settings(r)->group;
	const RlSample *s = rl_samples(r, &n);
	const Tok *tok = train_tok(rl_train(r));
	Buf b = BUF_INIT;
	Jout j;
	if (n < group)
		return;
	s += group_shown(s, n, group);
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "iter", iter);
	text_put(&j, "prompt", tok, s->id, s->n_given);
	jout_key(&j, "answers");
	jout_arr(&j);
	for (int k = 0; k < group; k++)
		answer_put(&j, tok, &s[k]);
	jout_end_arr(&j);
	jout_end_obj(&j);
	if (!b.failed)
		publish_text(train_watch_publish(w), "rl.group", (uint64_t)iter, &b);
	buf_done(&b);
}

void rl_watch_tell(TrainWatch *w, Rl *r, const RlReport *x, double eta)
{
	const int64_t step[] = { x->iter, rl_settings(r)->iterations, x->tokens };
	train_watch_settings(w);
	put_values(w, "train.step", x->iter, DT_I64, step, 3);
	put_report(w, x, eta);
	if (!isnan(x->reward))
		put_group(w, r, x->iter);
	publish_flush(train_watch_publish(w));
}
