/* Facts from JSON topics: complete, partial, wrong and hostile. */
#include "tests/unit.h"
#include "view/facts.h"
#include <math.h>
#include <string.h>

static void tell(Store *s, const char *topic, double t, const char *json)
{
	Sample x = { .topic = topic, .kind = SAMPLE_TEXT, .time = t, .data = json, .bytes = strlen(json) };
	assert_true(store_add(s, &x));
}

TEST(facts_tokens_come_in_order_and_are_replaced)
{
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "gen.token", 1, "{\"pos\":0,\"id\":5,\"text\":\"a\",\"given\":true}");
	tell(s, "gen.token", 2, "{\"pos\":2,\"id\":7,\"text\":\"c\",\"logprob\":-1.5}");
	assert_true(facts_update(&f, s));
	assert_false(facts_update(&f, s));
	tell(s, "gen.token", 3, "{\"pos\":1,\"id\":6,\"text\":\"b\"}");
	tell(s, "gen.token", 4,
		"{\"pos\":2,\"id\":8,\"text\":\"d\",\"draft\":\"rejected\",\"drafted_text\":\"x\"}");
	assert_true(facts_update(&f, s));
	assert_int_equal(f.n_tok, 3);
	assert_int_equal(f.tok[1].id, 6);
	assert_int_equal(f.tok[2].id, 8);
	assert_int_equal(f.tok[2].draft, TOK_REJECTED);
	assert_string_equal(f.tok[2].drafted, "x");
	assert_true(f.tok[0].given && isnan(f.tok[0].logprob));
	assert_int_equal(facts_find(&f, 1), 1);
	assert_int_equal(facts_find(&f, 3), -1);
	facts_done(&f);
	store_free(s);
}

TEST(facts_a_new_text_forgets_the_old)
{
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "gen.token", 1, "{\"pos\":0,\"id\":5,\"text\":\"a\"}");
	tell(s, "gen.token", 2, "{\"pos\":1,\"id\":5,\"text\":\"b\"}");
	facts_update(&f, s);
	tell(s, "gen.run", 3, "{}");
	tell(s, "gen.token", 4, "{\"pos\":0,\"id\":9,\"text\":\"z\"}");
	facts_update(&f, s);
	assert_int_equal(f.n_tok, 1);
	assert_int_equal(f.tok[0].id, 9);
	/* Back in time the old text is there again. */
	store_seek(s, 2.5);
	facts_update(&f, s);
	assert_int_equal(f.n_tok, 2);
	facts_done(&f);
	store_free(s);
}

TEST(facts_text_is_safe)
{
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "gen.token", 1,
		"{\"pos\":0,\"text\":\"\\u001b[2J\\u202e\",\"alternatives\":[{\"id\":1,\"text\":\"\\r\","
		"\"p\":0.5}]}");
	tell(s, "model.card", 1, "{\"name\":\"x\\u001b]0;y\\u0007\",\"layers\":99999999,\"experts\":-3}");
	facts_update(&f, s);
	assert_null(strchr(f.tok[0].text, 0x1b));
	assert_string_equal(f.tok[0].alt[0].text, "<0d>");
	assert_null(strchr(f.card.name, 0x1b));
	assert_int_equal(f.card.layers, 1000);
	assert_int_equal(f.card.experts, 0);
	facts_done(&f);
	store_free(s);
}

TEST(facts_a_nul_token_is_kept)
{
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "gen.token", 1, "{\"pos\":0,\"id\":5,\"text\":\"a\\\\u0000\\u0000\"}");
	facts_update(&f, s);
	assert_int_equal(f.n_tok, 1);
	assert_string_equal(f.tok[0].text, "a\\u0000\xe2\x90\x80");
	facts_done(&f);
	store_free(s);
}

TEST(facts_wrong_json_changes_nothing)
{
	static const char *const bad[] = { "", "[]", "{", "{\"pos\":\"x\",\"text\":5,\"alternatives\":7}",
		"null", "{\"alternatives\":[1,2,null]}" };
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "model.card", 0.5, "{\"name\":\"m\",\"layers\":3}");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tell(s, "gen.token", 1 + (double)i, bad[i]);
		tell(s, "gen.stats", 1 + (double)i, bad[i]);
		tell(s, "engine.status", 1 + (double)i, bad[i]);
	}
	facts_update(&f, s);
	assert_true(f.n_tok <= 1);
	assert_int_equal(f.card.layers, 3);
	facts_done(&f);
	store_free(s);
}

TEST(facts_a_byte_by_itself_is_kept_beside_the_text)
{
	Store *s = store_new(1 << 20);
	Facts f;
	facts_init(&f);
	tell(s, "gen.token", 1, "{\"pos\":0,\"id\":229,\"text\":\"\",\"alone\":\"<E5>\"}");
	tell(s, "gen.token", 2, "{\"pos\":1,\"id\":97,\"text\":\"a\"}");
	assert_true(facts_update(&f, s));
	assert_string_equal(f.tok[0].alone, "<E5>");
	assert_string_equal(f.tok[0].text, "");
	assert_null(f.tok[1].alone);
	facts_done(&f);
	store_free(s);
}
