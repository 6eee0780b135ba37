/* test_forms.c - MHA, GQA and MQA behind the interface of MLA, cached and not; rotary tables against the
 * published YaRN values. */
#include "tests/unit.h"
#include "model/lm.h"
#include "model/rope_table.h"
#include <math.h>
#include <string.h>

static Config small(void)
{
	return (Config){ .model_type = "deepseek_v3",
		.arch = ARCH_V3,
		.vocab_size = 61,
		.hidden_size = 32,
		.num_hidden_layers = 2,
		.num_attention_heads = 4,
		.num_key_value_heads = 4,
		.intermediate_size = 40,
		.moe_intermediate_size = 12,
		.n_routed_experts = 6,
		.n_shared_experts = 1,
		.num_experts_per_tok = 2,
		.first_k_dense_replace = 1,
		.moe_layer_freq = 1,
		.n_group = 1,
		.topk_group = 1,
		.q_lora_rank = 12,
		.kv_lora_rank = 10,
		.qk_nope_head_dim = 6,
		.qk_rope_head_dim = 4,
		.v_head_dim = 5,
		.max_position_embeddings = 128,
		.norm_topk_prob = true,
		.rope_interleave = true,
		.topk_method = TOPK_NOAUX,
		.routed_scaling_factor = 1,
		.rms_norm_eps = 1e-6,
		.rope_theta = 10000,
		.bos_token_id = -1 };
}

enum { T = 11 };

static void forward(Lm *m, Kv *kv, int at, int n, AttnForm form, real *logits)
{
	Pool *p = pool_new(1);
	Tape *t = tape_new(p, 0);
	int32_t id[T], pos[T];
	for (int i = 0; i < n; i++) {
		id[i] = (at + i) * 7 % 61;
		pos[i] = at + i;
	}
	Seq seq = { .row0 = 0, .rows = n };
	int slot = 0;
	Err e = { 0 };
	Batch b = { n, id, pos, 1, &seq, &slot };
	Run r = { m, kv, &b, form };
	Ten *x = lm_logits(t, &r, lm_hidden(t, &r), NULL, 0);
	if (!tape_ok(t, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < n; i++)
		memcpy(logits + (at + i) * 61, ten_real(x) + i * x->stride, sizeof(real) * 61);
	tape_free(t);
	pool_free(p);
}

static void check_kind(AttnKind kind, int G, int64_t kv_per_token)
{
	Err e = { 0 };
	Config c = small();
	snprintf(c.attention, sizeof c.attention, "%s", kind == ATTN_MLA ? "" : G == 1 ? "mqa" : G == 4 ? "mha" : "gqa");
	c.num_key_value_heads = G;
	real whole[T * 61], steps[T * 61];
	Lm *m = lm_random(&c, REAL_DTYPE, 3, &e);
	if (!m)
		fail_msg("%s", e.text);
	forward(m, NULL, 0, T, FORM_NAIVE, whole);
	Kv *kv = lm_kv(m, 1, 4, REAL_DTYPE, &e); /* grows on the way */
	for (int i = 0; i < T; i++)
		forward(m, kv, i, 1, kind == ATTN_MLA ? FORM_ABSORBED : FORM_NAIVE, steps);
	for (int i = 0; i < T * 61; i++)
		assert_close(steps[i], whole[i], 2e-4, 2e-4);
	assert_int_equal(kv_bytes_used(kv), kv_per_token * T * (int64_t)sizeof(real));
	kv_free(kv);
	lm_free(m);
}

TEST(forms_mla)
{
	check_kind(ATTN_MLA, 1, 2 * (10 + 4));
}

TEST(forms_mha)
{
	check_kind(ATTN_GQA, 4, 2 * 4 * (10 + 5));
}

TEST(forms_gqa)
{
	check_kind(ATTN_GQA, 2, 2 * 2 * (10 + 5));
}

TEST(forms_mqa)
{
	check_kind(ATTN_GQA, 1, 2 * (10 + 5));
}

TEST(rope_yarn_table)
{
	Config c = { .qk_rope_head_dim = 64,
		.qk_nope_head_dim = 128,
		.rope_theta = 10000,
		.yarn_factor = 40,
		.yarn_original = 4096,
		.yarn_beta_fast = 32,
		.yarn_beta_slow = 1,
		.yarn_mscale = 1,
		.yarn_mscale_all_dim = 1,
		.yarn_truncate = true };
	float f[32];
	rope_frequencies(&c, f);
	assert_close(f[0], 1.0, 0, 1e-6);
	assert_close(f[11], 3.900692657e-2, 0, 2e-6);
	assert_close(f[16], 5.5e-3, 0, 2e-6);
	assert_close(f[23], 3.333803580e-5, 0, 2e-6);
	assert_close(f[31], 3.333803580e-6, 0, 2e-6);
	assert_close(rope_softmax_scale(&c), 0.1352337789, 0, 1e-9);
	c.yarn_mscale = c.yarn_mscale_all_dim = 0.707;
	assert_close(rope_softmax_scale(&c), 0.1147213868, 0, 1e-9);
	c.yarn_factor = 0;
	assert_close(rope_softmax_scale(&c), 0.0721687836, 0, 1e-9);
}

TEST(rope_yarn_kimi_is_a_step)
{
	Config c = { .qk_rope_head_dim = 64,
		.rope_theta = 50000,
		.yarn_factor = 32,
		.yarn_original = 4096,
		.yarn_beta_fast = 1,
		.yarn_beta_slow = 1,
		.yarn_mscale = 1,
		.yarn_mscale_all_dim = 1,
		.yarn_truncate = true };
	float f[32];
	rope_frequencies(&c, f);
	for (int i = 0; i < 32; i++)
		assert_close(f[i], pow(50000, -2.0 * i / 64) / (i < 20 ? 1 : 32), 0, 2e-6);
}
