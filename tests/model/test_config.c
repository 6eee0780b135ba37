/* test_config.c - config.json: hostile files, defaults, both spellings of rope; counts against the published sizes. */
#include "base/json.h"
#include "model/config.h"
#include "tests/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(config_hostile)
{
	char line[4096];
	int n = 0, bad = 0;
	FILE *f = fopen(unit_src("tests/data/hostile/checkpoint-cases.jsonl"), "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		char path[512];
		Err e = { 0 };
		json_t *j = json_parse(line, strlen(line), "cases", E_3070, &e);
		assert_non_null(j);
		if (strcmp(json_string_value(json_object_get(j, "kind")), "config") == 0) {
			const char *file = json_string_value(json_object_get(j, "file"));
			const char *expect = json_string_value(json_object_get(j, "expect"));
			Config c;
			snprintf(path, sizeof path, "tests/data/hostile/%s", file);
			bool ok = config_read(unit_src(path), &c, &e);
			bool right = strcmp(expect, "accept") == 0 ? ok : strcmp(expect, "reject") == 0 ? !ok : true;
			right = right && ok == (e.code == 0) && (ok || err_exit(&e) == 3 || err_exit(&e) == 5);
			if (!right)
				print_error("%s: expected %s, E%d %s\n", file, expect, e.code, e.text);
			if (getenv("SHOW_ERRORS"))
				print_message("# %s: %d %s\n", file, e.code, e.text);
			bad += !right;
			n++;
		}
		json_decref(j);
	}
	fclose(f);
	assert_int_equal(bad, 0);
	assert_true(n > 50);
}

static int parse(const char *text, Config *c)
{
	Err e = { 0 };
	bool ok = config_parse(text, strlen(text), "x", c, &e);
	assert_int_equal(ok, e.code == 0);
	if (!ok && getenv("SHOW_ERRORS"))
		print_message("# %d %s\n", e.code, e.text);
	return e.code;
}

TEST(config_defaults)
{
	Config c;
	assert_int_equal(parse("{\"model_type\":\"deepseek_v3\"}", &c), 0);
	assert_true(c.hidden_size == 7168 && c.num_hidden_layers == 61 && c.topk_method == TOPK_NOAUX && !c.softmax_gate);
	assert_true(c.yarn_factor == 0 && c.rope_theta == 10000 && c.rope_interleave && c.dtype == DT_BF16 && c.norm_topk_prob);
	assert_true(c.num_key_value_heads == 128 && c.num_nextn_predict_layers == 0 && c.index_n_heads == 0 && !c.fp8);
	assert_int_equal(parse("{\"architectures\":[\"DeepseekV2ForCausalLM\"],\"num_experts_per_tok\":6}", &c), 0);
	assert_string_equal(c.model_type, "deepseek_v2");
	assert_true(c.hidden_size == 4096 && c.softmax_gate && c.topk_method == TOPK_GREEDY && c.n_group == 1);
	assert_int_equal(parse("{\"model_type\":\"deepseek_v2\"}", &c), E_3075); /* its class has no default for the K of top-K */
	assert_int_equal(parse("{\"model_type\":\"deepseek_v32\"}", &c), 0);
	assert_true(c.index_topk == 2048 && c.index_n_heads == 64);
	assert_int_equal(parse("{\"model_type\":\"kimi_k2\",\"q_lora_rank\":null,\"bos_token_id\":null,\"eos_token_id\":null}", &c), 0);
	assert_true(c.arch == ARCH_V3 && c.q_lora_rank == 0 && c.bos_token_id == -1 && c.n_eos == 0);
	assert_int_equal(parse("{\"model_type\":\"deepseek_v3\",\"n_routed_experts\":null}", &c), 0);
	assert_false(config_is_moe(&c, 60));
}

/* Written and read again: every field the same. */
static void round_trip(const Config *c)
{
	Buf b = BUF_INIT, what = BUF_INIT;
	Config d;
	Err e = { 0 };
	memset(&d, 0, sizeof d);
	assert_true(config_write(c, &b));
	if (!config_parse(b.s, b.len, "written", &d, &e))
		fail_msg("E%d %s in %s", e.code, e.text, b.s);
	assert_memory_equal(c, &d, sizeof d);
	assert_false(config_differs(c, &d, &what));
	buf_done(&b);
	buf_done(&what);
}

TEST(config_written)
{
	static const char *const dirs[] = { "v2", "v2-lite", "v3", "v3-fp8-partial", "v3-hf5-config", "v3-long", "v3-moonlight", "v3-mtp2",
		"v3-odd", "v3-sharded", "v3-tied", "kimi-k2", NULL };
	static const char *const texts[] = {
		"{\"model_type\":\"deepseek_v2\",\"num_experts_per_tok\":6,\"attention_bias\":true,\"n_shared_experts\":null}",
		"{\"model_type\":\"deepseek_v3\",\"n_routed_experts\":null,\"num_experts_per_tok\":null,\"moe_intermediate_size\":null}",
		"{\"model_type\":\"deepseek_v32\",\"num_hidden_layers\":3,\"mlp_layer_types\":[\"dense\",\"sparse\",\"dense\"]}",
		"{\"model_type\":\"kimi_k2\",\"q_lora_rank\":null,\"bos_token_id\":null,\"eos_token_id\":[3,4,5],\"dtype\":\"float16\"}",
		"{\"model_type\":\"deepseek_v3\",\"eos_token_id\":null,\"rope_theta\":12345.5,\"rms_norm_eps\":1e-5,\"rope_interleave\":false,"
		"\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2.5,\"truncate\":false,\"attention_factor\":1.25,\"mscale\":0.707}}", NULL };
	Config c;
	for (int i = 0; dirs[i]; i++) {
		char path[128];
		Err e = { 0 };
		snprintf(path, sizeof path, "tests/data/models/%s", dirs[i]);
		memset(&c, 0, sizeof c);
		if (!config_read(unit_src(path), &c, &e))
			fail_msg("%s: %s", dirs[i], e.text);
		round_trip(&c);
	}
	for (int i = 0; texts[i]; i++) {
		memset(&c, 0, sizeof c);
		assert_int_equal(parse(texts[i], &c), 0);
		round_trip(&c);
	}
}

TEST(config_difference)
{
	Config a, b;
	Buf what = BUF_INIT;
	assert_int_equal(parse("{\"model_type\":\"deepseek_v3\",\"hidden_size\":64}", &a), 0);
	assert_int_equal(parse("{\"model_type\":\"deepseek_v3\",\"hidden_size\":64,\"dtype\":\"float32\"}", &b), 0);
	assert_false(config_differs(&a, &b, &what));
	b.hidden_size = 128;
	assert_true(config_differs(&a, &b, &what));
	assert_string_equal(buf_str(&what), "hidden_size is 64 and 128");
	buf_done(&what);
}

#define V3 "{\"model_type\":\"deepseek_v3\","
TEST(config_rope)
{
	Config c;
	assert_int_equal(parse(V3 "\"rope_theta\":50000,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"mscale\":1.0,"
		"\"mscale_all_dim\":0.707,\"original_max_position_embeddings\":4096}}", &c), 0);
	assert_true(c.rope_theta == 50000 && c.yarn_factor == 40 && c.yarn_original == 4096 && c.yarn_beta_fast == 32 &&
		    c.yarn_beta_slow == 1 && c.yarn_mscale == 1 && c.yarn_mscale_all_dim == 0.707 && c.yarn_truncate);
	assert_int_equal(parse(V3 "\"rope_parameters\":{\"rope_type\":\"yarn\",\"type\":\"yarn\",\"factor\":4,\"rope_theta\":20000,"
		"\"truncate\":false,\"beta_fast\":1,\"beta_slow\":1}}", &c), 0);
	assert_true(c.rope_theta == 20000 && c.yarn_factor == 4 && !c.yarn_truncate && c.yarn_original == 4096);
	assert_int_equal(parse(V3 "\"rope_parameters\":{\"rope_type\":\"default\",\"type\":\"yarn\",\"rope_theta\":7}}", &c), 0);
	assert_true(c.yarn_factor == 0 && c.rope_theta == 7);
	assert_int_equal(parse(V3 "\"rope_scaling\":{},\"rope_parameters\":null}", &c), 0);
	assert_int_equal(parse(V3 "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", &c), E_3074);
	assert_int_equal(parse(V3 "\"rope_scaling\":{\"type\":\"yarn\"}}", &c), E_3071);
	assert_int_equal(parse(V3 "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":\"4\"}}", &c), E_3073);
	assert_int_equal(parse(V3 "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"beta_fast\":1,\"beta_slow\":2}}", &c), E_3075);
	assert_int_equal(parse(V3 "\"rope_scaling\":[1]}", &c), E_3073);
	assert_int_equal(parse(V3 "\"rope_theta\":true}", &c), E_3073);
}

TEST(config_relations)
{
	static const struct { const char *text; int code; } cases[] = {
		{ V3 "\"num_experts_per_tok\":129}", E_3075 },        /* 4 groups of 32 are kept */
		{ V3 "\"num_experts_per_tok\":128}", 0 },
		{ V3 "\"n_group\":256,\"topk_group\":8}", E_3075 },   /* one expert in a group */
		{ V3 "\"topk_group\":9}", E_3075 },
		{ V3 "\"quantization_config\":{\"quant_method\":\"gptq\"}}", E_3074 },
		{ V3 "\"quantization_config\":{\"bits\":4}}", E_3071 },
		{ V3 "\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128]}}", E_3073 },
		{ V3 "\"quantization_config\":{\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"weight_block_size\":[128,128]}}", 0 },
		{ V3 "\"quantization_config\":null,\"dtype\":\"float32\"}", 0 },
		{ V3 "\"torch_dtype\":\"int8\"}", E_3074 },
		{ V3 "\"torch_dtype\":16}", E_3073 },
		{ V3 "\"hidden_act\":\"gelu\"}", E_3074 },
		{ V3 "\"mlp_bias\":true}", E_3074 },
		{ V3 "\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", E_5003 },
		{ V3 "\"eos_token_id\":[1,\"2\"]}", E_3073 },
		{ V3 "\"eos_token_id\":-1}", E_3074 },
		{ V3 "\"num_hidden_layers\":1025}", E_3074 },
		{ V3 "\"rms_norm_eps\":0}", E_3074 },
		{ "{\"model_type\":\"deepseek_v32\",\"q_lora_rank\":null}", E_3075 },
		{ "{\"model_type\":\"deepseek_v32\",\"index_head_dim\":32}", E_3075 },
		{ "{\"model_type\":\"deepseek_v32\",\"num_hidden_layers\":2,\"mlp_layer_types\":[\"sparse\"]}", E_3075 },
		{ "{\"model_type\":\"deepseek_v32\",\"num_hidden_layers\":2,\"mlp_layer_types\":[\"sparse\",\"moe\"]}", E_3074 },
		{ "[]", E_3070 }, { "{}", E_3071 }, { "{\"architectures\":[]}", E_3071 }, { "{\"architectures\":[7]}", E_3073 },
	};
	Config c;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int code = parse(cases[i].text, &c);
		if (code != cases[i].code)
			fail_msg("%s: E%d, expected E%d", cases[i].text, code, cases[i].code);
	}
}

TEST(config_layer_kinds)
{
	Config c;
	assert_int_equal(parse(V3 "\"first_k_dense_replace\":2,\"moe_layer_freq\":3,\"num_hidden_layers\":8}", &c), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(config_is_moe(&c, i), i == 3 || i == 6);
	assert_true(config_is_moe(&c, 8)); /* MTP */
	assert_int_equal(parse("{\"model_type\":\"deepseek_v32\",\"num_hidden_layers\":2,\"mlp_layer_types\":[\"sparse\",\"dense\"]}", &c), 0);
	assert_true(config_is_moe(&c, 0) && !config_is_moe(&c, 1) && config_is_moe(&c, 2));
}

static const KnownModel *known(const char *name)
{
	for (size_t i = 0; config_known(i); i++)
		if (strcmp(config_known(i)->name, name) == 0)
			return config_known(i);
	fail_msg("no model %s", name);
	return NULL;
}

typedef struct Sum { int64_t elements, tensors, mtp; const Config *c; } Sum;
static bool sum_one(const char *name, int rank, const int64_t *shape, bool optional, void *ud)
{
	Sum *s = ud;
	int64_t n = shape[0] * (rank == 2 ? shape[1] : 1);
	const char *p = strstr(name, "layers.");
	assert_true(rank == 1 || rank == 2);
	assert_true(n > 0);
	if (p && atoll(p + 7) >= s->c->num_hidden_layers) {
		s->mtp += optional ? 0 : n;
		return true;
	}
	assert_int_equal(optional, s->c->tie_word_embeddings && strcmp(name, "lm_head.weight") == 0);
	s->elements += n;
	s->tensors++;
	return true;
}

/* The shapes one by one and the formula agree with each other and with what was published. */
TEST(config_published_sizes)
{
	static const struct { const char *name; int64_t total, active, tensors; double billions; } cases[] = {
		{ "DeepSeek-V2-Lite", 15706484224, 2661150208, 5291, 15.706 },
		{ "DeepSeek-V2", 235741434880, 21375800320, 0, 235.741 },
		{ "DeepSeek-V3/R1", 671026419200, 37552297472, 45395, 671.026 },
		{ "DeepSeek-V3.2", 671877944064, 38403822336, 0, 671.878 },
		{ "Moonlight-16B-A3B", 0, 0, 0, 15.960 },
		{ "Kimi-K2", 0, 0, 0, 1026.4 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const Config *c = &known(cases[i].name)->config;
		ParamCount p = config_params(c);
		Sum s = { .c = c };
		assert_true(config_tensors(c, sum_one, &s));
		assert_int_equal(s.elements, p.total);
		assert_int_equal(s.mtp, p.mtp);
		if (cases[i].total) {
			assert_int_equal(p.total, cases[i].total);
			assert_int_equal(p.active, cases[i].active);
		}
		if (cases[i].tensors)
			assert_int_equal(s.tensors, cases[i].tensors);
		assert_close(p.total / 1e9, cases[i].billions, cases[i].billions > 1000 ? 0.05 : 0.0006, 0);
	}
	assert_close(config_params(&known("DeepSeek-V3/R1")->config).mtp / 1e9, 11.61, 0.006, 0);
}

TEST(config_cache_sizes)
{
	KvCount v3 = config_kv(&known("DeepSeek-V3/R1")->config);
	assert_int_equal(v3.mla, 35136);
	assert_int_equal(v3.mha, 61 * 128 * 320);
	assert_int_equal(v3.gqa8, 61 * 8 * 320);
	assert_int_equal(v3.mqa, 61 * 320);
	assert_int_equal(config_kv(&known("DeepSeek-V2")->config).mla, 34560);
	assert_int_equal(config_kv(&known("DeepSeek-V2-Lite")->config).mla, 15552);
	const KnownModel *dense = known("DeepSeek-67B");
	assert_int_equal(dense->kv_elements, 194560);
	assert_int_equal(config_kv(&dense->config).gqa8, 194560);
	assert_int_equal(config_kv(&dense->config).mla, 0);
}

/* Any change of a valid config gives an error or a config within the limits. */
TEST(config_mutated)
{
	static const char bits[] = "{}[]\":,0123456789eE.-+\\unltrue \n";
	Buf b = BUF_INIT;
	Err e = { 0 };
	assert_true(buf_read_file(&b, unit_src("tests/data/hostile/config/ok-floats-for-floats.json"), 65536, &e));
	uint64_t rng = 88172645463325252u;
	char *s = malloc(b.len);
	for (int round = 0; round < 3000; round++) {
		memcpy(s, b.s, b.len);
		for (int k = 0; k <= round % 4; k++) {
			rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
			s[rng % b.len] = bits[(rng >> 32) % (sizeof bits - 1)];
		}
		Config c;
		err_clear(&e);
		bool ok = config_parse(s, b.len, "mutated", &c, &e);
		assert_int_equal(ok, e.code == 0);
		if (ok)
			assert_true(c.hidden_size >= 1 && c.hidden_size <= 65536 && c.qk_rope_head_dim % 2 == 0 && c.n_group >= 1 &&
				    config_params(&c).total > 0);
	}
	free(s);
	buf_done(&b);
}

/* --- lathe_attention --- */

static bool twin_read(const char *more, Config *c, Err *e)
{
	Buf b = BUF_INIT;
	err_clear(e);
	buf_printf(&b, "{\"model_type\":\"deepseek_v3\",\"num_attention_heads\":6,\"n_group\":1,\"topk_group\":1%s}", more);
	bool ok = config_parse(buf_str(&b), b.len, "twin", c, e);
	buf_done(&b);
	return ok;
}

static void twin_wrong(const char *more, int code, const char *says)
{
	Config c;
	Err e = { 0 };
	assert_false(twin_read(more, &c, &e));
	assert_int_equal(e.code, code);
	if (!strstr(e.text, says))
		fail_msg("%s", e.text);
}

TEST(config_attention_words)
{
	Config c;
	Err e = { 0 };
	assert_true(twin_read("", &c, &e) && config_attention(&c) == ATTN_MLA && config_key_heads(&c) == 1);
	assert_true(twin_read(",\"lathe_attention\":\"mla\"", &c, &e) && config_attention(&c) == ATTN_MLA && !c.attention[0]);
	assert_true(twin_read(",\"lathe_attention\":\"mha\"", &c, &e) && config_attention(&c) == ATTN_GQA && config_key_heads(&c) == 6);
	assert_true(twin_read(",\"lathe_attention\":\"mqa\"", &c, &e) && config_key_heads(&c) == 1);
	assert_true(twin_read(",\"lathe_attention\":\"gqa\",\"num_key_value_heads\":3", &c, &e) && config_key_heads(&c) == 3);
	assert_true(twin_read(",\"lathe_attention\":\"GatedMLA\"", &c, &e) && config_attention(&c) == ATTN_OWN);
	twin_wrong(",\"lathe_attention\":\"gqa\"", E_3075, "given and divide");
	twin_wrong(",\"lathe_attention\":\"gqa\",\"num_key_value_heads\":4", E_3075, "num_key_value_heads is 4");
	twin_wrong(",\"lathe_attention\":\"mqa\",\"num_key_value_heads\":2", E_3075, "must be 1");
	twin_wrong(",\"lathe_attention\":\"mha\",\"num_key_value_heads\":2", E_3075, "the same");
	twin_wrong(",\"lathe_attention\":7", E_3073, "lathe_attention");
	twin_wrong(",\"lathe_attention\":\"a b\"", E_3074, "lathe_attention");
	twin_wrong(",\"lathe_attention\":\"0123456789012345678901234567890123456789012345678\"", E_3074, "lathe_attention");
	twin_wrong(",\"lathe_router\":\"\"", E_3074, "lathe_router");
}

TEST(config_attention_is_written_and_counted)
{
	static const struct { const char *word; int64_t G; } kinds[] = { { "mha", 6 }, { "gqa", 3 }, { "mqa", 1 } };
	Config c, back;
	Err e = { 0 };
	Buf b = BUF_INIT;
	assert_true(twin_read("", &c, &e) && config_write(&c, &b));
	assert_null(strstr(buf_str(&b), "lathe_"));
	for (int i = 0; i < 3; i++) {
		Sum s = { 0 };
		assert_true(twin_read("", &c, &e) && config_set_attention(&c, kinds[i].word, kinds[i].G, "t", &e));
		buf_clear(&b);
		assert_true(config_write(&c, &b) && config_parse(buf_str(&b), b.len, "back", &back, &e));
		assert_string_equal(back.attention, kinds[i].word);
		assert_int_equal(config_key_heads(&back), kinds[i].G);
		assert_int_equal(config_kv(&back).own, 61 * kinds[i].G * (128 + 64 + 128));
		s.c = &c;
		assert_true(config_tensors(&c, sum_one, &s));
		assert_int_equal(s.elements, config_params(&c).total);
	}
	assert_int_equal(config_kv(&c).mqa, config_kv(&c).own);
	assert_false(config_set_attention(&c, "gqa", 4, "t", &e));
	assert_int_equal(e.code, E_2102);
	buf_done(&b);
}
