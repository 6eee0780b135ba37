/* test_loop.c - the plan of a run, its rows of text, and steps: the same bits for any number of threads, parts that add up to the whole,
 * an error that names what is not finite. */
#include "tests/unit.h"
#include "train/state.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char config[] =
	"{\"model_type\":\"deepseek_v3\",\"vocab_size\":264,\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,"
	"\"num_key_value_heads\":2,\"first_k_dense_replace\":1,\"intermediate_size\":48,\"moe_intermediate_size\":16,\"n_routed_experts\":4,"
	"\"num_experts_per_tok\":2,\"n_shared_experts\":1,\"n_group\":1,\"topk_group\":1,\"norm_topk_prob\":true,\"routed_scaling_factor\":1.0,"
	"\"scoring_func\":\"sigmoid\",\"topk_method\":\"noaux_tc\",\"kv_lora_rank\":16,\"q_lora_rank\":null,\"qk_nope_head_dim\":8,"
	"\"qk_rope_head_dim\":8,\"v_head_dim\":8,\"rope_theta\":10000.0,\"num_nextn_predict_layers\":1,\"max_position_embeddings\":128}";

static bool give(void *ud, Split split, uint64_t row, uint64_t i, Document *s, Err *e)
{
	static char text[64];
	(void)e;
	snprintf(text, sizeof text, "%s%d %d is text number %d", split == SPLIT_TRAIN ? "" : "held ", (int)row, (int)i, (int)(row * 7 + i));
	*s = (Document){ .answer = text, .n_answer = strlen(text) };
	if (ud) {
		s->prompt = "ask:";
		s->n_prompt = 4;
	}
	return true;
}

typedef struct Stand { Tok *tok; Source source; TrainSettings s; Train *t; } Stand;

static void stand_up(Stand *k, int threads, void *prompts)
{
	static const char *const special[] = { "<eos>", "<fim_begin>", "<fim_hole>", "<fim_end>", NULL };
	Err e = { 0 };
	Config c;
	k->tok = tok_bytes(special);
	k->source = (Source){ give, prompts };
	assert_non_null(k->tok);
	if (!config_parse(config, sizeof config - 1, "test", &c, &e))
		fail_msg("%s", e.text);
	k->t = train_new(&(TrainStart){ .config = &c, .threads = threads }, &k->s, &k->source, k->tok, &e);
	if (!k->t)
		fail_msg("%s", e.text);
	k->t->eos = 256;
}

static void stand_down(Stand *k)
{
	train_free(k->t);
	tok_free(k->tok);
}

static void settings_small(TrainSettings *s)
{
	settings_default(s);
	s->batch = 4;
	s->seq = 32;
	s->lr = 3e-3;
	s->warmup = 2;
}

TEST(the_rate_follows_its_shapes)
{
	TrainSettings s;
	settings_default(&s);
	s.steps = 1000;
	s.warmup = 100;
	s.lr = 1;
	s.lr_final = 0.1;
	assert_float_equal(schedule_lr(&s, 0), 0.01, 1e-12);
	assert_float_equal(schedule_lr(&s, 100), 1, 1e-12);
	assert_float_equal(schedule_lr(&s, 550), 0.55, 1e-12);
	assert_float_equal(schedule_lr(&s, 5000), 0.1, 1e-12);
	s.lr_shape = LR_V3;
	s.lr_hold = 0.5;
	assert_float_equal(schedule_lr(&s, 549), 1, 1e-12);
	assert_float_equal(schedule_lr(&s, 775), 0.55, 1e-12);
	s.lr_shape = LR_LINEAR;
	assert_float_equal(schedule_lr(&s, 550), 0.55, 1e-12);
	s.lr_shape = LR_CONSTANT;
	assert_float_equal(schedule_lr(&s, 999), 1, 1e-12);
}

TEST(batch_bias_and_mtp_follow_their_plans)
{
	TrainSettings s;
	settings_default(&s);
	s.steps = 100;
	s.batch = 40;
	s.batch_start = 8;
	s.batch_ramp = 16;
	assert_int_equal(schedule_batch(&s, 0), 8);
	assert_int_equal(schedule_batch(&s, 8), 24);
	assert_int_equal(schedule_batch(&s, 16), 40);
	s.gamma = 0.5;
	s.gamma_frozen = 0.1;
	assert_true(schedule_gamma(&s, 89) > 0);
	assert_true(schedule_gamma(&s, 90) == 0);
	s.balance = BALANCE_NONE;
	assert_true(schedule_gamma(&s, 0) == 0);
	s.mtp_late = 0.25;
	assert_float_equal(schedule_lambda(&s, 74), s.mtp_lambda, 0);
	assert_float_equal(schedule_lambda(&s, 75), s.mtp_lambda_late, 0);
}

TEST(settings_know_their_names_words_and_ranges)
{
	TrainSettings s;
	Err e = { 0 };
	settings_default(&s);
	assert_true(settings_set(&s, "lr", "0.25", &e));
	assert_float_equal(s.lr, 0.25, 0);
	assert_true(settings_set(&s, "balance", "sequence", &e));
	assert_int_equal(s.balance, BALANCE_SEQUENCE);
	assert_true(settings_set(&s, "document_mask", "true", &e));
	assert_int_equal(s.document_mask, 1);
	assert_false(settings_set(&s, "learning_rate", "1", &e));
	assert_int_equal(e.code, E_2101);
	e = (Err){ 0 };
	assert_false(settings_set(&s, "batch", "1.5", &e));
	assert_false(settings_set(&s, "batch", "0", &e));
	assert_false(settings_set(&s, "lr", "nan", &e));
	assert_false(settings_set(&s, "lr", "", &e));
	assert_false(settings_set(&s, "lr_shape", "wavy", &e));
	assert_false(settings_set_number(&s, "lr_shape", 1, &e));
	assert_int_equal(s.batch, 16);
}

TEST(words_for_fp8_are_names_of_recipes)
{
	TrainSettings s;
	char word[32];
	settings_default(&s);
	for (s.fp8_recipe = 0; settings_word(&s, "fp8_recipe", word, sizeof word), word[0]; s.fp8_recipe++) {
		const Recipe *r = recipe_by_name(word);
		assert_true(r && r->n > 0 && r->rule[0].fprop.format == FMT_QUANT);
	}
	assert_true(s.fp8_recipe > 4);
}

TEST(rows_hold_documents_and_count_what_they_should)
{
	Stand k;
	TrainBatch a, b;
	Err e = { 0 };
	settings_small(&k.s);
	k.s.document_mask = 1;
	stand_up(&k, 1, &k);
	assert_true(pack_new(&a, 4, 48, &e) && pack_new(&b, 2, 48, &e));
	assert_true(pack_fill(k.t, &a, SPLIT_TRAIN, 10, &e));
	assert_true(pack_fill(k.t, &b, SPLIT_TRAIN, 12, &e)); /* the last two rows of a */
	assert_memory_equal(a.id + 2 * 48, b.id, sizeof *b.id * 96);
	assert_memory_equal(a.label + 2 * 48, b.label, sizeof *b.label * 96);
	assert_memory_equal(a.id, ((int32_t[]){ 'a', 's', 'k', ':', '1', '0', ' ', '0' }), 32);
	assert_memory_equal(a.label, ((int32_t[]){ -100, -100, -100, '1', '0', ' ', '0', ' ' }), 32);
	int rows = 0;
	for (int i = 0; i < a.n_seq; i++) {
		int last = a.docs[i].row0 + a.docs[i].rows - 1;
		rows += a.docs[i].rows;
		if (last % 48 != 47)
			assert_true(a.id[last] == 256 && a.label[last] == -100);
	}
	assert_int_equal(rows, 4 * 48);
	assert_true(a.n_seq > 4);
	pack_free(&a);
	pack_free(&b);
	stand_down(&k);
}

TEST(a_cut_document_has_its_three_parts)
{
	Stand k;
	TrainBatch b;
	Err e = { 0 };
	settings_small(&k.s);
	k.s.fim = 1;
	k.s.fim_middle = 1;
	stand_up(&k, 1, NULL);
	assert_true(pack_new(&b, 1, 24, &e) && pack_fill(k.t, &b, SPLIT_TRAIN, 3, &e));
	int hole = 0, end = 0;
	for (int i = 0; i < 24; i++) {
		hole += b.id[i] == 258;
		end += b.id[i] == 259;
		if (i && !end)
			assert_int_equal(b.label[i - 1], -100);
	}
	assert_int_equal(b.id[0], 257);
	assert_true(hole <= 1 && end <= 1);
	pack_free(&b);
	stand_down(&k);
}

static void steps(Stand *k, int n)
{
	StepReport r;
	Err e = { 0 };
	for (int i = 0; i < n; i++)
		if (!train_step(k->t, &r, &e))
			fail_msg("%s", e.text);
}

TEST(threads_do_not_change_a_bit)
{
	Stand one, two;
	settings_small(&one.s);
	one.s.document_mask = 1;
	one.s.balance = BALANCE_V2;
	one.s.alpha = 0.01;
	one.s.devices = 2;
	one.s.alpha_device = one.s.alpha_comm = 0.02;
	two.s = one.s;
	stand_up(&one, 1, NULL);
	stand_up(&two, 3, NULL);
	steps(&one, 3);
	steps(&two, 3);
	assert_memory_equal(one.t->params.w, two.t->params.w, sizeof(real) * (size_t)one.t->params.count);
	assert_memory_equal(one.t->params.v, two.t->params.v, sizeof(real) * (size_t)one.t->params.count);
	stand_down(&one);
	stand_down(&two);
}

TEST(parts_add_up_to_the_whole)
{
	Stand a, b;
	TrainBatch rows;
	StepReport ra, rb;
	Err e = { 0 };
	settings_small(&a.s);
	a.s.balance = BALANCE_SEQUENCE;
	a.s.alpha = 0.1;
	b.s = a.s;
	b.s.accumulate = 3;
	stand_up(&a, 1, NULL);
	stand_up(&b, 1, NULL);
	assert_true(pack_new(&rows, 4, 32, &e) && pack_fill(a.t, &rows, SPLIT_TRAIN, 0, &e));
	assert_true(train_gradient(a.t, &rows, TERMS_ALL, &ra, &e) && train_gradient(b.t, &rows, TERMS_ALL, &rb, &e));
	assert_float_equal(ra.loss, rb.loss, 1e-5);
	assert_float_equal(ra.aux, rb.aux, 1e-6);
	for (int64_t i = 0; i < a.t->params.count; i++)
		assert_float_equal(a.t->params.g[i], b.t->params.g[i], 2e-5);
	pack_free(&rows);
	stand_down(&a);
	stand_down(&b);
}

TEST(learning_lowers_the_loss_and_the_bias_moves)
{
	Stand k;
	StepReport r;
	Err e = { 0 };
	double first;
	settings_small(&k.s);
	k.s.steps = 100;
	stand_up(&k, 2, NULL);
	assert_true(train_step(k.t, &r, &e));
	first = r.main;
	assert_true(fabs(first - log(264)) < 0.2);
	steps(&k, 58);
	assert_true(train_step(k.t, &r, &e));
	assert_true(r.main < 0.8 * first);
	assert_true(r.bias_drift > 0 && r.maxvio >= 0 && isfinite(r.grad_norm));
	assert_true(train_eval(k.t, &r.held_out, &e) && r.held_out < first);
	stand_down(&k);
}

TEST(what_is_not_finite_is_named_and_changes_nothing)
{
	Stand k;
	StepReport r;
	Err e = { 0 };
	settings_small(&k.s);
	stand_up(&k, 1, NULL);
	steps(&k, 1);
	k.t->params.w[k.t->params.p[3].at] = (real)NAN;
	assert_false(train_step(k.t, &r, &e));
	assert_true(e.code == E_6101 || e.code == E_6001);
	assert_int_equal(train_at(k.t), 1);
	stand_down(&k);
}

TEST(computing_layers_again_gives_the_same_gradients)
{
	Stand a, b;
	TrainBatch rows;
	StepReport ra, rb;
	Err e = { 0 };
	settings_small(&a.s);
	a.s.balance = BALANCE_SEQUENCE;
	a.s.alpha = 0.1;
	a.s.document_mask = 1;
	b.s = a.s;
	b.s.recompute = 1;
	stand_up(&a, 1, NULL);
	stand_up(&b, 2, NULL);
	assert_true(pack_new(&rows, 4, 32, &e) && pack_fill(a.t, &rows, SPLIT_TRAIN, 0, &e));
	assert_true(train_gradient(a.t, &rows, TERMS_ALL, &ra, &e) && train_gradient(b.t, &rows, TERMS_ALL, &rb, &e));
	assert_float_equal(ra.loss, rb.loss, 1e-6);
	assert_float_equal(ra.aux, rb.aux, 1e-7);
	for (int64_t i = 0; i < a.t->params.count; i++)
		assert_float_equal(a.t->params.g[i], b.t->params.g[i], 1e-6);
	for (int i = 0; i < a.t->n_moe; i++)
		assert_memory_equal(a.t->load[i].count, b.t->load[i].count, sizeof(int64_t) * (size_t)a.t->load[i].E);
	pack_free(&rows);
	stand_down(&a);
	stand_down(&b);
}
