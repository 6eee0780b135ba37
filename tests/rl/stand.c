/* stand.c - see stand.h. */
#include "tests/unit.h"
#include "tests/rl/stand.h"
#include <stdio.h>
#include <string.h>

static const char config[] =
	"{\"model_type\":\"deepseek_v3\",\"vocab_size\":264,\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,"
	"\"num_key_value_heads\":2,\"first_k_dense_replace\":1,\"intermediate_size\":48,\"moe_intermediate_size\":16,\"n_routed_experts\":4,"
	"\"num_experts_per_tok\":2,\"n_shared_experts\":1,\"n_group\":1,\"topk_group\":1,\"norm_topk_prob\":true,\"routed_scaling_factor\":1.0,"
	"\"scoring_func\":\"sigmoid\",\"topk_method\":\"noaux_tc\",\"kv_lora_rank\":16,\"q_lora_rank\":null,\"qk_nope_head_dim\":8,"
	"\"qk_rope_head_dim\":8,\"v_head_dim\":8,\"rope_theta\":10000.0,\"max_position_embeddings\":64}";

static bool ask(void *ud, Split split, uint64_t i, const char **prompt, size_t *n, Err *e)
{
	static char text[32];
	Stand *k = ud;
	(void)e;
	k->asked++;
	*n = (size_t)snprintf(text, sizeof text, "%s%c:", split == SPLIT_TRAIN ? "say " : "now say ", (char)('a' + i % 2));
	*prompt = text;
	return true;
}

/* Right: some letter of the first half of the bytes comes first, so that chance alone finds it often. */
static bool judge(void *ud, Split split, uint64_t i, const RlAnswer *a, RlVerdict *v, Err *e)
{
	Stand *k = ud;
	(void)split;
	(void)i;
	(void)e;
	k->judged++;
	v->right = a->n > 0 && (unsigned char)a->text[0] < 64;
	v->answered = a->n > 0;
	if (k->steps) { /* the first byte, and all the rest of the answer */
		v->n_steps = 2;
		v->step[0] = (RlStep){ 1, v->right };
		v->step[1] = (RlStep){ a->n + 9, 0.25 };
	}
	return true;
}

void stand_settings(Stand *k)
{
	memset(k, 0, sizeof *k);
	settings_default(&k->ts);
	rl_settings_default(&k->s);
	k->ts.lr = 2e-3;
	k->ts.lr_shape = LR_CONSTANT;
	k->ts.warmup = 0;
	k->ts.weight_decay = 0;
	k->ts.init_std = 0.1;
	k->s.iterations = 20;
	k->s.prompts = 4;
	k->s.group = 4;
	k->s.max_new = 6;
	k->s.format = 0;
}

void stand_up(Stand *k, int threads)
{
	static const char *const special[] = { "<eos>", NULL };
	Err e = { 0 };
	Config c;
	k->tok = tok_bytes(special);
	k->task = (RlTask){ ask, judge, 6, k };
	assert_non_null(k->tok);
	if (!config_parse(config, sizeof config - 1, "test", &c, &e))
		fail_msg("%s", e.text);
	k->t = train_new(&(TrainStart){ .config = &c, .threads = threads }, &k->ts, NULL, k->tok, &e);
	k->rl = k->t ? rl_new(k->t, &k->s, &k->task, &e) : NULL;
	if (!k->rl)
		fail_msg("%s", e.text);
}

void stand_down(Stand *k)
{
	rl_free(k->rl);
	train_free(k->t);
	tok_free(k->tok);
}

RlReport stand_iterate(Stand *k)
{
	Err e = { 0 };
	RlReport x;
	if (!rl_iterate(k->rl, &x, &e))
		fail_msg("%s", e.text);
	return x;
}
